"""Upright pictures in memory: tar shards or a user's folder -> one pool of squares for each kind, split by group.

A shard is a `train-*.tar` with members `<kind>/<source>/<id>.webp`. Everything is upright; what the network is asked to
undo is made by `training.augment`. `eval.tar` is the judge's and is refused here.

    python -m training.data count --data FOLDER
    python -m training.data pools --data FOLDER --part calibrate --out POOLS
    python -m training.data doubt --data FOLDER --model WEIGHTS --out drop.txt
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import io
import json
import os
import re
import sys
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.measures import Floats, scores

Pixels = NDArray[np.uint8]
Hashes = NDArray[np.uint64]  # [n, 2]: difference hash along rows, along columns

KINDS = ("photo", "doc", "screen", "scene")
READ = "read"  # windows of text at reading size, of any kind: sources whose name ends in "-read"
SYNTH = "synth"  # rendered pages
SYNTH_READ = "synth-read"  # rendered windows at reading size
PARTS = ("train", "tune", "calibrate")

# The project's rule of what is held out. Weights in use were trained under it: after a change, their calibration would
# rest on pictures that they have learnt.

HELD_OUT_SOURCES = frozenset(
    [
        "medi-it",
        "hooker",
        "ptbr",
        "galli17",
        "iforal",
        "tamil-pages",
        "lp-india",
        "container-nameplate",
        "ocr-projects",
        "openhab",
        "iterm-themes",
        "mozaika",
        "icarda",
        "sinaia",
        "elliot",
        "idar",
        "africanews",
        "parts",
        "poilus-read",
        "fb-fraktur-read",
        "p10k-read",
        "fondue-fr20-read",
        "pdfplumber-read",
        "sysint-read",
        "georgian-read",
        "surya-read",
    ]
)  # whole sources, so that some of what is judged is of a sort that training never saw
HELD_OUT_PERCENT = 3
READ_TAIL = "-read"
READ_PX = 224  # side of those windows, in the shards and in memory
FAMILIES = {
    **dict.fromkeys(("flipb", "flipc", "flipd"), "flip"),
    **dict.fromkeys(("posters", "posters3"), "posters"),
    **dict.fromkeys(("boxart2", "x68box", "gametitle", "fdsbox", "libretto"), "games"),
    **dict.fromkeys(("ruan", "ruan-textdata"), "ruan"),
    **dict.fromkeys(("apps", "apps2", "aves", "whph"), "apps"),
    **dict.fromkeys(("grocpack", "grocery-store"), "groceries"),
}  # sources that share pictures

# Two pictures are near duplicates where both of their 64-bit hashes differ in at most this many bits.
NEAR_BITS = 4

_PAGE = re.compile(
    r"[-_. ]*(p|pp|page|pages|large|mobile|slide|slidepage|f|folio|scan|sheet)?[-_. ]*\d+$", re.IGNORECASE
)
_MARKED_PAGE = re.compile(r"[-_. ]+(p|pp|page|slide|folio|scan|sheet)[-_. ]*\d+$", re.IGNORECASE)
_WINDOW = re.compile(r"_p\d+_k\d+$")
_HASH_TAILS = re.compile(r"(_[0-9a-f]{5})?-[0-9a-f]{6,8}$")


def held_out(name: str) -> bool:
    """Whether a picture `<kind>/<source>/<id>.webp` is meant for judging: its source is, or 3 % by hash of its id."""
    kind, source, identity = _parts(name)
    if source.endswith(READ_TAIL):
        key = group_of(name)
        return source in HELD_OUT_SOURCES or int(hashlib.sha1(key.encode()).hexdigest(), 16) % 100 < HELD_OUT_PERCENT
    key = source + "/" + re.sub(r"[-_.]?[0-9a-f]{8}$", "", identity)
    if kind != "photo":
        key = re.sub(r"\d+$", "", key)
    return source in HELD_OUT_SOURCES or int(hashlib.sha1(key.encode()).hexdigest(), 16) % 100 < HELD_OUT_PERCENT


def group_of(name: str) -> str:
    """What must not be torn apart: the pages of one document, the frames of one film; else the picture itself."""
    kind, source, identity = _parts(name)
    stem = _HASH_TAILS.sub("", identity)
    if source.endswith(READ_TAIL):
        source = source.removesuffix(READ_TAIL)
        return f"{FAMILIES.get(source, source)}/{_WINDOW.sub('', identity)}"
    if kind in ("doc", "screen") or source in ("lp-robertlucian", "grocpack", "grocery-store", "camvid"):
        while (shorter := _PAGE.sub("", stem)) != stem:
            stem = shorter
        # Shards cut long ids from the left, pages 9 and 10 of one document at different letters.
        stem = stem[-14:]
    elif not kind:
        stem = _MARKED_PAGE.sub("", stem)
    return f"{FAMILIES.get(source, source)}/{stem}"


def pool_of(name: str) -> str:
    """The pool of a shard's member: its kind, or READ for a window at reading size."""
    kind, source, _ = _parts(name)
    return READ if source.endswith(READ_TAIL) else kind


