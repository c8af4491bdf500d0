"""Options that several commands share, and the detector they describe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import tee
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..engines import ENGINES
from ..errors import printable
from ..results import Outcome

if TYPE_CHECKING:
    from ..detector import Detector
    from ..folders import Found
    from ..pictures import Limits

#: Most pictures are answered before anybody looks for a sign of life.
_MOMENT_S = 1.0
F = TypeVar("F", bound=Callable[..., Any])


def _bands(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    try:
        red, green, blue = (int(number) for number in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not three numbers, as 4,3,2") from None
    return red, green, blue


_DETECTOR_OPTIONS = (
    click.option("--careful", "promise", flag_value="careful", help="Turn only where 99.9 % of such turns are right."),
    click.option(
        "--balanced", "promise", flag_value="balanced", default="balanced", help="99.5 % of turns right (the default)."
    ),
    click.option("--best", "promise", flag_value="best", help="Answer always, whatever the confidence."),
    click.option("--model", metavar="FOLDER", help="A model folder of your own, or the name of one that comes along."),
    click.option(
        "--engine",
        metavar="NAME",
        default="onnx",
        show_default=True,
        help=f"{', '.join(ENGINES)}, or auto, the fastest here. After a colon what to run on, or the precision:"
        " onnx:cuda, openvino:bf16.",
    ),
    click.option(
        "--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Threads of one engine call."
    ),
    click.option(
        "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Pictures decoded side by side."
    ),
    click.option(
        "--flow", type=click.Choice(["cascade", "whole", "turned", "tiles"]), default="cascade", show_default=True
    ),
    click.option(
        "--effort",
        type=click.IntRange(0, 3),
        default=2,
        show_default=True,
        help="How closely a cascade may look: 0 one look, 1 four, 2 eight, 3 tiles too.",
    ),
    click.option("--budget-ms", type=float, metavar="MS", help="Take no further look after this time."),
    click.option(
        "--policy",
        type=click.Choice(["lean", "seed", "full"]),
        default="lean",
        show_default=True,
        help="How much is decoded: what the views need; at most 2048 or 1024 pixels a side; all.",
    ),
    click.option(
        "--bands",
        metavar="R,G,B",
        callback=_bands,
        help="Of pictures with many bands (TIFF) show these three, counted from 1; 4,3,2 shows infrared as red.",
    ),
    click.option("--page", type=click.IntRange(0), default=0, show_default=True, help="Which page, from 0."),
    click.option(
        "--max-megapixels",
        type=click.FloatRange(0, min_open=True),
        metavar="N",
        help="Refuse larger pictures of formats that must be decoded whole.",
    ),
    click.option("--timing", is_flag=True, help="Print seconds for load, read, infer and write."),
)


def detector_options(function: F) -> F:
    """Add the options that `open_detector` wants; they reach the command as one dictionary of keywords."""
    for option in reversed(_DETECTOR_OPTIONS):
        function = option(function)
    return function


class _Reading:
    """A bar on the terminal while a picture is read that takes longer than a moment."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._bar: tuple[str, Any] | None = None

    def __call__(self, name: str, share: float) -> None:
        """Called by the thread that decodes; with several workers the first picture has the line."""
        began = self._began.setdefault(name, time.monotonic())
        if share >= 1:
            self._began.pop(name, None)  # another worker may have read the same picture
        if self._bar is None and share < 1 and time.monotonic() - began > _MOMENT_S:
            self._bar = name, click.progressbar(length=1000, label=printable(name), file=sys.stderr)
        if self._bar and self._bar[0] == name:
            bar = self._bar[1]
            bar.update(max(0, round(1000 * share) - bar.pos))
            if share >= 1:
                click.echo("\r\x1b[K", err=True, nl=False)
                self._bar = None


def open_detector(options: dict[str, Any]) -> Detector:
    """The detector that the options describe."""
    from ..detector import Detector

    return Detector(
        options["model"],
        engine=options["engine"],
        threads=options["threads"],
        promise=options["promise"],
        flow=options["flow"],
        effort=options["effort"],
        budget_ms=options["budget_ms"],
        policy=options["policy"],
        limits=limits_of(options),
        bands=options["bands"],
        progress=_Reading() if sys.stderr.isatty() else None,
    )


def limits_of(options: dict[str, Any]) -> Limits:
    """What a picture may ask for."""
    from ..pictures import Limits

    return Limits(max_megapixels=options["max_megapixels"]) if options["max_megapixels"] else Limits()


def detected(detector: Detector, pictures: Iterable[Found], options: dict[str, Any]) -> Iterator[tuple[Found, Outcome]]:
    """Each picture with its row, by ``--workers`` side by side."""
    from ..errors import UprightError

    first, second = tee(pictures)
    answers = detector.detect_many((found.open() for found in first), workers=options["workers"], page=options["page"])
    for found, (_, answer) in zip(_with_progress(second), answers, strict=True):
        if isinstance(answer, UprightError):
            yield found, Outcome(found.path, error=answer)
        else:
            yield found, Outcome(found.path, answer)


def _with_progress(pictures: Iterable[Found]) -> Iterable[Found]:
    """With a progress bar where a person watches and the rows themselves go elsewhere."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        return pictures
    found = list(pictures)

    def shown() -> Iterator[Found]:
        with click.progressbar(found, file=sys.stderr, label="pictures", show_pos=True) as bar:
            yield from bar

    return shown()
