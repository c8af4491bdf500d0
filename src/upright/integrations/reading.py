"""Upright pixels for programs that read pictures: OCR, document converters, vision-language models.

These look at pixels and often ignore the EXIF orientation. So the pixels themselves are turned, in memory; what upright
is unsure of is shown as its file says.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from upright import Detector, ExifOrientation, Limits, Orientation, Promise, open_picture
from upright.correction import Request, opened
from upright.correction.pages import plan_pages
from upright.detector import shared_detector
from upright.formats import pages_in
from upright.machine import opened_by_pillow
from upright.pictures.source import open_source, read_stream
from upright.turns import show_pillow

if TYPE_CHECKING:
    from PIL import Image

    from upright.pictures import Source

#: Of JPEGs whose pixels were turned; they are read and thrown away.
_QUALITY = 95
P = ParamSpec("P")
R = TypeVar("R")


def upright_image(
    source: Source, *, page: int = 0, promise: Promise | str = "balanced", detector: Detector | None = None
) -> Image.Image:
    """A picture's pixels as a person would hold it, mode RGB, and its resolution in ``info["dpi"]``.

    Raises UprightError for what cannot be read.
    """
    detector = detector or shared_detector()
    if hasattr(source, "read"):  # once: it is read twice
        source = read_stream(source, detector.limits)
    return _shown(source, detector.detect(source, promise=promise, page=page), detector)


def upright_bytes(data: bytes, *, promise: Promise | str = "balanced", detector: Detector | None = None) -> bytes:
    """A document's bytes with every page upright.

    A PDF's pages are turned by ``/Rotate``. A picture that is upright in its file is given back byte for byte; of one
    that is not, the pixels are turned: into a JPEG if it was one, several pages into a TIFF, else a PNG; with their
    resolution, which OCR goes by. Of an animation this is its first frame. A PDF's page that is mirrored stays so:
    ``/Rotate`` cannot mirror. Raises UprightError for what cannot be read.
    """
    detector, answers = detector or shared_detector(), list[Orientation]()
    while not answers or len(answers) < pages_in(answers[0].format, answers[0].pages):
        answers.append(detector.detect(data, promise=promise, page=len(answers)))
    if answers[0].format == "PDF":
        with opened(data) as file:
            change, _ = plan_pages(file, Request(), answers)
            return b"".join(change.targets[0].pieces())
    if all({answer.to_apply, answer.exif} == {ExifOrientation.TOP_LEFT} for answer in answers):
        return data
    images = [_shown(data, answer, detector) for answer in answers]
    out = io.BytesIO()
    for image in images:
        if "dpi" in image.info:
            image.encoderinfo = {"dpi": image.info["dpi"]}  # each page's own, which `save` has no argument for
    if len(images) > 1:
        images[0].save(out, "TIFF", save_all=True, append_images=images[1:], compression="tiff_deflate")
    else:
        images[0].save(out, "JPEG" if answers[0].format == "JPEG" else "PNG", quality=_QUALITY)
    return out.getvalue()


def upright_before(
    function: Callable[Concatenate[Any, P], R],
    *,
    promise: Promise | str = "balanced",
    detector: Detector | None = None,
) -> Callable[Concatenate[Source, P], R]:
    """A gate: ``function`` is called with the upright Pillow image instead of its first argument.

    ``describe = upright_before(describe)``; then ``describe("scan.jpg", question)``. A picture that cannot be read
    raises UprightError before ``function`` is called.
    """

    @wraps(function)
    def gated(source: Source, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(upright_image(source, promise=promise, detector=detector), *args, **kwargs)

    return gated


def _shown(source: Source, answer: Orientation, detector: Detector) -> Image.Image:
    with open_picture(source, page=answer.page, limits=detector.limits, bands=detector.bands) as picture:
        image = picture.image((picture.width_px, picture.height_px))
    shown = show_pillow(image, answer.to_apply)
    shown.info.pop("dpi", None)
    if dpi := _resolution(source, answer.page):
        swapped = answer.exif.swaps_sides != answer.to_apply.swaps_sides
        shown.info["dpi"] = dpi[::-1] if swapped else dpi
    return shown


def _resolution(source: Source, page: int) -> tuple[float, float] | None:
    """Dots per inch across and down the stored picture, where its file says so."""
    from PIL import Image

    if isinstance(source, Image.Image):
        return source.info.get("dpi")
    found: tuple[float, float] | None = None
    with suppress(Exception):  # decoders promise no type
        there = open_source(source, Limits())
        with there.file:
            image = opened_by_pillow(there.file, there.format)
            image.seek(page)
            if image.format != "TIFF" or 282 in image.tag_v2:  # of a TIFF without Pillow says 1
                found = image.info.get("dpi")
    return found
