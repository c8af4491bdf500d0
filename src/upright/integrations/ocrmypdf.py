"""Plugin for OCRmyPDF: upright decides how ``--rotate-pages`` turns a page, whatever engine reads it, and ``--deskew``.

OCRmyPDF loads it by its entry point wherever both are installed, or with ``--plugin upright.integrations.ocrmypdf``.
It does nothing unless ``--rotate-pages`` or ``--deskew`` is given, nor with ``--no-upright``. An error never stops a
run: the page stays as it is, with a line in the log. Hooks: https://ocrmypdf.readthedocs.io/en/latest/plugins.html
"""

from __future__ import annotations

import json
import logging
import math
import re
from argparse import ArgumentError, ArgumentParser
from collections.abc import Generator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrmypdf import hookimpl
from ocrmypdf.pluginspec import OrientationConfidence

from upright import Promise, Turn
from upright.turns import OCRMYPDF_ANGLE, ocrmypdf_deskew

if TYPE_CHECKING:
    from ocrmypdf import OcrOptions
    from ocrmypdf.pdfinfo import PdfInfo
    from ocrmypdf.pluginspec import OcrEngine
    from pluggy import Result

    from upright import Orientation

log = logging.getLogger(__name__)

#: ``--rotate-pages-threshold`` chooses the promise: up to 5 *best*, up to 15 *balanced*, above that *careful*.
#: OCRmyPDF's own value is 14, that of paperless-ngx 12; 15 is "very confident" in OCRmyPDF's scale.
BEST_UP_TO, BALANCED_UP_TO = 5, 15
#: So many pages on either side have a say on a page that is unsure by itself.
NEIGHBOURS = 24
#: What a page has at least that keeps a promise, so that the thresholds which choose that promise let it pass.
LEAST = {Promise.BEST: 0.0, Promise.BALANCED: 15.0, Promise.CAREFUL: 30.0}


class Plugin:
    """The hooks. The entry point names this class, so that ``--plugin`` may name the module beside it."""

    @staticmethod
    @hookimpl
    def add_options(parser: ArgumentParser) -> None:
        """Add the options, unless they are there because the plugin was loaded twice."""
        group = parser.add_argument_group("upright", "Turns and straightens pages with --rotate-pages and --deskew")
        with suppress(ArgumentError):
            group.add_argument(
                "--upright-unsure",
                metavar="FILE",
                help="write a JSON line to FILE for each page that upright is unsure of and leaves alone",
            )
            group.add_argument("--no-upright", action="store_true", help="let the OCR engine decide instead")

    @staticmethod
    @hookimpl
    def validate(pdfinfo: PdfInfo, options: OcrOptions) -> None:
        """Empty the list of unsure pages before the first page."""
        if path := _unsure_list(options):
            try:
                path.write_text("", "utf-8")
            except OSError as error:
                log.warning("upright: %s cannot be written (%s): unsure pages are not listed", path, error.strerror)

    @staticmethod
    @hookimpl(hookwrapper=True)
    def get_ocr_engine() -> Generator[None, Result[OcrEngine], None]:
        """The engine that OCRmyPDF would use, asked for everything but orientation and tilt.

        ``options`` is not taken: OCRmyPDF 16 gives none, and asks for an orientation only with ``--rotate-pages``.
        """
        outcome = yield
        engine = outcome.get_result()
        if engine and not isinstance(engine, UprightEngine):
            outcome.force_result(UprightEngine(engine))  # type: ignore[arg-type]  # it has the engine's attributes


add_options, validate, get_ocr_engine = Plugin.add_options, Plugin.validate, Plugin.get_ocr_engine


