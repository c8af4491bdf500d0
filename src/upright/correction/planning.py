"""Which bytes change, and how, so that a picture comes out upright. Nothing is written here."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from ..carriers import ExifTag, exif_edits, has_page, read_exif_orientation, sidecar, thumbnails
from ..carriers.rotate import crooked_pages, rotated
from ..errors import (
    AGAIN,
    REENCODE,
    TAG,
    TURN,
    BrokenPicture,
    CorrectionError,
    NotAPicture,
    NotLossless,
    Remedy,
    TooLarge,
    UprightError,
    UsageError,
    no_page,
)
from ..formats import FORMATS, Edit, Format, Window, format_in, format_of_suffix
from ..formats.heif import has_frames
from ..formats.jpeg import Jpeg
from ..formats.jxl import gives_a_jpeg_back
from ..journal import Journal
from ..lossless import Straighten, parted, reencoded, turned
from ..results import Correction, Method
from ..turns import ExifOrientation, Turn
from .opening import Opened
from .remedies import fitting, moves, remedy_of
from .request import Change, Request, Target, noted
from .shown import check_shown
from .sidecars import plan_sidecar, with_sidecar

_THUMBNAIL = "its thumbnail could not be turned and was taken out"
#: Formats whose pixels are never compressed with loss.
_EXACT = {"BMP", "GIF", "PNG"}
NO_SIDECAR = "leave --sidecar out: each page has its own tag"
#: Why a page of a PDF is not mirrored, and what does it.
NO_MIRROR = ("/Rotate of a PDF cannot mirror a page", "mirror it with another program")
#: Why a page of a PDF is not straightened.
STAYS = "it was not straightened: its links, notes or form fields would stay where they are"


def plan(file: Opened, request: Request, journal: Journal | None = None) -> Change:
    """Which bytes change, and how; TURN and REENCODE in memory, so that what they refuse is known.

    ``journal`` is that of the change: it may tell of a run that was killed.
    """
    if request.target is not None:
        _check_target(file, request.target)
    target = file.path if request.in_place else request.target
    row = format_in(file.window)
    raw = sidecar.is_raw(row)
    if raw and request.tilt:
        raise NotLossless("a raw photograph cannot be straightened", remedy="straighten what it is developed to")
    if request.page:
        _check_page(row, file.window, request.page)
    if row is not None and (raw or request.sidecar):
        return _beside(file, request, row, raw)
    try:
        new = _planned(file.window, file.name, request, target)
        return with_sidecar(
            file, request, changed(file, request, new.correction, new.edits, new.data, new.check), journal
        )
    except (NotLossless, BrokenPicture, TooLarge) as error:
        error.remedy = _working(fitting(error, row, file.window, request.turn), file, request, target)
        raise


def with_more(error: TooLarge, file: Opened, request: Request) -> TooLarge:
    """What refuses to look at a picture, with the memory that turning it takes, too, where that is more."""
    row, method = format_in(file.window), request.method
    if method is None and not request.pixels and row and row.turner and not row.carriers:
        method = Method.TURN
    try:
        if error.needed_mb < math.inf:
            tilt = 1.0 if request.straighten else 0.0
            plan(file, replace(request, turn=Turn.RIGHT, method=method, tilt=tilt))
    except TooLarge as more:
        more.source = error.source
        return more if error.needed_mb < more.needed_mb < math.inf else error
    except UprightError:
        pass
    return error


def _check_page(row: Format | None, window: Window, page: int) -> None:
    """Raise `UsageError` for a page that is not there: a JPEG's second directory is its thumbnail."""
    if row and row.extra:  # its decoder counts them
        return
    count = row.container.pages(window) if row and row.container and row.holds else 1
    if not 0 <= page < count:
        raise no_page(page, count)


def _beside(file: Opened, request: Request, row: Format, raw: bool) -> Change:
    _check_suffix(row.name, file.name, request.target)
    exif = read_exif_orientation(file.window).orientation
    kept = Correction(file.name, "", Method.KEEP, Turn.NONE, exif, exif, True, False)
    try:
        if request.method == Method.KEEP and request.moves:
            raise NotLossless("it was asked for that it is kept", remedy="use another method")
        if "rotate" in row.carriers and request.moves:
            raise NotLossless("programs read no sidecar of a PDF", remedy=NO_SIDECAR)
        if raw and request.method == Method.TAG and not request.sidecar and request.moves:
            return _by_raw_tag(file, request, kept)
        return plan_sidecar(file, request, kept, raw)
    except NotLossless as error:
        return changed(file, request, replace(kept, note=error.cause, remedy=error.remedy))


