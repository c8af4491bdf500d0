"""Near duplicates: two 64-bit difference hashes a picture, along its rows and along its columns.

A picture of the benchmark must not be one that trained or tuned a model. Both hashes survive scaling, squashing to a
square, compression and small crops; they do not find a window cut out of a page, so documents are told apart by the
repository that they come from as well."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Hashes = NDArray[np.uint64]  # [n, 2]
NEAR_BITS = 4  # of 64, in both hashes: what the training set is split by


def difference_hash(image: Image.Image) -> tuple[int, int]:
    """64 comparisons of neighbours along the rows of a 9 x 8 miniature, 64 along the columns of an 8 x 9 one."""
    grey = image.convert("L")
    along = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), np.int16)
    down = np.asarray(grey.resize((8, 9), Image.Resampling.BOX), np.int16)
    rows, columns = np.packbits(np.diff(along, axis=1) > 0), np.packbits(np.diff(down, axis=0) > 0)
    return int.from_bytes(rows.tobytes(), "big"), int.from_bytes(columns.tobytes(), "big")


def shard_hashes(folder: Path) -> tuple[Hashes, list[str]]:
    """Hashes and names of every picture in the training shards `train-*.tar` of a folder.

    Raises FileNotFoundError where there is no shard."""
    shards = sorted(folder.glob("train-*.tar"))
    if not shards:
        raise FileNotFoundError(f"{folder}: no train-*.tar there; name the folder of the training shards")
    pairs = [pair for shard in shards for pair in _members(shard)]
    return np.array([hashes for hashes, _ in pairs], np.uint64), [name for _, name in pairs]


def _members(shard: Path) -> Iterator[tuple[tuple[int, int], str]]:
    with tarfile.open(shard) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                with Image.open(io.BytesIO(file.read())) as image:
                    yield difference_hash(image), member.name


def near(hashes: Hashes, image: Image.Image, bits: int = NEAR_BITS) -> list[int]:
    """Rows of `hashes` whose picture is a near duplicate of `image`, upright or turned by any quarter."""
    found: set[int] = set()
    for turned in (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270):
        along, down = difference_hash(image if turned is None else image.transpose(turned))
        close = np.bitwise_count(hashes[:, 0] ^ np.uint64(along)) <= bits
        close &= np.bitwise_count(hashes[:, 1] ^ np.uint64(down)) <= bits
        found.update(int(row) for row in np.flatnonzero(close))
    return sorted(found)
