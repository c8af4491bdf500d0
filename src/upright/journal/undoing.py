"""What a journal tells is taken back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from .. import atomic
from ..errors import Damaged, JournalError, SourceMissing, UprightError, WriteFailed, printable
from ..formats import Window, applied, inverse
from .intents import Intent, read_journal, sha256
from .runs import last_run
from .writing import absolute, backups_of

_CHANGED = "the file has been changed since, and was left alone"


class Undone(NamedTuple):
    """What became of one entry: "restored", "removed", "as it was" (nothing was to be done), or an error."""

    path: str
    outcome: str | UprightError

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        outcome = self.outcome.to_dict() if isinstance(self.outcome, UprightError) else {"outcome": self.outcome}
        return {"path": printable(self.path), **outcome}


def undo(
    journal: str | os.PathLike[str] | None = None,
    *,
    moved: Sequence[tuple[str | os.PathLike[str], ...]] = (),
    changes: Sequence[Intent | JournalError] | None = None,
) -> list[Undone]:
    """Give every file of a journal the bytes that it had before, the last change first. Safe to run twice.

    A file that did not exist before is removed. A file that has been changed since is left alone and reported with a
    JournalError, the others go on. A folder that was renamed is found by the bytes of its files; ``moved`` has pairs of
    an old and a new folder for what is elsewhere. Raises JournalError where the journal itself cannot be read.

    Args:
        journal: by default that of the last run in the state folder (`last_run`).
        changes: those of its entries that are taken back; by default all.
    """
    if journal is None:
        journal = last_run().journal
    path, undone = absolute(journal), list[Undone]()
    entries = read_journal(journal) if changes is None else changes
    places = _Places([(old, absolute(new)) for olds, new in moved for old in _real(olds)])
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
            undone.append(Undone(entry.path, taken_back(entry, path, earlier)))
        except UprightError as error:
            undone.append(Undone(entry.path, error))
    return undone


def taken_back(intent: Intent, journal: Path, earlier: Sequence[str | None] = ()) -> str:
    """Take one change back; answers what became of the file, as `Undone` has it. Raises `UprightError`."""
    return _removed(intent) if intent.before is None else _restored(intent, journal, earlier)


def _real(folder: str | os.PathLike[str]) -> set[Path]:
    """As a journal names it, behind links; itself a link now, perhaps, as it was none then."""
    path = absolute(folder)
    return {Path(os.path.realpath(path)), Path(os.path.realpath(path.parent)) / path.name}


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
        source = Path(intent.path) if intent.edits is not None else backups_of(journal) / str(intent.before)
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
