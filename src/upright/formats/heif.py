"""HEIC and AVIF: the transformations ``irot`` and ``imir`` of the primary item, read only.

The standard (ISO/IEC 23008-12) makes these normative and an EXIF orientation beside them only information; libheif,
libvips and browsers apply the former and ignore the latter, so an EXIF block is not even looked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..turns import HEIF_IROT, ExifOrientation, Turn
from .edits import MAX_BLOCK, Window


def orientation(window: Window) -> ExifOrientation:
    """How stored pixels become shown pixels; TOP_LEFT where nothing says so or the boxes are damaged."""
    position = 0
    for _ in range(64):
        kind, body, end = _box(window.at(position, 16))
        if kind is None:
            break
        if kind == b"meta":
            return _orientation(window.at(position + body, min(end - body, MAX_BLOCK)))
        if end == 0:
            break
        position += end
    return ExifOrientation.TOP_LEFT


def _box(head: bytes) -> tuple[bytes | None, int, int]:
    """Type, where the body begins and where the box ends (0: with the file), from the box's start."""
    if len(head) < 8:
        return None, 0, 0
    size, body = int.from_bytes(head[:4], "big"), 8
    if size == 1 and len(head) >= 16:
        size, body = int.from_bytes(head[8:16], "big"), 16
    return (None, 0, 0) if 0 < size < body else (head[4:8], body, size)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    while True:
        kind, body, end = _box(data)
        if kind is None:
            return
        yield kind, data[body : end or None]
        if end == 0:
            return
        data = data[end:]


def _orientation(meta: bytes) -> ExifOrientation:
    boxes = dict(_boxes(meta[4:]))
    properties = list(_boxes(boxes.get(b"iprp", b"")))
    kept = [box for kind, body in properties if kind == b"ipco" for box in _boxes(body)]
    shown = ExifOrientation.TOP_LEFT
    primary = _primary(boxes.get(b"pitm", b""))
    for index in (i for kind, body in properties if kind == b"ipma" for i in _associations(body, primary)):
        kind, body = kept[index - 1] if 0 < index <= len(kept) else (b"", b"")
        if kind == b"irot" and body:
            shown = shown.then(HEIF_IROT[body[0] & 3])
        elif kind == b"imir" and body:
            # Axis 0 exchanges top and bottom, 1 left and right; a mirror reverses the turns made before it.
            half = Turn.NONE if body[0] & 1 else Turn.HALF
            shown = ExifOrientation.compose(not shown.mirrored, shown.turn.inverse.then(half))
    return shown


def _primary(pitm: bytes) -> int:
    return int.from_bytes(pitm[4:8] if pitm[:1] == b"\1" else pitm[4:6], "big")


def _associations(ipma: bytes, item: int) -> list[int]:
    """The numbers (from 1) of the properties of an item, in the order in which they apply."""
    if len(ipma) < 8:
        return []
    id_size, wide = 4 if ipma[0] else 2, ipma[3] & 1
    at = 8
    for _ in range(int.from_bytes(ipma[4:8], "big")):
        if at >= len(ipma):
            break
        found, count = int.from_bytes(ipma[at : at + id_size], "big"), ipma[at + id_size : at + id_size + 1]
        at += id_size + 1
        width = 2 if wide else 1
        listed = ipma[at : at + width * int.from_bytes(count, "big")]
        if found == item:
            mask = 0x7FFF if wide else 0x7F
            return [int.from_bytes(listed[i : i + width], "big") & mask for i in range(0, len(listed), width)]
        at += len(listed)
    return []
