"""What an XMP packet says is at a place of the stored picture: it moves along with the pixels.

Regions of faces (Metadata Working Group ``mwg-rs``, also digiKam's and Lightroom's, Microsoft ``MP``, ACDSee), EXIF's
subject, regions of the IPTC standard (2019.1 and later), a crop that Camera Raw has still to make.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from ..errors import TAG, NotLossless
from ..turns import ExifOrientation, show_box, show_point
from .exif import moved_subject
from .moved import Moved

#: Where a value begins and ends, and what it becomes.
Change = tuple[int, int, bytes]
#: A value of one of these names, as an attribute or as an element; a prefix may be part of a longer one.
FIELD = rb"""(?<![/\w-])(%s)\s*(?:=\s*["']|>)\s*([^"'<>]*?)\s*["'<]"""
#: That Camera Raw's settings say how the picture was made of another one.
APPLIED = re.compile(rb"""crs:AlreadyApplied\s*(?:=\s*["']|>)\s*True""")
#: Regions around a centre, and those from a corner.
_AREAS = (rb"stArea:[xywh]", rb"acdsee-stArea:[xywh]")
_RECTANGLE = re.compile(FIELD % rb"MPReg:Rectangle")
_SUBJECT = re.compile(rb"<exif:Subject(Area|Location)\b[^<>]*>(.*?)</exif:Subject\1\s*>", re.DOTALL)
_ITEM = re.compile(rb"<rdf:li[^<>]*>\s*(\d+)\s*</rdf:li")
_CROPPED = re.compile(rb"""crs:HasCrop\s*(?:=\s*["']|>)\s*True""")
_CROP, _TURNED = re.compile(FIELD % rb"crs:Crop(?:Left|Top|Right|Bottom)"), re.compile(FIELD % rb"crs:CropAngle")
_IPTC = re.compile(rb"Iptc4xmpExt:ImageRegion\b")
_BOUNDARY = re.compile(rb"<Iptc4xmpExt:RegionBoundary\b(?:[^<>]*/>|.*?</Iptc4xmpExt:RegionBoundary\s*>)", re.DOTALL)
_OF_BOUNDARY = re.compile(FIELD % rb"Iptc4xmpExt:rb\w+")
_PARTS = Decimal("0.000001")


def moved_places(packet: bytes, moved: Moved) -> Iterator[Change]:
    """What changes where pixels move. Raises `NotLossless`, or `InvalidOperation` for what is no number."""
    for changes in (_areas, _rectangles, _crop, _subjects, _boundaries):
        yield from changes(packet, moved)


def exchanged(one: re.Match[bytes], other: re.Match[bytes]) -> tuple[Change, Change]:
    """The changes that give two fields each other's values."""
    return (*one.span(2), other[2]), (*other.span(2), one[2])


def _areas(packet: bytes, moved: Moved) -> Iterator[Change]:
    """A region's numbers stand side by side, in any order."""
    for names in _AREAS:
        group: dict[bytes, re.Match[bytes]] = {}
        for found in re.finditer(FIELD % names, packet):
            name = found[1][-1:]
            if name in group:
                yield from _area(group, moved.pixels)
                group = {}
            group[name] = found
        yield from _area(group, moved.pixels)


def _area(group: dict[bytes, re.Match[bytes]], pixels: ExifOrientation) -> Iterator[Change]:
    if {b"x", b"y"} <= group.keys():
        x, y = show_point(_number(group[b"x"][2]), _number(group[b"y"][2]), pixels)
        yield from (_changed(group[b"x"], x), _changed(group[b"y"], y))
    if {b"w", b"h"} <= group.keys() and pixels.swaps_sides:
        yield from exchanged(group[b"w"], group[b"h"])


def _rectangles(packet: bytes, moved: Moved) -> Iterator[Change]:
    for found in _RECTANGLE.finditer(packet):
        numbers = [_number(part) for part in found[2].split(b",")]
        if len(numbers) != 4:
            raise InvalidOperation
        left, top, *sides = numbers
        corner = show_box((left, top, left + sides[0], top + sides[1]), moved.pixels)[:2]
        new = (*corner, *(sides[::-1] if moved.pixels.swaps_sides else sides))
        yield *found.span(2), b", ".join(_text(value) for value in new)


def _crop(packet: bytes, moved: Moved) -> Iterator[Change]:
    """The crop that Camera Raw has still to make, in shares of the stored picture's sides."""
    if APPLIED.search(packet) or not _CROPPED.search(packet):
        return
    found = {match[1].removeprefix(b"crs:Crop"): match for match in _CROP.finditer(packet)}
    if any(_number(match[2]) for match in _TURNED.finditer(packet)) or len(found) != 4:
        raise NotLossless("its Camera Raw crop is at an angle", remedy=TAG)
    sides = [found[side] for side in (b"Left", b"Top", b"Right", b"Bottom")]
    left, top, right, bottom = (_number(side[2]) for side in sides)
    yield from map(_changed, sides, show_box((left, top, right, bottom), moved.pixels))


def _subjects(packet: bytes, moved: Moved) -> Iterator[Change]:
    for found in _SUBJECT.finditer(packet):
        items = list(_ITEM.finditer(packet, *found.span(2)))
        new = moved_subject(tuple(int(item[1]) for item in items), moved.pixels, moved.size)
        yield from ((*item.span(1), b"%d" % value) for item, value in zip(items, new or (), strict=False))


def _boundaries(packet: bytes, moved: Moved) -> Iterator[Change]:
    """Programs differ in whether coordinates count on the stored or the shown picture: they move where both are one."""
    if not _IPTC.search(packet):
        return
    if moved.before != ExifOrientation.TOP_LEFT:
        cause = (
            "its XMP has IPTC regions, which some programs take for places of the shown picture, others of the stored"
        )
        raise NotLossless(cause, remedy=TAG)
    for boundary in _BOUNDARY.finditer(packet):
        yield from _boundary(packet, boundary.span(), moved)


def _boundary(packet: bytes, place: tuple[int, int], moved: Moved) -> Iterator[Change]:
    """A rectangle, a circle or a polygon."""
    fields: dict[bytes, list[re.Match[bytes]]] = {}
    for found in _OF_BOUNDARY.finditer(packet, *place):
        fields.setdefault(found[1].removeprefix(b"Iptc4xmpExt:rb"), []).append(found)
    said = {name: found[0][2].lower() for name, found in fields.items()}
    shape, sides = said.get(b"Shape"), {b"relative": (1, 1), b"pixel": moved.size}.get(said.get(b"Unit", b""))
    xs, ys = fields.get(b"X", []), fields.get(b"Y", [])
    wanted = {b"rectangle": {b"W", b"H"}, b"circle": {b"Rx"}, b"polygon": set[bytes]()}.get(shape or b"")
    if not sides or not all(moved.size) or wanted is None or not wanted <= fields.keys() or len(xs) != len(ys):
        raise InvalidOperation
    width, height = (_number(fields[name][0][2]) if shape == b"rectangle" else Decimal() for name in (b"W", b"H"))
    for x, y in zip(xs, ys, strict=True):
        left, top = _number(x[2]), _number(y[2])
        new = show_box((left, top, left + width, top + height), moved.pixels, sides)
        yield from (_changed(x, new[0]), _changed(y, new[1]))
    if moved.pixels.swaps_sides and shape == b"rectangle":
        yield from exchanged(fields[b"W"][0], fields[b"H"][0])
    if moved.pixels.swaps_sides and shape == b"circle" and said[b"Unit"] == b"relative":
        radius = fields[b"Rx"][0]  # a share of the width
        yield _changed(radius, (_number(radius[2]) * moved.size[0] / moved.size[1]).quantize(_PARTS).normalize())


def _number(text: bytes) -> Decimal:
    """Raises `InvalidOperation` for what is no number, or an infinite one."""
    if not (number := Decimal(text.decode("ascii", "replace").strip())).is_finite():
        raise InvalidOperation
    return number


def _changed(field: re.Match[bytes], value: Decimal) -> Change:
    return *field.span(2), _text(value)


def _text(value: Decimal) -> bytes:
    return f"{value:f}".encode()
