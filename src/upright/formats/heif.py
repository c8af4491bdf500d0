"""HEIC and AVIF: items in boxes, with their properties (ISO/IEC 23008-12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..errors import Damaged
from .boxes import Box, boxes, enlarged, exif_in, raised
from .container import Blocks, Container
from .edits import MAX_BLOCK, Edit, Span, Window

#: Codings of pictures, and pictures that are made of others.
_PICTURES = {b"hvc1", b"hev1", b"lhv1", b"av01", b"avc1", b"vvc1", b"jpeg", b"j2k1", b"unci", b"grid", b"iovl", b"iden"}
#: Boxes of a file that hold a sequence of frames, alone or beside a still picture.
_SEQUENCE = {b"moov", b"moof", b"mfra"}
_OWN = _SEQUENCE | {b"ftyp", b"styp", b"meta", b"mdat", b"idat", b"free", b"skip", b"uuid"}
#: The types of references by which a picture belongs to another one: as its thumbnail, or as its depth or gain map.
_PARTS = (b"thmb", b"auxl")


class Link(NamedTuple):
    """That an item has a property, counted from 1; ``essential``: readers that do not know it must not show it."""

    essential: bool
    number: int


def pages_of(images: Iterable[Any]) -> list[Any]:
    """The pictures that pi_heif finds, in the order of `Meta.masters`: the primary one first."""
    return sorted(images, key=lambda image: not image.info["primary"])


class _Reader:
    """Big-endian numbers of a box's body, one after the other; ``at`` is the place of the next one in the file."""

    def __init__(self, window: Window, box: Box) -> None:
        self._data, self._start, self._next = window.at(box.body, min(box.end - box.body, 16 * MAX_BLOCK)), box.body, 4
        self.version, self.flags = self._data[:1], int.from_bytes(self._data[1:4], "big")
        if len(self._data) < 4:
            raise Damaged("a box is cut short")

    @property
    def at(self) -> int:
        return self._start + self._next

    @property
    def more(self) -> bool:
        return self._next < len(self._data)

    def number(self, size: int) -> int:
        return int.from_bytes(self.bytes(size), "big")

    def bytes(self, size: int) -> bytes:
        found = self._data[self._next : self._next + size]
        if len(found) < size:
            raise Damaged("a box is cut short")
        self._next += size
        return found


class _Place(NamedTuple):
    """A number in ``iloc``: where it is, how long it is, and what it says."""

    at: int
    size: int
    value: int


class Extents(NamedTuple):
    """Where the bytes of an item are: in the file (``method`` 0), or elsewhere; offsets count from ``base``."""

    method: int
    base: _Place
    parts: tuple[tuple[_Place, int], ...]


