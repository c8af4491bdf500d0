"""What an EXIF block says of its picture: the orientation of its first directory, sizes and resolutions."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from ..formats import Edit, Span, Window
from ..formats.tiff import EXIF, HEIGHT, ORIENTATION, WIDTH, Directory, directory, grow
from ..turns import ExifOrientation, show_point
from .moved import Moved

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


def read(window: Window, found: Directory) -> Value | None:
    """The orientation of a directory, if it has one."""
    if (field := found.find(ORIENTATION)) is None:
        return None
    usable = field.kind in _WIDTHS and field.number == 1
    return Value(found.numbers(window, ORIENTATION)[0] if usable else None, field.value.start)


def change(window: Window, found: Directory, value: int) -> list[Edit]:
    """The edits that set an existing tag: its value bytes, or the whole entry where its type was wrong."""
    field = found.find(ORIENTATION)
    assert field is not None
    if field.kind in _WIDTHS and field.number == 1:
        return [window.edit(field.value.start, struct.pack(found.order + _WIDTHS[field.kind], value))]
    return [window.edit(field.at, _entry(found.order, found.big, value))]


def add(window: Window, found: Directory, end: int, value: int) -> tuple[list[Edit], bytes]:
    """An edit of the block's bytes, and the bytes to put at its ``end``, so that the directory has the tag."""
    return grow(window, found, end, ORIENTATION, _entry(found.order, found.big, value))


def block(value: int) -> bytes:
    """The smallest EXIF block that holds the tag."""
    return b"MM\0*\0\0\0\x08\0\x01" + _entry(">", False, value) + b"\0\0\0\0"


def _entry(order: str, big: bool, value: int) -> bytes:
    return struct.pack(order + ("HHQH6x" if big else "HHIH2x"), ORIENTATION, 3, 1, value)


def _inner(window: Window, span: Span, first: Directory) -> Directory | None:
    """The directory of EXIF that the first one of a block leads to."""
    field = first.find(EXIF)
    return None if field is None or first.big else first.inner(window, span, field)


def follow(window: Window, span: Span, moved: Moved, sides: bool = True) -> list[Edit]:
    """The edits of what the block says of pixels that move: where the subject is, and their sizes, where these do."""
    if moved.pixels == ExifOrientation.TOP_LEFT:
        return []
    first = directory(window, span)
    inner, edits = _inner(window, span, first), list[Edit]()
    if sides and moved.pixels.swaps_sides:
        edits = swapped(window, first) + (_swap(window, inner, _EXIF_SIDES) if inner else [])
    return edits + (list(_move_subject(window, inner, moved)) if inner else [])


def _move_subject(window: Window, inner: Directory, moved: Moved) -> Iterator[Edit]:
    """The edits that move the subject's place along with the stored pixels."""
    for tag in _SUBJECTS:
        field, numbers = inner.find(tag), inner.numbers(window, tag)
        if field is None or field.kind not in (3, 4):
            continue
        if (new := moved_subject(numbers, moved.pixels, moved.size)) is not None:
            code = f"{inner.order}{field.number}{_WIDTHS[field.kind]}"
            yield window.edit(field.value.start, struct.pack(code, *new))


def moved_subject(numbers: tuple[int, ...], pixels: ExifOrientation, size: tuple[int, int]) -> tuple[int, ...] | None:
    """A place in pixels, counted from 0, and its extent; ``None`` for what is none, or lies outside of the picture."""
    if len(numbers) not in (2, 3, 4) or numbers[0] >= size[0] or numbers[1] >= size[1]:
        return None
    x, y = show_point(Decimal(numbers[0]), Decimal(numbers[1]), pixels, (size[0] - 1, size[1] - 1))
    return int(x), int(y), *(numbers[2:][::-1] if pixels.swaps_sides else numbers[2:])


def set_sides(window: Window, span: Span, size: tuple[int, int]) -> list[Edit]:
    """The edits of what the block says of the picture's width and height in pixels, where it says so."""
    first, edits = directory(window, span), list[Edit]()
    inner = _inner(window, span, first)
    for found, tags in ((first, _SIDES[0]), (inner, _EXIF_SIDES[0])):
        for tag, side in zip(tags, size, strict=True):
            field = found.find(tag) if found else None
            if found and field and field.number == 1 and field.kind in (3, 4) and side < 1 << 16:
                edits.append(window.edit(field.value.start, struct.pack(found.order + _WIDTHS[field.kind], side)))
    return edits


def swapped(window: Window, found: Directory) -> list[Edit]:
    """The edits that exchange what one directory says of width and height."""
    return _swap(window, found, _SIDES)


def _swap(window: Window, found: Directory, pairs: tuple[tuple[int, int], ...]) -> list[Edit]:
    edits = []
    for across, down in ((found.find(a), found.find(b)) for a, b in pairs):
        if across is None or down is None:
            continue
        # All of an entry but its tag: type, count and value (or where the value lies).
        x, y = (window.at(field.at + 2, found.entry_size - 2) for field in (across, down))
        edits += [Edit(across.at + 2, x, y), Edit(down.at + 2, y, x)] if x != y else []
    return edits
