"""What an XMP packet says of its picture, which follows the EXIF tag and never leads.

``tiff:Orientation`` becomes what the tag says. Where pixels move, sizes are exchanged, and what is at a place of the
stored picture moves along (`regions`). The packet keeps its length, by the white space in it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from decimal import InvalidOperation

from ..errors import TAG, Damaged, NotLossless
from ..formats import Blocks, Edit, Window
from ..formats.edits import MAX_BLOCK
from ..turns import ExifOrientation
from .moved import Moved
from .regions import APPLIED, FIELD, Change, exchanged, moved_places

#: How a packet says the orientation.
VALUE = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([0-9])\s*["'<]""")
_SIDES = (
    (b"tiff:ImageWidth", b"tiff:ImageLength"),
    (b"tiff:XResolution", b"tiff:YResolution"),
    (b"exif:PixelXDimension", b"exif:PixelYDimension"),
    (b"stDim:w", b"stDim:h"),
    (b"xmpGImg:width", b"xmpGImg:height"),
    (b"xapGImg:width", b"xapGImg:height"),
)
#: A thumbnail, in base64 with line breaks.
_IMAGE = re.compile(FIELD % rb"x[ma]pGImg:image")
_BREAK = re.compile(rb"\s|&#x?[0-9A-Fa-f]+;")
#: The digest of what a JPEG holds beside its packet, in pieces that begin with it, the length of all and a place.
_EXTENDED, _PIECE_HEAD = re.compile(FIELD % rb"xmpNote:HasExtendedXMP"), 40
#: What is at places that no rule here moves.
_UNMOVED = {
    "its Camera Raw settings for parts of the picture": re.compile(
        rb"crs:(?:Retouch(?:Areas|Info)|RedEyeInfo|(?:Paint|Gradient|CircularGradient|MaskGroup)Based)"
        rb"""|crs:Perspective\w+\s*(?:=\s*["']|>)\s*[+-]?[0.]*[1-9]"""
    ),
    "its depth map, or the picture in its XMP,": re.compile(rb"<GImage:|<GDepth:|\bG(?:Image|Depth):\w+\s*="),
    "its panorama": re.compile(rb"GPano:(?:Cropped|FullPano)"),
    "darktable's turn, crop, masks or retouching": re.compile(
        rb"""darktable:operation\s*=\s*["'](?:(?:clipping|crop|ashift|retouch|spots|liquify|graduatednd|mask_manager)["']"""
        rb"""|flip["'][^<>]*darktable:params\s*=\s*["'](?!f{8}))"""  # all ones: as the tag says
    ),
}
_INDENTED = re.compile(rb"(?<=>)\n([ \t]+)(?=<)")
_END = re.compile(rb"""(\s*)((?:<\?xpacket end=["'][rw]["']\?>\s*\0*)?)\Z""")


def read(window: Window, blocks: Blocks) -> tuple[int | None, int | None]:
    """The number, and the position of its digit."""
    span = blocks.xmp
    found = VALUE.search(window.at(span.start, min(span.end - span.start, MAX_BLOCK))) if span else None
    return (int(found[1]), span.start + found.start(1)) if span and found else (None, None)


def follow(window: Window, blocks: Blocks, moved: Moved) -> list[Edit]:
    """The edits that make a packet say what is so afterwards. Raises `Damaged` where it would grow."""
    if (span := blocks.xmp) is None:
        return []
    packet = window.at(span.start, min(span.end - span.start, MAX_BLOCK))
    new, edits = _of_length(rewritten(packet, moved), len(packet)), list[Edit]()
    if moved.pixels != ExifOrientation.TOP_LEFT and (extended := _EXTENDED.search(packet)):
        edits, digest = _extension(window, blocks, extended[2], moved)
        new = new.replace(extended[2], digest)
    changed = [at for at, (old, now) in enumerate(zip(packet, new, strict=True)) if old != now]
    if not changed:
        return edits
    first, last = changed[0], changed[-1] + 1
    return [*edits, Edit(span.start + first, packet[first:last], new[first:last])]


def _extension(window: Window, blocks: Blocks, digest: bytes, moved: Moved) -> tuple[list[Edit], bytes]:
    """The edits of what the packet had no room for, and the digest that names it then.

    Pieces that are not whole, or of another digest, are what readers leave out.
    """
    pieces = sorted((window.at(s.start + 36, 4), s) for s in blocks.extended if window.at(s.start, 32) == digest)
    starts, old = list[int](), b""
    for place, span in pieces:
        if int.from_bytes(place, "big") != len(old):
            return [], digest
        starts.append(len(old))
        old += window.at(span.start + _PIECE_HEAD, span.end - span.start - _PIECE_HEAD)
    if not pieces or len(old) != int.from_bytes(window.at(pieces[0][1].start + 32, 4), "big"):
        return [], digest
    new, edits = _of_length(rewritten(old, moved), len(old)), list[Edit]()
    if new == old:
        return [], digest
    named = hashlib.md5(new, usedforsecurity=False).hexdigest().upper().encode()
    for start, (_, span) in zip(starts, pieces, strict=True):
        head = window.at(span.start, _PIECE_HEAD)
        size = span.end - span.start - _PIECE_HEAD
        was, now = (text[start : start + size] for text in (old, new))
        edits.append(Edit(span.start, head + was, named + head[32:] + now))
    return edits, named