def _parts(name: str) -> tuple[str, str, str]:
    """Kind, source and id of a shard's member; a user's path keeps its folder as source and has no kind of ours."""
    stem = name.rsplit(".", 1)[0]
    kind, _, rest = stem.partition("/")
    if kind in KINDS and rest.count("/") == 1:
        source, _, identity = rest.partition("/")
        return kind, source, identity
    folder, _, identity = stem.rpartition("/")
    return "", folder, identity


@dataclass(frozen=True)
class Pool:
    """Upright pictures of one kind: uint8 RGB squares [n, s, s, 3], with their names and difference hashes."""

    pixels: Pixels
    names: list[str]
    hashes: Hashes

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Split:
    """Which pictures of a pool belong to which part: row numbers, disjoint, the same on every machine."""

    train: NDArray[np.intp]
    tune: NDArray[np.intp]  # stops training early, chooses between models
    calibrate: NDArray[np.intp]  # temperature and thresholds, with `tune`; nothing else may look at it

    @classmethod
    def by_rule(cls, pool: Pool, drop: Iterable[str] = ()) -> Split:
        """A group goes to judging only where every member does by the rule; names in `drop` leave the training part."""
        dropped = set(drop)
        groups = grouped(pool.names, pool.hashes)
        judged = {group: all(held_out(pool.names[row]) for row in rows) for group, rows in groups.items()}
        parts: dict[str, list[int]] = {part: [] for part in PARTS}
        for group, rows in groups.items():
            if not judged[group]:
                parts["train"] += [row for row in rows if pool.names[row] not in dropped]
            else:
                parts["tune" if _fraction(group) < 0.5 else "calibrate"] += rows
        return cls(**{part: np.array(sorted(rows), np.intp) for part, rows in parts.items()})

    @classmethod
    def by_share(cls, pool: Pool, tune: float, calibrate: float) -> Split:
        """For a user's pictures: whole groups in the order of their hash until each share is reached."""
        groups = grouped(pool.names, pool.hashes)
        parts: dict[str, list[int]] = {part: [] for part in PARTS}
        for group in sorted(groups, key=_fraction):
            wanted = {"tune": tune * len(pool), "calibrate": calibrate * len(pool)}
            short = [part for part, number in wanted.items() if len(parts[part]) < number]
            parts[short[0] if short else "train"] += groups[group]
        return cls(**{part: np.array(sorted(rows), np.intp) for part, rows in parts.items()})


def grouped(names: Sequence[str], hashes: Hashes) -> dict[str, list[int]]:
    """Rows by group, near duplicates joined; a joined group bears its first name in alphabetical order."""
    root = list(range(len(names)))

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = row = root[root[row]]
        return row

    first: dict[str, int] = {}
    for row, name in enumerate(names):
        root[find(row)] = find(first.setdefault(group_of(name), row))
    for one, other in near_duplicates(hashes):
        root[find(one)] = find(other)
    members: dict[int, list[int]] = {}
    for row in range(len(names)):
        members.setdefault(find(row), []).append(row)
    return {min(group_of(names[row]) for row in rows): rows for rows in members.values()}


