"""PDF: pages found through tables and streams of cross-references, and incremental updates (ISO 32000-1, 7.5.6).

Objects in object streams are read too. Encrypted files are refused, and files with damaged references, because each
viewer rebuilds those differently.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import Damaged
from .container import Container
from .edits import Window
from .pdf_objects import MOST_DEPTH, Dictionary, Reference, parsed

_OBJECT = re.compile(rb"\s*(\d{1,10})\s+(\d{1,5})\s+obj")
_SECTION = re.compile(rb"\s*(\d{1,10}) +(\d{1,10})\s+(?=\d|trailer)")
_ENTRY = re.compile(rb"\s{0,2}(\d{10}) (\d{5}) ([nf])")
_TABLE, _TRAILER = re.compile(rb"\s*xref\b"), re.compile(rb"\s*trailer")
_STREAM = re.compile(rb"\s*stream\r?\n")
_KEPT_IN_TRAILER = (b"/Root", b"/Info", b"/ID")
#: All streams of references and objects together are not inflated further; a million references take 10 MB.
_MOST_BYTES = 32 << 20
#: A reference has a kind, a place and a generation, of 1 to 8 bytes each.
_MOST_COLUMNS = 24
#: References of one section; two million are held in some 300 MB.
_MOST_REFERENCES = 2_000_000


class Pdf(Container):
    """A PDF; its pages have no stored pixels."""

    def pages(self, window: Window) -> int:
        """The leaves of the tree of pages."""
        with readable():
            return sum(1 for _ in Document(window.at(0, window.size)).pages())


@contextmanager
def readable() -> Iterator[None]:
    """Raise Damaged for whatever a damaged document makes the reader raise.

    A value of another kind than the standard has there, in any of fifty places; streams that name each other.
    """
    try:
        yield
    except (TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise Damaged("its structure is damaged") from error


class Document:
    """A PDF as far as needed to find its pages."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        if not data.startswith(b"%PDF-"):
            raise Damaged("it does not start with %PDF-")
        found = re.findall(rb"startxref\s+(\d{1,19})\s", data[-2048:] + b"\n")
        if not found:
            raise Damaged("it does not say where its references are")
        self.newest = int(found[-1])
        self.places: dict[int, tuple[int, int, int]] = {}
        self.inflated_bytes = 0
        self.unpacked: dict[int, tuple[bytes, dict[int, int]]] = {}
        self.trailer = Dictionary()
        self.by_stream = False
        self._read_references()
        if b"/Encrypt" in self.trailer:
            raise Damaged("it is encrypted")

    def pages(self) -> Iterator[tuple[Reference, Dictionary, int]]:
        """Each page with the clockwise turn that it, or what it hangs on, asks for."""
        root = self.dictionary(self.trailer.get(b"/Root"))
        yield from self._leaves(root.get(b"/Pages"), 0, set(), 0)

    def _leaves(
        self, reference: Any, rotate: int, seen: set[Reference], depth: int
    ) -> Iterator[tuple[Reference, Dictionary, int]]:
        node = self.dictionary(reference)
        if reference in seen or depth > MOST_DEPTH:
            raise Damaged("its pages go round in a circle")
        seen.add(reference)
        if b"/Rotate" in node:
            rotate = self.value(node[b"/Rotate"])
            if not isinstance(rotate, int) or rotate % 90:
                raise Damaged(f"a page's /Rotate is {rotate!r}")
        if b"/Kids" not in node:
            yield reference, node, rotate % 360
            return
        kids = self.value(node[b"/Kids"])
        for kid in kids if isinstance(kids, list) else ():
            yield from self._leaves(kid, rotate, seen, depth + 1)

    def update(self, objects: dict[Reference, bytes]) -> bytes:
        """An incremental update in which these objects have other bytes."""
        body = b"" if self.data.endswith((b"\n", b"\r")) else b"\n"
        places: list[tuple[int, int, int]] = []
        for reference, content in sorted(objects.items()):
            places.append((reference.number, len(self.data) + len(body), reference.generation))
            body += b"%d %d obj\n%s\nendobj\n" % (*reference, content)
        references = len(self.data) + len(body)
        size = max(self.free(), *(reference.number + 1 for reference in objects))
        kept = b" ".join(key + b" " + self.trailer.text(key) for key in _KEPT_IN_TRAILER if key in self.trailer)
        trailer = b"/Size %d /Prev %d %s" % (size + self.by_stream, self.newest, kept)
        if self.by_stream:
            rows = [*places, (size, references, 0)]
            table = b"".join(b"\1" + place.to_bytes(8) + generation.to_bytes(2) for _, place, generation in rows)
            index = b" ".join(b"%d 1" % number for number, _, _ in rows)
            facts = b"/Type /XRef /W [1 8 2] /Index [%s] /Length %d" % (index, len(table))
            body += b"%d 0 obj\n<< %s %s >>\nstream\n%s\nendstream\nendobj\n" % (size, facts, trailer, table)
        else:
            table = b"".join(b"%d 1\n%010d %05d n \n" % row for row in places)
            body += b"xref\n%strailer\n<< %s >>\n" % (table, trailer)
        return body + b"startxref\n%d\n%%%%EOF\n" % references

    def free(self) -> int:
        """The first number that no object has."""
        size = self.value(self.trailer.get(b"/Size"))
        if not isinstance(size, int):
            raise Damaged("its trailer has no /Size")
        return max(size, max(self.places, default=0) + 1)

    def inherited(self, page: Dictionary, key: bytes) -> Any:
        """A value of a page, or of what it hangs on."""
        for _ in range(MOST_DEPTH):
            if key in page:
                return self.value(page[key])
            if b"/Parent" not in page:
                return None
            page = self.dictionary(page[b"/Parent"])
        raise Damaged("its pages hang on each other")

    def dictionary(self, reference: Any) -> Dictionary:
        """The dictionary that a reference names."""
        value = self.value(reference)
        if not isinstance(reference, Reference) or not isinstance(value, Dictionary):
            raise Damaged(f"{reference!r} is not a dictionary")
        return value

    def value(self, value: Any) -> Any:
        """A value, or the one that a reference names."""
        if not isinstance(value, Reference):
            return value
        kind, place, _ = self.places.get(value.number, (0, 0, 0))
        if kind == 1:
            return self._at(place, value.number)[0]
        return self._packed(place, value.number) if kind == 2 else None

    def _at(self, place: int, number: int | None) -> tuple[Any, int]:
        """The object at a place, and where it ends."""
        head = _OBJECT.match(self.data, place)
        if not head or number not in (None, int(head[1])):
            raise Damaged(f"object {number} is not at {place}")
        return parsed(self.data, head.end())

    def _packed(self, stream: int, number: int) -> Any:
        """An object of an object stream."""
        if stream not in self.unpacked:
            kind, place, _ = self.places.get(stream, (0, 0, 0))
            if kind != 1:
                raise Damaged(f"there is no object stream {stream}")
            facts, end = self._at(place, stream)
            content, first = self._stream(facts, end), self.value(facts.get(b"/First"))
            heads = [int(word) for word in content[:first].split()]
            self.unpacked[stream] = content, dict(zip(heads[::2], (first + h for h in heads[1::2]), strict=False))
        content, offsets = self.unpacked[stream]
        if number not in offsets:
            raise Damaged(f"object {number} is not in its object stream")
        return parsed(content, offsets[number])[0]

    def _stream(self, facts: Any, end: int) -> bytes:
        """The bytes of a stream whose dictionary ends there, inflated, predictors undone."""
        start = _STREAM.match(self.data, end)
        length = self.value(facts.get(b"/Length")) if isinstance(facts, Dictionary) else None
        if not start or not isinstance(length, int):
            raise Damaged("a stream of objects or references is damaged")
        content = self.data[start.end() : start.end() + length]
        filters, parameters = (self.value(facts.get(key)) for key in (b"/Filter", b"/DecodeParms"))
        filters = filters if isinstance(filters, list) else [filters] if filters else []
        parameters = parameters[0] if isinstance(parameters, list) and parameters else parameters
        if filters not in ([], [b"/FlateDecode"]):
            raise Damaged(f"a stream of objects or references is packed by {filters}")
        if filters:
            try:
                content = zlib.decompressobj().decompress(content, _MOST_BYTES)
            except zlib.error as error:
                raise Damaged(f"a stream of objects or references is damaged ({error})") from error
            self.inflated_bytes += len(content)
            if self.inflated_bytes >= _MOST_BYTES:
                raise Damaged("its objects and references are too large")
        parameters = parameters or {}
        if parameters.get(b"/Predictor", 1) < 10:
            return content
        columns = parameters.get(b"/Columns", 1)
        if not 1 <= columns <= _MOST_COLUMNS:
            raise Damaged(f"its references are {columns} bytes wide")
        return _unpredicted(content, columns)

    def _read_references(self) -> None:
        """All places of objects, the newest first, and the newest trailer."""
        waiting, seen = [self.newest], set()
        while waiting:
            place = waiting.pop()
            if place in seen or not 0 <= place < len(self.data):
                raise Damaged("its references lead nowhere")
            seen.add(place)
            table = _TABLE.match(self.data, place)
            trailer = self._read_table(table.end()) if table else self._read_stream(place)
            if len(seen) == 1:
                self.trailer, self.by_stream = trailer, not table
            # A hybrid file's stream counts before older tables: the last of the list is read next.
            waiting += [trailer[key] for key in (b"/Prev", b"/XRefStm") if isinstance(trailer.get(key), int)]

    def _read_table(self, position: int) -> Dictionary:
        while section := _SECTION.match(self.data, position):
            first, position = int(section[1]), section.end()
            for number in range(first, first + int(section[2])):
                entry = _ENTRY.match(self.data, position)
                if not entry:
                    raise Damaged("its table of references is damaged")
                position = entry.end()
                kind = 1 if entry[3] == b"n" else 0
                self.places.setdefault(number, (kind, int(entry[1]), int(entry[2])))
        word = _TRAILER.match(self.data, position)
        trailer = parsed(self.data, word.end())[0] if word else None
        if not isinstance(trailer, Dictionary):
            raise Damaged("it has no trailer")
        return trailer

    def _read_stream(self, place: int) -> Dictionary:
        facts, end = self._at(place, None)
        widths = facts.get(b"/W") if isinstance(facts, Dictionary) else None
        if not isinstance(widths, list) or len(widths) != 3 or not all(w in range(9) for w in widths) or not widths[1]:
            raise Damaged("its references are damaged")
        content, (a, b, c) = self._stream(facts, end), widths
        if len(content) // sum(widths) > _MOST_REFERENCES:
            raise Damaged("its references are too many")
        index = facts.get(b"/Index") or [0, facts.get(b"/Size", 0)]
        ranges = [range(first, first + count) for first, count in zip(index[::2], index[1::2], strict=False)]
        numbers = (number for each in ranges for number in each)
        for row, number in zip(range(0, len(content) - sum(widths) + 1, sum(widths)), numbers, strict=False):
            kind = int.from_bytes(content[row : row + a]) if a else 1
            fields = content[row + a : row + a + b], content[row + a + b : row + a + b + c]
            self.places.setdefault(number, (kind, *(int.from_bytes(f) for f in fields)))  # type: ignore[arg-type]
        assert isinstance(facts, Dictionary)
        return facts


def _unpredicted(content: bytes, columns: int) -> bytes:
    """Rows with PNG's filters None, Sub and Up undone; writers of references use no other."""
    above, rows = bytearray(columns), []
    for start in range(0, len(content) - columns, columns + 1):
        kind, row = content[start], bytearray(content[start + 1 : start + 1 + columns])
        if kind == 1:
            for i in range(1, columns):
                row[i] = (row[i] + row[i - 1]) & 255
        elif kind == 2:
            row = bytearray((x + y) & 255 for x, y in zip(row, above, strict=True))
        elif kind:
            raise Damaged(f"its references use the filter {kind} of PNG")
        above = row
        rows.append(row)
    return b"".join(rows)
