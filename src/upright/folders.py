"""Finds pictures among what a user names: files, folders (searched through), ``-`` for standard input."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import SourceMissing
from .formats import HEAD_BYTES, sniff
from .pictures import Source

STANDARD_STREAM = "-"


@dataclass(frozen=True, slots=True)
class Found:
    """A picture, and where it lies below the folder that was named (its own name where a file was named)."""

    path: str
    relative: Path

    def open(self) -> Source:
        """What `Detector.detect` takes: the path, or the bytes that standard input holds."""
        if self.path != STANDARD_STREAM:
            return self.path
        stream = io.BytesIO(_standard_input())
        stream.name = STANDARD_STREAM
        return stream

    def read(self) -> bytes:
        """The picture's own bytes. Raises `SourceMissing`."""
        if self.path == STANDARD_STREAM:
            return _standard_input()
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise SourceMissing(f"cannot be read: {error.strerror}", source=self.path) from error


@cache
def _standard_input() -> bytes:
    """Standard input can be read once, and is wanted twice: to detect and to correct."""
    return sys.stdin.buffer.read()


def find_pictures(paths: Iterable[str], *, seen: set[str] | None = None) -> Iterator[Found]:
    """Every named file, and in named folders every file that is a picture by its first bytes, in order of name.

    With a set ``seen``, which grows by real paths, a file that is named twice, or by links too, comes once: corrected
    in place by two answers to the same question, it would be turned twice.

    Folders behind links are not entered, so a loop of links ends; a link to a file counts as the file. A file that
    is named is always yielded, so that its error is reported.
    """
    for path in paths:
        is_folder = path != STANDARD_STREAM and Path(path).is_dir()
        for found in _search(path) if is_folder else [Found(path, Path(Path(path).name))]:
            if seen is not None:
                real = os.path.realpath(found.path)
                if real in seen:
                    continue
                seen.add(real)
            yield found


def _search(folder: str) -> Iterator[Found]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(parent, name)  # noqa: PTH118 -- pathlib would normalise the user's spelling away
            if _may_be_picture(path):
                yield Found(path, Path(path).relative_to(folder))


def _may_be_picture(path: str) -> bool:
    """Whether the first bytes are a picture's; a picture that cannot be opened counts, to be reported."""
    try:
        if not Path(path).is_file():
            return Path(path).is_symlink()
        with open(path, "rb") as file:  # noqa: PTH123 -- as above
            return sniff(file.read(HEAD_BYTES)) != ""
    except OSError:
        return True