def _by_raw_tag(file: Opened, request: Request, kept: Correction) -> Change:
    """A raw photograph's own tag is changed where no sidecar says otherwise: that would lead."""
    there = sidecar.existing(file.path) if file.path else None
    if there is not None and sidecar.read(there):
        cause = f"its sidecar {there.name} says how it is shown"
        raise NotLossless(cause, remedy="leave --method out: the sidecar is changed then")
    new = _by_tag(file.window, replace(kept, turn=request.turn), replace(request, page=0))
    return changed(file, request, new.correction, new.edits, check=new.check)


def check_names(file: Opened, request: Request, form: str) -> None:
    """Raise `UsageError` where a file cannot become the target, or is named like another format."""
    if request.target is not None:
        _check_target(file, request.target)
    _check_suffix(form, file.name, file.path if request.in_place else request.target)


def changed(
    file: Opened,
    request: Request,
    done: Correction,
    edits: tuple[Edit, ...] = (),
    data: bytes | None = None,
    check: Callable[[BinaryIO], None] | None = None,
) -> Change:
    """The change of a file: none in place where it is kept."""
    target, kept, links = file.path if request.in_place else request.target, done.method == Method.KEEP, ""
    if request.in_place and file.facts is not None and file.facts.st_nlink > 1 and not kept:
        links = f"{file.facts.st_nlink - 1} other hard links keep the old bytes"
    correction = replace(done, target=target or "", note=noted(request.note, done.note, links))
    if request.in_place and kept:
        return Change(correction)
    return Change(correction, (Target(target, file, edits, data, check),))


@dataclass(frozen=True, slots=True)
class _New:
    correction: Correction
    edits: tuple[Edit, ...] = ()
    data: bytes | None = None
    check: Callable[[BinaryIO], None] | None = None


def _planned(window: Window, name: str, request: Request, target: str | None) -> _New:
    row, method = format_in(window), request.method
    form, carriers = (row.name, row.carriers) if row else ("", ())
    tag = read_exif_orientation(window, page=request.page) if form else ExifTag()
    kept = Correction(name, "", Method.KEEP, request.turn, tag.orientation, tag.orientation, True, False)
    if request.tilt and method != Method.KEEP and "rotate" not in carriers:
        method = Method.REENCODE
        if not form or (row and row.extra):
            raise NotLossless(f"{form or 'this format'} cannot be straightened", remedy="convert it to PNG first")
        request = replace(request, method=method, pixels=False)
    if request.pixels and target is not None and _promised(target) not in (None, form, _promised(name)):
        method = Method.REENCODE
    if method != Method.REENCODE:
        _check_suffix(form, name, target)
    if method == Method.KEEP and (request.moves or request.tilt):
        return _kept(kept, "it was asked for that it is kept", "use another method")
    if (
        request.pixels
        and form
        and method != Method.REENCODE
        and "rotate" not in carriers
        and (request.moves or tag.orientation != ExifOrientation.TOP_LEFT)
    ):
        request = replace(request, edge="trim" if request.edge == "trim" else "reencode")
        return _by_turn_or(window, kept, tag, request, target or name, False)
    if not request.moves and not request.tilt:
        # An upright picture is not compressed again, unless its target asks for another format.
        if method == Method.REENCODE and target is not None and _promised(target) not in (None, form):
            return _by_reencoding(window, kept, tag, request, target)
        return _kept(kept)
    if row is None:
        cause = "not a picture in a format that upright knows" if window.size else "the file is empty"
        raise NotAPicture(cause, remedy="see `upright doctor` for the formats, or convert it")
    if method == Method.REENCODE:
        return _by_reencoding(window, kept, tag, request, target or name)
    return _moved(window, row, kept, tag, request, target or name)