class UprightEngine:
    """An OCR engine that answers with upright's turn and tilt and leaves all else to the engine that it wraps."""

    def __init__(self, engine: OcrEngine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def __str__(self) -> str:
        return str(self._engine)

    def get_orientation(self, input_file: Path, options: OcrOptions) -> OrientationConfidence:
        """The angle that OCRmyPDF expects for a page's preview, and how sure it is; 0 where upright is unsure.

        The confidence is the calibrated chance of an error in decibels: 10 is one in ten, 20 one in a hundred. A page
        that keeps the promise which the threshold chose has at least that promise's `LEAST`.
        """
        if getattr(options, "no_upright", False):
            return self._engine.get_orientation(input_file, options)
        page = _page_of(input_file)
        try:
            from upright import detect

            promise = promise_of(options.rotate_pages_threshold)
            answer = detect(input_file, promise=promise)
            if answer.turn is None:
                answer = _by_its_neighbours(answer, page - 1, Path(input_file).with_name("origin.pdf"), promise)
            if answer.turn is None:
                _note_unsure(options, page, answer.to_dict())
                return OrientationConfidence(OCRMYPDF_ANGLE[answer.best], 0.0)
            return OrientationConfidence(OCRMYPDF_ANGLE[answer.turn], max(decibels(answer.confidence), LEAST[promise]))
        except Exception as error:
            log.warning("upright: page %d is left as it is: %s", page, error)
            return OrientationConfidence(OCRMYPDF_ANGLE[Turn.NONE], 0.0)

    def get_deskew(self, input_file: Path, options: OcrOptions) -> float:
        """The angle that OCRmyPDF straightens a page by; 0 where no lines of text tell it, or it is too small."""
        if getattr(options, "no_upright", False):
            return self._engine.get_deskew(input_file, options)
        try:
            from upright import open_picture
            from upright.lossless import LEAST_TILT
            from upright.tilt import measured

            with open_picture(input_file) as picture:
                found = measured(picture)
            return ocrmypdf_deskew(found.degrees) if found and abs(found.degrees) >= LEAST_TILT else 0.0
        except Exception as error:
            log.warning("upright: page %d is not straightened: %s", _page_of(input_file), error)
            return 0.0


def _page_of(image: Path) -> int:
    """The number of a page, which begins the name of its picture."""
    found = re.match(r"\d+", Path(image).name)
    return int(found[0]) if found else 0


def _by_its_neighbours(answer: Orientation, page: int, pdf: Path, promise: Promise) -> Orientation:
    """What the pages around page ``page`` (from 0) of OCRmyPDF's working copy make of an answer that is unsure.

    They are looked at for that alone, so a document of which every page is sure costs nothing more. Without the copy,
    or where PDF cannot be read here (OCRmyPDF 16 does not bring pypdfium2), the answer stays as it is.
    """
    from upright.detector import shared_detector
    from upright.together import settle

    if page < 0 or not pdf.is_file():
        return answer
    around = [_look(pdf, number, promise) for number in range(max(0, page - NEIGHBOURS), page)]
    after = [_look(pdf, number, promise) for number in range(page + 1, page + 1 + NEIGHBOURS)]
    before = [each for each in around if each]
    return settle([*before, answer, *filter(None, after)], shared_detector().is_sure)[len(before)]


@lru_cache(4 * NEIGHBOURS)
def _look(pdf: Path, page: int, promise: Promise) -> Orientation | None:
    """The answer about one page; ``None`` beyond the last, or where it cannot be read."""
    from upright import UprightError, detect

    try:
        return detect(pdf, page=page, promise=promise)
    except UprightError as error:
        log.debug("upright: page %d has no say: %s", page + 1, error)
        return None


def promise_of(threshold: float) -> Promise:
    """The promise that a value of ``--rotate-pages-threshold`` asks for."""
    if threshold <= BEST_UP_TO:
        return Promise.BEST
    return Promise.BALANCED if threshold <= BALANCED_UP_TO else Promise.CAREFUL


def decibels(confidence: float) -> float:
    """How small the chance of an error is, in decibels, at most 60."""
    return -10 * math.log10(max(1 - confidence, 1e-6))


def _unsure_list(options: OcrOptions) -> Path | None:
    name = getattr(options, "upright_unsure", None)
    return Path(name) if name else None


def _note_unsure(options: OcrOptions, page: int, answer: dict[str, Any]) -> None:
    if path := _unsure_list(options):
        line = {"page": page} | {name: answer[name] for name in ("best", "confidence", "reason", "promise")}
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            log.warning("upright: page %d is unsure, and not listed: %s: %s", page, path, error.strerror)
