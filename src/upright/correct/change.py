"""Which bytes change, and how, so that a picture comes out upright. Nothing is written here."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ..carriers import ExifTag, exif_edits, has_page, read_exif_orientation
from ..errors import BrokenPicture, NotAPicture, NotLossless, TooLarge, UsageError
from ..formats import HEAD_BYTES, Edit, Window, applied, format_of, format_of_suffix, sniff
from ..formats.jpeg import Jpeg
from ..formats.pdf import rotated
from ..lossless import reencoded, turned
from ..results import Correction, Method
from ..turns import ExifOrientation, Turn

Edge: TypeAlias = Literal["tag", "trim", "refuse", "reencode"]

_REENCODE_REMEDY = "use --method reencode with a .jpg or .png target"


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to the bytes: ``edits``, or ``data`` in their place."""

    correction: Correction
    edits: tuple[Edit, ...] = ()
    data: bytes | None = None

    def pieces(self, window: Window) -> Iterator[bytes]:
        """The bytes after the change of the source's ``window``."""
        return applied(window, self.edits) if self.data is None else iter((self.data,))


def change(
    window: Window, name: str, turn: Turn, method: Method | None, edge: Edge, page: int, goal: str | None
) -> Change:
    """Which bytes change, and how; the heart of all public functions."""
    if edge not in ("tag", "trim", "refuse", "reencode"):
        raise UsageError(f"there is no edge {edge!r}", remedy="use tag, trim, refuse or reencode")
    row = format_of(sniff(window.at(0, HEAD_BYTES)))
    form, carriers = (row.name, row.carriers) if row else ("", ())
    tag = _tag(window, form, page)
    kept = Correction(name, "", Method.KEEP, turn, tag.orientation, tag.orientation, True, False)
    if method != Method.REENCODE:
        _check_suffix(form, name, goal)
    if turn == Turn.NONE or method == Method.KEEP:
        # An upright picture is not compressed anew, unless its target asks for another format.
        if method == Method.REENCODE and goal is not None and _promised(goal) not in (None, form):
            return _by_reencoding(window, kept, tag, page, goal)
        return Change(replace(kept, turn=Turn.NONE))
    if "rotate" in carriers and method in (None, Method.TAG):
        return _by_rotate(window, kept, page)
    if not form:
        _refuse_non_pictures(window)
    if method == Method.REENCODE:
        return _by_reencoding(window, kept, tag, page, goal or name)
    if method == Method.TURN:
        return _by_turn_or(window, kept, form, tag, edge, page, goal or name, "exif" in carriers)
    if "exif" in carriers:
        return _by_tag(window, kept, page)
    if method is None and row and row.turner:
        try:
            return _by_turn(window, kept, form, tag, edge)
        except (NotLossless, TooLarge) as error:
            reason = f"{form} has no tag, and its pixels cannot be turned without loss: {error.cause}"
            return _kept(kept, f"{reason}; {_REENCODE_REMEDY}")
    return _kept(kept, f"no orientation can be written into {form or 'this format'}; {_REENCODE_REMEDY}")


def _kept(kept: Correction, note: str) -> Change:
    return Change(replace(kept, turn=Turn.NONE, note=note))


def _tag(window: Window, form: str, page: int) -> ExifTag:
    return read_exif_orientation(window, page=page) if form else ExifTag()


def _by_tag(window: Window, kept: Correction, page: int, note: str = "") -> Change:
    after = kept.exif_before.then(kept.turn)
    edits = exif_edits(window, after, page=page)
    if not note and has_page(window, page + 1 if page == 0 else 0):
        note = f"only page {page + 1} was turned, the others stay as they are"
    return Change(replace(kept, method=Method.TAG, exif_after=after, note=note), tuple(edits))


def _by_rotate(window: Window, kept: Correction, page: int) -> Change:
    """A PDF page by its /Rotate, which stands where a picture has the EXIF orientation."""
    try:
        added, after, pages = rotated(window.at(0, window.size), page, kept.turn)
    except NotLossless as error:
        return _kept(kept, error.cause)
    others = ", the others stay as they are" if pages > 1 else ""
    note = f"/Rotate of page {page + 1} is {after} now{others}"
    return Change(replace(kept, method=Method.TAG, note=note), (Edit(window.size, b"", added),))


def _by_turn(window: Window, kept: Correction, form: str, tag: ExifTag, edge: Edge) -> Change:
    after = tag.orientation.then(kept.turn)
    data = turned(window.at(0, window.size), after, "trim" if edge == "trim" else "refuse")
    done = replace(kept, method=Method.TURN, exif_after=ExifOrientation.TOP_LEFT)
    if edge == "trim" and form == "JPEG":
        before, now = (Jpeg().size_px(each) for each in (window, Window(data)))
        lost = [b - n for b, n in zip(before[:: -1 if after.swaps_sides else 1], now, strict=True)]
        if any(lost):
            return Change(
                replace(done, lossless=False, note=f"trimmed {lost[0]} columns and {lost[1]} rows"), data=data
            )
    return Change(done, data=data)


def _by_turn_or(
    window: Window, kept: Correction, form: str, tag: ExifTag, edge: Edge, page: int, goal: str, tagged: bool
) -> Change:
    try:
        return _by_turn(window, kept, form, tag, edge)
    except (NotLossless, BrokenPicture, TooLarge) as error:
        if edge == "reencode":
            return _by_reencoding(window, kept, tag, page, goal)
        if edge != "tag" or not tagged:
            raise
        return _by_tag(window, kept, page, f"the tag was changed, not the pixels: {error.cause}")


def _by_reencoding(window: Window, kept: Correction, tag: ExifTag, page: int, goal: str) -> Change:
    form = _promised(goal) or tag.format or "JPEG"
    data = reencoded(window.at(0, window.size), tag.to_apply, kept.turn, form, page)
    return Change(replace(kept, method=Method.REENCODE, exif_after=ExifOrientation.TOP_LEFT, lossless=False), data=data)


def _refuse_non_pictures(window: Window) -> None:
    """Raises NotAPicture where neither Pillow nor libvips knows the format."""
    import pyvips
    from PIL import Image, UnidentifiedImageError

    if not window.size:
        raise NotAPicture("the file is empty", remedy="copy it again from where it came from")
    data = window.at(0, window.size)
    try:
        with Image.open(io.BytesIO(data)):
            return
    except (UnidentifiedImageError, OSError, ValueError):
        pass
    try:
        pyvips.Image.new_from_buffer(data, "")
    except pyvips.Error:
        raise NotAPicture("this is no picture that upright knows", remedy="convert it to PNG or JPEG first") from None


def _promised(name: str) -> str | None:
    row = format_of_suffix(name)
    return row.name if row else None


def _check_suffix(form: str, name: str, goal: str | None) -> None:
    """A new name may not promise another format than the bytes have; one that the source has, too, may."""
    if goal is None or not form:
        return
    promised = _promised(goal)
    if promised not in (None, form) and promised != _promised(name):
        raise UsageError(
            f"the target {goal!r} is named like {promised}, and the picture stays {form}",
            source=name,
            remedy="change the name, or use --method reencode to change the format",
        )