class Meta:
    """The items of a file, their properties, and how they refer to each other. Raises `Damaged`."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._file = list(boxes(window))
        self.sequence = any(box.kind in _SEQUENCE for box in self._file)
        self._parents = [box for box in self._file if box.kind == b"meta"][:1]
        if not self._parents:
            raise Damaged("it has no items")
        (meta,) = self._parents
        self._inner = {box.kind: box for box in boxes(window, meta.body + 4, meta.end)}
        properties = self._box(b"iprp")
        inside = list(boxes(window, properties.body, properties.end))
        self._ipco = next((box for box in inside if box.kind == b"ipco"), None)
        if self._ipco is None:
            raise Damaged("its items have no properties")
        self._parents += [properties, self._ipco]
        self.properties = list(boxes(window, self._ipco.body, self._ipco.end))
        self._tables = [(box, _Reader(window, box)) for box in inside if box.kind == b"ipma"]
        self._links = [dict(_links(reader)) for _, reader in self._tables]
        pitm = _Reader(window, self._box(b"pitm"))
        self.primary = pitm.number(4 if pitm.version == b"\1" else 2)
        self.kinds, self._hidden = self._items()
        self.references = list(self._references())

    def masters(self) -> list[int]:
        """The pictures that are shown on their own: the primary one, which viewers show, and then the others."""
        parts = {source for kind, source, _ in self.references if kind in _PARTS}
        pictures = [item for item, kind in self.kinds.items() if kind in _PICTURES and item not in self._hidden]
        found = [item for item in pictures if item not in parts] or [self.primary]
        return sorted(found, key=lambda item: item != self.primary)

    def master(self, page: int) -> int:
        """The item of a page, counted from 0."""
        masters = self.masters()
        if page >= len(masters):
            raise Damaged(f"it has no page {page + 1}")
        return masters[page]

    def pieces(self) -> set[int]:
        """The items of which others are made: tiles of a grid, layers, what another one crops or turns."""
        return {
            piece
            for kind, source, targets in self.references
            if kind == b"dimg" and self.kinds.get(source) != b"tmap"
            for piece in targets
        }

    def links(self, item: int) -> list[Link]:
        """The properties of an item, in the order in which they apply."""
        found = next((table[item] for table in self._links if item in table), [])
        return [link for link in found if 0 < link.number <= len(self.properties)]

    def users(self) -> dict[int, set[int]]:
        """The items that have each property."""
        found: dict[int, set[int]] = {}
        for item in {item for table in self._links for item in table}:
            for link in self.links(item):
                found.setdefault(link.number, set()).add(item)
        return found

    def described_by(self, item: int, wanted: Callable[[bytes, Box], bool]) -> int | None:
        """The item of metadata that describes this one."""
        about = [source for kind, source, targets in self.references if kind == b"cdsc" and item in targets]
        return next((each for each in about if each in self._entries and wanted(*self._entries[each])), None)

    def span(self, item: int) -> Span | None:
        """The bytes of an item that lie in one piece of the file."""
        extents = self._extents().get(item)
        if extents is None or extents.method != 0 or len(extents.parts) != 1:
            return None
        ((offset, length),) = extents.parts
        start = extents.base.value + offset.value
        return Span(start, min(start + length, self.window.size)) if length else None

    def rewrite(self, added: Sequence[bytes], links: dict[int, list[Link]]) -> list[Edit]:
        """The edits that append properties (whole boxes), and give items these links in place of those they have."""
        assert self._ipco is not None
        block = b"".join(added)
        edits = [Edit(self._ipco.end, b"", block)] if block else []
        growth = {box: len(block) for box in self._parents}
        for (box, reader), table in zip(self._tables, self._links, strict=True):
            first = table is self._links[0]
            mine = {
                item for item in links if item in table or (first and not any(item in each for each in self._links))
            }
            if mine:
                new = _table(reader, table | {item: links[item] for item in mine})
                edits.append(Edit(box.start, self.window.exactly(box.start, box.end - box.start), new))
                for parent in self._parents[:2]:
                    growth[parent] += len(new) - (box.end - box.start)
        meta = self._parents[0]
        if growth[meta] and any(box.kind in (b"meta", b"meco") for box in self._file if box != meta):
            raise Damaged("it has further items, whose offsets would be wrong")
        edits += [edit for box, by in growth.items() for edit in enlarged(self.window, box.start, by)]
        return edits + self._moved(meta.end, growth[meta])

    def _box(self, kind: bytes) -> Box:
        if kind not in self._inner:
            raise Damaged(f"it has no box {kind.decode()}")
        return self._inner[kind]

    def _items(self) -> tuple[dict[int, bytes], set[int]]:
        kinds, hidden = dict[int, bytes](), set[int]()
        self._entries: dict[int, tuple[bytes, Box]] = {}
        if (infos := self._inner.get(b"iinf")) is None:
            return kinds, hidden
        reader = _Reader(self.window, infos)
        reader.number(2 if reader.version == b"\0" else 4)
        for box in boxes(self.window, reader.at, infos.end):
            entry = _Reader(self.window, box)
            if box.kind != b"infe" or entry.version not in b"\2\3":
                continue
            item = entry.number(4 if entry.version == b"\3" else 2)
            entry.number(2)
            kinds[item] = entry.bytes(4)
            self._entries[item] = kinds[item], Box(box.kind, box.start, entry.at, box.end)
            if entry.flags & 1:
                hidden.add(item)
        return kinds, hidden

    def _references(self) -> Iterator[tuple[bytes, int, list[int]]]:
        if b"iref" not in self._inner:
            return
        reader = _Reader(self.window, self._inner[b"iref"])
        width = 4 if reader.version == b"\1" else 2
        while reader.more:
            size, kind = reader.number(4), reader.bytes(4)
            source, count = reader.number(width), reader.number(2)
            if size != 10 + width * (count + 1):
                raise Damaged("its references contradict themselves")
            yield kind, source, [reader.number(width) for _ in range(count)]

    def _extents(self) -> dict[int, Extents]:
        reader = _Reader(self.window, self._box(b"iloc"))
        sizes, version = reader.bytes(2), reader.version[0]
        offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
        index_size = sizes[1] & 15 if version else 0

        def place(size: int) -> _Place:
            return _Place(reader.at, size, reader.number(size))

        found = {}
        for _ in range(reader.number(4 if version == 2 else 2)):
            item = reader.number(4 if version == 2 else 2)
            method = reader.number(2) & 15 if version else 0
            elsewhere = reader.number(2)
            base, parts, count = place(base_size), [], reader.number(2)
            if count > 1 and not index_size + offset_size + length_size:
                raise Damaged("its items have parts without a place")
            for _ in range(count):
                reader.number(index_size)
                parts.append((place(offset_size), reader.number(length_size)))
            found[item] = Extents(-1 if elsewhere else method, base, tuple(parts))
        return found

    def _moved(self, behind: int, by: int) -> list[Edit]:
        """The edits of ``iloc`` for what lies behind a place and moves."""
        edits = []
        for extents in self._extents().values() if by and behind < self.window.size else ():
            base, moved = extents.base, [extents.base.value + offset.value >= behind for offset, _ in extents.parts]
            if extents.method != 0 or not any(moved):
                continue
            if all(moved) and base.size and base.value:
                late = [base]
            else:
                late = [offset for (offset, _), moves in zip(extents.parts, moved, strict=True) if moves]
            edits += [raised(self.window, place.at, place.size, by) for place in late]
        return edits


def _links(reader: _Reader) -> list[tuple[int, list[Link]]]:
    wide, found = reader.flags & 1, []
    for _ in range(reader.number(4)):
        item = reader.number(2 if reader.version == b"\0" else 4)
        values = [reader.number(1 + wide) for _ in range(reader.number(1))]
        top = 0x8000 if wide else 0x80
        found.append((item, [Link(value >= top, value % top) for value in values]))
    return found


def _table(reader: _Reader, table: dict[int, list[Link]]) -> bytes:
    """A box ``ipma`` of the same version, with numbers of two bytes where one is not enough."""
    wide = reader.flags & 1 or any(link.number > 0x7F for links in table.values() for link in links)
    id_size, body = 2 if reader.version == b"\0" else 4, len(table).to_bytes(4, "big")
    for item, links in sorted(table.items()):
        if item >= 1 << 8 * id_size or len(links) > 255 or any(link.number > 0x7FFF for link in links):
            raise Damaged("its table of properties has no room for more")
        values = ((link.essential << (15 if wide else 7)) + link.number for link in links)
        body += item.to_bytes(id_size, "big") + bytes([len(links)])
        body += b"".join(value.to_bytes(1 + bool(wide), "big") for value in values)
    flags = (reader.flags | bool(wide)).to_bytes(3, "big")
    return (12 + len(body)).to_bytes(4, "big") + b"ipma" + reader.version + flags + body


def is_animation(window: Window) -> bool:
    """Whether an AVIF is shown as a sequence of pictures, by its major brand."""
    return window.at(4, 8) == b"ftypavis"


def has_frames(window: Window) -> bool:
    """Whether a HEIC or AVIF holds a sequence of pictures, alone or beside a still one."""
    return is_animation(window) or any(box.kind in _SEQUENCE for box in boxes(window))


def _property(window: Window, page: int, kind: bytes, size: int) -> bytes:
    """The first bytes of a property of the page's item, after its version and flags; none where there is none."""
    try:
        meta = Meta(window)
        found = [meta.properties[link.number - 1] for link in meta.links(meta.master(page))]
    except Damaged:
        return b""
    return next((window.at(box.body + 4, size) for box in found if box.kind == kind), b"")


