"""Setting pictures right: plan, then write atomically.

Four methods. KEEP leaves the file as it is. TAG changes the EXIF orientation and no pixel. TURN moves the pixels
without loss and sets the tag to 1. REENCODE turns and compresses anew, and happens only when asked for. Without a
method: TAG where the format has a tag, TURN where it has none and its pixels can be turned exactly, else KEEP.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from .. import atomic
from ..carriers import read_exif_orientation
from ..errors import CorrectionError, SourceMissing, UprightError, UsageError, WriteFailed
from ..formats import Bytes, Window, applied
from ..journal import Journal, intent_of, undo
from ..results import Correction, Method, Orientation, Promise
from ..turns import Turn
from .change import Change, Edge, change

if TYPE_CHECKING:
    from ..detector import Detector

__all__ = ["Edge", "correct", "corrected_bytes", "plan", "undo"]

PathLike: TypeAlias = str | os.PathLike[str]


def plan(
    source: PathLike | Bytes, turn: Turn, method: Method | None = None, edge: Edge = "tag", *, page: int = 0
) -> Correction:
    """What :func:`correct` would do with a source and a turn. Nothing is written; TURN is tried out in memory."""
    with _opened(source) as (window, name, _):
        return change(window, name, turn, method, edge, page, None).correction


def corrected_bytes(
    source: Bytes | PathLike, turn: Turn, method: Method | None = None, edge: Edge = "tag", *, page: int = 0
) -> tuple[bytes, Correction]:
    """The corrected file as bytes, and what was done. Raises as :func:`correct` does."""
    with _opened(source) as (window, name, _):
        new = change(window, name, turn, method, edge, page, None)
        return b"".join(new.pieces(window)), new.correction


def correct(
    source: PathLike | Bytes | BinaryIO,
    target: PathLike | None = None,
    *,
    turn: Turn | Orientation | int | None = None,
    detector: Detector | None = None,
    promise: Promise | str | None = None,
    method: Method | str | None = None,
    edge: Edge = "tag",
    in_place: bool = False,
    keep_times: bool = True,
    journal: PathLike | Journal | None = None,
    dry_run: bool = False,
    overwrite: bool = False,
    page: int = 0,
) -> Correction:
    """Set a picture upright, into ``target`` or in place.

    Args:
        source: a path (`os.fsdecode` makes one of bytes), the bytes of a picture, or a binary file.
        target: where the corrected file goes; the format stays the source's, except for ``method="reencode"``.
        turn: the clockwise turn in degrees (or an answer of detection); None decides by ``detector``.
        detector: None is the process's shared one. ``promise`` says how sure it has to be.
        method: None chooses the first of TAG, TURN and KEEP that the format allows.
        edge: what TURN does when it cannot be done without loss: "tag" instead, "trim" a JPEG's edge blocks,
            "refuse", or "reencode".
        keep_times: give the new file the old one's times.
        journal: where changes in place are written down for :func:`undo`.
        overwrite: replace another file that is already at ``target``.
        page: the page of a multi-page TIFF that is set right; the others stay as they are.

    A picture that is upright or unsure is kept: copied byte for byte to a target, left alone in place. The target is
    written whole or not at all. Raises UprightError: the source is then as it was.
    """
    if isinstance(source, io.IOBase) or hasattr(source, "read"):
        source = source.read()
    path = None if isinstance(source, (bytes, bytearray, memoryview)) else os.fsdecode(source)
    goal = path if target is None and in_place else None if target is None else os.fsdecode(target)
    _check(path, goal, target is not None, in_place, dry_run)
    decided, note = _decided(source, turn, detector, promise, page)
    method = _method(method)
    with _opened(source) as (window, name, facts):
        new = change(window, name, decided, method, edge, page, goal)
        notes = [note, new.correction.note]
        if in_place and facts is not None and facts.st_nlink > 1 and new.correction.method != Method.KEEP:
            notes.append(f"{facts.st_nlink - 1} other hard links keep the old bytes")
        correction = replace(
            new.correction, source=name, target=goal or "", note="; ".join(filter(None, notes)), written=False
        )
        if dry_run or (in_place and correction.method == Method.KEEP):
            return correction
        assert goal is not None
        if not in_place and not overwrite and os.path.lexists(goal):
            if _holds(goal, new.pieces(window)):
                return replace(correction, note="; ".join(filter(None, (*notes, "the target was there already"))))
            raise WriteFailed("another file is at the target", source=goal, remedy="use --overwrite")
        _write(new, window, goal, path, facts, in_place, keep_times, journal, overwrite, page)
    return replace(correction, written=True)


def _method(name: Method | str | None) -> Method | None:
    try:
        return None if name in (None, "auto") else Method(name)
    except ValueError:
        raise UsageError(f"there is no method {name!r}", remedy="use auto, keep, tag, turn or reencode") from None


def _check(path: str | None, goal: str | None, has_target: bool, in_place: bool, dry_run: bool) -> None:
    if in_place and has_target:
        raise UsageError("in place and a target contradict each other", source=path, remedy="give one of them")
    if in_place and path is None:
        raise UsageError("only a file can be corrected in place", remedy="give a target, or use corrected_bytes()")
    if goal is None and not dry_run:
        raise UsageError("there is no place to write to", source=path, remedy="give a target, or in_place=True")
    if goal is not None and has_target and Path(goal).exists():
        if path is not None and Path(path).exists() and Path(path).samefile(goal):
            raise UsageError("the target is the source", source=path, remedy="use --in-place")
        if Path(goal).is_dir():
            raise UsageError("the target is a folder", source=goal, remedy="name a file")


def _decided(
    source: Any,
    turn: Turn | Orientation | int | None,
    detector: Detector | None,
    promise: Promise | str | None,
    page: int,
) -> tuple[Turn, str]:
    """The turn to make, and what is to be said about it."""
    if isinstance(turn, int):
        if turn not in (0, 90, 180, 270):
            raise UsageError(f"{turn} is no quarter turn", remedy="use 0, 90, 180 or 270")
        return Turn(turn), ""
    if turn is None:
        if detector is None:
            from ..detector import shared_detector

            detector = shared_detector()
        turn = detector.detect(source, promise=promise, page=page)
    if turn.turn is None:
        return Turn.NONE, f"unsure ({turn.best.value} with confidence {turn.confidence:.3f}), left alone"
    return turn.turn, ""


@contextmanager
def _opened(source: PathLike | Bytes) -> Iterator[tuple[Window, str, os.stat_result | None]]:
    """The source's bytes, its name, and what the file was when it was opened; puts the name into errors."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield Window(source), "<bytes>", None
        return
    name = os.fsdecode(source)
    try:
        if not stat.S_ISREG(Path(name).stat().st_mode):
            raise SourceMissing("it is not a file", source=name, remedy="name a picture file")
        file = Path(name).open("rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SourceMissing(f"it cannot be opened ({cause})", source=name, remedy="check name and rights") from None
    with file:
        try:
            yield Window(file), name, os.fstat(file.fileno())
        except UprightError as error:
            if error.source is None:
                raise type(error)(error.cause, source=name, remedy=error.remedy) from None
            raise
        except OSError as error:
            raise CorrectionError(f"it cannot be read ({error})", source=name, remedy="try again") from None


def _holds(path: str, pieces: Iterator[bytes]) -> bool:
    """Whether a file has just these bytes."""
    try:
        with Path(path).open("rb") as file:
            return all(file.read(len(piece)) == piece for piece in pieces) and not file.read(1)
    except OSError:
        return False


def _write(
    new: Change,
    window: Window,
    goal: str,
    path: str | None,
    facts: os.stat_result | None,
    in_place: bool,
    keep_times: bool,
    journal: PathLike | Journal | None,
    overwrite: bool,
    page: int,
) -> None:
    book = journal if isinstance(journal, Journal) or journal is None else Journal(journal)
    intents = []
    expected = new.correction.exif_after

    def unchanged() -> None:
        if path is not None and facts is not None:
            _unchanged(path, facts)

    def commit(temporary: str, digest: str) -> None:
        if new.correction.method == Method.TAG:
            with Path(temporary).open("rb") as file:
                if read_exif_orientation(file, page=page).orientation != expected:
                    raise CorrectionError("the tag cannot be read back", source=path, remedy="use --method turn")
        unchanged()
        if book is not None and in_place:
            edits = new.edits if new.data is None else None
            intents.append(intent_of(goal, _digest(window), digest, edits))
            book.intend(intents[0], window)
            unchanged()

    if not in_place:
        _make_folder(Path(goal).parent)
    replaces = in_place or overwrite
    atomic.write(goal, new.pieces(window), like=path, keep_times=keep_times, overwrite=replaces, commit=commit)
    if book is not None and intents:
        book.done(intents[0])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteFailed(
            f"the folder cannot be made ({error.strerror})", source=folder, remedy="name another"
        ) from None


def _digest(window: Window) -> str:
    digest = hashlib.sha256()
    for piece in applied(window, ()):
        digest.update(piece)
    return digest.hexdigest()


def _unchanged(path: str, then: os.stat_result) -> None:
    """Raises WriteFailed where the file is no longer the one that was read."""
    try:
        same = _identity(Path(path).stat()) == _identity(then)
    except OSError:
        raise WriteFailed("it vanished while it was being corrected", source=path, remedy="try again") from None
    if not same:
        raise WriteFailed("it changed while it was being corrected; it was left alone", source=path, remedy="try again")


def _identity(facts: os.stat_result) -> tuple[int, ...]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