def _of_length(packet: bytes, size: int) -> bytes:
    new = _squeezed(packet, size)
    if len(new) != size:
        raise Damaged("the XMP packet has no room for its regions", remedy=TAG)
    return new


def thumbnails(window: Window, blocks: Blocks) -> int:
    """How many thumbnails a packet has."""
    span = blocks.xmp
    packet = window.at(span.start, min(span.end - span.start, MAX_BLOCK)) if span else b""
    return sum(bool(found[2].strip()) for found in _IMAGE.finditer(packet))


def set_sides(window: Window, blocks: Blocks, size: tuple[int, int]) -> list[Edit]:
    """The edits of what a packet says of the picture's width and height in pixels. Raises `Damaged`."""
    if (span := blocks.xmp) is None:
        return []
    packet = window.at(span.start, min(span.end - span.start, MAX_BLOCK))
    names = ((_SIDES[0][i], _SIDES[2][i], size[i]) for i in (0, 1))
    changes = [
        (*found.span(2), b"%d" % side)
        for *fields, side in names
        for name in fields
        for found in re.finditer(FIELD % re.escape(name), packet)
    ]
    new = _of_length(_changed(packet, changes), len(packet))
    return [Edit(span.start, packet, new)] if new != packet else []


def rewritten(packet: bytes, moved: Moved) -> bytes:
    """A packet as it is afterwards, of the same length where it has room. Raises `NotLossless` for what cannot move."""
    changes = [(*found.span(1), b"%d" % moved.after) for found in VALUE.finditer(packet)]
    if moved.pixels != ExifOrientation.TOP_LEFT:
        _check_movable(packet)
        try:
            changes += [*moved_places(packet, moved), *_images(packet, moved)]
        except InvalidOperation:
            raise NotLossless("its XMP regions are no numbers", remedy=TAG) from None
        if moved.pixels.swaps_sides:
            changes += _sides(packet)
    return _changed(packet, changes)


def _changed(packet: bytes, changes: list[Change]) -> bytes:
    parts, position = [], 0
    for start, end, new in sorted(changes):
        parts += [packet[position:start], new]
        position = end
    return _padded(b"".join([*parts, packet[position:]]), len(packet))


def _check_movable(packet: bytes) -> None:
    applied = APPLIED.search(packet)  # how it was made of another picture
    for name, pattern in _UNMOVED.items():
        if pattern.search(packet) and not (applied and "Camera Raw" in name):
            raise NotLossless(f"{name} would be elsewhere", remedy=TAG)


def _padded(packet: bytes, size: int) -> bytes:
    found = _END.search(packet)
    if found is None or len(packet) == size:
        return packet
    room = max(0, len(found[1]) + size - len(packet))
    return packet[: found.start()] + found[1][:room].ljust(room) + found[2]


def _squeezed(packet: bytes, size: int) -> bytes:
    """A packet that has grown without its indentation, if it must be: exiftool leaves a PNG no other room."""
    over = len(packet) - size

    def indentation(found: re.Match[bytes]) -> bytes:
        nonlocal over
        cut = min(max(over, 0), len(found[1]))
        over -= cut
        return b"\n" + found[1][cut:]

    return _INDENTED.sub(indentation, packet) if over > 0 else packet


def _sides(packet: bytes) -> Iterator[Change]:
    for names in _SIDES:
        across, down = (list(re.finditer(FIELD % re.escape(name), packet)) for name in names)
        for x, y in zip(across, down, strict=False):
            yield from exchanged(x, y)


def _images(packet: bytes, moved: Moved) -> Iterator[Change]:
    """Thumbnails; one that cannot be turned is emptied."""
    for found in _IMAGE.finditer(packet):
        try:
            old = base64.b64decode(_BREAK.sub(b"", found[2]), validate=True)
        except ValueError:
            old = b""
        jpeg = moved.thumbnail and old[:2] == b"\xff\xd8"
        new = moved.thumbnail(old, moved.pixels, len(old)) if moved.thumbnail and jpeg else None
        coded = base64.b64encode(new.ljust(len(old), b"\0")) if new else b""
        yield *found.span(2), coded.ljust(len(found[2]))