class Heif(Container):
    """HEIC and AVIF. Metadata that cannot be understood are none."""

    def end(self, window: Window) -> int:
        """Behind the last box of a picture or a sequence; a motion photo's film, for example, follows."""
        return max((box.end for box in boxes(window) if box.kind in _OWN), default=window.size)

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """Of the page's item, by its property ispe."""
        value = _property(window, page, b"ispe", 8)
        return int.from_bytes(value[:4], "big"), int.from_bytes(value[4:], "big")

    def pixel_bytes(self, window: Window, page: int = 0) -> float:
        """Four channels of as many bits as the property pixi says."""
        bits = _property(window, page, b"pixi", 5)[1:]
        return 8 if max(bits, default=8) > 8 else 4

    def pages(self, window: Window) -> int:
        """The pictures that are shown on their own."""
        try:
            return len(Meta(window).masters())
        except Damaged:
            return 1

    def find(self, window: Window, page: int = 0) -> Blocks:
        """The EXIF block and the XMP packet that describe the page's item."""
        try:
            meta = Meta(window)
            item = meta.master(page)
            exif = meta.described_by(item, lambda kind, entry: kind == b"Exif")
            xmp = meta.described_by(
                item,
                lambda kind, entry: kind == b"mime" and b"rdf+xml" in window.at(entry.body, entry.end - entry.body),
            )
            span = meta.span(exif) if exif is not None else None
            return Blocks(exif_in(window, span) if span else None, meta.span(xmp) if xmp is not None else None)
        except Damaged:
            return Blocks()
