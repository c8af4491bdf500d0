"""The upload of a job on its way: on disk, beside the jobs file."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import SourceError, printable
from .problems import BodyTooLarge, ClientGone, Refused, StorageFull

_MAX_NAME_BYTES = 1024
#: A tar may call its heads, and what follows them, as long as it likes; a long name or a pax head is some kilobytes.
_MAX_HEAD_BYTES = 1 << 20
_ROOM = "fetch and delete finished jobs; the operator can make room on the disk"
#: Members that name no file: folders (of GNU's incremental archives, too) and the label of the archive.
_NO_FILES = (tarfile.DIRTYPE, b"D", b"V")


class Spool:
    """A file with where each of its pictures begins and how long it is.

    A request may end while a thread is at work here: `close` stops that first, since the number of a closed file goes
    to the next file or connection. What is called after it, or meanwhile, raises `ClientGone`.
    """

    def __init__(self, folder: Path, max_pictures: int, max_picture_mb: int, max_mb: int) -> None:
        self._max, self._max_mb, self._max_all_mb = max_pictures, max_picture_mb, max_mb
        self._bytes = 0
        self._pictures: list[tuple[str, int, int]] = []
        self._failed: dict[int, SourceError] = {}
        self._busy, self._closed = threading.Lock(), False
        with _full_is_raised():
            # Unbuffered, so that a full disk fails on write, not on close.
            self.file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115

    def close(self) -> None:
        """Delete the file, as soon as no thread is at work on it."""
        self._closed = True
        with self._busy:
            self.file.close()

    def begin(self, name: str) -> None:
        """What is written from now on belongs to a picture of this name."""
        with self._at_work():
            self._end()
            self._add(name, self.file.tell(), -1)

    def write(self, data: bytes | memoryview) -> None:
        """Take some more bytes. Raises `StorageFull`."""
        rest = memoryview(data)
        with self._at_work(), _full_is_raised():
            while rest:
                rest = rest[self.file.write(rest) :]

    def pictures(self) -> Iterator[tuple[str, bytes | SourceError]]:
        """Name and bytes of each picture, or why it cannot be read."""
        with self._at_work():
            self._end()
        if not self._pictures:
            raise Refused("the job has no picture", remedy="send each as a file of a form, or a tar of them")
        for number, (name, start, size) in enumerate(self._pictures):
            with self._at_work():
                self.file.seek(start)
                data = self.file.read(size)
            yield name, self._failed.get(number, data)

    def index_tar(self) -> None:
        """Find the pictures of an uncompressed tar. Nothing is unpacked: names are only labels."""
        entries, places = 0, dict[str, tuple[int, int]]()
        with self._at_work():
            self.file.seek(0)
            try:
                heads = _Heads(self.file.fileno(), closefd=False)
                with tarfile.open(fileobj=heads, mode="r:") as tar:
                    while (member := tar.next()) is not None:
                        heads.left = _MAX_HEAD_BYTES
                        tar.members.clear()  # type: ignore[attr-defined] # which it would keep, all of them
                        self._check_open()
                        entries += 1
                        self._check_count(entries)
                        self._add_member(member, places)
                    self._check_end(tar.offset)
            except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
                raise Refused(f"the tar cannot be read: {error}", remedy="send an uncompressed tar") from error
            end = self.file.seek(0, os.SEEK_END)
            if any(start + size > end for _, start, size in self._pictures):
                raise Refused("the tar ends within a picture", remedy="send all of it")

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._busy:
            self._check_open()
            yield

    def _check_open(self) -> None:
        if self._closed:
            raise ClientGone("the request ended while its upload was read")

    def _add_member(self, member: tarfile.TarInfo, places: dict[str, tuple[int, int]]) -> None:
        """Take a member, or why it cannot be read; ``places`` is where those before it are, for their second names."""
        if member.type in _NO_FILES:
            return
        place = places.get(member.linkname) if member.islnk() else (member.offset_data, member.size)
        if failed := _unreadable(member, linked=place is not None):
            self._failed[len(self._pictures)] = failed
            place = 0, 0
        assert place is not None
        self._add(member.name, *place)
        if not failed:
            places[member.name] = place

    def _check_end(self, at: int) -> None:
        """Raise `Refused` unless only zeros come from here on: `tarfile` takes a damaged head for the end."""
        self.file.seek(at)
        piece = self.file.read(_MAX_HEAD_BYTES)
        if len(piece) < tarfile.BLOCKSIZE:
            raise Refused("the tar is cut off: it has no end", remedy="send all of it")
        while piece:
            self._check_open()
            if piece.strip(b"\0"):
                cause = f"the tar is damaged, or goes on behind its end, after {len(self._pictures)} pictures"
                raise Refused(cause, remedy="pack it again, as one tar, and send all of it")
            piece = self.file.read(_MAX_HEAD_BYTES)

    def _check_count(self, count: int) -> None:
        if count > self._max:
            remedy = "send several jobs; the operator can raise --job-pictures"
            raise BodyTooLarge(f"more than {self._max} pictures, or members of a tar, in one job", remedy=remedy)

    def _add(self, name: str, start: int, size: int) -> None:
        self._check_count(len(self._pictures) + 1)
        name = name.encode("utf-8", "backslashreplace").decode()  # a tar may hold bytes that are no UTF-8
        if len(name) > _MAX_NAME_BYTES:
            cause = f"the name of picture {len(self._pictures)} has {len(name):,} characters"
            raise Refused(cause, remedy=f"give it at most {_MAX_NAME_BYTES:,}")
        if size > self._max_mb << 20:
            remedy = "send it by another way; the operator can raise --job-picture-mb"
            raise BodyTooLarge(f"{printable(name)} is over {self._max_mb} MiB", remedy=remedy)
        self._bytes += max(size, 0)
        if self._bytes > self._max_all_mb << 20:  # links: what is sent once may be there many times
            remedy = "send several jobs; the operator can raise --job-mb"
            raise BodyTooLarge(f"the pictures are over {self._max_all_mb} MiB together", remedy=remedy)
        self._pictures.append((name, start, size))

    def _end(self) -> None:
        if self._pictures and self._pictures[-1][2] < 0:
            name, start, _ = self._pictures.pop()
            self._add(name, start, self.file.tell() - start)


def _unreadable(member: tarfile.TarInfo, *, linked: bool) -> SourceError | None:
    """Why a member of a tar is not read; ``linked`` is whether the file of a hard link is known."""
    to = printable(member.linkname[:_MAX_NAME_BYTES])
    if member.issparse():
        why = "packed as a sparse file", "pack it without --sparse"
    elif member.isreg() or (linked and member.islnk()):
        return None
    elif member.islnk():
        why = f"a link to {to}, which is no file before it", "pack it with --hard-dereference"
    elif member.issym():
        why = f"a symbolic link to {to}", "pack what it leads to: with --dereference"
    else:
        why = "no regular file", "leave it out"
    return SourceError(why[0], source=member.name[:_MAX_NAME_BYTES], remedy=why[1])


class _Heads(io.FileIO):
    """The spool as `tarfile` sees it, which skips the pictures and reads the rest: no long part into memory."""

    left = _MAX_HEAD_BYTES

    def read(self, size: int | None = -1) -> bytes:
        """Some bytes of a head. Raises `Refused` for too many before the next member."""
        self.left -= _MAX_HEAD_BYTES + 1 if size is None or size < 0 else size
        if self.left < 0:
            remedy = f"give its files names of at most {_MAX_NAME_BYTES:,} characters, and pack it without --sparse"
            raise Refused(f"the tar has a head of over {_MAX_HEAD_BYTES:,} bytes", remedy=remedy)
        return super().read(size)


@contextlib.contextmanager
def _full_is_raised() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFull(f"the upload cannot be kept: {error.strerror}", remedy=_ROOM) from error
