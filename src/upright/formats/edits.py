"""Bounded views of bytes that may be a file, and edits of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, TypeAlias

from ..errors import Damaged

Bytes: TypeAlias = bytes | bytearray | memoryview

#: No metadata block is read further than this; real EXIF blocks in JPEG end at 64 kB.
MAX_BLOCK = 1 << 20
#: A file is copied in pieces of this size.
_PIECE_BYTES = 1 << 20


class Span(NamedTuple):
    """Bytes from ``start`` up to, not including, ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Edit:
    """``old`` at ``offset`` of the bytes before becomes ``new``; either may be empty."""

    offset: int
    old: bytes
    new: bytes


class Window:
    """Random access to bytes or a seekable file; a read past the end returns fewer bytes."""

    def __init__(self, source: Bytes | BinaryIO) -> None:
        self._file = io.BytesIO(source) if isinstance(source, (bytes, bytearray, memoryview)) else source
        self.size = self._file.seek(0, io.SEEK_END)

    def at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""
        if offset < 0 or size <= 0 or offset >= self.size:
            return b""
        self._file.seek(offset)
        return self._file.read(size)

    def exactly(self, offset: int, size: int) -> bytes:
        """Exactly ``size`` bytes from ``offset``, or :class:`Damaged`."""
        found = self.at(offset, size)
        if len(found) != size:
            raise Damaged("the metadata is cut short")
        return found

    def edit(self, offset: int, new: bytes) -> Edit:
        """An edit that replaces as many bytes as ``new`` has."""
        return Edit(offset, self.exactly(offset, len(new)), new)


class Overlay(Window):
    """A window on what changes that keep lengths, or go on at the end, make of another; they add up to `edits`."""

    def __init__(self, window: Window) -> None:
        self._base, self.size = window, window.size
        self._changed: dict[int, int] = {}
        self._tail = b""

    def at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""
        if offset < 0 or size <= 0:
            return b""
        behind = max(0, offset - self._base.size)
        found = bytearray(self._base.at(offset, size))
        found += self._tail[behind : behind + size - len(found)]
        for place, value in self._changed.items():
            if offset <= place < offset + len(found):
                found[place - offset] = value
        return bytes(found)

    def apply(self, edits: Sequence[Edit]) -> None:
        """Add edits of what this window shows now. Raises `Damaged` for those that move bytes."""
        for edit in sorted(edits, key=lambda each: -each.offset):
            behind = edit.offset - self._base.size
            if behind >= 0:
                self._tail = self._tail[:behind] + edit.new + self._tail[behind + len(edit.old) :]
            elif len(edit.old) == len(edit.new):
                self._changed.update(enumerate(edit.new, edit.offset))
            else:
                raise Damaged("its pages cannot be changed together", remedy="name one with --page")
        self.size = self._base.size + len(self._tail)

    def edits(self) -> list[Edit]:
        """All of it, as edits of the other window."""
        found: list[Edit] = []
        for place in sorted(self._changed):
            old, new = self._base.at(place, 1), bytes([self._changed[place]])
            if found and found[-1].offset + len(found[-1].old) == place:
                last = found.pop()
                old, new, place = last.old + old, last.new + new, last.offset
            found.append(Edit(place, old, new))
        return [*found, *([Edit(self._base.size, b"", self._tail)] if self._tail else [])]


def applied(window: Window, edits: Sequence[Edit]) -> Iterator[bytes]:
    """The bytes after the edits, in pieces. :class:`Damaged` where the bytes are not what the edits expect."""
    position = 0
    for edit in sorted(edits, key=lambda e: e.offset):
        if edit.offset < position:
            raise Damaged("two edits meet")
        for start in range(position, edit.offset, _PIECE_BYTES):
            yield window.exactly(start, min(_PIECE_BYTES, edit.offset - start))
        if window.at(edit.offset, len(edit.old)) != edit.old:
            raise Damaged("the bytes are not what they were", remedy="try again")
        yield edit.new
        position = edit.offset + len(edit.old)
    for start in range(position, window.size, _PIECE_BYTES):
        yield window.at(start, _PIECE_BYTES)


def inverse(edits: Sequence[Edit]) -> list[Edit]:
    """The edits that take ``edits`` back."""
    back, shift = [], 0
    for edit in sorted(edits, key=lambda e: e.offset):
        back.append(Edit(edit.offset + shift, edit.new, edit.old))
        shift += len(edit.new) - len(edit.old)
    return back
