"""What an XMP packet says of its picture, which follows the EXIF tag and never leads.

``tiff:Orientation`` becomes what the tag says. Where pixels move, sizes are exchanged, and what is at a place of the
stored picture moves along: regions of faces (Metadata Working Group ``mwg-rs``, also digiKam's and Lightroom's,
Microsoft ``MP``, ACDSee), EXIF's subject, regions of the IPTC standard, a crop that Camera Raw has still to make. The
packet keeps its length, by the white space in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from ..errors import Damaged, NotLossless
from ..formats import Blocks, Edit, Window
from ..formats.edits import MAX_BLOCK
from ..turns import ExifOrientation, show_point
from . import iptc
from .exif import moved_subject
from .moved import Moved

#: How a packet says the orientation.
VALUE = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([0-9])\s*["'<]""")
#: A value of one of these names, as an attribute or as an element; a prefix may be part of a longer one.
_FIELD = rb"""(?<![/\w-])(%s)\s*(?:=\s*["']|>)\s*([^"'<>]*?)\s*["'<]"""
_SIDES = (
    (b"tiff:ImageWidth", b"tiff:ImageLength"),
    (b"tiff:XResolution", b"tiff:YResolution"),
    (b"exif:PixelXDimension", b"exif:PixelYDimension"),
    (b"stDim:w", b"stDim:h"),
)
#: Regions around a centre, and those from a corner.
_AREAS = (rb"stArea:[xywh]", rb"acdsee-stArea:[xywh]")
_RECTANGLE = re.compile(_FIELD % rb"MPReg:Rectangle")
_SUBJECT = re.compile(rb"<exif:Subject(Area|Location)\b[^<>]*>(.*?)</exif:Subject\1\s*>", re.DOTALL)
_ITEM = re.compile(rb"<rdf:li[^<>]*>\s*(\d+)\s*</rdf:li")
_APPLIED = re.compile(rb"""crs:AlreadyApplied\s*(?:=\s*["']|>)\s*True""")
_CROPPED = re.compile(rb"""crs:HasCrop\s*(?:=\s*["']|>)\s*True""")
_CROP, _TURNED = _FIELD % rb"crs:Crop(?:Left|Top|Right|Bottom)", re.compile(_FIELD % rb"crs:CropAngle")
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

_Change = tuple[int, int, bytes]


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
    new = _squeezed(rewritten(packet, moved), len(packet))
    if len(new) != len(packet):
        raise Damaged("the XMP packet has no room for its regions", remedy="use --method tag")
    changed = [at for at, (old, now) in enumerate(zip(packet, new, strict=True)) if old != now]
    if not changed:
        return []
    first, last = changed[0], changed[-1] + 1
    return [Edit(span.start + first, packet[first:last], new[first:last])]


def rewritten(packet: bytes, moved: Moved) -> bytes:
    """A packet as it is afterwards, of the same length where it has room. Raises `NotLossless` for what cannot move."""
    changes = [(*found.span(1), b"%d" % moved.after) for found in VALUE.finditer(packet)]
    if moved.pixels != ExifOrientation.TOP_LEFT:
        _check_movable(packet)
        try:
            changes += [*_areas(packet, moved.pixels), *_rectangles(packet, moved.pixels), *_crop(packet, moved.pixels)]
            changes += [*_subjects(packet, moved), *iptc.regions(packet, moved)]
        except InvalidOperation:
            raise NotLossless("its XMP regions are no numbers", remedy="use --method tag") from None
        if moved.pixels.swaps_sides:
            changes += _sides(packet)
    parts, position = [], 0
    for start, end, new in sorted(changes):
        parts += [packet[position:start], new]
        position = end
    return _padded(b"".join([*parts, packet[position:]]), len(packet))


def _check_movable(packet: bytes) -> None:
    applied = _APPLIED.search(packet)  # how it was made of another picture
    for name, pattern in _UNMOVED.items():
        if pattern.search(packet) and not (applied and "Camera Raw" in name):
            raise NotLossless(f"{name} would be elsewhere", remedy="use --method tag")


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


