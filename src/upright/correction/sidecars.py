"""Pictures set right by a file beside them: raw photographs always, others where that is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..carriers import sidecar
from ..carriers.moved import Moved
from ..errors import NotLossless
from ..formats import Window, format_in
from ..journal import Journal, bytes_before
from ..pictures.source import reading
from ..results import Correction, Method
from ..turns import ExifOrientation
from .opening import Opened
from .request import Change, Request, Target, noted


def plan_sidecar(file: Opened, request: Request, kept: Correction, leads: bool) -> Change:
    """The change that writes a sidecar, and into a target the picture as it is.

    Args:
        file: the picture.
        request: with the turn.
        kept: the correction of a picture that is kept, with the orientation that the picture itself says.
        leads: whether the sidecar says how the picture is shown, as that of a raw photograph does.

    Raises:
        NotLossless: the sidecar cannot be changed.
    """
    goal = file.path if request.in_place else request.target
    if goal is None and request.moves and file.path is None:
        raise NotLossless("a sidecar lies beside a file, and this is none", remedy="save the picture to a file first")
    goal = goal or file.path or file.name
    there = sidecar.existing(file.path) if file.path else None
    old = _opened(there) if there is not None else None
    said = sidecar.read(there) if there is not None else None
    before = said if leads and said else kept.exif_before
    after = request.after(before)
    done = replace(kept, target=goal, exif_before=before, exif_after=after, turn=request.turn, note=request.note)
    copy = () if request.in_place else (Target(request.target, file),)
    if not request.moves:
        note = _otherwise(there, said) if there and said and not leads and said != before else ""
        done = replace(done, method=Method.KEEP, note=noted(done.note, note))
        if not copy:
            return Change(done)
        copied = (_target(file, goal, request, None, old.window.at(0, old.window.size)),) if old else ()
        return Change(done, (*copy, *(copied or _of_another(goal, before))))
    if there and said and not leads and said not in (before, after):
        cause = _otherwise(there, said)
        raise NotLossless(cause, remedy="take tiff:Orientation out of the sidecar to have it decided anew")
    data = old.window.at(0, old.window.size) if old else None
    new = sidecar.written(data, after)
    if new == data and request.in_place:
        return Change(replace(done, method=Method.TAG, note="its sidecar says so already", written=True))
    target = _target(file, goal, request, old, new)
    how = "was changed" if old and request.in_place else "was written"
    note = noted(done.note, f"the sidecar {Path(target.path or '').name} {how}")
    return Change(replace(done, method=Method.TAG, note=note), (*copy, target))


def with_sidecar(file: Opened, request: Request, change: Change, journal: Journal | None) -> Change:
    """A change in place, with that of the sidecar that lies beside the picture and says how it lies.

    Where a run was killed between the two, the sidecar is changed from what it was before that run: ``journal`` tells.

    Raises:
        NotLossless: it is about places that cannot move with the pixels.
        JournalError: a run was killed, and what the sidecar was is gone.
    """
    done, there = change.correction, sidecar.existing(file.path) if file.path else None
    if not request.in_place or there is None or done.method == Method.KEEP or request.page:
        return change
    still, row = done.method == Method.TAG, format_in(file.window)
    if there != sidecar.places(file.path or "")["full"] and not sidecar.is_of_one(there):
        return _noted(change, f"{there.name}, which may be another picture's, stays as it is")
    old = _opened(there)
    if was := bytes_before(str(there), file.path or "", journal):
        old = replace(old, window=Window(was))
    data = old.window.at(0, old.window.size)
    pixels = ExifOrientation.TOP_LEFT if still else request.after(done.exif_before)
    size = row.container.size_px(file.window) if row and row.container and not still else (0, 0)
    try:
        new, other = sidecar.moved(data, Moved(done.exif_before, done.exif_after, pixels, size=size))
    except NotLossless as error:
        raise NotLossless(f"of its sidecar {there.name} {error.cause}", remedy=error.remedy) from error
    if other:
        change = _noted(
            change, f"its sidecar {there.name} shows it otherwise (orientation {other.value}), and still does"
        )
    if new == data:
        return change
    change = _noted(change, f"its sidecar {there.name} was changed along")
    return replace(change, targets=(*change.targets, Target(old.path, old, data=new)))


def _otherwise(beside: Path, said: ExifOrientation) -> str:
    return f"its sidecar {beside.name} shows it otherwise already (orientation {said})"


def _of_another(goal: str, shown: ExifOrientation) -> Iterator[Target]:
    """A sidecar of what was at the target before, if it would show the new picture otherwise: mended, where allowed."""
    there = sidecar.existing(goal)
    if there is not None and sidecar.read(there) not in (None, shown):
        with reading(str(there)):
            yield Target(str(there), None, data=sidecar.written(there.read_bytes(), shown))


def _noted(change: Change, note: str) -> Change:
    done = change.correction
    return replace(change, correction=replace(done, note=noted(done.note, note)))


def _target(file: Opened, goal: str, request: Request, old: Opened | None, data: bytes) -> Target:
    if old is not None and request.in_place:
        return Target(old.path, old, data=data)
    return Target(str(sidecar.place(file.path or goal, goal, request.sidecar or "full")), None, data=data)


def _opened(path: Path) -> Opened:
    """A sidecar as it is now; it is small enough to be held in memory."""
    with reading(str(path)), path.open("rb") as file:
        return Opened(Window(file.read()), str(path), str(path), os.fstat(file.fileno()))
