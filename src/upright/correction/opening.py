"""A file that is looked at and then changed: held open in between, and checked to be the same before it is replaced."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..errors import UprightError, WriteFailed, printable
from ..formats import Bytes, Window, applied
from ..pictures.source import open_file, reading

PathLike: TypeAlias = str | os.PathLike[str]
#: `Opened.facts` and `Opened.content` of a file that was looked at.
Seen: TypeAlias = tuple[os.stat_result | None, bytes | None]

#: Of a larger file only this many bytes at either end are compared: reading all takes a second for each 2 GB.
_END_BYTES = 32 << 20
_PIECE_BYTES = 1 << 20


@dataclass(slots=True)
class Opened:
    """Bytes of a picture, or a file with what it was when it was opened.

    While it is open no other file can take its place under the same inode number.
    """

    window: Window
    name: str
    path: str | None = None
    facts: os.stat_result | None = None
    content: bytes | None = None

    def look(self) -> None:
        """Record the content, so that `check_unchanged` compares it too. Call it before the picture is decided."""
        self.content = self._content()

    def check_unchanged(self, *, content: bool = True) -> None:
        """Raises `WriteFailed` where the path leads to another file by now, or to other bytes."""
        same = True
        if self.path is not None and self.facts is not None:
            try:
                same = _identity(Path(self.path).stat()) == _identity(self.facts)
            except OSError:
                raise WriteFailed("vanished meanwhile", source=self.path, remedy="run it again") from None
        if not same or (content and self.content is not None and self._content() != self.content):
            raise WriteFailed("changed in the meantime; left alone", source=self.path, remedy="run it again")

    def sha256(self) -> str:
        """Of all bytes, in hexadecimal."""
        digest = hashlib.sha256()
        for piece in applied(self.window, ()):
            digest.update(piece)
        return digest.hexdigest()

    def _content(self) -> bytes:
        size, digest = self.window.size, hashlib.sha256()
        tail = max(_END_BYTES, size - _END_BYTES)
        for start in (*range(0, min(size, _END_BYTES), _PIECE_BYTES), *range(tail, size, _PIECE_BYTES)):
            digest.update(self.window.at(start, _PIECE_BYTES))
        return digest.digest()


@contextmanager
def opened(source: PathLike | Bytes) -> Iterator[Opened]:
    """A source for as long as it is worked on; puts its name into errors."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield Opened(Window(source), "<bytes>")
        return
    name = os.fsdecode(source)
    with open_file(name) as file:
        try:
            with reading(name):
                yield Opened(Window(file), name, name, os.fstat(file.fileno()))
        except UprightError as error:
            error.source = error.source or printable(name)
            raise


def _identity(facts: os.stat_result) -> tuple[int, ...]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
