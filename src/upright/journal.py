"""The undo journal: each change of a file in place is written down before it is made.

JSON lines. An ``intent`` holds the path, the sha256 before and after, and the edits (offset, old and new bytes in
hexadecimal); without edits a whole copy is in the folder ``<journal>.d``, named by the sha256 before. Before is null
where the file did not exist. An intent is on the disk before the file changes.
A ``done`` line follows the change. If a crash cut a line short, its change was not made.

A run that is given no journal has one of its own in the state folder (`run_journal`), which `runs` lists.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple

from . import atomic
from .errors import Damaged, JournalError, SourceMissing, UprightError, WriteFailed, printable
from .formats import Edit, Window, applied, inverse
from .machine import state_folder

VERSION = 1
#: Every journal begins so; a file that does not is never written to.
_BEGINNING = b'{"journal"'
_CHANGED = "the file has been changed since, and was left alone"


class Undone(NamedTuple):
    """What became of one entry: "restored", "removed", "as it was" (nothing was to be done), or an error."""

    path: str
    outcome: str | UprightError

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        outcome = self.outcome.to_dict() if isinstance(self.outcome, UprightError) else {"outcome": self.outcome}
        return {"path": printable(self.path), **outcome}


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


class Run(NamedTuple):
    """A run whose journal is in the state folder: its changes, when and where, and the bytes of its backups."""

    journal: Path
    changes: int
    backup_bytes: int
    #: When it noted its last change.
    ended_s: float
    #: That has all files that it changed.
    folder: str = ""
    #: Why the journal cannot be read.
    error: JournalError | None = None

    @property
    def words(self) -> str:
        """In one line, without the journal's name."""
        if self.error:
            return self.error.cause
        kept = f", {self.backup_bytes / 1e6:,.1f} MB of originals" if self.backup_bytes else ""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.ended_s))
        where = f" in {printable(self.folder)}" if self.folder else ""
        return f"{self.changes:,} change{'s' * (self.changes != 1)}{kept}, {when}{where}"


class Journal:
    """A journal that is written to; several threads and processes may share one file.

    Raises `JournalError` for a file that is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = _absolute(path)
        with suppress(OSError), self.path.open("rb") as file:
            _check_ours(file, self.path)
        self.backups = _backups(self.path)
        # For drives without locks; between processes only locks help.
        self._one = threading.Lock()

    def intend(self, intent: Intent, original: Window | None) -> None:
        """Write an intent; without edits, copy the original first. Raises `WriteFailed`, `JournalError`."""
        if intent.edits is None and intent.before is not None and original is not None:
            self._back_up(intent.before, original)
        self._append(intent.to_line())

    def done(self, intent: Intent) -> None:
        """Write that the change was made, which `undo` does not need to know. Raises `WriteFailed`, `JournalError`."""
        self._append({"journal": VERSION, "step": "done", "path": intent.path, "after": intent.after})

    def _back_up(self, name: str, original: Window) -> None:
        """Copy an original, for nobody else's eyes: it may be private where the journal is not."""
        backup = self.backups / name
        try:
            self.backups.mkdir(parents=True, exist_ok=True, mode=0o700)
            there = backup.exists() and sha256(backup) == name
        except OSError as error:
            raise self._failed("the original could not be copied beside the journal {}", error) from None
        if not there:
            atomic.write(str(backup), applied(original, ()), private=True)
        atomic.sync_folder(self.backups.parent)

    def _append(self, line: dict[str, Any]) -> None:
        try:
            fresh = not self.path.exists()
            with self._one, self.path.open("ab+") as file:
                atomic.lock(file.fileno(), wait=True)
                file.seek(0)
                _check_ours(file, self.path)
                cut_torn_line(file)
                file.write(json.dumps(line).encode("ascii") + b"\n")
                file.flush()
                atomic.sync(file.fileno())
            if fresh:
                atomic.sync_folder(self.path.parent)
        except OSError as error:
            raise self._failed("the journal {} could not be written", error) from None

    def _failed(self, what: str, error: OSError) -> WriteFailed:
        # A run puts the picture in the place of the source.
        cause = f"{what.format(printable(self.path))} ({error.strerror or error})"
        return WriteFailed(cause, source=self.path, remedy="free disk space, or name another journal file")


