"""JPEG 2000: what a file says that Pillow neither reads nor writes (ISO/IEC 15444-1)."""

from __future__ import annotations

from .boxes import Box, boxes
from .edits import Window

#: Boxes without which the picture is the same, and those that are written anew.
_OWN = (b"jP  ", b"ftyp", b"rreq", b"jp2h", b"jp2c", b"free")
_TILE_PART, _END, _MOST_SEGMENTS = b"\xff\x90", b"\xff\xd9", 1 << 16
#: Boxes of metadata: EXIF, XMP, IPTC and GeoTIFF are in a uuid.
_METADATA = (b"uuid", b"xml ", b"uinf")


def would_lose(window: Window) -> str:
    """What is lost when Pillow reads the file and writes its pixels; nothing: ""."""
    top = list(boxes(window)) if window.at(4, 4) == b"jP  " else [Box(b"jp2c", 0, 0, window.size)]
    inner = [box for outer in top if outer.kind == b"jp2h" for box in boxes(window, outer.body, outer.end)]
    if any(box.kind in _METADATA for box in top):
        return "its metadata (EXIF, XMP or others)"
    if any(box.kind == b"colr" and window.at(box.body, 1) == b"\2" for box in inner):
        return "its colour profile"
    if unknown := next((box.kind for box in top if box.kind not in _OWN), b""):
        return f"its box {unknown.decode('latin-1')!r}"
    stream = next((box.body for box in top if box.kind == b"jp2c"), 0)
    if window.at(_end(window, stream), window.size).strip(b"\0\r\n"):
        return "what follows its pixels"
    components, depth = window.at(stream + 40, 2), window.at(stream + 42, 1)
    if int.from_bytes(components, "big") > 1 and depth and depth[0] & 0x7F > 7:
        return f"its {(depth[0] & 0x7F) + 1} bits, of which 8 would be left"
    return ""


def _end(window: Window, start: int) -> int:
    """Behind a codestream; the file's end where it does not tell."""
    at = start + 2
    for _ in range(_MOST_SEGMENTS):
        kind = window.at(at, 2)
        if kind == _END:
            return at + 2
        where, size = (at + 6, 4) if kind == _TILE_PART else (at + 2, 2)
        length = int.from_bytes(window.at(where, size), "big")
        if kind[:1] != b"\xff" or length < 2:
            break
        at += length + 2 * (kind != _TILE_PART)
    return window.size
