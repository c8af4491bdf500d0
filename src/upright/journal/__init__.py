"""The undo journal: each change of a file in place is written down before it is made.

JSON lines. An ``intent`` holds the path, the sha256 before and after, and the edits (offset, old and new bytes in
hexadecimal); without edits a whole copy is in the folder ``<journal>.d``, named by the sha256 before. Before is null
where the file did not exist. An intent is on the disk before the file changes. Where the run writes results, it has
the rows of its picture, too, which a run that is killed owes.
A ``done`` line follows the change. If a crash cut a line short, its change was not made.

A run that is given no journal has one of its own in the state folder (`run_journal`), which `runs` lists.
"""

from __future__ import annotations

from .halves import bytes_before
from .intents import Intent, Rows, append_lines, is_journal, read_intended, read_journal, sha256
from .runs import Run, journals_of, last_run, run_journal, runs
from .undoing import Undone, taken_back, undo
from .writing import Journal

__all__ = [
    "Intent",
    "Journal",
    "Rows",
    "Run",
    "Undone",
    "append_lines",
    "bytes_before",
    "is_journal",
    "journals_of",
    "last_run",
    "read_intended",
    "read_journal",
    "run_journal",
    "runs",
    "sha256",
    "taken_back",
    "undo",
]
