"""The TIFF structure: whole TIFF and BigTIFF files, and the EXIF block that other containers carry.

All offsets inside are counted from the start of the block, so a directory that has to grow is rewritten at the
end and everything else keeps its place: thumbnails, maker notes and sub-directories remain reachable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import Damaged
from .container import Blocks, Container
from .edits import Edit, Overlay, Span, Window

#: Tags of TIFF 6.0 and of EXIF.
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, ORIENTATION, SAMPLES_OF_PIXEL, STRIP_HEIGHT, STRIP_SIZES, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES, EXTRA, FORMAT = 317, 322, 323, 324, 325, 338, 339
JPEG_TABLES, XMP, EXIF = 347, 700, 34665
#: `struct` codes of the types that are whole numbers: BYTE, SHORT, LONG, UNDEFINED, LONG8.
_CODES = {1: "B", 3: "H", 4: "I", 7: "B", 16: "Q"}
#: Bytes of a number of each type, and how many of them a value of two (a fraction) has.
UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_FRACTIONS = (5, 10)
#: Tags whose value is the place of a directory: EXIF, GPS, and what EXIF says of its exchange between makers.
DIRECTORIES = (EXIF, 0x8825, 0xA005)
SUB_PICTURES, _PHOTOSHOP = 0x014A, 34377
#: Where pixels lie, and how many bytes of them: strips, tiles, an old kind of JPEG, bytes that are free.
_PLACES = ((STRIPS, STRIP_SIZES), (TILES, TILE_SIZES), (0x0201, 0x0202), (0x0120, 0x0121))
#: Directories in directories in directories that no writer makes: a loop.
_MAX_DEPTH = 3
_MAX_ENTRIES = 65535
#: A tile is two numbers; a giant of 4.8 gigapixels has 74,000.
_MAX_NUMBERS = 4_000_000


class Field(NamedTuple):
    """An entry of a directory: its type, how many values it has, and where it and the bytes of its value are."""

    tag: int
    kind: int
    number: int
    at: int
    value: Span


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory. ``pointer`` is the position of the offset that leads to it; positions are absolute."""

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

    @property
    def offset_code(self) -> str:
        """`struct` code of an offset."""
        return self.order + ("Q" if self.big else "I")

    def find(self, tag: int) -> Field | None:
        """The first entry with this tag."""
        wanted = struct.pack(self.order + "H", tag)
        return next((self._field(at) for at in self._starts() if self.entries[at : at + 2] == wanted), None)

    def tags(self) -> set[int]:
        """The numbers of all tags."""
        return {self._field(at).tag for at in self._starts()}

    def _starts(self) -> range:
        return range(0, len(self.entries) - self.entry_size + 1, self.entry_size)

    def _field(self, at: int) -> Field:
        """The entry that begins there in ``entries``; values of an unknown type count as bytes."""
        tag, kind, count = struct.unpack_from(self.order + ("HHQ" if self.big else "HHI"), self.entries, at)
        place, width = self.position + (8 if self.big else 2) + at, 8 if self.big else 4
        start, size = place + self.entry_size - width, UNITS.get(kind, 1) * count * (2 if kind in _FRACTIONS else 1)
        if size > width:
            start = self.start + struct.unpack_from(self.offset_code, self.entries, at + self.entry_size - width)[0]
        return Field(tag, kind, count, place, Span(start, start + size))

    def fields(self) -> Iterator[Field]:
        """All entries. `Damaged` for one of an unknown type, or where they are cut short."""
        if len(self.entries) != self.count * self.entry_size:
            raise Damaged("a TIFF directory is cut short")
        for found in map(self._field, self._starts()):
            if found.kind not in UNITS:
                raise Damaged(f"its tag {found.tag:#x} is of the unknown type {found.kind}")
            yield found

    def inner(self, window: Window, span: Span, field: Field, depth: int = 0) -> Directory:
        """The directory that an entry of one ``depth`` levels down leads to."""
        if depth == _MAX_DEPTH:
            raise Damaged("the TIFF directories form a loop")
        pointer = field.at + self.entry_size - (8 if self.big else 4)
        return directory_at(window, span, self.order, self.big, pointer)

    def end(self, window: Window, span: Span, depth: int = 0) -> int:
        """Behind the last byte that this directory or one in it leads to."""
        ends = [self.next_pointer + (8 if self.big else 4)]
        for field in self.fields():
            ends.append(field.value.end)
            if field.tag in DIRECTORIES:
                ends.append(self.inner(window, span, field, depth).end(window, span, depth + 1))
        for places, sizes in _PLACES:
            parts = zip(self.numbers(window, places), self.numbers(window, sizes), strict=False)
            ends += [self.start + place + size for place, size in parts]
        return max(ends)

    def numbers(self, window: Window, tag: int) -> tuple[int, ...]:
        """The values of an entry; none where it is absent or of a type that is no whole number."""
        found = self.find(tag)
        if found is None or found.kind not in _CODES or found.number > _MAX_NUMBERS:
            return ()
        start, end = found.value
        return struct.unpack(f"{self.order}{found.number}{_CODES[found.kind]}", window.exactly(start, end - start))

    def number(self, window: Window, tag: int, default: int) -> int:
        """The first of them, or ``default`` where there is none."""
        return next(iter(self.numbers(window, tag)), default)


