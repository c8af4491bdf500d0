"""What detect, correct and batch do alike: go through the sources, show, stop cleanly, sum up."""

from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..results import Outcome
from ..run import Tally, work
from ..sources import find_items
from .options import open_detector
from .progress import Progress

if TYPE_CHECKING:
    from ..correction.corrector import Corrector


def go_through(
    sources: Sequence[str],
    options: dict[str, Any],
    show: Callable[[Outcome], None],
    *,
    corrector: Corrector | None = None,
    wanted: Callable[[str], bool] = lambda key: True,
    ordered: bool = True,
    report: str | None = None,
    parts: int = 1,
    always_told: bool = False,
    tally: Tally | None = None,
) -> Tally:
    """Work through the sources, ``show`` each outcome that is one, and write the report; what was done is answered.

    Ctrl-C once finishes the pictures under way, twice stops at once. ``always_told``: progress is shown elsewhere
    than on a terminal, too; ``parts`` is how many runs share the sources.
    """
    check_sources(sources, options)
    tally = tally or Tally()
    items = find_items(sources, lists=options["lists"], wanted=wanted, once=corrector is not None)
    if corrector is not None:
        items = corrector.placed(items)
    progress = Progress(tally, always_told)
    if progress.counts:
        progress.count(sources, options["lists"], parts)
    reading = progress.reading if progress.terminal else None
    with open_detector(options, reading) as detector, _stopping(tally) as stop:
        tally.timing_s["load"] = detector.load_s
        how = {"workers": options["workers"], "page": options["page"], "ordered": ordered, "stop": stop}
        outcomes = work(items, detector, corrector, **how)

        def seen() -> Iterator[Outcome]:
            for outcome in outcomes:
                if not outcome.skipped:
                    show(outcome)
                tally.add(outcome)
                progress.show()
                yield outcome

        with closing(outcomes):
            if report:
                from ..report import write_report

                write_report(seen(), report)
            else:
                deque(seen(), maxlen=0)
    if progress.terminal:
        progress.show(last=True)
    tally.end()
    return tally


def check_sources(sources: Sequence[str], options: dict[str, Any]) -> None:
    """Raise `UsageError` where none is named."""
    if not sources and not options["lists"]:
        raise UsageError("there is nothing to work on", remedy="name folders or pictures, or give --list FILE")


def finish(tally: Tally, text: str, options: dict[str, Any]) -> None:
    """Print the last lines and end the command: 130 stopped, 1 some pictures failed, 0 all is well."""
    if text:
        click.echo(text, err=True)
    if options["timing"]:
        click.echo(tally.timing(), err=True)
    sys.exit(130 if tally.stopped else 1 if tally.counts["failed"] else 0)


@contextmanager
def _stopping(tally: Tally) -> Iterator[threading.Event]:
    event = threading.Event()

    def stop(number: int, frame: object) -> None:
        event.set()
        tally.stopped = True
        signal.signal(number, before[number])
        click.echo("\nstopping after the pictures under way; once more stops at once", err=True)

    before = {int(number): signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
