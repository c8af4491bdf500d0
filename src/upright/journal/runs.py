"""Runs whose journals are in the state folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..errors import MALFORMED, JournalError, UsageError, WriteFailed, printable
from ..machine import state_folder
from .intents import Intent, read_journal
from .writing import Journal, backups_of


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
        originals = f", {self.backup_bytes / 1e6:,.1f} MB of originals" if self.backup_bytes else ""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.ended_s))
        where = f" in {printable(self.folder)}" if self.folder else ""
        return f"{self.changes:,} change{'s' * (self.changes != 1)}{originals}, {when}{where}"


def run_journal() -> Journal:
    """A new journal in the state folder; its file is made with the first change. Raises `WriteFailed`."""
    folder = state_folder() / "journals"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        cause = f"no journal can be kept here ({error.strerror}); nothing was changed"
        raise WriteFailed(cause, source=folder, remedy="name a file with --journal") from None
    seconds, rest = divmod(time.time_ns(), 10**9)
    journal = Journal(folder / f"{time.strftime('%Y-%m-%d-%H%M%SZ', time.gmtime(seconds))}-{rest:09}.jsonl")
    with suppress(JournalError, OSError):
        journal.later_than_ns = max((path.lstat().st_mtime_ns for path in journals()), default=0)
    return journal


def runs() -> list[Run]:
    """The runs with a journal in the state folder, the last one first, unreadable ones too. Raises `JournalError`."""
    return [*_runs()]


def _runs() -> Iterator[Run]:
    """The same one by one: a journal may have a million lines."""
    # Not by name alone: older ones have the time of a clock that is set with the season and the place.
    for path in sorted(journals(), key=lambda path: (path.lstat().st_mtime, path.name), reverse=True):
        yield _run(path)


def journals_of(run: str) -> list[Path]:
    """The journals in the state folder whose first change is of a run of this name, by name. Raises `JournalError`."""
    try:
        return sorted(path for path in journals() if _begins_with(path, run))
    except UsageError:  # without a home folder there are none
        return []


def _begins_with(path: Path, run: str) -> bool:
    with suppress(OSError, *MALFORMED), path.open("rb") as file:
        return bool(json.loads(file.readline()).get("run") == run)
    return False


def journals() -> list[Path]:
    """The journals in the state folder. Raises `JournalError`, `UsageError`."""
    folder = state_folder() / "journals"
    try:
        return [path for path in folder.iterdir() if path.suffix == ".jsonl"]
    except FileNotFoundError:
        return []
    except OSError as error:
        cause = f"the journals cannot be listed ({error.strerror})"
        raise JournalError(cause, source=folder, remedy="make it readable, or name a journal") from None


def _run(path: Path) -> Run:
    entries, error, size = list[Intent | JournalError](), None, 0
    try:
        entries = read_journal(path)
    except JournalError as wrong:
        error = wrong
    with suppress(OSError):
        size = sum(backup.stat().st_size for backup in backups_of(path).glob("*"))
    folder, folders = "", {str(Path(entry.path).parent) for entry in entries if isinstance(entry, Intent)}
    with suppress(ValueError):  # none, or on several drives
        folder = os.path.commonpath(folders)
    return Run(path, len(entries), size, path.lstat().st_mtime, folder, error)


def last_run() -> Run:
    """The last run in the state folder that changed something. Raises `JournalError`, too where it cannot be read."""
    for run in _runs():
        if run.error:
            cause = f"the last run's journal cannot be used: {run.error.cause}"
            remedy = "`upright undo --list` prints all: name the one that is meant"
            raise JournalError(cause, source=run.journal, remedy=remedy)
        if run.changes:
            return run
    raise JournalError("no run has left a journal", source=state_folder(), remedy="name a journal")
