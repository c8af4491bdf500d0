"""Writes a change: journal first, then each file whole or not at all, and never over a file that was not looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import atomic
from ..errors import CorrectionError, JournalError, UsageError, WriteFailed
from ..formats import applied
from ..journal import Intent, Journal, Rows
from ..results import Correction
from .request import Change, Target, noted


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes changes. Safe to share between threads.

    Attributes:
        journal: where changed and created files are noted down, for `upright.undo`; not copies into a target.
        overwrite: replace another file that is already at a target.
        keep_times: give the new file the old one's times.
        dry_run: write nothing.
    """

    journal: Journal | None = None
    overwrite: bool = False
    keep_times: bool = True
    dry_run: bool = False

    def write(self, change: Change) -> Correction:
        """Do it, all targets or none, and say what was done.

        A target that has the new bytes already is left. Raises `UsageError`, `WriteFailed`, `CorrectionError`; every
        file is then as it was.
        """
        if self.dry_run or not change.targets:
            return change.correction
        todo = [target for target in change.targets if not self._is_there(target)]
        if not todo:
            note = noted(change.correction.note, "the target was there already")
            return replace(change.correction, note=note, written=True)
        note = noted(*dict.fromkeys((change.correction.note, *self._write(todo, change.rows))))
        return replace(change.correction, note=note, written=True)

    def _is_there(self, target: Target) -> bool:
        if target.path is None:
            raise UsageError("there is no place to write to", remedy="give a target, or in_place=True")
        atomic.check_file(target.path)
        if target.replaces or self.overwrite or not os.path.lexists(target.path):
            return False
        if not _holds(target.path, target.pieces()):
            raise WriteFailed("another file is at the target", source=target.path, remedy="use --overwrite")
        return True

    def _write(self, targets: Sequence[Target], rows: Rows) -> list[str]:
        """All new files are on the disk before the first takes its name: the next ones are written within a commit.

        Answers what there is to say of it.
        """
        target, *others = targets
        assert target.path is not None
        base, intent, said, written = target.base, None, list[str](), list[Target]()

        def commit(temporary: str, digest: str) -> None:
            nonlocal intent
            if target.check is not None:
                with Path(temporary).open("rb") as file:
                    target.check(file)
            if base is not None:
                base.check_unchanged()
            if self.journal is not None and (target.replaces or base is None):
                before = base.sha256() if base is not None else None
                edits = target.edits if base is not None and target.data is None else None
                intent = Intent(os.path.realpath(target.path or ""), before, digest, edits)
                self.journal.intend(intent, base.window if base is not None else None, rows)
            if others:
                said.extend(self._write(others, rows))
                written.extend(others)
            # A copy is of what was looked at, whatever its source is by now: the others have their names already.
            if base is not None and target.replaces:
                base.check_unchanged(content=False)

        if base is not None:
            base.check_unchanged(content=False)
        if not target.replaces:
            atomic.make_folder(Path(target.path).parent)
        try:
            lost = atomic.write(
                target.path,
                target.pieces(),
                like=base.path if base is not None else None,
                keep_times=self.keep_times,
                overwrite=self._may_replace(target),
                commit=commit,
            )
        except BaseException:
            self._put_back(written)
            raise
        if lost and target.replaces:
            said.append(f"its {', '.join(lost)} could not be kept")
        try:
            if self.journal is not None and intent is not None:
                self.journal.done(intent)
        except (JournalError, WriteFailed) as error:
            said.append(f"it is changed, and undo can take it back, but {error.cause}")
        return said

    def _put_back(self, targets: Sequence[Target]) -> None:
        """Make files that were written what they were, where they are still what was written. Raises `WriteFailed`."""
        for target in reversed(targets):
            assert target.path is not None
            if not _holds(target.path, target.pieces()):
                continue
            if target.base is not None and target.replaces:
                old = applied(target.base.window, ())
                atomic.write(target.path, old, like=target.path, keep_times=self.keep_times)
            elif not self._may_replace(target):
                Path(target.path).unlink(missing_ok=True)

    def _may_replace(self, target: Target) -> bool:
        """Whether another file may be at its path. What a journal says was made anew must not have been there."""
        return target.replaces or (self.overwrite and (target.base is not None or self.journal is None))


@dataclass(frozen=True, slots=True)
class BytesWriter(Writer):
    """Hands the corrected bytes over, to ``take``, instead of writing a file."""

    take: Callable[[bytes], object] = bytes

    def write(self, change: Change) -> Correction:
        """Hand over the bytes of the change's file."""
        if self.dry_run:
            return change.correction
        if len(change.targets) > 1:
            raise CorrectionError("its sidecar has no place in a stream", remedy="correct it as a file")
        (target,) = change.targets
        data = b"".join(target.pieces())
        if target.base is not None:
            target.base.check_unchanged()
        self.take(data)
        return replace(change.correction, written=True)


def _holds(path: str, pieces: Iterator[bytes]) -> bool:
    """Whether a file has just these bytes."""
    try:
        with Path(path).open("rb") as file:
            return all(file.read(len(piece)) == piece for piece in pieces) and not file.read(1)
    except OSError:
        return False
