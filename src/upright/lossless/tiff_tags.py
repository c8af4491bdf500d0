"""What a TIFF says beside its pixels, carried from the old file to the new one: every tag with its type and value.

No library at hand does that: Pillow writes garbage into tags of two numbers where it compresses, libvips leaves out
what it does not know.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Collection
from typing import TypeAlias, Union

from ..errors import TAG, Damaged, NotLossless
from ..formats import Span, Window
from ..formats.tiff import COMPRESSION, DIRECTORIES, ORIENTATION, SUB_PICTURES, UNITS, Directory, directory
from ..turns import ExifOrientation

#: Type, count, and value with the least byte first, or the directory that the tag leads to.
Tags: TypeAlias = dict[int, tuple[int, int, Union[bytes, "Tags"]]]

#: Tags that say where and how samples lay in the old file, which its writer makes anew.
OF_WRITER = {256, 257, 266, 273, 278, 279, 284, 288, 289, 292, 293, 317, 322, 323, 324, 325, 339}
#: Tags that say what samples are. A picture that was turned has them as before.
OF_SAMPLES = {258, 259, 262, 277, 338, 347, 512, 513, 514, 530}
#: Both, palette and reference colours: what must not go into another file, of other samples.
SAMPLES = OF_WRITER | OF_SAMPLES | {254, 320, 532}
#: What TIFF 6.0 has of these where nothing is said, as `Tags` has it.
_DEFAULTS: Tags = {258: (3, 1, b"\1\0"), 259: (3, 1, b"\1\0"), 277: (3, 1, b"\1\0")}
#: What is across becomes what is down: sizes and resolutions.
_SIDES = {256: 257, 257: 256, 282: 283, 283: 282}
#: Where on Earth the pixels are: a scale, points, a matrix.
_GROUND = {33550, 33922, 34264}
#: Deflate by its old number, which is written by its new one.
_OLD_DEFLATE, _DEFLATE = ((3, 1, struct.pack("<H", number)) for number in (32946, 8))
#: Types of values that are places of directories.
_PLACES = (13, 18)
_DOUBLE = 12
#: Captions (IPTC), bytes in the order of the file whatever type a program gives them: many say LONG.
_IPTC = 33723


def check_movable(found: Directory, exif: ExifOrientation, tilt: float = 0.0) -> None:
    """Raise NotLossless where a TIFF says what would be false of turned pixels, or holds more than they."""
    if found.find(SUB_PICTURES) is not None:
        raise NotLossless("it holds sub-pictures (a raw photograph or a pyramid?)", remedy=TAG)
    if (exif != ExifOrientation.TOP_LEFT or tilt) and found.tags() & _GROUND:
        raise NotLossless("it is a map (GeoTIFF), whose place on Earth would be false of turned pixels", remedy=TAG)


def described_as(data: bytes, other: bytes, swapped: bool, own: Collection[int], page: int = 0) -> bytes:
    """A TIFF with its ``own`` tags, and all others as a page of another TIFF has them. Raises NotLossless.

    ``swapped`` exchanges what is across and what is down. The directory is written anew at the end.
    """
    tags = {tag: value for tag, value in _tags(data).items() if tag in own}
    tags |= {tag: value for tag, value in _shown(_tags(other, page), swapped).items() if tag not in own}
    return written_with(data, tags)


def written_with(data: bytes, tags: Tags) -> bytes:
    """A TIFF with these tags instead of those of its first page."""
    order, big, out = "<" if data.startswith(b"II") else ">", data[2:4] in (b"+\0", b"\0+"), bytearray(data)
    start, code = (8, "Q") if big else (4, "I")
    pointer = struct.pack(order + code, _append(out, order, big, tags))
    out[start : start + len(pointer)] = pointer
    return bytes(out)


def check_same(before: bytes, after: bytes, swapped: bool, only: Collection[int] = ()) -> None:
    """Raise NotLossless unless all (or ``only`` that) which is not of the writer has its type, count and value."""
    old, new = (_DEFAULTS | tags for tags in (_shown(_tags(before), swapped), _tags(after)))
    tags = (old.keys() | new.keys()) - OF_WRITER
    differ = [tag for tag in sorted(tags.intersection(only) if only else tags) if old.get(tag) != new.get(tag)]
    if differ:
        raise NotLossless(f"its tags {', '.join(map(hex, differ))} cannot be written again", remedy=TAG)


def _shown(tags: Tags, swapped: bool) -> Tags:
    """What is so of the shown picture: the orientation is used up, sides change places, Deflate has one name."""
    tags = {_SIDES.get(tag, tag) if swapped else tag: value for tag, value in tags.items()}
    if ORIENTATION in tags:
        tags[ORIENTATION] = (3, 1, b"\1\0")
    if tags.get(COMPRESSION) == _OLD_DEFLATE:
        tags[COMPRESSION] = _DEFLATE
    return tags


def _tags(data: bytes, page: int = 0) -> Tags:
    window = Window(data)
    try:
        return _inside(window, directory(window, Span(0, window.size), page), 0)
    except Damaged as error:
        raise NotLossless(error.cause, remedy=TAG) from error


def _inside(window: Window, found: Directory, depth: int) -> Tags:
    span, tags = Span(0, window.size), Tags()
    for field in found.fields():
        tag, kind, count, _, value = field
        if tag in DIRECTORIES:
            tags[tag] = kind, count, _inside(window, found.inner(window, span, field, depth), depth + 1)
            continue
        if kind in _PLACES:
            raise Damaged(f"its tag {tag:#x} leads to something unknown")
        if value.end > window.size:
            raise Damaged(f"the value of its tag {tag:#x} is cut short")
        tags[tag] = kind, count, _ordered(window.at(value.start, value.end - value.start), tag, kind, found.order)
    return tags


def _ordered(value: bytes, tag: int, kind: int, order: str) -> bytes:
    """Numbers from this order of bytes into that of the least byte first, or back."""
    if order == "<" or UNITS[kind] == 1 or tag == _IPTC:
        return value
    numbers = array({2: "H", 4: "I", 8: "Q"}[UNITS[kind]], value)
    numbers.byteswap()
    return numbers.tobytes()


def _append(out: bytearray, order: str, big: bool, tags: Tags) -> int:
    """Write a directory behind ``out``; where it is."""
    width, entries = (8, b"") if big else (4, b"")
    for tag, (kind, count, value) in sorted(tags.items()):
        if UNITS[kind] == 8 and kind != _DOUBLE and not big:
            raise NotLossless(f"its tag {tag:#x} is one of BigTIFF, which cannot be written again", remedy=TAG)
        if isinstance(value, dict):
            value = _append(out, order, big, value).to_bytes(UNITS[kind], "little")
        held = _ordered(value, tag, kind, order)
        if len(held) > width:
            held, place = struct.pack(order + ("Q" if big else "I"), _aligned(out)), held
            out += place
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, count) + held.ljust(width, b"\0")
    start = _aligned(out)
    out += struct.pack(order + ("Q" if big else "H"), len(tags)) + entries + bytes(width)
    return start


def _aligned(out: bytearray) -> int:
    """The next even place behind ``out``, which grows up to there."""
    out += bytes(-len(out) % 8)
    return len(out)
