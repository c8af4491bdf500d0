"""TIFF samples of any number of bits, turned as they lie in their packed rows.

libvips and Pillow read most kinds and write few of them back; so each row is read and written as bytes of grey.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from ..errors import TAG, NotLossless
from ..formats import Span, Window, tiff
from ..formats.tiff import BITS, HEIGHT, SAMPLES_OF_PIXEL, TILE_WIDTH, WIDTH, Directory, directory
from ..machine import libvips
from ..turns import ExifOrientation, show_array
from .tiff_tags import OF_WRITER, Tags, described_as, written_with

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PLACES = (tiff.STRIPS, tiff.STRIP_SIZES, tiff.TILES, tiff.TILE_SIZES)
_LONG8 = 16
#: What the file that is written has to say itself; sizes are in samples there as in the old one.
_OWN = (OF_WRITER | {tiff.COMPRESSION}) - {WIDTH, HEIGHT, tiff.FORMAT}
_ROWS = 256
#: How a file begins whose directory has the least byte first: Pillow reads no BigTIFF of the other kind.
_LITTLE = {b"MM\0*": b"II*\0", b"MM\0+": b"II+\0\x08\0\0\0"}
#: Each is read from a copy of the file.
_MOST_PLANES = 8


def can_turn(window: Window, found: Directory) -> bool:
    """Whether rows can be taken as bytes: all samples have as many bits, and none is the difference to another."""
    if found.numbers(window, tiff.PREDICTOR) not in ((), (1,)) or _planes(window, found) > _MOST_PLANES:
        return False
    return len(set(found.numbers(window, BITS))) <= 1


def _planes(window: Window, found: Directory) -> int:
    return found.numbers(window, SAMPLES_OF_PIXEL)[0] if found.numbers(window, tiff.PLANAR) == (2,) else 1


def turned(data: bytes, found: Directory, exif: ExifOrientation, compression: str) -> bytes:
    """The TIFF whose stored pixels are what ``exif`` shows, with all its tags; libvips' name of its ``compression``."""
    return described_as(_written(_lines(data, found, exif), found, compression), data, exif.swaps_sides, _OWN)


def same_rows(before: bytes, after: bytes, exif: ExifOrientation) -> bool:
    """Whether a file has the packed rows of another one as ``exif`` shows them, where no decoder knows its samples."""
    import numpy as np

    old, new = (directory(Window(data), Span(0, len(data))) for data in (before, after))
    return np.array_equal(_lines(before, old, exif), _lines(after, new, ExifOrientation.TOP_LEFT))


def _lines(data: bytes, found: Directory, exif: ExifOrientation) -> NDArray[np.uint8]:
    """The packed rows ``[h, bytes]`` of the turned picture."""
    import numpy as np

    window = Window(data)
    width, depth, channels = (found.number(window, t, 1) for t in (WIDTH, BITS, SAMPLES_OF_PIXEL))
    planes = _planes(window, found)
    samples, *others = (
        _samples(_rows(data, found, plane, planes, channels // planes * depth), width, channels // planes, depth)
        for plane in range(planes)
    )
    if others:
        samples = np.concatenate([samples, *others], axis=2)
    if found.order == ">" and depth % 8 == 0:  # libvips writes the least byte first
        samples = samples.reshape(*samples.shape[:2], channels, -1)[..., ::-1].reshape(samples.shape)
    return _packed(show_array(samples, exif), depth, channels)


def _written(lines: NDArray[np.uint8], found: Directory, compression: str) -> bytes:
    """A TIFF of these bytes as grey."""
    image = libvips().Image.new_from_array(lines, interpretation="b-w")
    result: bytes = image.tiffsave_buffer(compression=compression, predictor="none", bigtiff=found.big)
    return result


def _rows(data: bytes, found: Directory, plane: int, planes: int, pixel_bits: int) -> NDArray[np.uint8]:
    """The rows ``[h, bytes]`` of one plane of samples, decompressed."""
    import numpy as np
    from PIL import Image
    from PIL.TiffImagePlugin import TiffImageFile

    window = Window(data)

    def bytes_of(pixels: int) -> int:
        return -(-pixels * pixel_bits // 8)

    numbers = {
        tag: found.numbers(window, tag)
        for tag in (
            WIDTH,
            HEIGHT,
            tiff.COMPRESSION,
            tiff.FILL_ORDER,
            tiff.STRIP_HEIGHT,
            TILE_WIDTH,
            tiff.TILE_HEIGHT,
            *_PLACES,
        )
    }
    if any(pixels * pixel_bits % 8 for pixels in numbers[TILE_WIDTH]):
        raise NotLossless("its tiles are no whole bytes wide", remedy=TAG)
    for tag in (WIDTH, TILE_WIDTH):
        numbers[tag] = tuple(bytes_of(pixels) for pixels in numbers[tag])
    for tag in _PLACES:
        each = len(numbers[tag]) // planes
        numbers[tag] = numbers[tag][plane * each : (plane + 1) * each]
    numbers |= {BITS: (8,), tiff.PHOTOMETRIC: (1,), SAMPLES_OF_PIXEL: (1,)}
    kind, code = (_LONG8, "Q") if found.big else (4, "I")
    tags: Tags = {
        tag: (kind, len(held), struct.pack(f"<{len(held)}{code}", *held)) for tag, held in numbers.items() if held
    }
    head = _LITTLE.get(data[:4], b"")
    # libvips wants tiles of certain sizes.
    with TiffImageFile(io.BytesIO(written_with(head + data[len(head) :], tags))) as image:
        # What is there to be filled is not held against Pillow's limit of pixels: these are bytes.
        image.im = Image.new(image.mode, image.size).im
        return np.asarray(image)


def _samples(rows: NDArray[np.uint8], width: int, channels: int, depth: int) -> NDArray[np.uint8]:
    """Rows unpacked to ``[h, w, bytes]``: each sample has whole bytes, its first bit the highest one."""
    import numpy as np

    many = width * channels
    if depth % 8 == 0:
        return rows[:, : many * depth // 8].reshape(len(rows), width, -1)
    samples = np.empty((len(rows), many, -(-depth // 8)), np.uint8)
    for top in range(0, len(rows), _ROWS):
        bits = np.unpackbits(rows[top : top + _ROWS], axis=1, count=many * depth)
        samples[top : top + _ROWS] = np.packbits(bits.reshape(-1, many, depth), axis=2)
    return samples.reshape(len(rows), width, -1)


def _packed(samples: NDArray[np.uint8], depth: int, channels: int) -> NDArray[np.uint8]:
    """The reverse: rows ``[h, bytes]``, filled up with zeros."""
    import numpy as np

    height, many = len(samples), samples.shape[1] * channels
    if depth % 8 == 0:
        return np.ascontiguousarray(samples).reshape(height, -1)
    lines = np.empty((height, -(-many * depth // 8)), np.uint8)
    for top in range(0, height, _ROWS):
        part = np.ascontiguousarray(samples[top : top + _ROWS])
        bits = np.unpackbits(part.reshape(len(part), many, -1), axis=2, count=depth)
        lines[top : top + _ROWS] = np.packbits(bits.reshape(len(part), -1), axis=1)
    return lines
