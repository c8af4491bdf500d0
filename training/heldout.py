"""Upright pictures that a model is judged or calibrated with: the evaluation tar, held-out pools, a folder."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from training.data import Pixels

KINDS = {"doc": "document", "screen": "screenshot", "scene": "scene text", "photo": "photograph"}


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright picture: uint8 RGB pixels [h, w, 3] and where it comes from."""

    kind: str
    source: str
    name: str
    pixels: Pixels
    path: str = ""  # where it was found: `<kind>/<source>/<name>`


def shown(pixels: Pixels, turn: int) -> Pixels:
    """The upright pixels as a picture that needs `turn` quarter turns clockwise: exact, no pixel is resampled."""
    return np.ascontiguousarray(np.rot90(pixels, turn))  # numpy turns counterclockwise, as the camera was held


def _picture(name: str, pixels: Pixels) -> Picture:
    kind, source, rest = (["", "", *Path(name).parts])[-3:]
    return Picture(KINDS.get(kind, kind or "picture"), source or "-", rest, pixels, name)


def read_tar(path: Path) -> Iterator[Picture]:
    """Pictures of a tar whose members are `<kind>/<source>/<name>`; OSError or tarfile.TarError where it is no such."""
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield _picture(member.name, np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB")))


def read_folder(path: Path) -> Iterator[Picture]:
    """Pictures of a folder, as shown; `<kind>/<source>/<name>` is read from the path below it."""
    for file in sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in Image.registered_extensions()):
        with Image.open(file) as image:
            yield _picture(str(file.relative_to(path)), np.asarray(ImageOps.exif_transpose(image).convert("RGB")))


def read_pools(path: Path) -> Iterator[Picture]:
    """Held-out pools: `val_<kind>.npy` (uint8 [n, s, s, 3], squashed squares) with their names in `val_<kind>.json`."""
    for pool in sorted(path.glob("val_*.npy")):
        names = json.loads(pool.with_suffix(".json").read_text())
        for name, pixels in zip(names, np.load(pool, mmap_mode="r"), strict=True):
            yield _picture(name, np.asarray(pixels))


def read(path: Path) -> Iterator[Picture]:
    """Pictures of a tar, of a folder of pools or of a folder of pictures."""
    if path.is_file():
        return read_tar(path)
    if next(path.glob("val_*.npy"), None):
        return read_pools(path)
    if path.is_dir():
        return read_folder(path)
    raise FileNotFoundError(f"{path}: no tar, no folder of pools, no folder of pictures; name one of them")


def sample(pictures: Iterable[Picture], each: int, seed: int) -> list[Picture]:
    """At most `each` pictures of every kind, drawn with `seed`, in their first order."""
    everything = list(pictures)
    random = np.random.default_rng(seed)
    keep: list[Any] = []
    for kind in dict.fromkeys(p.kind for p in everything):
        mine = [i for i, p in enumerate(everything) if p.kind == kind]
        keep += random.choice(mine, min(each, len(mine)), replace=False).tolist()
    return [everything[i] for i in sorted(keep)]
