"""The TIFF structure: whole TIFF and BigTIFF files, and the EXIF block that other containers carry.

All offsets inside are counted from the start of the block, so a directory that has to grow is written anew at the
end and everything else stays where it is: thumbnails, maker notes and sub-directories remain reachable.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import Damaged
from .container import Blocks, nothing_to_seal
from .edits import Edit, Span, Window

seal = nothing_to_seal
ORIENTATION = 0x0112
XMP = 0x02BC
_EXIF_IFD = 0x8769
_WIDTHS = {1: "B", 3: "H", 4: "I"}
_MAX_ENTRIES = 65535


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory. ``pointer`` is where the offset that leads to it stands; positions are absolute."""

    order: str
    big: bool
    start: int
    pointer: int
    position: int
    count: int
    entries: bytes
    next_pointer: int

    @property
    def entry_size(self) -> int:
        """Bytes of one entry."""
        return 20 if self.big else 12

    def find(self, tag: int) -> int | None:
        """Where in ``entries`` the first entry with this tag begins."""
        wanted = struct.pack(self.order + "H", tag)
        for at in range(0, len(self.entries) - self.entry_size + 1, self.entry_size):
            if self.entries[at : at + 2] == wanted:
                return at
        return None

    def tags(self) -> set[int]:
        """The numbers of all tags."""
        numbers = range(0, len(self.entries) - self.entry_size + 1, self.entry_size)
        return {struct.unpack_from(self.order + "H", self.entries, at)[0] for at in numbers}

    def kind(self, at: int) -> tuple[int, int]:
        """Type and count of the entry at ``at``."""
        kind, count = struct.unpack_from(self.order + ("HQ" if self.big else "HI"), self.entries, at + 2)
        return kind, count

    def value_at(self, at: int) -> int:
        """Where in ``entries`` the value (or its offset) of the entry at ``at`` begins."""
        return at + (12 if self.big else 8)

    def absolute(self, within: int) -> int:
        """The absolute position of a byte of ``entries``."""
        return self.position + (8 if self.big else 2) + within


