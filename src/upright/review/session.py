"""The pictures of a review and what was decided about them. Every decision is on the disk before it is answered."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import atomic
from ..carriers import sidecar
from ..correction import Request, Writer, opened, plan
from ..errors import CorrectionError, JournalError, UprightError, UsageError, printable
from ..formats import pages_in
from ..journal import Journal, read_journal, undo
from ..pictures import open_picture
from ..results import Group, Method, Orientation, Outcome
from ..sources import item_of
from ..turns import Turn
from .decisions import Decision, append, digest, read_decisions, still_needed
from .owed import RUN, owed, rows_of

#: Longest sides of the two sizes in which the page shows a picture.
LARGE_PX, SMALL_PX = 1400, 240
#: Of decoded pictures this many stay in memory, 6 MB each.
_DECODED = 12


@dataclass(slots=True)
class Entry:
    """One picture of the review.

    Attributes:
        path: the file that decisions are written into; empty where it cannot be written.
        turn: what is proposed: the answer, for an unsure picture the likeliest turn.
        mirror: whether it is also proposed to exchange left and right, before the turn.
        job: the name of those that a person may decide at once.
        decided: the turn that a person decided, from how it was shown before.
        version: grows with each write, so that a browser asks for the new pixels.
        changed: when it was last changed, counted in changes of the session.
        error: why it could not be written.
        seen: what the file was when it was last shown.
    """

    id: int
    outcome: Outcome
    path: str
    turn: Turn
    job: str
    mirror: bool = False
    decided: Turn | None = None
    mirrored: bool = False
    version: int = 0
    changed: int = 0
    error: str = ""
    seen: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What the page knows of it, as JSON values."""
        answer = self.outcome.orientation
        group = self.outcome.group
        pages = pages_in(answer.format, answer.pages) if answer else 1
        name = printable(self.outcome.source)
        return {
            "id": self.id,
            "name": name.rsplit("/", 1)[-1],
            "folder": name.rpartition("/")[0],
            "page": self.outcome.page + 1 if pages > 1 else 0,
            "pages": pages,
            "group": "turn" if group in (Group.TURNED, Group.WOULD_TURN, Group.CANNOT) else group.name.lower(),
            "turn": int(self.turn),
            "mirror": self.mirror,
            "tilt": answer.tilt_words if answer else "",
            "confidence": answer.confidence if answer else 0,
            "words": printable(self.outcome.words),
            "job": self.job,
            "decided": None if self.decided is None else int(self.decided),
            "mirrored": self.mirrored,
            "version": self.version,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """A person's decision about one entry, from how its ``version`` was shown."""

    id: int
    version: int
    turn: Turn
    mirrored: bool = False


@dataclass(slots=True)
class _Step:
    """What one keystroke did, to be taken back."""

    before: list[Entry]
    #: Where its changes are in the journal, in bytes, among those of others who share it.
    begin: int
    end: int = 0


@dataclass
class Session:
    """Pictures to review, decided one keystroke after the other; safe to share between threads.

    Attributes:
        journal: where each change is noted down before it is made, with its decision.
        decisions: the file of decisions; pictures that it has are decided already.
        output: a folder into which every picture is copied before it is changed; ``None``: in place.
        job_of: the name of an outcome's job.
    """

    journal: Journal
    decisions: Path
    output: Path | None = None
    job_of: Callable[[Outcome], str] = lambda outcome: ""
    entries: list[Entry] = field(default_factory=list)
    complete: bool = False
    _steps: list[_Step] = field(default_factory=list)
    _changes: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.journal.run = RUN
        if lost := owed(read_decisions(self.decisions).values(), self.journal.path):
            append(self.decisions, lost)
        self._earlier: dict[str, dict[tuple[str, int], Decision]] = {}
        for key, decision in read_decisions(self.decisions).items():
            self._earlier.setdefault(decision.path, {})[key] = decision
        self._writer = Writer(self.journal)
        #: The source of each copy: no picture replaces another.
        self._taken: dict[str, str] = {}
        self._decoded = lru_cache(_DECODED)(self._decode)

    def add(self, outcome: Outcome, relative: Path, earlier: bool = False) -> None:
        """Take one more picture; ``relative`` is its place in ``output``. What was passed over is not shown.

        Of an answer that was given ``earlier`` the picture is compared with what it was then.
        """
        if outcome.skipped:
            return
        answer, turn, error, path = outcome.orientation, outcome.proposed, "", ""
        mirror = answer is not None and answer.mirrored is True
        try:
            path = self._place(outcome, relative)
        except UprightError as problem:
            error = printable(problem)
        known = self._remembered(path, outcome.page)
        if outcome.written:
            turn, mirror = Turn.NONE, False
        elif answer and earlier and path and not known and _lies_otherwise(path, answer):
            turn, mirror, error = Turn.NONE, False, "the file was changed since the results were written; look at it"
        with self._lock:
            entry = Entry(len(self.entries), outcome, path, turn, self.job_of(outcome), mirror, error=error)
            if known:
                entry.decided, entry.mirrored = known.turn, known.mirrored
                entry.turn, entry.mirror = Turn.NONE, False
            entry.seen = _identity(path)
            self.entries.append(entry)
            self._touch(entry)

    def _remembered(self, path: str, page: int) -> Decision | None:
        """What was decided about it before, if its file is still as it was then."""
        for each, turn, mirrored in still_needed(self._earlier.get(path, {})):
            if each.page == page and (each.before == each.after or not (turn or mirrored)):
                return each
        return None

    def _place(self, outcome: Outcome, relative: Path) -> str:
        """The file that decisions go into: where an earlier run wrote it, a copy, or the file itself."""
        source = outcome.written or outcome.source
        item = item_of(source)
        if self.output is None:
            if item.path is None:
                raise UsageError("only files can be set right in place", remedy="give a folder with -o")
            return str(Path(item.path).absolute())
        target = atomic.below(self.output, relative).absolute()
        if self._taken.setdefault(str(target), source) != source:
            raise CorrectionError(f"another picture becomes {target} already", remedy="review it into another folder")
        with opened(item.open()) as file:
            # Where an earlier review wrote it, the copy is not what its source is any more.
            if not (target.exists() and str(target) in self._earlier):
                Writer().write(plan(file, Request(target=str(target))))
        return str(target)

    def _touch(self, entry: Entry) -> None:
        self._changes += 1
        entry.changed = self._changes

    def state(self, since: int) -> dict[str, Any]:
        """Every entry that changed after the change ``since``, as JSON values."""
        with self._lock:
            return {
                "changes": self._changes,
                "complete": self.complete,
                "undoable": len(self._steps),
                "entries": [entry.to_dict() for entry in self.entries if entry.changed > since],
            }

    def decide(self, choices: Iterable[Choice]) -> None:
        """Write what was decided: the pictures, then the decisions. A picture that cannot be written has an error.

        Raises:
            UsageError: an entry is not there, or has another version than was shown; nothing is changed then.
            WriteFailed: the decisions cannot be written.
        """
        choices = list(choices)
        with self._lock:
            for choice in choices:
                if not 0 <= choice.id < len(self.entries) or self.entries[choice.id].version != choice.version:
                    raise UsageError("it was changed elsewhere", remedy="look at it again")
            touched = [self.entries[choice.id] for choice in choices]
            step = _Step([replace(entry) for entry in touched], self.journal.written())
            self._steps.append(step)
            try:
                found = [self._decided(self.entries[choice.id], choice) for choice in choices]
            finally:
                step.end = self.journal.written()
            append(self.decisions, [decision for decision in found if decision])

    def _decided(self, entry: Entry, choice: Choice) -> Decision | None:
        self._touch(entry)
        answer, page = entry.outcome.orientation, entry.outcome.page
        try:
            if not entry.path:
                return None
            if _identity(entry.path) != entry.seen:
                entry.version, entry.seen = entry.version + 1, _identity(entry.path)
                entry.error = "the file changed since it was shown; look at it again"
                return None
            best, confidence = (answer.best, answer.confidence) if answer else (Turn.NONE, 0.0)
            before = digest(entry.path)
            decision = Decision(entry.path, page, choice.turn, choice.mirrored, before, "", best, confidence)
            entry.error = self._write(decision)
            decision = replace(decision, after=digest(entry.path))
            self._see_again(entry.path)
        except (UprightError, OSError) as error:
            entry.error = printable(error)
            return None
        entry.decided, entry.mirrored = choice.turn, choice.mirrored
        if decision.after != before:
            entry.version += 1
            entry.turn, entry.mirror = Turn.NONE, False
        return decision

    def _see_again(self, path: str) -> None:
        """The other pages of a file that was written are what they were."""
        seen = _identity(path)
        for entry in self.entries:
            if entry.path == path:
                entry.seen = seen

    def _write(self, decision: Decision) -> str:
        """Why it could not be set right, or nothing."""
        assert decision.turn is not None
        with opened(decision.path) as file:
            file.look()
            request = Request(decision.turn, page=decision.page, in_place=True, mirrored=decision.mirrored)
            done = self._writer.write(replace(plan(file, request, self.journal), rows=rows_of(decision)))
        wanted = decision.turn != Turn.NONE or decision.mirrored
        return done.note if wanted and done.method is Method.KEEP else ""

    def undo(self) -> list[int]:
        """Take back the last decision, byte for byte; answers the ids of its pictures.

        Raises `UprightError` where a picture could not be restored; it stays decided, and the others are taken back.
        """
        with self._lock:
            if not self._steps:
                return []
            step = self._steps.pop()
            files = {file for old in step.before for file in _files(old.path)}
            noted = read_journal(self.journal.path, step.begin, step.end) if step.end > step.begin else []
            own = [each for each in noted if isinstance(each, JournalError) or each.path in files]
            undone = undo(self.journal.path, changes=own)
            failed = {path: outcome for path, outcome in undone if isinstance(outcome, UprightError)}
            taken = [decision for old in step.before for decision in self._taken_back(old, failed)]
            append(self.decisions, taken)
            if failed:
                raise next(iter(failed.values()))
            return [old.id for old in step.before]

    def _taken_back(self, old: Entry, failed: dict[str, UprightError]) -> Iterator[Decision]:
        """An entry is what it was before, unless its file is among those that could not be restored."""
        entry = self.entries[old.id]
        error = next((failed[each] for each in _files(old.path) if each in failed), None)
        if error:
            entry.error = printable(error)
            self._touch(entry)
            return
        if entry.decided is not None:
            now = digest(entry.path)
            yield Decision(entry.path, entry.outcome.page, None, False, now, now, Turn.NONE, 0.0)
        old.version = entry.version + 1
        self.entries[old.id] = old
        self._touch(old)
        self._see_again(old.path)

    def jpeg(self, number: int, version: int, large: bool) -> bytes:
        """A picture as its file shows it now. Raises `UprightError` where it cannot be decoded."""
        return self._decoded(number, version, large)

    def _decode(self, number: int, version: int, large: bool) -> bytes:
        with self._lock:
            entry = self.entries[number]
        side, source = LARGE_PX if large else SMALL_PX, entry.path or item_of(entry.outcome.source).open()
        with open_picture(source, page=entry.outcome.page) as picture:
            shrunk = min(1, side / max(picture.width_px, picture.height_px))
            size = max(1, round(picture.width_px * shrunk)), max(1, round(picture.height_px * shrunk))
            image = picture.image(size).resize(size)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()

    @property
    def shows_something(self) -> bool:
        """Whether there is a picture to look at, not only errors."""
        return any(entry.outcome.orientation for entry in self.entries)

    def counts(self) -> dict[str, int]:
        """How many pictures there are, are decided, and were turned or mirrored by a person."""
        with self._lock:
            decided = [entry for entry in self.entries if entry.decided is not None]
            turned = [entry for entry in decided if entry.decided or entry.mirrored]
            return {"pictures": len(self.entries), "decided": len(decided), "turned": len(turned)}


def _files(path: str) -> list[str]:
    """A picture and its sidecar, as a journal names them."""
    beside = sidecar.existing(path) if path else None
    return [os.path.realpath(each) for each in (path, beside) if each]


def _identity(path: str) -> tuple[int, ...]:
    """What a file is, so that another one in its place is noticed; nothing where there is none."""
    beside = sidecar.leading(path) if path else None
    try:
        facts = [Path(each).stat() for each in (path, beside) if each is not None]
    except OSError:
        return ()
    return tuple(each for one in facts for each in (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns))


def _lies_otherwise(path: str, answer: Orientation) -> bool:
    """Whether a picture is not shown as it was when it was answered; one that cannot be opened says so later."""
    with suppress(UprightError), open_picture(path, page=answer.page) as picture:
        now = picture.exif, picture.width_px, picture.height_px
        return now != (answer.exif, answer.width_px, answer.height_px)
    return False