def run_journal() -> Journal:
    """A new journal in the state folder; its file is made with the first change. Raises `WriteFailed`."""
    folder = state_folder() / "journals"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        cause = f"no journal can be kept here ({error.strerror}); nothing was changed"
        raise WriteFailed(cause, source=folder, remedy="name a file with --journal") from None
    seconds, rest = divmod(time.time_ns(), 10**9)
    return Journal(folder / f"{time.strftime('%Y-%m-%d-%H%M%SZ', time.gmtime(seconds))}-{rest:09}.jsonl")


def runs() -> list[Run]:
    """The runs with a journal in the state folder, the last one first, unreadable ones too. Raises `JournalError`."""
    folder = state_folder() / "journals"
    try:
        found = [_run(path) for path in folder.iterdir() if path.suffix == ".jsonl"]
    except FileNotFoundError:
        return []
    except OSError as error:
        cause = f"the journals cannot be listed ({error.strerror})"
        raise JournalError(cause, source=folder, remedy="make it readable, or name a journal") from None
    # Not by name alone: older ones have the time of a clock that is set with the season and the place.
    return sorted(found, key=lambda run: (run.ended_s, run.journal.name), reverse=True)


def _run(path: Path) -> Run:
    entries, error, size = list[Intent | JournalError](), None, 0
    try:
        entries = read_journal(path)
    except JournalError as wrong:
        error = wrong
    with suppress(OSError):
        size = sum(backup.stat().st_size for backup in _backups(path).glob("*"))
    folder, folders = "", {str(Path(entry.path).parent) for entry in entries if isinstance(entry, Intent)}
    with suppress(ValueError):  # none, or on several drives
        folder = os.path.commonpath(folders)
    return Run(path, len(entries), size, path.lstat().st_mtime, folder, error)


def last_run() -> Run:
    """The last run in the state folder that changed something. Raises `JournalError`, too where it cannot be read."""
    for run in runs():
        if run.error:
            cause = f"the last run's journal cannot be used: {run.error.cause}"
            remedy = "`upright undo --list` prints all: name the one that is meant"
            raise JournalError(cause, source=run.journal, remedy=remedy)
        if run.changes:
            return run
    raise JournalError("no run has left a journal", source=state_folder(), remedy="name a journal")


def is_journal(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as journals do."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING
    except OSError:
        return False


def _check_ours(file: IO[bytes], path: Path) -> None:
    """Raise `JournalError` where a file begins otherwise than a journal, of which a crash may leave little."""
    if not _BEGINNING.startswith(file.read(len(_BEGINNING))):
        raise _no_journal(path)


def _no_journal(path: object, why: str = "") -> JournalError:
    cause = f"not a journal of upright{why}"
    return JournalError(cause, source=path, remedy="name a new file, or one given to --journal")


def cut_torn_line(file: IO[bytes]) -> None:
    """Cut off what a crash left behind the last whole line of a file that is open for reading and appending."""
    end = keep = file.seek(0, os.SEEK_END)
    while keep:
        start = max(0, keep - 65536)
        file.seek(start)
        newline = file.read(keep - start).rfind(b"\n")
        if newline >= 0:
            keep = start + newline + 1
            break
        keep = start
    if keep != end:
        file.truncate(keep)
        file.seek(keep)


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(os.fsdecode(path)).absolute()


def _real(folder: str | os.PathLike[str]) -> set[Path]:
    """As a journal names it, behind links; itself a link now, perhaps, as it was none then."""
    path = _absolute(folder)
    return {Path(os.path.realpath(path)), Path(os.path.realpath(path.parent)) / path.name}


def _backups(journal: Path) -> Path:
    return journal.with_name(journal.name + ".d")


def sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_journal(path: str | os.PathLike[str]) -> list[Intent | JournalError]:
    """The intents of a journal in order; an error for each bad line except an incomplete last one."""
    name = os.fsdecode(path)
    try:
        text = Path(name).read_bytes()
    except OSError as error:
        raise JournalError(f"the journal cannot be read ({error.strerror})", source=name) from None
    found: list[Intent | JournalError] = []
    for number, line in enumerate(text.split(b"\n")[:-1], 1):
        try:
            content = json.loads(line)
            if content["step"] == "intent":
                found.append(Intent.from_line(content))
        except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError) as error:
            found.append(JournalError(f"line {number} is not a line of a journal ({error})", source=name))
    if found and len(wrong := [entry for entry in found if isinstance(entry, JournalError)]) == len(found):
        raise _no_journal(name, f" that this version can read: {wrong[0].cause}")
    return found


