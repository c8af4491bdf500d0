"""One sitting on a lent GPU: everything goes there in pieces, and training begins with the first of them.

    python -m training.sitting pack --data SHARDS --synth synth.npy --start imagenet --out PIECES     # here
    python -m training.sitting train PIECES --recipe recipes/read-gpu.toml --run RUN                  # there

Every piece is a tar of pictures of all kinds, mixed, so that the first one is a small training set by itself; the first
also holds the start weights and what judges. `train` takes up each `piece-NN.tar` that appears in PIECES while it runs.
A number in `RUN/minutes` changes how long that is. The machine there needs torch, numpy, pillow and safetensors.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import queue
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training import data, network
from training.pictures import Pictures
from training.recipe import Group, Recipe
from training.train import Trainer, run
from training.upright_heads import HeadsTrainer

MANIFEST, WEIGHTS = "manifest.json", "start.safetensors"
#: Most pictures of a pool that judge during a sitting.
MOST_JUDGED = 400
Member = tuple[str, bytes]  # `<train or tune>/<pool>/<number>.webp`, the file


def pack(options: argparse.Namespace) -> None:
    """Writes the pieces: what trains by the rule, in one random order; weights and what judges come first."""
    pools = data.read_shards(options.data, options.photo_px, options.text_px)
    drop = data.read_drop(options.drop)
    part: dict[str, str] = {}  # where a shard's member goes
    for kind, pool in pools.items():
        split = data.Split.by_rule(pool, drop)
        part |= {pool.names[row]: f"train/{kind}" for row in split.train}
        part |= {pool.names[row]: f"tune/{kind}" for row in split.tune[:MOST_JUDGED]}
    del pools
    members = [*_from_shards(options.data, part)]
    for path, kind in ((options.synth, data.SYNTH), (options.synth_read, data.SYNTH_READ)):
        members += _rendered(path, kind, options.quality) if path else []
    random = np.random.default_rng(0)
    judged = [member for member in members if member[0].startswith("tune/")]
    trained = [member for member in members if member[0].startswith("train/")]
    random.shuffle(trained)  # type: ignore[arg-type]
    numbers: dict[str, int] = {}
    for name, _ in trained:
        numbers[name.split("/")[1]] = numbers.get(name.split("/")[1], 0) + 1
    options.out.mkdir(parents=True, exist_ok=True)
    net, facts = network.start(options.start, options.variant)
    network.save(options.out / WEIGHTS, net.half(), facts)
    head = [(MANIFEST, json.dumps(numbers).encode()), (WEIGHTS, (options.out / WEIGHTS).read_bytes()), *judged]
    (options.out / WEIGHTS).unlink()
    for number in range(options.pieces):
        some = trained[number :: options.pieces]
        _write_piece(options.out / f"piece-{number:02d}.tar", some if number else [*head, *some])
    print(numbers)


def _from_shards(sources: list[Path], part: dict[str, str]) -> Iterator[Member]:
    for shard in data.shards_in(sources):
        with tarfile.open(shard) as tar:
            for member in tar:
                if member.name in part and (file := tar.extractfile(member)):
                    yield f"{part[member.name]}/{member.name.replace('/', '_')}", file.read()


def _rendered(path: Path, kind: str, quality: int) -> Iterator[Member]:
    """Rendered pictures as WebP, the last twentieth to judge by; empty rows at the end of the file are left out."""
    pixels = np.load(path, mmap_mode="r")
    number = next((n for n in range(len(pixels), 0, -1) if pixels[n - 1].any()), 0)
    judged = min(MOST_JUDGED, number // 20)

    def encoded(row: int) -> Member:
        buffer = io.BytesIO()
        Image.fromarray(pixels[row]).save(buffer, "WEBP", quality=quality, method=2)
        return f"{'tune' if row >= number - judged else 'train'}/{kind}/{row:06d}.webp", buffer.getvalue()

    with ThreadPoolExecutor(os.cpu_count()) as executor:
        yield from executor.map(encoded, range(number))


def _write_piece(path: Path, members: list[Member]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


class Arriving(Pictures):
    """Pictures that come piece by piece while training goes on."""

    def __init__(self, folder: Path, recipe: Recipe, device: torch.device) -> None:
        super().__init__({}, {}, device)
        self.folder, self.recipe, self.device = folder, recipe, device
        self.arrived: queue.SimpleQueue[dict[str, data.Pixels]] = queue.SimpleQueue()
        first = decoded(folder / "piece-00.tar", recipe.photo_px, recipe.text_px)
        with tarfile.open(folder / "piece-00.tar") as tar:
            self.weights = folder / WEIGHTS
            self.weights.write_bytes(_content(tar, WEIGHTS))
            numbers: dict[str, int] = json.loads(_content(tar, MANIFEST))
        self.filled = dict.fromkeys(numbers, 0)
        sides = {kind: side_of(kind, recipe.photo_px, recipe.text_px) for kind in numbers}
        self.whole = {kind: torch.empty((number, sides[kind], sides[kind], 3), dtype=torch.uint8, device=device)
                      for kind, number in numbers.items()}  # fmt: skip
        self.tune = {name.removeprefix("tune/"): pixels for name, pixels in first.items() if name.startswith("tune/")}
        self._take(first)
        threading.Thread(target=self._watch, daemon=True).start()

    def draw(self, group: Group, random: torch.Generator) -> Tensor | None:
        while not self.arrived.empty():
            self._take(self.arrived.get())
        return super().draw(group, random)

    def _take(self, pictures: dict[str, data.Pixels]) -> None:
        for name, pixels in pictures.items():
            part, _, kind = name.partition("/")
            if part == "train":
                first = self.filled[kind]
                self.filled[kind] = first + len(pixels)
                self.whole[kind][first : self.filled[kind]] = torch.from_numpy(pixels).to(self.device)
                self.train[kind] = (self.whole[kind], torch.arange(self.filled[kind], device=self.device))
        print("pictures", self.filled, flush=True)

    def _watch(self) -> None:
        number = 1
        while True:
            piece = self.folder / f"piece-{number:02d}.tar"
            if piece.exists():
                self.arrived.put(self._decoded_apart(piece))
                number += 1
            else:
                time.sleep(0.5)

    def _decoded_apart(self, piece: Path) -> dict[str, data.Pixels]:
        """The same by another process: in this one the steps of training stood still for 37 s of the first hundred."""
        folder = piece.with_suffix("")
        sides = ["--photo-px", str(self.recipe.photo_px), "--text-px", str(self.recipe.text_px)]
        command = [sys.executable, "-m", "training.sitting", "decode", str(piece), *sides, "--out", str(folder)]
        subprocess.run(command, check=True)
        return {file.stem.replace("@", "/"): np.load(file) for file in sorted(folder.glob("*.npy"))}


def decoded(piece: Path, photo_px: int, text_px: int) -> dict[str, data.Pixels]:
    """The squares of a piece by `<part>/<pool>`."""

    def square(member: Member) -> data.Pixels:
        with Image.open(io.BytesIO(member[1])) as image:
            return data.squash(image, side_of(member[0].split("/")[1], photo_px, text_px))

    with tarfile.open(piece) as tar:
        members = [(member.name, _content(tar, member.name)) for member in tar if member.name.endswith(".webp")]
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        squares = list(executor.map(square, members))
    found: dict[str, list[data.Pixels]] = {}
    for (name, _), pixels in zip(members, squares, strict=True):
        found.setdefault(name.rpartition("/")[0], []).append(pixels)
    return {name: np.stack(rows) for name, rows in found.items()}


def decode(options: argparse.Namespace) -> None:
    """Writes the squares of a piece, one file for each part and pool."""
    options.out.mkdir(parents=True, exist_ok=True)
    for name, pixels in decoded(options.piece, options.photo_px, options.text_px).items():
        np.save(options.out / f"{name.replace('/', '@')}.npy", pixels)


def side_of(kind: str, photo_px: int, text_px: int) -> int:
    """The side in pixels of the squares of a pool."""
    if kind in (data.READ, data.SYNTH_READ):
        return data.READ_PX
    return photo_px if kind == "photo" else text_px


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


class Sitting(Trainer):
    """A run whose length may be changed while it goes on."""

    def progress(self) -> float:
        changed = self.run_folder / "minutes"
        if self.step % 20 == 0 and changed.exists():
            self.minutes = float(changed.read_text())
        return super().progress()


class HeadsSitting(Sitting, HeadsTrainer):
    """The same for the second network."""


def train(options: argparse.Namespace) -> None:
    recipe = Recipe.read(options.recipe, minutes=options.minutes)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pictures = Arriving(options.pieces, recipe, device)
    recipe = replace(recipe, start=str(options.start or pictures.weights))
    run((HeadsSitting if options.heads else Sitting)(recipe, pictures, options.run, device), resume=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    packing, training, decoding = (commands.add_parser(name) for name in ("pack", "train", "decode"))
    for each in (packing, decoding):
        each.add_argument("--photo-px", type=int, default=160)
        each.add_argument("--text-px", type=int, default=288)
        each.add_argument("--out", required=True, type=Path)
    decoding.add_argument("piece", type=Path)
    packing.add_argument("--data", required=True, type=Path, action="append", help="shard or folder of train-*.tar")
    packing.add_argument("--synth", type=Path, help=".npy that training.synth wrote")
    packing.add_argument("--synth-read", type=Path, help=".npy that training.synth --windows wrote")
    packing.add_argument("--drop", type=Path, help="names of pictures to leave out, from training.data doubt")
    packing.add_argument("--start", default="imagenet", help="imagenet, nothing or a file of weights")
    packing.add_argument("--variant", default="lite2", choices=network.VARIANTS)
    packing.add_argument("--quality", type=int, default=80, help="of the rendered pictures' WebP")
    packing.add_argument("--pieces", type=int, default=8, help="number of files; one travels with each call")
    training.add_argument("pieces", type=Path)
    training.add_argument("--recipe", required=True, type=Path)
    training.add_argument("--minutes", type=float, help="instead of the recipe's")
    training.add_argument("--run", required=True, type=Path)
    training.add_argument("--start", type=Path, help="weights instead of those in the first piece")
    training.add_argument("--heads", action="store_true", help="train the second network, by recipes/heads-gpu.toml")
    options = parser.parse_args()
    {"pack": pack, "train": train, "decode": decode}[options.command](options)


if __name__ == "__main__":
    main()
