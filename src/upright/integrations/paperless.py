"""Sets a document right before paperless-ngx stores it: what ``upright consume`` does as its pre-consume script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from upright import Method, NotAPicture, UprightError, correct

from ..formats import pages_in
from .photos import Wanted

if TYPE_CHECKING:
    from upright import Detector, Orientation, Promise

#: Stands in each signature of a PDF (ISO 32000-1, 12.8.1), outside compressed objects.
_SIGNED = b"/ByteRange"
#: Tesseract does not look at the tag of these; where the pixels cannot be turned without loss, it is changed still.
_TAG_IGNORED = {"PNG", "WEBP"}


def consume(path: Path, detector: Detector, promise: Promise | str) -> Iterator[str]:
    """Set each page of a document right in place; a line for each that changed or could not be read.

    A page that upright is unsure of, a signed PDF and what is no picture stay as they are. Nothing is raised for them:
    paperless-ngx does not take in a document whose script fails.
    """
    try:
        if path.suffix.lower() == ".pdf" and _SIGNED in path.read_bytes():
            yield f"{path.name}: it is signed, so it stays as it is"
            return
        answer = detector.detect(path, promise=promise)
    except NotAPicture:
        return
    except (OSError, UprightError) as error:
        yield f"{path.name}: it stays as it is: {error}"
        return
    for page in range(pages_in(answer.format, answer.pages)):
        try:
            answer = detector.detect(path, promise=promise, page=page) if page else answer
            change = _set_right(path, answer, detector)
        except (OSError, UprightError) as error:
            change = f"stays as it is: {error}"
        if change:
            yield f"{path.name}: page {page + 1} {change}"


def _set_right(path: Path, answer: Orientation, detector: Detector) -> str:
    """What became of a page, in words; nothing where it lies right."""
    wanted = Wanted(answer.to_apply.turn, answer.to_apply.mirrored)
    if not any(wanted):
        return ""
    method = Method.TURN if answer.format in _TAG_IGNORED else None
    done = correct(path, turn=answer, method=method, in_place=True, page=answer.page, limits=detector.limits)
    return str(wanted) if done.written else "; ".join(filter(None, (f"stays as it is: {done.note}", done.remedy)))