def directory(window: Window, span: Span, page: int = 0) -> Directory:
    """The directory of a page. :class:`Damaged` where there is none."""
    head = window.at(span.start, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise Damaged("the EXIF block has no TIFF header")
    magic = struct.unpack_from(order + "H", head, 2)[0]
    if magic not in (42, 43) or (magic == 43 and len(head) < 16):
        raise Damaged("the EXIF block has no TIFF header")
    big = magic == 43
    pointer, seen = span.start + (8 if big else 4), set[int]()
    while True:
        found = _directory_at(window, span, order, big, pointer)
        if page == len(seen):
            return found
        if found.position in seen:
            raise Damaged("the TIFF directories form a loop")
        seen.add(found.position)
        pointer = found.next_pointer


def _directory_at(window: Window, span: Span, order: str, big: bool, pointer: int) -> Directory:
    offset_format, count_format = (order + "Q", order + "Q") if big else (order + "I", order + "H")
    width, count_width = (8, 8) if big else (4, 2)
    offset = struct.unpack(offset_format, window.exactly(pointer, width))[0]
    position = span.start + offset
    if offset == 0 or position + count_width > span.end:
        raise Damaged("a TIFF directory lies outside of its block")
    count = struct.unpack(count_format, window.exactly(position, count_width))[0]
    if count > _MAX_ENTRIES:
        raise Damaged(f"a TIFF directory claims {count} entries")
    size = 20 if big else 12
    room = max(0, span.end - position - count_width)
    entries = window.at(position + count_width, min(count * size, room))
    next_pointer = position + count_width + count * size
    return Directory(order, big, span.start, pointer, position, count, entries, next_pointer)


def read(found: Directory) -> tuple[int | None, int, int] | None:
    """``(raw value, absolute offset of its bytes, how many)`` of the tag; the value is None where its type is wrong."""
    at = found.find(ORIENTATION)
    if at is None:
        return None
    kind, count = found.kind(at)
    within = found.value_at(at)
    if kind not in _WIDTHS or count != 1:
        return None, found.absolute(within), 2
    code = found.order + _WIDTHS[kind]
    return struct.unpack_from(code, found.entries, within)[0], found.absolute(within), struct.calcsize(code)


def change(window: Window, found: Directory, value: int) -> list[Edit]:
    """The edits that set an existing tag: its value bytes, or the whole entry where its type was wrong."""
    at = found.find(ORIENTATION)
    assert at is not None
    kind, count = found.kind(at)
    if kind in _WIDTHS and count == 1:
        return [window.edit(found.absolute(found.value_at(at)), struct.pack(found.order + _WIDTHS[kind], value))]
    return [window.edit(found.absolute(at), _entry(found.order, found.big, value))]


def grow(window: Window, found: Directory, end: int, value: int) -> tuple[list[Edit], bytes]:
    """An edit of the pointer, and the bytes to put at ``end`` (the block's) so that the directory has the tag."""
    if len(found.entries) != found.count * found.entry_size:
        raise Damaged("a TIFF directory is cut short")
    offset_code = "Q" if found.big else "I"
    following = window.at(found.next_pointer, struct.calcsize(found.order + offset_code))
    following = following.ljust(8 if found.big else 4, b"\0")
    size = found.entry_size
    cut = 0
    while cut < len(found.entries) and struct.unpack_from(found.order + "H", found.entries, cut)[0] < ORIENTATION:
        cut += size
    entries = found.entries[:cut] + _entry(found.order, found.big, value) + found.entries[cut:]
    pad = b"\0" * ((found.start - end) % (8 if found.big else 2))
    offset = end - found.start + len(pad)
    if offset > (0x7FFF_FFFF_FFFF_FFFF if found.big else 0xFFFF_FFFF - len(entries)):
        raise Damaged("the file is too large for a classic TIFF to grow")
    count = struct.pack(found.order + ("Q" if found.big else "H"), found.count + 1)
    pointer = window.edit(found.pointer, struct.pack(found.order + offset_code, offset))
    return [pointer], pad + count + entries + following


def swap_sides(window: Window, span: Span) -> list[Edit]:
    """The edits that exchange what the block says of width and height: sizes and resolutions."""
    first = directory(window, span)
    edits = _swap(first, ((0x0100, 0x0101), (0x011A, 0x011B)))
    at = first.find(_EXIF_IFD)
    if at is not None and not first.big:
        pointer = first.absolute(first.value_at(at))
        inner = _directory_at(window, span, first.order, False, pointer)
        edits += _swap(inner, ((0xA002, 0xA003), (0xA20E, 0xA20F)))
    return edits


def _swap(found: Directory, pairs: tuple[tuple[int, int], ...]) -> list[Edit]:
    edits = []
    for across, down in ((found.find(a), found.find(b)) for a, b in pairs):
        if across is None or down is None:
            continue
        # All of an entry but its tag: type, count and value (or where the value lies).
        x, y = (found.entries[at + 2 : at + found.entry_size] for at in (across, down))
        edits += [Edit(found.absolute(across + 2), x, y), Edit(found.absolute(down + 2), y, x)] if x != y else []
    return edits


def block(value: int) -> bytes:
    """The smallest EXIF block that holds the tag."""
    return b"MM\0*\0\0\0\x08\0\x01" + _entry(">", False, value) + b"\0\0\0\0"


def _entry(order: str, big: bool, value: int) -> bytes:
    return struct.pack(order + ("HHQH6x" if big else "HHIH2x"), ORIENTATION, 3, 1, value)


def find(window: Window, page: int = 0) -> Blocks:
    """A TIFF file is its own EXIF block; XMP is the entry 0x02BC of the page."""
    span = Span(0, window.size)
    try:
        found = directory(window, span, page)
    except Damaged:
        return Blocks(span)
    at = found.find(XMP)
    if at is None:
        return Blocks(span)
    kind, count = found.kind(at)
    value = found.value_at(at)
    offset = struct.unpack_from(found.order + ("Q" if found.big else "I"), found.entries, value)[0]
    if kind not in (1, 2, 7) or count <= 8 or offset + count > window.size:
        return Blocks(span)
    return Blocks(span, Span(offset, offset + count))


def enlarge(window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
    """The file grows at its end."""
    return [*edits, Edit(window.size, b"", addition)]
