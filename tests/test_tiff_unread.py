"""TIFF whose samples no decoder here knows: turned by their packed rows, bit by bit, and looked at by nobody."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from upright.correction import corrected_bytes
from upright.formats import Span, Window
from upright.formats.tiff import directory
from upright.results import Method

WIDTH, HEIGHT = 61, 47


def tiff(bits: np.ndarray, depth: int, channels: int, kind: int) -> bytes:
    """An uncompressed TIFF of rows of bits ``[h, n]``; ``kind`` is its SampleFormat."""
    rows = np.packbits(bits, axis=1).tobytes()
    many = [(258, [depth] * channels), (339, [kind] * channels)]
    one = [(256, WIDTH), (257, HEIGHT), (259, 1), (262, 1 if channels == 1 else 2), (277, channels), (278, HEIGHT)]
    entries, place, extra = [(tag, 3, 1, struct.pack("<I", value)) for tag, value in one], 8 + 2 + 12 * 10 + 4, b""
    for tag, values in many:
        held = struct.pack(f"<{channels}H", *values)
        inside = len(held) <= 4
        entries.append((tag, 3, channels, held.ljust(4, b"\0") if inside else struct.pack("<I", place + len(extra))))
        extra += b"" if inside else held
    entries.append((273, 4, 1, struct.pack("<I", place + len(extra))))
    entries.append((279, 4, 1, struct.pack("<I", len(rows))))
    table = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in sorted(entries))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4) + extra + rows


def bits_of(data: bytes, width: int, height: int, depth: int, channels: int) -> np.ndarray:
    """All samples ``[h, w, bits]``, read by hand."""
    window = Window(data)
    found = directory(window, Span(0, window.size))
    strips = zip(found.numbers(window, 273), found.numbers(window, 279), strict=True)
    rows = np.frombuffer(b"".join(data[at : at + size] for at, size in strips), np.uint8).reshape(height, -1)
    return np.unpackbits(rows, axis=1)[:, : width * depth * channels].reshape(height, width, -1)


@pytest.mark.parametrize(
    ("depth", "channels", "kind"), [(14, 1, 1), (4, 3, 1), (5, 3, 1), (14, 3, 1), (64, 1, 3), (64, 3, 3), (24, 1, 3)]
)
def test_turned_bit_by_bit(depth: int, channels: int, kind: int) -> None:
    bits = np.random.default_rng(depth).integers(0, 2, (HEIGHT, WIDTH * depth * channels), np.uint8)
    data = tiff(bits, depth, channels, kind)
    before = bits_of(data, WIDTH, HEIGHT, depth, channels)
    assert np.array_equal(before.reshape(HEIGHT, -1), bits)
    for degrees, size in ((90, (HEIGHT, WIDTH)), (180, (WIDTH, HEIGHT))):
        new, done = corrected_bytes(data, degrees, Method.TURN, "refuse")
        assert done.lossless
        assert np.array_equal(bits_of(new, *size, depth, channels), np.rot90(before, -degrees // 90))
        window = Window(new)
        found = directory(window, Span(0, window.size))
        assert (found.numbers(window, 258), found.numbers(window, 339)) == ((depth,) * channels, (kind,) * channels)
