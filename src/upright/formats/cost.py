"""What a picture takes in memory, estimated from its header before a decoder is opened.

Every estimate is here; the bytes that a decoder holds for each byte of pixels are in the row of its format. Measured at
24 megapixels by the peak of a process, and rounded up; ``python -m bench.attack`` holds them against the budget.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..machine import vips_threads
from .table import Format

#: Lines that libvips' threads hold of a picture that is shrunk while it streams: for its caches, and for each thread.
_LINES, _LINES_OF_THREAD = 1_850, 320
#: The same where a line is shrunk before lines are added up.
_LONG_LINES, _LONG_LINES_OF_THREAD = 500, 90
#: A line of more bytes is long: 21,000 pixels of RGB.
LONG_LINE_BYTES = 64_000
#: The picture as it is decoded, shown and written, beside what decoder and encoder hold.
_REENCODED = 3.5
#: The same for each pixel, where what is clear is laid on white: in four layers of colours and alpha, then without.
_ON_WHITE = 28.0


def whole_bytes(row: Format, size: tuple[int, int], pixel_bytes: float) -> float:
    """Of a picture that has to be decoded whole; ``pixel_bytes`` is what its decoder gives for a pixel."""
    return size[0] * size[1] * pixel_bytes * row.held


def streamed_bytes(width: int, pixel_bytes: float, rows: int) -> float:
    """Of a picture that streams; ``rows`` of it are decoded together, as a strip or a row of tiles."""
    line, threads = width * pixel_bytes, vips_threads()
    if line > LONG_LINE_BYTES:
        return line * (_LONG_LINES + _LONG_LINES_OF_THREAD * threads + 2 * rows)
    return line * (_LINES + _LINES_OF_THREAD * threads + 2 * rows)


def coefficients_bytes(samples: float) -> float:
    """Of a progressive JPEG, of which libjpeg holds all coefficients: those of this many samples."""
    return 2 * samples


def shrunk_bytes(size: tuple[int, int]) -> float:
    """Of a picture that its decoder gives in this smaller size: Pillow's four bytes a pixel, and a copy."""
    return size[0] * size[1] * 8


def turned_bytes(row: Format, size: tuple[int, int], pixel_bytes: float) -> float:
    """Of a picture whose stored pixels are turned without loss, proof included."""
    return size[0] * size[1] * pixel_bytes * row.turning


def reencoded_bytes(
    rows: Sequence[Format], size: tuple[int, int], pixel_bytes: float, samples: int = 0, on_white: bool = False
) -> float:
    """Of a picture that is turned and encoded again; ``rows`` are those of its old and its new format, in this order.

    ``samples`` are those of a pixel, once they are known.
    """
    held = max(pixel_bytes, 4) * _REENCODED
    encoding = held + samples * rows[-1].encoding
    both = held + max(pixel_bytes, 4) * sum(row.held for row in rows)
    return size[0] * size[1] * max(both, encoding, _ON_WHITE * on_white)


def straightened_bytes(size: tuple[int, int], pixel_bytes: float) -> float:
    """What straightening adds: the samples as they are shown, resampled, and handed on."""
    return size[0] * size[1] * max(pixel_bytes, 4) * 3


def has_to_be_apart(row: Format, size: tuple[int, int], frames: int = 1) -> bool:
    """Whether so many frames may take so long that they are decoded where that can be stopped, and yields to others."""
    return row.apart or size[0] * size[1] * frames * row.slow > _MOST_S * 1e6


#: Seconds for which a decoder may keep a thread.
_MOST_S = 1.0


def is_cut_short(row: Format, size: tuple[int, int], file_bytes: int) -> bool:
    """Whether a file is too small for the pixels that it claims, however they are compressed."""
    return bool(row.densest) and size[0] * size[1] > max(_LEAST_CLAIM, file_bytes * row.densest)


#: Smaller pictures are decided from whatever is there of them.
_LEAST_CLAIM = 1_000_000