def _moved(window: Window, row: Format, kept: Correction, tag: ExifTag, request: Request, target: str) -> _New:
    """What shows a picture otherwise: its tag, or its pixels where they are asked for, or it has no tag."""
    headed, tagged = bool({"irot", "codestream"} & {*row.carriers}), "exif" in row.carriers
    if "rotate" in row.carriers:
        return _kept(kept, *NO_MIRROR) if request.mirrored else _by_rotate(window, kept, request)
    if request.method == Method.TURN:
        return _by_turn_or(window, kept, tag, request, target, headed or tagged)
    if headed:
        try:
            return _by_tag(window, kept, request)
        except NotLossless as error:
            return _kept(kept, error.cause, error.remedy)
    if tagged:
        return _by_tag(window, kept, request)
    if request.method is None and row.turner:
        try:
            return _by_turn(window, kept, request)
        except (NotLossless, TooLarge) as error:
            reason = f"{row.name} has no tag, and its pixels cannot be turned without loss: {error.cause}"
            return _kept(kept, reason, fitting(error, row, window, request.turn))
    remedy = remedy_of(row, window, request.turn)
    if row.turner and not moves(row, window):
        remedy = Remedy("leave --method out: its pixels are turned without loss then")
    return _kept(kept, f"no orientation can be written into {row.name}", remedy)


def _kept(kept: Correction, note: str = "", remedy: str = "") -> _New:
    return _New(replace(kept, turn=Turn.NONE, note=note, remedy=remedy))


def _working(remedy: Remedy, file: Opened, request: Request, target: str | None) -> Remedy:
    """That remedy; where the method that it names refuses this picture, too, the first one that does not."""
    again = remedy.otherwise
    for each in (remedy, TAG, TURN, REENCODE):
        if not each.method:
            return each
        method = Method(each.method)
        straighten = request.straighten if method is Method.REENCODE else None
        tilt = request.tilt if straighten else 0.0
        other = replace(request, method=method, pixels=False, straighten=straighten, tilt=tilt)
        try:
            # A target of another format is told of when that method is asked for.
            to = target if other.method is Method.REENCODE else None
            if other != request and _planned(file.window, file.name, other, to).correction.method != Method.KEEP:
                out = ["--pixels"] * request.pixels + ["--straighten"] * (request.straighten != straighten)
                return Remedy(f"leave {' and '.join(out)} out: its tag changes then") if out else each
        except TooLarge as error:
            again = again or f"{each}, and {error.remedy.otherwise or error.remedy}"
        except UprightError:
            continue
    return Remedy(again) or AGAIN


def _by_tag(window: Window, kept: Correction, request: Request, note: str = "") -> _New:
    after, page = request.after(kept.exif_before), request.page
    edits = exif_edits(window, after, page=page)
    if not note and gives_a_jpeg_back(window):
        note = "a JPEG that is made back from it lies as before"
    if not note and window.at(8, 4) == b"WEBP":
        note = "browsers ignore this tag of a WebP; --pixels turns its pixels"
    if not note and has_page(window, page + 1 if page == 0 else 0):
        note = f"only page {page + 1} was turned, the others stay as they are"

    def check(written: BinaryIO) -> None:
        if read_exif_orientation(written, page=page).orientation != after:
            raise CorrectionError("the tag cannot be read back", remedy=TURN)

    done = replace(kept, method=Method.TAG, exif_after=after, note=note)
    return _New(done, tuple(edits), check=check)


def _by_rotate(window: Window, kept: Correction, request: Request) -> _New:
    """A PDF page by its /Rotate, the counterpart of the EXIF orientation, and by a matrix."""
    page, tilt, data = request.page, request.tilt, window.at(0, window.size)
    crooked = STAYS if tilt and page in crooked_pages(data) else ""
    if crooked and not kept.turn:
        return _kept(kept, crooked, "straighten its scan")
    tilts = {page: tilt} if tilt and not crooked else {}
    try:
        added, rotates = rotated(data, {page: kept.turn} if kept.turn else {}, tilts, request.straighten or "white")
    except NotLossless as error:
        return _kept(kept, error.cause, error.remedy)
    others = ", the others stay as they are" if len(rotates) > 1 else ""
    note = noted(f"/Rotate of page {page + 1} is {rotates[page]} now{others}" * bool(kept.turn), crooked)
    done = replace(kept, method=Method.TAG, tilt=tilts.get(page, 0.0), note=note)
    return _New(done, (Edit(window.size, b"", added),))


def _by_turn(window: Window, kept: Correction, request: Request) -> _New:
    after, edge = request.after(kept.exif_before), "trim" if request.edge == "trim" else "refuse"
    data = turned(window.at(0, window.size), after, edge, request.limits)
    note = _THUMBNAIL * (thumbnails(window) > thumbnails(data))
    done = replace(kept, method=Method.TURN, exif_after=ExifOrientation.TOP_LEFT, note=note)
    if edge == "trim" and data[:2] == b"\xff\xd8":
        before, now = (Jpeg().size_px(each) for each in (window, Window(data)))
        lost = [b - n for b, n in zip(before[:: -1 if after.swaps_sides else 1], now, strict=True)]
        if any(lost):
            return _New(replace(done, lossless=False, note=f"trimmed {lost[0]} columns and {lost[1]} rows"), data=data)
    return _New(done, data=data)


