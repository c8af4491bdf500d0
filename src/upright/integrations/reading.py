"""Upright pixels for programs that read pictures: OCR, document converters, vision-language models.

These look at pixels and often ignore the EXIF orientation. So the pixels themselves are turned, in memory; what upright
is unsure of is shown as its file says.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from upright import Detector, ExifOrientation, Orientation, Promise, Turn, detect, open_picture
from upright.correction import corrected_bytes
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
    """A picture's pixels as a person would hold it, mode RGB. Raises UprightError for what cannot be read."""
    source = _kept(source)
    return _shown(source, page, _answer(source, page, promise, detector))


def upright_bytes(data: bytes, *, promise: Promise | str = "balanced", detector: Detector | None = None) -> bytes:
    """A document's bytes with every page upright.

    A PDF's pages are turned by ``/Rotate``. A picture that is upright in its file is given back byte for byte; of one
    that is not, the pixels are turned: into a JPEG if it was one, several pages into a TIFF, else a PNG. Raises
    UprightError for what cannot be read.
    """
    page, images, turned = 0, [], False
    while True:
        answer = _answer(data, page, promise, detector)
        if answer.format == "PDF":
            data = corrected_bytes(data, answer.turn or Turn.NONE, page=page)[0]
        else:
            turned |= bool(answer.turn) or answer.exif != ExifOrientation.TOP_LEFT
            images.append(_shown(data, page, answer))
        page += 1
        if page >= answer.pages:
            break
    if not turned:
        return data
    out = io.BytesIO()
    if len(images) > 1:
        images[0].save(out, "TIFF", save_all=True, append_images=images[1:], compression="tiff_deflate")
    else:
        images[0].save(out, "JPEG" if answer.format == "JPEG" else "PNG", quality=_QUALITY)
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


def _kept(source: Source) -> Source:
    """The source; of a stream its bytes, since it is read twice."""
    return source.read() if hasattr(source, "read") else source


def _answer(source: Source, page: int, promise: Promise | str, detector: Detector | None) -> Orientation:
    return (detector.detect if detector else detect)(source, promise=promise, page=page)


def _shown(source: Source, page: int, answer: Orientation) -> Image.Image:
    with open_picture(source, page=page) as picture:
        image = picture.image((picture.width_px, picture.height_px))
    return show_pillow(image, ExifOrientation.compose(False, Turn(answer.turn or 0)))
