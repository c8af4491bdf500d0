"""Regions of the IPTC standard (2019.1 and later) in an XMP packet: rectangles, circles and polygons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from ..errors import NotLossless
from ..turns import ExifOrientation, show_point
from .moved import Moved

_REGION = re.compile(rb"Iptc4xmpExt:ImageRegion\b")
_BOUNDARY = re.compile(rb"<Iptc4xmpExt:RegionBoundary\b(?:[^<>]*/>|.*?</Iptc4xmpExt:RegionBoundary\s*>)", re.DOTALL)
_FIELD = re.compile(rb"""(?<![/\w-])Iptc4xmpExt:rb(\w+)\s*(?:=\s*["']|>)\s*([^"'<>]*?)\s*["'<]""")
_PARTS = Decimal("0.000001")

_Change = tuple[int, int, bytes]


def regions(packet: bytes, moved: Moved) -> Iterator[_Change]:
    """What changes where pixels move. Raises `NotLossless`, or `InvalidOperation` for what is no number.

    Programs differ in whether coordinates count on the stored or the shown picture: these move where both are one.
    """
    if not _REGION.search(packet):
        return
    if moved.before != ExifOrientation.TOP_LEFT:
        cause = (
            "its XMP has IPTC regions, which some programs take for places of the shown picture, others of the stored"
        )
        raise NotLossless(cause, remedy="use --method tag")
    for boundary in _BOUNDARY.finditer(packet):
        yield from _boundary(packet, boundary.span(), moved)


def _boundary(packet: bytes, place: tuple[int, int], moved: Moved) -> Iterator[_Change]:
    fields: dict[bytes, list[re.Match[bytes]]] = {}
    for found in _FIELD.finditer(packet, *place):
        fields.setdefault(found[1], []).append(found)
    said = {name: found[0][2].lower() for name, found in fields.items()}
    shape, sides = said.get(b"Shape"), {b"relative": (1, 1), b"pixel": moved.size}.get(said.get(b"Unit", b""))
    xs, ys = fields.get(b"X", []), fields.get(b"Y", [])
    wanted = {b"rectangle": {b"W", b"H"}, b"circle": {b"Rx"}, b"polygon": set[bytes]()}.get(shape or b"")
    if not sides or not all(moved.size) or wanted is None or not wanted <= fields.keys() or len(xs) != len(ys):
        raise InvalidOperation
    points = [(_number(x), _number(y)) for x, y in zip(xs, ys, strict=True)]
    new = [show_point(*point, moved.pixels, sides) for point in points]
    if shape == b"rectangle":
        ends = [(x + _number(fields[b"W"][0]), y + _number(fields[b"H"][0])) for x, y in points]
        others = [show_point(*point, moved.pixels, sides) for point in ends]
        new = [(min(x, x_end), min(y, y_end)) for (x, y), (x_end, y_end) in zip(new, others, strict=True)]
    for fields_of, values in zip((xs, ys), zip(*new, strict=True), strict=True):
        yield from ((*field.span(2), _text(value)) for field, value in zip(fields_of, values, strict=True))
    if moved.pixels.swaps_sides and shape == b"rectangle":
        across, down = fields[b"W"][0], fields[b"H"][0]
        yield from ((*across.span(2), down[2]), (*down.span(2), across[2]))
    if moved.pixels.swaps_sides and shape == b"circle" and said[b"Unit"] == b"relative":
        radius = fields[b"Rx"][0]  # a share of the width
        value = (_number(radius) * moved.size[0] / moved.size[1]).quantize(_PARTS).normalize()
        yield *radius.span(2), _text(value)


def _number(field: re.Match[bytes]) -> Decimal:
    return Decimal(field[2].decode("ascii", "replace"))


def _text(value: Decimal) -> bytes:
    return f"{value:f}".encode()