def undo(
    journal: str | os.PathLike[str] | None = None,
    *,
    moved: Sequence[tuple[str | os.PathLike[str], ...]] = (),
    after: int = 0,
) -> list[Undone]:
    """Give every file of a journal the bytes that it had before, the last change first. Safe to run twice.

    A file that did not exist before is removed. A file that has been changed since is left alone and reported with a
    JournalError, the others go on. A folder that was renamed is found by the bytes of its files; ``moved`` has pairs of
    an old and a new folder for what is elsewhere. Raises JournalError where the journal itself cannot be read.

    Args:
        journal: by default that of the last run in the state folder (`last_run`).
        after: leave as many of its first changes as they are.
    """
    if journal is None:
        journal = last_run().journal
    path, entries, undone = _absolute(journal), read_journal(journal)[after:], list[Undone]()
    places = _Places([(old, _absolute(new)) for olds, new in moved for old in _real(olds)])
    chains: dict[str, list[str | None]] = {}
    for entry in entries:
        if isinstance(entry, Intent):
            chains.setdefault(entry.path, []).append(entry.before)
    for entry in reversed(entries):
        if isinstance(entry, JournalError):
            undone.append(Undone(str(path), entry))
            continue
        (earlier := chains[entry.path]).pop()
        try:
            entry = replace(entry, path=str(places.of(entry, earlier)))
            done = _removed(entry) if entry.before is None else _restored(entry, path, earlier)
            undone.append(Undone(entry.path, done))
        except UprightError as error:
            undone.append(Undone(entry.path, error))
    return undone


class _Places:
    """Where files are now whose folder has another name."""

    def __init__(self, moved: list[tuple[Path, Path]]) -> None:
        self._moved = moved

    def of(self, intent: Intent, earlier: Sequence[str | None]) -> Path:
        path = Path(intent.path)
        for old, new in self._moved:
            if path.is_relative_to(old) and os.path.lexists(new / path.relative_to(old)):
                return new / path.relative_to(old)
        gone = next((each for each in (path, *path.parents) if each.parent.is_dir()), path)
        if os.path.lexists(path) or gone == path:
            return path
        with suppress(OSError):
            beside = [each for each in gone.parent.iterdir() if (each / path.relative_to(gone)).is_file()]
            known = (intent.before, intent.after, *earlier)
            fitting = [each for each in beside if sha256(each / path.relative_to(gone)) in known]
            if len(fitting) > 1:
                names = ", ".join(printable(each.name) for each in sorted(fitting))
                raise JournalError(f"it is gone, and several folders have such a file: {names}", source=path)
            if fitting:
                self._moved.append((gone, fitting[0]))
                return fitting[0] / path.relative_to(gone)
        return path


def _removed(intent: Intent) -> str:
    path = Path(intent.path)
    try:
        if not os.path.lexists(path):
            return "as it was"
        if sha256(path) != intent.after:
            raise JournalError(_CHANGED, source=path)
        path.unlink()
        atomic.sync_folder(path.parent)
    except OSError as error:
        raise WriteFailed(f"cannot be removed ({error.strerror})", source=path, remedy="remove it") from None
    return "removed"


def _restored(intent: Intent, journal: Path, earlier: Sequence[str | None]) -> str:
    """``earlier`` has what the file was before each earlier change: an undo before this one has gone on to there."""
    try:
        if None in earlier and not os.path.lexists(intent.path):
            return "as it was"
        now = sha256(intent.path)
        if now in (intent.before, *earlier) and now != intent.after:
            return "as it was"
        if now != intent.after:
            raise JournalError(_CHANGED, source=intent.path)
        source = Path(intent.path) if intent.edits is not None else _backups(journal) / str(intent.before)
        with source.open("rb") as file:
            pieces = applied(Window(file), inverse(intent.edits or ()))

            def commit(_: str, digest: str) -> None:
                if digest != intent.before or sha256(intent.path) != intent.after:
                    raise JournalError("the journal no longer has the old bytes", source=intent.path)

            atomic.write(intent.path, pieces, like=intent.path, commit=commit)
    except FileNotFoundError as error:
        cause = f"{printable(error.filename)} is gone"
        raise JournalError(
            cause, source=intent.path, remedy="if its folder is elsewhere, give --moved OLD NEW"
        ) from None
    except Damaged as error:
        raise JournalError(error.cause, source=intent.path) from None
    except OSError as error:
        raise SourceMissing(f"cannot be read ({error.strerror})", source=intent.path) from None
    return "restored"