def near_duplicates(hashes: Hashes, bits: int = NEAR_BITS) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose two hashes each differ in at most `bits` bits; 30,000 pictures take 2 s."""
    for first in range(0, len(hashes), 256):
        chunk = hashes[first : first + 256]
        near = np.bitwise_count(chunk[:, None, 0] ^ hashes[None, first:, 0]) <= bits
        for row, other in np.argwhere(near):
            if other > row and int(chunk[row, 1] ^ hashes[first + other, 1]).bit_count() <= bits:
                yield first + int(row), first + int(other)


def difference_hash(image: Image.Image) -> tuple[int, int]:
    """64 comparisons of neighbours along the rows of a 9 x 8 miniature, 64 along the columns of an 8 x 9 one."""
    grey = image.convert("L")
    along = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), np.int16)
    down = np.asarray(grey.resize((8, 9), Image.Resampling.BOX), np.int16)
    rows, columns = np.packbits(np.diff(along, axis=1) > 0), np.packbits(np.diff(down, axis=0) > 0)
    return int.from_bytes(rows.tobytes(), "big"), int.from_bytes(columns.tobytes(), "big")


def squash(image: Image.Image, side_px: int) -> Pixels:
    """The whole shown picture as a square, antialiased, as the product sees it.

    Squares commute with quarter turns; a true aspect or a letterbox would give the answer away.
    """
    if image.size != (side_px, side_px):
        image = image.convert("RGB").resize((side_px, side_px), Image.Resampling.BILINEAR)
    return np.asarray(image.convert("RGB"))


def read_shards(sources: Sequence[Path], photo_px: int, text_px: int) -> dict[str, Pool]:
    """Pools by kind from shards (or folders with shards); photographs at photo_px, the text kinds at text_px.

    Raises FileNotFoundError where a source holds no shard, ValueError where it is the judge's.
    """
    shards = shards_in(sources)
    sides = {kind: photo_px if kind == "photo" else text_px for kind in KINDS} | {READ: READ_PX}
    found: dict[str, list[tuple[str, Pixels, tuple[int, int]]]] = {kind: [] for kind in sides}
    with ThreadPoolExecutor(os.cpu_count()) as executor:  # Pillow decodes without the interpreter's lock
        for rows in executor.map(_read_shard, shards, [sides] * len(shards)):
            for row in rows:
                found[pool_of(row[0])].append(row)
    # Each list is let go as its pool is made, so that no more than one kind is in memory twice.
    pools = {kind: _pool(rows) for kind in sides if (rows := found.pop(kind))}
    # glibc keeps what was let go in pieces this small: 3 GB of all shards.
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
    return pools


def shards_in(sources: Sequence[Path]) -> list[Path]:
    """The shards among these files and folders; errors as `read_shards` raises them."""
    return [shard for source in sources for shard in _shards_in(source)]


def _shards_in(source: Path) -> list[Path]:
    if source.name == "eval.tar":
        raise ValueError(f"{source}: these pictures are the judge's; train on train-*.tar")
    shards = [source] if source.is_file() else sorted(source.glob("train-*.tar"))
    if not shards:
        raise FileNotFoundError(f"{source}: no train-*.tar there; name a shard or a folder of shards")
    return shards


def _read_shard(shard: Path, sides: dict[str, int]) -> list[tuple[str, Pixels, tuple[int, int]]]:
    with tarfile.open(shard) as tar:
        members = [(member.name, tar.extractfile(member)) for member in tar if member.isfile()]
        return [_read(name, file, sides[pool_of(name)]) for name, file in members if file is not None]


def _read(name: str, file: IO[bytes], side_px: int) -> tuple[str, Pixels, tuple[int, int]]:
    with Image.open(io.BytesIO(file.read())) as image:
        return name, squash(image, side_px), difference_hash(image)


def read_folder(folder: Path, side_px: int) -> Pool:
    """A user's upright pictures, as shown (EXIF applied), in the order of their names below the folder.

    Raises FileNotFoundError where there is none; a file that is no picture is passed over.
    """
    rows = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            with Image.open(path) as image:
                image.draft("RGB", (2 * side_px, 2 * side_px))
                upright = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, Image.DecompressionBombError):
            continue
        rows.append((str(path.relative_to(folder)), squash(upright, side_px), difference_hash(upright)))
    if not rows:
        raise FileNotFoundError(f"{folder}: no picture that Pillow can open; name a folder of upright pictures")
    return _pool(rows)


def _pool(rows: list[tuple[str, Pixels, tuple[int, int]]]) -> Pool:
    rows.sort(key=lambda row: row[0])
    pixels = np.stack([row[1] for row in rows])
    return Pool(pixels, [row[0] for row in rows], np.array([row[2] for row in rows], np.uint64))


def _fraction(text: str) -> float:
    """A number in [0, 1) that depends on the text alone; salted, so as not to follow the rule's own hash."""
    return int.from_bytes(hashlib.sha1(b"part:" + text.encode()).digest()[:6], "big") / 2**48


