"""Sets a document right before paperless-ngx stores it: what ``upright consume`` does as its pre-consume script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from upright import Method, NotAPicture, UprightError

from ..correction import Request, Writer
from ..correction.corrector import Corrector
from ..formats import HEAD_BYTES, sniff
from ..run import outcomes_of
from ..sources import item_of
from .photos import Wanted

if TYPE_CHECKING:
    from upright import Detector

    from ..results import Outcome

#: Stands in each signature of a PDF (ISO 32000-1, 12.8.1), outside compressed objects.
_SIGNED = b"/ByteRange"
#: Tesseract does not look at the tag of these; where the pixels cannot be turned without loss, it is changed still.
_TAG_IGNORED = {"PNG", "WEBP"}


def consume(path: Path, detector: Detector) -> Iterator[str]:
    """Set the pages of a document right in place, by one change; a line for each that changed or could not be read.

    A page that upright is unsure of, a signed PDF and what is no picture stay as they are. Nothing is raised for them:
    paperless-ngx does not take in a document whose script fails.
    """
    try:
        if path.suffix.lower() == ".pdf" and _SIGNED in path.read_bytes():
            yield f"{path.name}: it is signed, so it stays as it is"
            return
        with path.open("rb") as file:
            method = Method.TURN if sniff(file.read(HEAD_BYTES)) in _TAG_IGNORED else None
        corrector = Corrector(Request(method=method, in_place=True, limits=detector.limits), Writer())
        outcomes = outcomes_of(item_of(str(path)), detector, corrector, sure=detector.is_sure)
    except (OSError, UprightError) as error:
        yield f"{path.name}: it stays as it is: {error}"
        return
    yield from (f"{path.name}: {line}" for line in map(_became, outcomes) if line)


def _became(outcome: Outcome) -> str:
    """What became of a page, in words; nothing where it lies right, or is no picture."""
    if not (answer := outcome.orientation):
        return "" if isinstance(outcome.error, NotAPicture) else f"it stays as it is: {outcome.error}"
    wanted, done = Wanted(answer.to_apply.turn, answer.to_apply.mirrored), outcome.correction
    if not any(wanted):
        return ""
    why = str(outcome.error or "")
    if done and done.method is Method.KEEP:
        why = "; ".join(filter(None, (done.note, done.remedy)))
    return f"page {answer.page + 1} {f'stays as it is: {why}' if why else wanted}"
