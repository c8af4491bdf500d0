"""Several pages of one file, set right by one change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

from ..carriers import page_edits, read_exif_orientation
from ..carriers.rotate import crooked_pages, rotated
from ..errors import TAG, CorrectionError, NotLossless
from ..formats import Edit, Window, format_in
from ..journal import Journal
from ..results import Correction, Method, Orientation
from ..turns import Turn
from .opening import Opened
from .planning import NO_MIRROR, NO_SIDECAR, STAYS, changed, check_names, plan
from .request import Change, Request, noted

_REMEDY = "name one page with --page, and a target"


def plan_pages(
    file: Opened, request: Request, answers: Sequence[Orientation], journal: Journal | None = None
) -> tuple[Change, list[Correction]]:
    """The change of a file whose pages have these answers, and what it does to each. Raises as `plan` does.

    Pages have a tag each, so they are turned by it, whatever the method.
    """
    if len(answers) == 1:
        change = plan(file, replace(request.answered(answers[0]), page=answers[0].page), journal)
        return change, [change.correction]
    row = format_in(file.window)
    carriers = row.carriers if row else ()
    check_names(file, request, row.name if row else "")
    asked = {answer.page: request.answered(answer) for answer in answers}
    turns = {page: each.turn for page, each in asked.items() if each.moves and each.method != Method.KEEP}
    tilts = {page: each.tilt for page, each in asked.items() if each.tilt and each.method != Method.KEEP}
    if turns and request.sidecar:
        raise NotLossless("a sidecar says nothing of pages", remedy=NO_SIDECAR)
    if turns and (request.method == Method.REENCODE or (request.method == Method.TURN and request.edge == "refuse")):
        remedy = TAG if "rotate" in carriers else _REMEDY
        raise NotLossless(f"it has {len(answers)} pages, which stay together", remedy=remedy)
    note = "the tag was changed, not the pixels" * (request.method == Method.TURN)
    edits: list[Edit] = []
    cannot: NotLossless | None = None
    mirrored = {page for page in turns if asked[page].mirrored and "rotate" in carriers}
    turns = {page: turn for page, turn in turns.items() if page not in mirrored}
    if "rotate" in carriers:
        crooked = dict.fromkeys(crooked_pages(file.window.at(0, file.window.size)) if tilts else (), STAYS)
    else:
        crooked = dict.fromkeys(tilts, "it was not straightened: pages of one file stay as they are stored")
    tilts = {page: tilt for page, tilt in tilts.items() if page not in crooked}
    exif = {page: read_exif_orientation(file.window, page=page).orientation for page in asked}
    after = {page: asked[page].after(before) if page in turns else before for page, before in exif.items()}
    try:
        if (turns or tilts) and "rotate" in carriers:
            window, after = file.window, exif
            added, _ = rotated(window.at(0, window.size), turns, tilts, request.straighten or "white")
            edits = [Edit(window.size, b"", added)]
        elif turns:
            edits = page_edits(file.window, {page: after[page] for page in turns})
    except NotLossless as error:
        cannot, turns, tilts, after = error, {}, {}, exif

    def check(written: BinaryIO) -> None:
        window = Window(written)
        if any(read_exif_orientation(window, page=page).orientation != each for page, each in after.items()):
            raise CorrectionError("the tags cannot be read back", remedy="name one page with --page")

    corrections = []
    for page, each in asked.items():
        method, moves = Method.TAG if page in turns or page in tilts else Method.KEEP, each.moves or each.tilt
        done = Correction(file.name, "", method, turns.get(page, Turn.NONE), exif[page], after[page], True, False)
        done = replace(done, tilt=tilts.get(page, 0.0))
        said = cannot.cause if cannot and moves else note * (page in turns) or crooked.get(page, "") * bool(each.tilt)
        remedy = cannot.remedy if cannot and moves else ""
        if page in mirrored:
            said, remedy = NO_MIRROR
        corrections.append(replace(done, note=noted(each.note, said), remedy=remedy))
    whole = next((each for each in corrections if each.method == Method.TAG), corrections[0])
    return changed(file, request, replace(whole, note=""), tuple(edits), check=check), corrections