def _head(window: Window, span: Span) -> tuple[str, bool, int]:
    """Byte order, whether it is BigTIFF, and where the offset of the first directory is."""
    head = window.at(span.start, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    magic = struct.unpack_from(order + "H", head, 2)[0] if order and len(head) >= 8 else 0
    if magic not in (42, 43) or (magic == 43 and len(head) < 16):
        raise Damaged("the EXIF block has no TIFF header")
    return order, magic == 43, span.start + (8 if magic == 43 else 4)


def directories(window: Window, span: Span) -> Iterator[Directory]:
    """The directories of a block, one a page. `Damaged` where one cannot be read, or after the last."""
    order, big, pointer = _head(window, span)
    seen = set[int]()
    while True:
        found = directory_at(window, span, order, big, pointer)
        _check_new(found.position, seen)
        yield found
        pointer = found.next_pointer


def readable(window: Window, span: Span) -> Iterator[Directory]:
    """The directories before one that cannot be read. `Damaged` where that is the first."""
    found = None
    try:
        for found in directories(window, span):
            yield found
    except Damaged:
        if not found:
            raise


def directory(window: Window, span: Span, page: int = 0) -> Directory:
    """The directory of a page. `Damaged` where there is none."""
    order, big, pointer = _head(window, span)
    before = set[int]()
    for _ in range(page):
        position, count = _place(window, span, order, big, pointer)
        _check_new(position, before)
        pointer = position + (8 + 20 * count if big else 2 + 12 * count)
    found = directory_at(window, span, order, big, pointer)
    _check_new(found.position, before)
    return found


def _check_new(position: int, before: set[int]) -> None:
    if position in before:
        raise Damaged("the TIFF directories form a loop")
    before.add(position)


def with_page_first(window: Window, page: int) -> Window:
    """The file as if a page were its only one: a reader that counts all pages need not walk through them.

    Raises `Damaged` where there is none.
    """
    block = Span(0, window.size)
    first, found = directory(window, block), directory(window, block, page)
    shown = Overlay(window)
    offset, end = struct.pack(found.offset_code, found.position), bytes(struct.calcsize(found.offset_code))
    shown.apply([window.edit(first.pointer, offset), window.edit(found.next_pointer, end)])
    return shown


def directory_at(window: Window, span: Span, order: str, big: bool, pointer: int) -> Directory:
    """The directory whose offset is at ``pointer``. `Damaged` if it lies outside the block."""
    position, count = _place(window, span, order, big, pointer)
    begin, size = position + (8 if big else 2), count * (20 if big else 12)
    entries = window.at(begin, min(size, max(0, span.end - begin)))
    return Directory(order, big, span.start, pointer, position, count, entries, begin + size)


def _place(window: Window, span: Span, order: str, big: bool, pointer: int) -> tuple[int, int]:
    """Where the directory whose offset is at ``pointer`` begins, and how many entries it has."""
    offset_code, count_code, width, count_width = ("Q", "Q", 8, 8) if big else ("I", "H", 4, 2)
    offset = struct.unpack(order + offset_code, window.exactly(pointer, width))[0]
    position = span.start + offset
    if offset == 0 or position + count_width > span.end:
        raise Damaged("a TIFF directory lies outside of its block")
    count = struct.unpack(order + count_code, window.exactly(position, count_width))[0]
    if count > _MAX_ENTRIES:
        raise Damaged(f"a TIFF directory claims {count} entries")
    return position, count


def grow(window: Window, found: Directory, end: int, tag: int, entry: bytes) -> tuple[list[Edit], bytes]:
    """An edit of the pointer, and the bytes to put at ``end`` (the block's) so that the directory has the entry."""
    size = found.entry_size
    if len(found.entries) != found.count * size:
        raise Damaged("a TIFF directory is cut short")
    following = window.at(found.next_pointer, 8 if found.big else 4).ljust(8 if found.big else 4, b"\0")
    cut = 0
    while cut < len(found.entries) and struct.unpack_from(found.order + "H", found.entries, cut)[0] < tag:
        cut += size
    entries = found.entries[:cut] + entry + found.entries[cut:]
    pad = b"\0" * ((found.start - end) % (8 if found.big else 2))
    offset = end - found.start + len(pad)
    if offset > (0x7FFF_FFFF_FFFF_FFFF if found.big else 0xFFFF_FFFF - len(entries)):
        raise Damaged("the file is too large for a classic TIFF to grow")
    count = struct.pack(found.order + ("Q" if found.big else "H"), found.count + 1)
    pointer = window.edit(found.pointer, struct.pack(found.offset_code, offset))
    return [pointer], pad + count + entries + following


def _bytes_of(window: Window, found: Directory, tag: int) -> Span | None:
    """Where the bytes of an entry lie that has more than fit into it."""
    field = found.find(tag)
    long = field is not None and field.kind in (1, 2, 7) and field.number > 8 and field.value.end <= window.size
    return field.value if field and long else None


class Tiff(Container):
    """A TIFF file is its own EXIF block, with a directory for each page."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """From the page's directory."""
        found = directory(window, Span(0, window.size), page)
        return found.number(window, WIDTH, 0), found.number(window, HEIGHT, 0)

    def pixel_bytes(self, window: Window, page: int = 0) -> float:
        """Bits and number of samples."""
        found = directory(window, Span(0, window.size), page)
        bits = max(found.numbers(window, BITS), default=1)
        return found.number(window, SAMPLES_OF_PIXEL, 1) * max(1, bits // 8)

    def rows_together(self, window: Window, page: int = 0) -> int:
        """How many lines are decoded at once: those of a tile, or of a strip."""
        found = directory(window, Span(0, window.size), page)
        tile, strip, height = (found.number(window, tag, 0) for tag in (TILE_HEIGHT, STRIP_HEIGHT, HEIGHT))
        return tile or min(strip or height, height)

    def pages(self, window: Window) -> int:
        """The directories that can be read, smaller forms of a page among them."""
        return sum(1 for _ in readable(window, Span(0, window.size)))

    def end(self, window: Window) -> int:
        """Behind the last byte that its directories lead to; unknown where pixels have no length."""
        span, ends = Span(0, window.size), [0]
        for found in directories(window, span):
            # Smaller pictures inside are not followed; who turns pixels refuses them.
            lengths = any(found.find(sizes) is not None for _, sizes in _PLACES)
            known = lengths and found.find(SUB_PICTURES) is None
            ends.append(found.end(window, span) if known else window.size)
            if not any(window.at(found.next_pointer, 8 if found.big else 4)):
                break
        return max(ends)

    def find(self, window: Window, page: int = 0) -> Blocks:
        """The whole file; XMP and what Photoshop adds are entries of the page."""
        span = Span(0, window.size)
        try:
            found = directory(window, span, page)
        except Damaged:
            return Blocks(span)
        packet, resources = (_bytes_of(window, found, tag) for tag in (XMP, _PHOTOSHOP))
        return Blocks(span, packet, resources=(resources,) if resources else ())

    def enlarge(self, window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
        """The file grows at its end."""
        return [*edits, Edit(window.size, b"", addition)]