# Photographs are doubted sooner: about one in fifty has no definable "up" or lies wrong; text hardly ever does.
DOUBT_AT = {"photo": 0.85, "doc": 0.95, "screen": 0.95, "scene": 0.95}


def doubtful(pool: Pool, kind: str, logits: Floats) -> list[str]:
    """Names of pictures that a trained model, seeing them as they lie, confidently calls turned."""
    turned = scores(logits, 1.0)[:, 1:].max(axis=1)
    return [pool.names[row] for row in np.flatnonzero(turned >= DOUBT_AT.get(kind, 1.0))]


def read_drop(path: Path | None) -> set[str]:
    """Names to leave out, one a line."""
    return set(path.read_text().split("\n")) - {""} if path else set()


def write_pools(
    pools: Mapping[str, Pool], parts: Collection[str], folder: Path, drop: Collection[str] = (), most: int | None = None
) -> None:
    """`val_<kind>.npy` and the names in `val_<kind>.json`, as `training.heldout` reads them.

    Names in `drop` are left out. With `most`, at most that many of each kind, from the whole length of the pool.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for kind, pool in pools.items():
        pixels, names, split = pool.pixels, pool.names, Split.by_rule(pool)
        kept = sorted(row for part in parts for row in getattr(split, part) if names[row] not in drop)
        rows = np.array(kept[:: -(-len(kept) // most)] if most and kept else kept, np.intp)
        np.save(folder / f"val_{kind}.npy", pixels[rows])
        (folder / f"val_{kind}.json").write_text(json.dumps([names[row] for row in rows]))


def write_doubtful(pools: Mapping[str, Pool], weights: Path, drop: Path) -> None:
    """The names of all doubtful pictures, one a line."""
    from training.network import load, logits_of

    net, _ = load(weights)
    sizes = {kind: 176 if kind == "photo" else 224 for kind in pools}
    doubted: list[str] = []
    for kind, pool in pools.items():
        doubted += doubtful(pool, kind, logits_of(net, pool.pixels, sizes[kind]))
    drop.write_text("\n".join([*doubted, ""]))
    print(f"{drop}: {len(doubted)} doubtful pictures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    each = {name: commands.add_parser(name) for name in ("count", "pools", "doubt")}
    for command in each.values():
        command.add_argument("--data", required=True, type=Path, action="append", help="shard or folder of shards")
        command.add_argument("--photo-px", type=int, default=144)
        command.add_argument("--text-px", type=int, default=288)
    for name in ("pools", "doubt"):
        each[name].add_argument("--out", required=True, type=Path)
    each["pools"].add_argument("--part", choices=PARTS, action="append", required=True, help="may be given again")
    each["pools"].add_argument(
        "--drop", type=Path, action="append", default=[], help="names to leave out, one a line, e.g. mislabelled.txt"
    )
    each["pools"].add_argument("--kind", action="append", help="only this kind of pictures")
    each["pools"].add_argument("--most", type=int, help="most pictures of each kind")
    each["doubt"].add_argument("--model", required=True, type=Path, help="weights of the model that doubts")
    options = parser.parse_args()
    pools = read_shards(options.data, options.photo_px, options.text_px)
    if options.command == "pools":
        wanted = {kind: pool for kind, pool in pools.items() if not options.kind or kind in options.kind}
        write_pools(wanted, options.part, options.out, set().union(*map(read_drop, options.drop)), options.most)
    elif options.command == "doubt":
        write_doubtful(pools, options.model, options.out)
    else:
        for kind, pool in pools.items():
            split = Split.by_rule(pool)
            print(kind, {part: len(getattr(split, part)) for part in PARTS})


if __name__ == "__main__":
    main()