def _sides(packet: bytes) -> Iterator[_Change]:
    for names in _SIDES:
        across, down = (list(re.finditer(_FIELD % re.escape(name), packet)) for name in names)
        for x, y in zip(across, down, strict=False):
            yield from ((*x.span(2), y[2]), (*y.span(2), x[2]))


def _areas(packet: bytes, pixels: ExifOrientation) -> Iterator[_Change]:
    """A region's numbers stand side by side, in any order."""
    for names in _AREAS:
        group: dict[bytes, re.Match[bytes]] = {}
        for found in re.finditer(_FIELD % names, packet):
            name = found[1][-1:]
            if name in group:
                yield from _area(group, pixels)
                group = {}
            group[name] = found
        yield from _area(group, pixels)


def _area(group: dict[bytes, re.Match[bytes]], pixels: ExifOrientation) -> Iterator[_Change]:
    if {b"x", b"y"} <= group.keys():
        x, y = (Decimal(group[name][2].decode("ascii", "replace")) for name in (b"x", b"y"))
        yield from _changes(group, (b"x", b"y"), [_text(value) for value in show_point(x, y, pixels)])
    if {b"w", b"h"} <= group.keys() and pixels.swaps_sides:
        yield from _changes(group, (b"w", b"h"), [group[b"h"][2], group[b"w"][2]])


def _changes(group: dict[bytes, re.Match[bytes]], names: tuple[bytes, ...], new: list[bytes]) -> Iterator[_Change]:
    for name, value in zip(names, new, strict=True):
        yield *group[name].span(2), value


def _rectangles(packet: bytes, pixels: ExifOrientation) -> Iterator[_Change]:
    for found in _RECTANGLE.finditer(packet):
        numbers = [Decimal(part.strip()) for part in found[2].decode("ascii", "replace").split(",")]
        if len(numbers) != 4:
            raise InvalidOperation
        left, top, width, height = numbers
        corners = (show_point(x, y, pixels) for x, y in ((left, top), (left + width, top + height)))
        xs, ys = zip(*corners, strict=True)
        sides = (height, width) if pixels.swaps_sides else (width, height)
        yield *found.span(2), b", ".join(_text(value) for value in (min(xs), min(ys), *sides))


def _crop(packet: bytes, pixels: ExifOrientation) -> Iterator[_Change]:
    """The crop that Camera Raw has still to make, in shares of the stored picture's sides."""
    if _APPLIED.search(packet) or not _CROPPED.search(packet):
        return
    found = {match[1].removeprefix(b"crs:Crop"): match for match in re.finditer(_CROP, packet)}
    if any(Decimal(match[2].decode("ascii", "replace")) for match in _TURNED.finditer(packet)) or len(found) != 4:
        raise NotLossless("its Camera Raw crop is at an angle", remedy="use --method tag")
    left, top, right, bottom = (
        Decimal(found[side][2].decode("ascii", "replace")) for side in (b"Left", b"Top", b"Right", b"Bottom")
    )
    (x, y), (x_end, y_end) = (show_point(*corner, pixels) for corner in ((left, top), (right, bottom)))
    new = {b"Left": min(x, x_end), b"Top": min(y, y_end), b"Right": max(x, x_end), b"Bottom": max(y, y_end)}
    for side, value in new.items():
        yield *found[side].span(2), _text(value)


def _subjects(packet: bytes, moved: Moved) -> Iterator[_Change]:
    for found in _SUBJECT.finditer(packet):
        items = list(_ITEM.finditer(packet, *found.span(2)))
        new = moved_subject(tuple(int(item[1]) for item in items), moved.pixels, moved.size)
        yield from ((*item.span(1), b"%d" % value) for item, value in zip(items, new or (), strict=False))


def _text(value: Decimal) -> bytes:
    return f"{value:f}".encode()
