"""The lines of a journal: what is written down of a change before it is made, and how it is read again."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from .. import atomic
from ..errors import MALFORMED, JournalError, printable
from ..formats import Edit

#: Of one file, `Outcome.to_dict` of each of its pages.
Rows: TypeAlias = Sequence[dict[str, Any]]

VERSION = 1
#: Every journal begins so; a file that does not is never written to.
_BEGINNING = b'{"journal"'


@dataclass(frozen=True, slots=True)
class Intent:
    """One change of one file, from the sha256 ``before`` to ``after``; ``before`` is None where there was no file.

    Without ``edits`` the old bytes are in the backup named by ``before``.
    """

    path: str
    before: str | None
    after: str
    edits: tuple[Edit, ...] | None

    def to_line(self) -> dict[str, Any]:
        """As a line of the journal. Undecodable bytes of a path are escaped surrogates."""
        edits = None if self.edits is None else [[e.offset, e.old.hex(), e.new.hex()] for e in self.edits]
        line = {"journal": VERSION, "step": "intent", "path": self.path}
        return line | {"before": self.before, "after": self.after, "edits": edits}

    @classmethod
    def from_line(cls, line: dict[str, Any]) -> Intent:
        """The inverse of :meth:`to_line`; raises ValueError, KeyError or TypeError."""
        if line["journal"] != VERSION:
            raise ValueError(f"version {line['journal']}")
        edits = line["edits"]
        if edits is not None:
            edits = tuple(Edit(int(at), bytes.fromhex(old), bytes.fromhex(new)) for at, old, new in edits)
        path = str(line["path"])
        # As they are written: a crafted one leads nowhere else than it says.
        if not Path(path).is_absolute() or ".." in Path(path).parts or "\0" in path or not os.fsencode(path):
            raise ValueError(f"{printable(path)} is not the absolute path of a file")
        before = None if line["before"] is None else bytes.fromhex(line["before"]).hex()
        return cls(path, before, bytes.fromhex(line["after"]).hex(), edits)


def is_journal(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as journals do."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING
    except OSError:
        return False


def check_ours(file: IO[bytes], path: Path) -> None:
    """Raise `JournalError` where a file begins otherwise than a journal, of which a crash may leave little."""
    if not _BEGINNING.startswith(file.read(len(_BEGINNING))):
        raise _no_journal(path)


def _no_journal(path: object, why: str = "") -> JournalError:
    cause = f"not a journal of upright{why}"
    return JournalError(cause, source=path, remedy="name a new file, or one given to --journal")


def append_lines(path: Path, lines: bytes, check: Callable[[IO[bytes], Path], object] = lambda *_: None) -> None:
    """Write whole lines at the end of a file that others may write to; they are on the disk when it returns.

    ``check`` may raise for a file that is another than it should be. Raises OSError.
    """
    with path.open("ab+") as file:
        atomic.lock(file.fileno(), wait=True)
        file.seek(0)
        check(file, path)
        _cut_torn_line(file)
        file.write(lines)
        file.flush()
        atomic.sync(file.fileno())


def whole_lines(file: IO[bytes]) -> int:
    """How many bytes the whole lines of a file take; a crash may leave a part of one behind them."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 65536)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _cut_torn_line(file: IO[bytes]) -> None:
    """Cut off what a crash left behind the last whole line of a file that is open for reading and appending."""
    keep = whole_lines(file)
    if keep != file.seek(0, os.SEEK_END):
        file.truncate(keep)
        file.seek(keep)


def sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_journal(path: str | os.PathLike[str], start: int = 0, end: float = math.inf) -> list[Intent | JournalError]:
    """The intents of a journal in order, or between two places in bytes (`Journal.written`).

    There is an error for each bad line except an incomplete last one.
    """
    name = os.fsdecode(path)
    found = [each if isinstance(each, JournalError) else each[0] for each in _read(name, start, end)]
    if found and len(wrong := [entry for entry in found if isinstance(entry, JournalError)]) == len(found):
        raise _no_journal(name, f" that this version can read: {wrong[0].cause}")
    return found


def read_intended(path: str | os.PathLike[str], run: str) -> Iterator[tuple[Intent, Rows]]:
    """The intents of one run in order, each with its rows. Raises `JournalError`."""
    for each in _read(os.fsdecode(path)):
        if isinstance(each, JournalError):
            raise each
        intent, line = each
        if line.get("run") == run and line.get("rows"):
            yield intent, line["rows"]


def _read(name: str, start: int = 0, end: float = math.inf) -> Iterator[tuple[Intent, dict[str, Any]] | JournalError]:
    """Each intent, and its line; a whole journal of a million is not held in memory."""
    try:
        with Path(name).open("rb") as file:
            file.seek(start)
            for number, text in enumerate(file, 1):
                if not text.endswith(b"\n") or file.tell() > end:
                    return
                try:
                    line = json.loads(text)
                    if line["step"] == "intent":
                        yield Intent.from_line(line), line
                except MALFORMED as error:
                    yield JournalError(f"line {number} is not a line of a journal ({error})", source=name)
    except OSError as error:
        raise JournalError(f"the journal cannot be read ({error.strerror})", source=name) from None
