"""PNG samples turned at their own depth: every chunk but IHDR, IDAT, iDOT, pHYs and sCAL stays as it is.

The samples are read and compressed by Pillow, or by libvips where Pillow would halve 16 bits, and the file is put
together here: no library at hand writes all fifteen combinations of depth and colour back as they were.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import NotLossless
from ..formats import Window
from ..formats.png import SIGNATURE, chunk, chunks
from ..machine import libvips
from ..turns import ExifOrientation, show_array
from .proof import opened, prove, same_picture, same_samples
from .straighten import Straighten, straightened_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_GREY, _PALETTE = 0, 3
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


def _compressed(samples: NDArray[Any], depth: int, colour: int) -> list[bytes]:
    """What chunks of pixels hold of these samples. Few bits are written as those of a palette, which are the same."""
    import numpy as np
    from PIL import Image

    height, width, channels = samples.shape
    if depth == 16:
        space = "grey16" if channels < 3 else "rgb16"
        image = libvips().Image.new_from_array(np.ascontiguousarray(samples), interpretation=space)
        written: bytes = image.pngsave_buffer(compression=6, filter="all")
    else:
        mode = "P" if depth < 8 or colour == _PALETTE else {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        image, out = Image.frombytes(mode, (width, height), samples.tobytes()), io.BytesIO()
        if mode == "P":
            image.putpalette(bytes(3 << depth))  # Pillow takes the depth from it
        image.save(out, "PNG")
        written = out.getvalue()
    return [written[start + 8 : start + 8 + size] for kind, start, size in chunks(Window(written)) if kind == b"IDAT"]