def _by_turn_or(window: Window, kept: Correction, tag: ExifTag, request: Request, target: str, tagged: bool) -> _New:
    try:
        return _by_turn(window, kept, request)
    except (NotLossless, BrokenPicture, TooLarge) as error:
        if request.edge == "reencode":
            return _by_reencoding(window, kept, tag, request, target)
        if request.edge != "tag" or not tagged:
            raise
        return _by_tag(window, kept, request, f"the tag was changed, not the pixels: {error.cause}")


def _by_reencoding(window: Window, kept: Correction, tag: ExifTag, request: Request, target: str) -> _New:
    # In place a picture stays what it is, whatever its name promises.
    form = tag.format if request.in_place else _promised(target) or tag.format or "JPEG"
    row, note = format_in(window), ""
    if has_frames(window):
        raise NotLossless("it is an animation, and one frame would be kept", remedy=remedy_of(row, window, kept.turn))
    if row and row.container and not row.extra and (count := row.container.pages(window)) > 1:
        held = row.holds or "frames"
        if held == "frames" or form == row.name:
            remedy = "name one with --page, and a target of another format"
            raise NotLossless(
                f"it has {count} {held}, and one would be kept",
                remedy=remedy_of(row, window, kept.turn) if held == "frames" else remedy,
            )
        note = f"of {count} pages this is page {request.page + 1}"
    old, behind, foreign = parted(window)
    if row is None or form != row.name:
        said = f"the {len(behind):,} bytes that follow the picture are left out" * bool(behind.strip(b"\0\r\n"))
        note, behind = noted(note, said, f"{foreign} is left out" * bool(foreign)), b""
    elif form == "JPEG":
        old, behind = old + behind, b""  # which is refused: several pictures have an index
    elif foreign:
        raise NotLossless(f"{foreign} would be lost", remedy=TAG)
    cheaper: list[TooLarge] = []
    if row and row.turner and form == row.name and not request.tilt:
        try:
            new = _by_turn(Window(old), kept, replace(request, edge="tag"))
            assert new.data is not None
            return replace(new, correction=replace(new.correction, method=Method.REENCODE), data=new.data + behind)
        except (NotLossless, TooLarge) as error:
            if form == "JPEG" and isinstance(error, NotLossless) and not error.at_edge:
                raise  # several pictures, or something behind it: they would be lost
            cheaper = [error] if isinstance(error, TooLarge) and form in _EXACT else []
    exif = tag.to_apply.mirror() if request.mirrored else tag.to_apply
    how = Straighten(request.tilt, request.straighten or "white")
    try:
        data = reencoded(old, exif, kept.turn, form, request.page, request.limits, how)
    except TooLarge as error:
        # Of two ways that a limit closes the one that needs less is opened.
        raise min([error, *cheaper], key=lambda each: each.needed_mb) from error
    check_shown(old, data, request.page, request.after(ExifOrientation.TOP_LEFT), how, request.limits)
    lost = _THUMBNAIL * (thumbnails(window) > thumbnails(data))
    done = replace(kept, method=Method.REENCODE, exif_after=ExifOrientation.TOP_LEFT, lossless=False)
    return _New(replace(done, tilt=request.tilt, note=noted(note, lost)), data=data + behind)


def _promised(name: str) -> str | None:
    return row.name if (row := format_of_suffix(name)) else None


def _check_target(file: Opened, target: str) -> None:
    try:
        there = Path(target).stat()
    except (OSError, ValueError):
        return
    if file.facts is not None and os.path.samestat(there, file.facts):
        raise UsageError("the target is the source", source=file.name, remedy="use --in-place")
    if stat.S_ISDIR(there.st_mode):
        raise UsageError("the target is a folder", source=target, remedy="name a file")


def _check_suffix(form: str, name: str, target: str | None) -> None:
    """A new name may not promise another format than the bytes have; one that the source has, too, may."""
    if target is None or not form:
        return
    promised, row, own = _promised(target), format_of_suffix(target), FORMATS.get(form)
    if promised not in (None, form) and promised != _promised(name):
        other = bool(row and row.written and own and not own.extra)
        raise UsageError(
            f"the target {target!r} is named like {promised}, and the picture stays {form}",
            source=name,
            remedy="change the name" + ", or use --method reencode to change the format" * other,
        )
