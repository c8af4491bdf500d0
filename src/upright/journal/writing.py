"""A journal that is written to."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import atomic
from ..errors import JournalError, WriteFailed, printable
from ..formats import Window, applied
from .intents import VERSION, Intent, Rows, append_lines, check_ours, sha256, whole_lines


class Journal:
    """A journal that is written to; several threads and processes may share one file.

    ``run`` names a run with a results file: its intents have the rows that they become (`read_intended`). Raises
    `JournalError` for a file that is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = absolute(path)
        with suppress(OSError), self.path.open("rb") as file:
            check_ours(file, self.path)
        self.backups = backups_of(self.path)
        self.run = ""
        #: The last run of earlier ones ended then, perhaps by a clock that was set back since: this one is the last.
        self.later_than_ns = 0
        # For drives without locks; between processes only locks help.
        self._one = threading.Lock()

    def written(self) -> int:
        """How many bytes it has: what is noted down from now on comes behind them. Raises `JournalError`."""
        try:
            with self.path.open("rb") as file:
                return whole_lines(file)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise JournalError(f"the journal cannot be read ({error.strerror})", source=self.path) from None

    def intend(self, intent: Intent, original: Window | None, rows: Rows = ()) -> None:
        """Write an intent; without edits, copy the original first. Raises `WriteFailed`, `JournalError`."""
        if intent.edits is None and intent.before is not None and original is not None:
            self._back_up(intent.before, original)
        self._append(intent.to_line() | ({"run": self.run, "rows": [*rows]} if self.run and rows else {}))

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
            with self._one:
                append_lines(self.path, json.dumps(line).encode("ascii") + b"\n", check_ours)
                if self.path.stat().st_mtime_ns <= self.later_than_ns:
                    os.utime(self.path, ns=(self.later_than_ns + 1000,) * 2)
            if fresh:
                atomic.sync_folder(self.path.parent)
        except OSError as error:
            raise self._failed("the journal {} could not be written", error) from None

    def _failed(self, what: str, error: OSError) -> WriteFailed:
        # A run puts the picture in the place of the source.
        cause = f"{what.format(printable(self.path))} ({error.strerror or error})"
        return WriteFailed(cause, source=self.path, remedy="free disk space, or name another journal file")


def absolute(path: str | os.PathLike[str]) -> Path:
    """A path without the working folder; links are not followed."""
    return Path(os.fsdecode(path)).absolute()


def backups_of(journal: Path) -> Path:
    """The folder of the originals that a journal keeps."""
    return journal.with_name(journal.name + ".d")
