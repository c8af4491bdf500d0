"""Setting pictures right: a `Request` is planned into a `Change`, which a `Writer` writes.

Four methods. KEEP leaves the file as it is. TAG changes the EXIF orientation and no pixel. TURN moves the pixels
without loss and sets the tag to 1. REENCODE turns and compresses again, only when asked for. Without a
method: TAG where the format has a tag, TURN where it has none and its pixels can be turned exactly, else KEEP.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from ..carriers.sidecar import Naming
from ..errors import TooLarge, UsageError
from ..formats import Bytes
from ..journal import Journal, undo
from ..limits import DEFAULT_LIMITS, Limits
from ..pictures.source import read_stream
from ..results import Correction, Method, Orientation, Promise
from ..turns import Fill, Turn
from .opening import Opened, PathLike, opened
from .planning import plan, with_more
from .request import Change, Edge, Request, Target
from .writer import Writer

if TYPE_CHECKING:
    from ..detector import Detector

__all__ = [
    "Change",
    "Edge",
    "Opened",
    "Request",
    "Target",
    "Writer",
    "correct",
    "corrected_bytes",
    "method_named",
    "opened",
    "plan",
    "undo",
]


def corrected_bytes(
    source: Bytes | PathLike,
    turn: Turn | Orientation | int,
    method: Method | None = None,
    edge: Edge = "tag",
    *,
    page: int | None = None,
    pixels: bool = False,
    straighten: Fill | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[bytes, Correction]:
    """The corrected file as bytes, and what was done. Raises as :func:`correct` does."""
    with opened(source) as file:
        request = Request(
            Turn.NONE, method, edge, _page(page, turn), limits=limits, pixels=pixels, straighten=straighten
        )
        change = plan(file, request.answered(turn))
        return b"".join(change.targets[0].pieces()), change.correction


def correct(
    source: PathLike | Bytes | BinaryIO,
    target: PathLike | None = None,
    *,
    turn: Turn | Orientation | int | None = None,
    pixels: bool = False,
    straighten: Fill | None = None,
    sidecar: Naming | None = None,
    detector: Detector | None = None,
    promise: Promise | str | None = None,
    method: Method | str | None = None,
    edge: Edge = "tag",
    in_place: bool = False,
    keep_times: bool = True,
    journal: PathLike | Journal | None = None,
    dry_run: bool = False,
    overwrite: bool = False,
    page: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
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
        pixels: the result is upright without a tag, turned without loss where possible, else compressed again.
        straighten: also straighten what is tilted, by resampling: "crop" cuts the corners off that this leaves, "white"
            and "edge" say what fills them. Needs an answer that has a tilt, or None for ``turn``.
        sidecar: write an XMP sidecar ("full": ``a.jpg.xmp``, "stem": ``a.xmp``) instead of changing the picture.
        keep_times: give the new file the old one's times.
        journal: where changes in place are written down for :func:`undo`.
        overwrite: replace another file that is already at ``target``.
        limits: of memory, for methods that decode; a detector has its own.
        page: of a file with several the one that is set right, from 0; the others stay as they are. By default the one
            that ``turn`` is an answer about, or the first.

    A picture that is upright or unsure is kept: copied byte for byte to a target, left alone in place. The target is
    written whole or not at all, and only where the source is still what was looked at. Raises UprightError: the source
    is then as it was.
    """
    if hasattr(source, "read"):
        source = read_stream(source, limits)
    path = None if isinstance(source, (bytes, bytearray, memoryview)) else os.fsdecode(source)
    goal = None if target is None else os.fsdecode(target)
    request = Request(
        method=method_named(method),
        edge=edge,
        page=_page(page, turn),
        target=goal,
        in_place=in_place,
        limits=limits,
        pixels=pixels,
        straighten=straighten,
        sidecar=sidecar,
    )
    _check(path, request, dry_run)
    book = journal if isinstance(journal, Journal) or journal is None else Journal(journal)
    writer = Writer(book, overwrite, keep_times, dry_run)
    with opened(source) as file:
        if turn is None:
            if detector is None:
                from ..detector import shared_detector

                detector = shared_detector()
            if path is not None:
                file.look()
            try:
                turn = detector.detect(
                    source, promise=promise, page=request.page, **{"tilt": True} if straighten else {}
                )
            except TooLarge as error:
                raise with_more(error, file, request) from error
        return writer.write(plan(file, request.answered(turn), book))


def _page(page: int | None, turn: Turn | Orientation | int | None) -> int:
    if not isinstance(turn, Orientation):
        return page or 0
    if page not in (None, turn.page):
        cause = f"the answer is about page {turn.page}, and page {page} is to be corrected"
        raise UsageError(cause, remedy="leave page out")
    return turn.page


def method_named(name: Method | str | None) -> Method | None:
    """The method of that name; ``None`` for "auto". Raises `UsageError`."""
    try:
        return None if name in (None, "auto") else Method(name)
    except ValueError:
        raise UsageError(f"there is no method {name!r}", remedy="use auto, keep, tag, turn or reencode") from None


def _check(path: str | None, request: Request, dry_run: bool) -> None:
    if request.in_place and path is None:
        raise UsageError("only a file can be corrected in place", remedy="give a target")
    if request.target is None and not request.in_place and not dry_run:
        raise UsageError("there is no place to write to", source=path, remedy="give a target, or in_place=True")
