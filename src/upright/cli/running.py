"""What detect, correct and batch do alike: go through the sources, show, stop cleanly, sum up."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..results import Outcome
from ..run import Tally, work
from ..sources import count_items, find_items
from .options import open_detector

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
    with open_detector(options) as detector, _stopping(tally) as stop, _Progress(tally, always_told) as progress:
        if progress.shown:
            progress.count(sources, options["lists"], parts)
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


class _Progress:
    """A line with rate and time left: each second on a terminal that does not show the rows themselves."""

    def __init__(self, tally: Tally, always: bool) -> None:
        terminal = sys.stderr.isatty() and (always or not sys.stdout.isatty())
        self.shown = terminal or always
        self._tally, self._every_s = tally, 1.0 if terminal else 30.0
        self._last = time.monotonic()
        self._total: int | None = None

    def count(self, sources: Sequence[str], lists: Sequence[str], parts: int) -> None:
        """Find out how many there are: that takes a while where there are millions, and nothing waits for it."""

        def count() -> None:
            total = count_items(sources, lists)
            self._total = None if total is None else total // parts

        threading.Thread(target=count, daemon=True).start()

    def show(self, *, last: bool = False) -> None:
        """Called after each outcome."""
        now = time.monotonic()
        if not self.shown or (not last and now - self._last < self._every_s):
            return
        self._last = now
        tally, terminal = self._tally, self._every_s < 2
        done = tally.done + tally.done_before + tally.skipped.total()
        rate = tally.done / tally.wall_s
        text = f"{done:,}/{self._total:,} pictures" if self._total else f"{done:,} pictures"
        text += f", {rate:.1f}/s, {tally.counts['failed']:,} failed"
        if self._total and rate and not last:
            text += f", about {_clock(max(0, self._total - done) / rate)} left"
        click.echo(f"\r{text}\x1b[K" if terminal else text, err=True, nl=last or not terminal)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._every_s < 2:
            self.show(last=True)


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
