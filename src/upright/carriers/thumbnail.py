"""The small picture in an EXIF block (IFD1), which file managers show: it follows its picture."""

from __future__ import annotations

import struct
from itertools import islice

from ..errors import Damaged
from ..formats import Blocks, Edit, Span, Window
from ..formats.tiff import Directory, readable
from ..turns import ExifOrientation
from . import exif
from .moved import Moved

_OFFSET, _LENGTH = 0x0201, 0x0202


def follow(window: Window, blocks: Blocks, moved: Moved) -> list[Edit]:
    """The edits of a block's thumbnail; one that cannot be turned is taken out. Nothing where there is none."""
    if (span := blocks.tiff) is None:
        return []
    try:
        first, found, *_ = (*_directories(window, span), None, None)
    except Damaged:
        return []
    if first is None or found is None:
        return []
    value = exif.read(window, found)
    known = ExifOrientation(value.raw) if value and value.raw in range(1, 9) else None
    if moved.pixels == ExifOrientation.TOP_LEFT:
        after = moved.of(known) if known else None
        return exif.change(window, found, after) if after and after != known else []
    upright = exif.change(window, found, ExifOrientation.TOP_LEFT) if known else []
    shown = moved.of(known or moved.before)
    return upright + (_pixels(window, span, first, found, shown, moved) if shown != ExifOrientation.TOP_LEFT else [])


def present(window: Window, span: Span) -> bool:
    """Whether a block has a thumbnail."""
    try:
        return len(_directories(window, span)) == 2
    except Damaged:
        return False


def _directories(window: Window, span: Span) -> list[Directory]:
    """The first directory of a block, and that of its thumbnail where there is one."""
    return list(islice(readable(window, span), 2))


def _pixels(
    window: Window, span: Span, first: Directory, found: Directory, shown: ExifOrientation, moved: Moved
) -> list[Edit]:
    offsets, lengths = (found.numbers(window, tag) for tag in (_OFFSET, _LENGTH))
    start, size = (found.start + offsets[0], lengths[0]) if offsets and lengths else (0, 0)
    old = window.at(start, size) if start + size <= span.end else b""
    new = moved.thumbnail(old, shown, size) if moved.thumbnail and old[:2] == b"\xff\xd8" else None
    if new is not None:
        field = found.find(_LENGTH)
        assert field is not None
        length = window.edit(field.value.start, struct.pack(found.order + ("H" if field.kind == 3 else "I"), len(new)))
        sides = exif.swapped(window, found) if shown.swaps_sides else []
        return [length, Edit(start, old, new.ljust(size, b"\0")), *sides]
    gone = window.edit(first.next_pointer, b"\0" * (8 if first.big else 4))
    # Bytes that nothing points to any more must not show what was cut away.
    return [gone, *([Edit(start, old, b"\0" * len(old))] if old[:2] == b"\xff\xd8" else [])]
