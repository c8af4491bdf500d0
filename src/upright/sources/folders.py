"""Pictures on this machine: files, folders (searched by content), ``-`` for standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from .. import atomic
from ..errors import SourceMissing
from ..formats import HEAD_BYTES, sniff
from ..journal import is_journal
from .excluded import Excluded, folder_of_a_program, ignored_in
from .item import Item, Wanted
from .stores import HELD

STANDARD_STREAM = "-"


def local_items(name: str, wanted: Wanted, seen: set[str] | None, excluded: Excluded) -> Iterator[Item]:
    """A file that is named, whatever it is; of a folder every file, skipped where its first bytes are no picture's.

    In order of name. Folders behind links are not entered, so a loop of links ends; a link to a file counts as the
    file, and one that leads nowhere is reported. With a set ``seen``, which grows by real paths, no file comes twice.
    Raises SourceMissing where the folder itself cannot be read.
    """
    if name == STANDARD_STREAM:
        if wanted(name):
            # Read here and not in a thread, which an interrupt would not reach.
            data = HELD.read_whole(sys.stdin.buffer, name, "save it to a file first: a file may be of any size")
            yield Item(name, PurePosixPath(name), data=data)
        return
    searched = Path(name).is_dir()
    for path, reason in _search(name, excluded) if searched else [(name, "")]:
        if seen is not None and not reason:
            real = os.path.realpath(path)
            reason = "named twice" if real in seen else ""
            seen.add(real)
        if wanted(path):
            reason = reason or (_no_picture(path) if searched else "")
            relative = Path(path).relative_to(name) if searched else Path(path).name
            yield Item(path, PurePosixPath(relative), path=None if reason else path, skipped=reason)


def _search(folder: str, excluded: Excluded) -> Iterator[tuple[str, str]]:
    """Each file below a folder, and why it is passed over, or an empty reason."""
    ignored: list[Excluded] = [replace(excluded, folder=folder)]
    unread: list[tuple[str, str]] = []

    def unreadable(error: OSError) -> None:
        if error.filename == folder:
            cause = f"cannot be read: {error.strerror}"
            raise SourceMissing(cause, source=folder, remedy="check its permissions") from error
        unread.append((error.filename, "a folder that cannot be read"))

    def passed_over(path: str) -> bool:
        return any(each.matches(os.path.relpath(path, each.folder)) for each in ignored)

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        while len(ignored) > 1 and not Path(parent).is_relative_to(ignored[-1].folder):
            ignored.pop()
        if (here := ignored_in(parent)) is not None:
            ignored.append(here)
        for name in sorted(folders):
            path = _joined(parent, name)
            reason = "a folder behind a link" if Path(path).is_symlink() else folder_of_a_program(name)
            reason = reason or "excluded" * passed_over(path)
            # Turned, the originals that a journal keeps would be originals no more.
            if not reason and excluded.is_output(path):
                reason = "the folder of corrected pictures"
            if not reason and name.endswith(".d") and is_journal(path[:-2]):
                reason = "the backups of a journal"
            if reason:
                folders.remove(name)
                yield path, reason
        folders.sort()
        for name in sorted(files):
            ours = name.startswith(atomic.PREFIX) and name.endswith(atomic.SUFFIX)
            path = _joined(parent, name)
            yield path, "a temporary file of upright" if ours else "excluded" * passed_over(path)
    yield from unread


def _joined(parent: str, name: str) -> str:
    return os.path.join(parent, name)  # noqa: PTH118 -- pathlib would normalise the user's spelling away


def _no_picture(path: str) -> str:
    """Why a file is passed over; nothing where it is a picture, or cannot be opened, which is to be reported."""
    try:
        if not Path(path).is_file():
            return "" if Path(path).is_symlink() else "no regular file"
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(HEAD_BYTES)
    except OSError:
        return ""
    return no_picture(head)


def no_picture(head: bytes) -> str:
    """Why a file with such first bytes is passed over; nothing where it is a picture."""
    return "" if sniff(head) else "not a picture" if head else "empty"
