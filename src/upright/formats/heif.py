"""HEIC and AVIF: boxes (ISO/IEC 14496-12), and the properties of the primary item (ISO/IEC 23008-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .container import Container
from .edits import MAX_BLOCK, Window

#: A grid of 512-pixel tiles for 8 gigapixels has this many properties at most.
_MAX_BOXES = 1 << 16


class Box(NamedTuple):
    """A box: its type, and where it starts, its body begins and it ends."""

    kind: bytes
    start: int
    body: int
    end: int


def boxes(window: Window, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes of a stretch of the file, one after the other. Ends quietly where they make no sense."""
    end = window.size if end is None else end
    for _ in range(_MAX_BOXES):
        head = window.at(start, min(16, end - start))
        size, body = int.from_bytes(head[:4], "big"), 8
        if size == 1 and len(head) == 16:
            size, body = int.from_bytes(head[8:], "big"), 16
        if len(head) < 8 or 0 < size < body:
            return
        yield Box(head[4:8], start, start + body, min(start + size, end) if size else end)
        if not size:
            return
        start += size


def properties(window: Window) -> list[Box]:
    """The properties of the primary item in the order in which they apply."""
    meta = next((box for box in boxes(window) if box.kind == b"meta"), None)
    if meta is None:
        return []
    inner = {box.kind: box for box in boxes(window, meta.body + 4, meta.end)}
    if b"iprp" not in inner or b"pitm" not in inner:
        return []
    pitm = window.at(inner[b"pitm"].body, 8)
    primary = int.from_bytes(pitm[4:8] if pitm[:1] == b"\1" else pitm[4:6], "big")
    containers = list(boxes(window, inner[b"iprp"].body, inner[b"iprp"].end))
    kept = [box for each in containers if each.kind == b"ipco" for box in boxes(window, each.body, each.end)]
    tables = (window.at(box.body, min(box.end - box.body, MAX_BLOCK)) for box in containers if box.kind == b"ipma")
    numbers = (number for table in tables for number in _associations(table, primary))
    return [kept[number - 1] for number in numbers if 0 < number <= len(kept)]


def _associations(ipma: bytes, item: int) -> list[int]:
    """The numbers (from 1) of the properties of an item."""
    if len(ipma) < 8:
        return []
    id_size, width = 4 if ipma[0] else 2, 2 if ipma[3] & 1 else 1
    at = 8
    for _ in range(int.from_bytes(ipma[4:8], "big")):
        if at + id_size >= len(ipma):
            break
        found, count = int.from_bytes(ipma[at : at + id_size], "big"), ipma[at + id_size]
        at += id_size + 1
        if found == item:
            # The highest bit says that the property is essential.
            mask = (1 << 8 * width - 1) - 1
            listed = ipma[at : at + width * count]
            return [int.from_bytes(listed[i : i + width], "big") & mask for i in range(0, len(listed), width)]
        at += width * count
    return []


class Heif(Container):
    """HEIC and AVIF; their pages are counted by the library that decodes them."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """Of the primary item, by its property ispe."""
        found = next((window.at(box.body + 4, 8) for box in properties(window) if box.kind == b"ispe"), b"")
        return int.from_bytes(found[:4], "big"), int.from_bytes(found[4:], "big")
