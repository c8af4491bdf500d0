"""What an EXIF block says of its picture: the orientation of its first directory, sizes and resolutions."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from ..formats import Edit, Span, Window
from ..formats.tiff import HEIGHT, WIDTH, Directory, directory, directory_at, grow
from ..turns import ExifOrientation, show_point
from .moved import Moved

ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_WIDTHS = {1: "B", 3: "H", 4: "I"}
#: Pairs of tags, across and down: sizes and resolutions of the picture, pixel sizes and focal plane resolutions.
_SIDES = ((WIDTH, HEIGHT), (0x011A, 0x011B))
_EXIF_SIDES = ((0xA002, 0xA003), (0xA20E, 0xA20F))
#: Where the main subject is, in pixels of the stored picture: a point, a circle or a rectangle by its centre.
_SUBJECTS = (0x9214, 0xA214)


class Value(NamedTuple):
    """The orientation as it is stored: the number (``None`` where its type is wrong) and the offset of its bytes."""

    raw: int | None
    offset: int


def read(found: Directory) -> Value | None:
    """The orientation of a directory, if it has one."""
    at = found.find(ORIENTATION)
    if at is None:
        return None
    kind, count = found.kind(at)
    within = found.value_at(at)
    usable = kind in _WIDTHS and count == 1
    raw = struct.unpack_from(found.order + _WIDTHS[kind], found.entries, within)[0] if usable else None
    return Value(raw, found.absolute(within))


def change(window: Window, found: Directory, value: int) -> list[Edit]:
    """The edits that set an existing tag: its value bytes, or the whole entry where its type was wrong."""
    at = found.find(ORIENTATION)
    assert at is not None
    kind, count = found.kind(at)
    if kind in _WIDTHS and count == 1:
        return [window.edit(found.absolute(found.value_at(at)), struct.pack(found.order + _WIDTHS[kind], value))]
    return [window.edit(found.absolute(at), _entry(found.order, found.big, value))]


def add(window: Window, found: Directory, end: int, value: int) -> tuple[list[Edit], bytes]:
    """An edit of the block's bytes, and the bytes to put at its ``end``, so that the directory has the tag."""
    return grow(window, found, end, ORIENTATION, _entry(found.order, found.big, value))


def block(value: int) -> bytes:
    """The smallest EXIF block that holds the tag."""
    return b"MM\0*\0\0\0\x08\0\x01" + _entry(">", False, value) + b"\0\0\0\0"


def _entry(order: str, big: bool, value: int) -> bytes:
    return struct.pack(order + ("HHQH6x" if big else "HHIH2x"), ORIENTATION, 3, 1, value)


def _swap_sides(window: Window, span: Span) -> list[Edit]:
    """The edits that exchange what the block says of width and height: sizes and resolutions."""
    first = directory(window, span)
    edits = _swap(first, _SIDES)
    at = first.find(_EXIF_IFD)
    if at is not None and not first.big:
        inner = directory_at(window, span, first.order, False, first.absolute(first.value_at(at)))
        edits += _swap(inner, _EXIF_SIDES)
    return edits


def follow(window: Window, span: Span, moved: Moved, sides: bool = True) -> list[Edit]:
    """The edits of what the block says of pixels that move: where the subject is, and their sizes, where these do."""
    if moved.pixels == ExifOrientation.TOP_LEFT:
        return []
    edits = _swap_sides(window, span) if sides and moved.pixels.swaps_sides else []
    return edits + list(_move_subject(window, span, moved.pixels, moved.size))


def _move_subject(window: Window, span: Span, pixels: ExifOrientation, size: tuple[int, int]) -> Iterator[Edit]:
    """The edits that move the subject's place along with the stored pixels of a picture of this size."""
    first = directory(window, span)
    at = first.find(_EXIF_IFD)
    if at is None or first.big:
        return
    inner = directory_at(window, span, first.order, False, first.absolute(first.value_at(at)))
    for tag in _SUBJECTS:
        place, numbers = inner.find(tag), inner.numbers(window, tag)
        kind, count = inner.kind(place) if place is not None else (0, 0)
        if place is None or kind not in (3, 4) or (moved := moved_subject(numbers, pixels, size)) is None:
            continue
        code = f"{inner.order}{count}{_WIDTHS[kind]}"
        inside = struct.calcsize(code) <= 4
        start = inner.absolute(inner.value_at(place)) if inside else inner.start + inner.offset(place)
        yield window.edit(start, struct.pack(code, *moved))


def moved_subject(numbers: tuple[int, ...], pixels: ExifOrientation, size: tuple[int, int]) -> tuple[int, ...] | None:
    """A place in pixels, counted from 0, and its extent; ``None`` for what is none, or lies outside of the picture."""
    if len(numbers) not in (2, 3, 4) or numbers[0] >= size[0] or numbers[1] >= size[1]:
        return None
    x, y = show_point(Decimal(numbers[0]), Decimal(numbers[1]), pixels, (size[0] - 1, size[1] - 1))
    return int(x), int(y), *(numbers[2:][::-1] if pixels.swaps_sides else numbers[2:])


def set_sides(window: Window, span: Span, size: tuple[int, int]) -> list[Edit]:
    """The edits of what the block says of the picture's width and height in pixels, where it says so."""
    first, edits = directory(window, span), list[Edit]()
    at = first.find(_EXIF_IFD)
    if at is None or first.big:
        return []
    inner = directory_at(window, span, first.order, False, first.absolute(first.value_at(at)))
    for tag, side in zip(_EXIF_SIDES[0], size, strict=True):
        place = inner.find(tag)
        kind, count = inner.kind(place) if place is not None else (0, 0)
        if place is not None and count == 1 and kind in (3, 4) and side < 1 << 16:
            value = struct.pack(inner.order + _WIDTHS[kind], side)
            edits.append(window.edit(inner.absolute(inner.value_at(place)), value))
    return edits


def swapped(found: Directory) -> list[Edit]:
    """The edits that exchange what one directory says of width and height."""
    return _swap(found, _SIDES)


def _swap(found: Directory, pairs: tuple[tuple[int, int], ...]) -> list[Edit]:
    edits = []
    for across, down in ((found.find(a), found.find(b)) for a, b in pairs):
        if across is None or down is None:
            continue
        # All of an entry but its tag: type, count and value (or where the value lies).
        x, y = (found.entries[at + 2 : at + found.entry_size] for at in (across, down))
        edits += [Edit(found.absolute(across + 2), x, y), Edit(found.absolute(down + 2), y, x)] if x != y else []
    return edits
