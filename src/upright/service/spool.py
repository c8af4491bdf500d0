"""The upload of a job on its way: on disk, beside the jobs file."""

from __future__ import annotations

import contextlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .problems import BodyTooLarge, Refused, StorageFull


class Spool:
    """A file with where each of its pictures begins and how long it is."""

    def __init__(self, folder: Path, max_pictures: int) -> None:
        self._max = max_pictures
        self._pictures: list[tuple[str, int, int]] = []
        with _full_is_raised():
            # Unbuffered, so that a full disk fails on write, not on close.
            self.file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed by the route

    def begin(self, name: str) -> None:
        """What is written from now on belongs to a picture of this name."""
        self._end()
        self._add(name, self.file.tell(), -1)

    def write(self, data: bytes | memoryview) -> None:
        """Take some more bytes. Raises `StorageFull`."""
        rest = memoryview(data)
        with _full_is_raised():
            while rest:
                rest = rest[self.file.write(rest) :]

    def pictures(self) -> Iterator[tuple[str, bytes]]:
        """Name and bytes of each picture."""
        self._end()
        if not self._pictures:
            raise Refused("the job has no picture", remedy="send each as a file of a form, or a tar of them")
        for name, start, size in self._pictures:
            self.file.seek(start)
            yield name, self.file.read(size)

    def index_tar(self) -> None:
        """Find the pictures of an uncompressed tar. Nothing is unpacked: names are only labels."""
        self.file.seek(0)
        try:
            with tarfile.open(fileobj=self.file, mode="r:") as tar:
                for member in tar:
                    if member.isreg() and not member.issparse():
                        self._add(member.name, member.offset_data, member.size)
        except (tarfile.TarError, UnicodeError, ValueError, OverflowError) as error:
            raise Refused(f"the tar cannot be read: {error}", remedy="send an uncompressed tar") from error
        end = self.file.seek(0, os.SEEK_END)
        if any(start + size > end for _, start, size in self._pictures):
            raise Refused("the tar ends within a picture", remedy="send all of it")

    def _add(self, name: str, start: int, size: int) -> None:
        if len(self._pictures) >= self._max:
            remedy = "send several jobs; the operator can raise --job-pictures"
            raise BodyTooLarge(f"more than {self._max} pictures in one job", remedy=remedy)
        self._pictures.append((name, start, size))

    def _end(self) -> None:
        if self._pictures and self._pictures[-1][2] < 0:
            name, start, _ = self._pictures[-1]
            self._pictures[-1] = (name, start, self.file.tell() - start)


@contextlib.contextmanager
def _full_is_raised() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFull(f"the upload cannot be kept: {error.strerror}", remedy="make room on the disk") from error
