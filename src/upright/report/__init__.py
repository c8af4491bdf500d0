"""A report for people: what was turned, what was left alone, and why.

`write_report` takes the outcomes of a run one by one and writes two files that need nothing else: an HTML page with
small embedded pictures, and beside it, with the same stem, a PNG with a sample of each group. Memory stays bounded
however many there are: of each group only the first ``shown`` are kept as thumbnails, all are counted, and the page
says so. A click on a small picture shows the file itself, where the report lies on the same machine.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from .. import atomic
from ..errors import UprightError, WriteFailed
from ..results import Group, Method, Outcome
from ..sources import item_of
from ..turns import ExifOrientation, show_pillow
from .page import page_of
from .seen import MARK, THUMBNAIL_PX, About, Seen
from .sheet import png_of

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["THUMBNAIL_PX", "About", "check_report", "write_report"]


def write_report(
    outcomes: Iterable[Outcome],
    path: str | os.PathLike[str],
    *,
    shown: int = 400,
    about: About | None = None,
    skipped: Mapping[str, int] = {},
) -> dict[Group, int]:
    """Write ``path`` (HTML) and the sample with the suffix ``.png`` beside it; answers the count of each group.

    ``shown`` limits how many of each group get a thumbnail, ``about`` says what the run was, and ``skipped`` counts by
    reason what ``outcomes`` lacks. Raises `WriteFailed`.
    """
    page = Path(path)
    check_report(page)
    seen = Seen(shown, skipped=Counter(skipped))
    for outcome in outcomes:
        seen.add(outcome, _thumbnail)
    about = about or About()
    atomic.write(str(page), (piece.encode() for piece in page_of(seen, about, page.parent.absolute())))
    atomic.write(str(page.with_suffix(".png")), [png_of(seen)])
    return seen.counts


def check_report(path: str | os.PathLike[str]) -> None:
    """Raise `WriteFailed` where the page or its contact sheet cannot be written, or would replace what is no report.

    Their folder is made.
    """
    remedy = "name another --report"
    for place in (Path(path), Path(path).with_suffix(".png")):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():
                head = b"no file" if not place.is_file() else _head(place)
                if head and MARK.encode() not in head:
                    raise WriteFailed("another file is where the report goes", source=place, remedy=remedy)
            with TemporaryFile(dir=Path(os.path.realpath(place)).parent) as file:
                file.write(bytes(4096))
        except OSError as error:
            cause = f"the report cannot be written here ({error.strerror or error})"
            raise WriteFailed(cause, source=place, remedy=remedy) from None


def _head(place: Path) -> bytes:
    with place.open("rb") as file:
        return file.read(1024)


def _thumbnail(outcome: Outcome) -> Image.Image | None:
    """The picture as it was shown before, or ``None`` where it cannot be read any more."""
    from ..pictures import open_picture

    if outcome.orientation is None:
        return None
    done = outcome.correction if outcome.written else None
    # What is encoded again is one page.
    page = 0 if done and done.method is Method.REENCODE else outcome.page
    try:
        with open_picture(outcome.written or item_of(outcome.source).open(), page=page) as picture:
            image = picture.image(THUMBNAIL_PX)
            longest = max(picture.width_px, picture.height_px)
            # A picture may be shrunk by different factors along its sides: its own shape is given back here.
            sides = [max(1, round(side * THUMBNAIL_PX / longest)) for side in (picture.width_px, picture.height_px)]
    except (UprightError, OSError):
        return None
    image = image.resize((sides[0], sides[1]))
    # The original may have been replaced: what was written, turned back, is what it looked like.
    return show_pillow(image, ExifOrientation.TOP_LEFT.then(done.turn.inverse)) if done else image
