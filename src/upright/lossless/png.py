"""PNG samples turned at their own depth: every chunk but IHDR, IDAT, iDOT, pHYs and sCAL stays as it is.

The samples are read by Pillow, or by libvips where Pillow would halve 16 bits, and written here, because no library
at hand writes all fifteen combinations of depth and colour back as they were.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..errors import NotLossless
from ..formats import Window
from ..formats.png import SIGNATURE, chunk, chunks
from ..machine import libvips
from ..turns import ExifOrientation, show_array
from .proof import opened, prove, same_picture, same_samples
from .straighten import Straighten, straightened_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_GREY, _PALETTE = 0, 3
_ROWS = 256
#: Deflate makes at most this of a byte; libvips takes minutes to fill up a PNG of 2 kB that claims 176 megapixels.
_DEFLATE_RATIO = 1032


def turned(data: bytes, exif: ExifOrientation, edge: str) -> bytes:
    """The PNG whose stored pixels are what ``exif`` shows."""
    result = _rewritten(data, exif.swaps_sides, lambda samples: show_array(samples, exif))
    prove(data, result, exif, same_samples, same_picture)
    return result


def straightened(data: bytes, exif: ExifOrientation, how: Straighten) -> bytes:
    """The PNG as ``exif`` shows it, resampled at its own depth; it is one of samples, not of a palette."""
    return _rewritten(data, exif.swaps_sides, lambda samples: straightened_array(samples, exif, how))


def _rewritten(data: bytes, swapped: bool, change: Callable[[NDArray[Any]], NDArray[Any]]) -> bytes:
    found = [(kind, data[start + 8 : start + 8 + size]) for kind, start, size in chunks(Window(data))]
    if not found or found[0][0] != b"IHDR" or len(found[0][1]) != 13:
        raise NotLossless("the PNG does not begin with its header")
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", found[0][1])
    compressed = sum(len(body) for kind, body in found if kind == b"IDAT")
    if height * (width * depth * _CHANNELS.get(colour, 1) // 8) > _DEFLATE_RATIO * compressed:
        raise NotLossless("the PNG is cut short")
    samples = change(_samples(data, depth, colour))
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, colour, 0, 0, 0)
    parts, written = [SIGNATURE, chunk(b"IHDR", header)], False
    for kind, body in found[1:]:
        if kind == b"IDAT":
            parts += [] if written else [chunk(b"IDAT", piece) for piece in _compressed(samples, depth, colour)]
            written = True
        elif kind == b"pHYs" and swapped:
            parts.append(chunk(kind, body[4:8] + body[:4] + body[8:]))
        elif kind == b"sCAL" and swapped:
            parts.append(chunk(kind, body[:1] + b"\0".join(reversed(body[1:].split(b"\0")))))
        elif kind == b"iDOT":
            continue  # Apple's: where in the old file the second half of the pixels began
        else:
            parts.append(chunk(kind, body))
    return b"".join(parts)


def _samples(data: bytes, depth: int, colour: int) -> NDArray[Any]:
    """Samples ``[h, w, channels]`` as they are stored, uint8 or uint16."""
    import numpy as np

    if depth == 16:
        pyvips = libvips()
        image = pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on="error")
        samples = np.asarray(image.numpy()).reshape(image.height, image.width, image.bands)
        if samples.dtype != np.uint16 or image.bands < _CHANNELS[colour]:
            raise NotLossless("its 16-bit samples cannot be read as they are")
        return samples[:, :, : _CHANNELS[colour]]
    with opened(data) as picture:
        samples = np.asarray(picture)
    samples = samples.astype(np.uint8).reshape(*samples.shape[:2], -1)
    if samples.shape[2] != _CHANNELS[colour]:
        raise NotLossless("its samples cannot be read as they are")
    # Pillow spreads grey of 2 and 4 bits over 0 to 255.
    return samples // (255 // (2**depth - 1)) if colour == _GREY and depth in (2, 4) else samples


def _compressed(samples: NDArray[Any], depth: int, colour: int) -> Iterator[bytes]:
    import numpy as np

    height, width, channels = samples.shape
    packer, above = zlib.compressobj(6), None
    for top in range(0, height, _ROWS):
        rows = samples[top : top + _ROWS]
        if depth < 8:
            bits = np.unpackbits(np.ascontiguousarray(rows[:, :, :1]), axis=2)[:, :, 8 - depth :]
            lines = np.packbits(bits.reshape(len(rows), width * depth), axis=1)
        else:
            lines = np.ascontiguousarray(rows.astype(">u2" if depth == 16 else "u1")).view(np.uint8)
            lines = lines.reshape(len(rows), -1)
        if above is None:
            above = np.zeros_like(lines[0])
        plain = depth < 8 or colour == _PALETTE
        yield packer.compress(_filtered(lines, above, 0 if plain else channels * depth // 8).tobytes())
        above = lines[-1]
    yield packer.flush()


def _filtered(lines: NDArray[np.uint8], above: NDArray[np.uint8], pixel: int) -> NDArray[np.uint8]:
    """Rows with the filter type in front; the one of the least absolute differences, none where ``pixel`` is 0."""
    import numpy as np

    if not pixel:
        return np.pad(lines, ((0, 0), (1, 0)))
    up = np.vstack([above[None], lines[:-1]])
    left, upper_left = (np.pad(a, ((0, 0), (pixel, 0)))[:, : lines.shape[1]] for a in (lines, up))
    a, b, c = (part.astype(np.int16) for part in (left, up, upper_left))
    near_a, near_b, near_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    paeth = np.where((near_a <= near_b) & (near_a <= near_c), left, np.where(near_b <= near_c, up, upper_left))
    choices = np.stack([lines, lines - left, lines - up, lines - paeth])
    costs = np.abs(choices.view(np.int8).astype(np.int16)).sum(axis=2, dtype=np.int64)
    best = costs.argmin(axis=0)
    kinds = np.array([0, 1, 2, 4], np.uint8)[best]
    return np.hstack([kinds[:, None], choices[best, np.arange(len(lines))]])
