"""Shared by commands that take pictures: go through the sources, print, stop cleanly, summarise."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..decide import allowed
from ..errors import UsageError, printable
from ..results import Outcome
from ..run import Tally, work
from ..sources import find_items, named
from .options import open_detector
from .progress import Progress
from .streams import OutputClosed

if TYPE_CHECKING:
    from ..correction.corrector import Corrector
    from ..detector import Detector
    from ..report import About
    from ..results_file import ResultsFile
    from .by_hand import ByHand


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of a long run, one of so many ``parts``, that goes on from the rows of earlier ones."""

    in_shard: Callable[[str], bool]
    parts: int
    results: ResultsFile

    def wanted(self, tally: Tally) -> Callable[[str], bool]:
        """Whether a key is this part's and not done yet; what is done already is counted."""

        def wanted(key: str) -> bool:
            done = self.in_shard(key) and key in self.results
            tally.done_before += done
            return self.in_shard(key) and not done

        return wanted


def go_through(
    sources: Sequence[str],
    options: dict[str, Any],
    show: Callable[[Outcome], None],
    *,
    corrector: Corrector | None = None,
    batch: Batch | None = None,
) -> Tally:
    """Work through the sources, ``show`` each outcome that is one, and write the report; what was done is answered.

    Ctrl-C once finishes the pictures under way, twice stops at once. How it is taken back is said in any case, and what
    was done even where an error ends the run. A ``batch`` has its outcomes shown as soon as they
    are known, and no report: it writes one of all that its results file holds.
    """
    check_sources(sources, options)
    tally = Tally(before=Counter(batch.results.groups if batch else ()))
    wanted = batch.wanted(tally) if batch else lambda key: True
    output = corrector.folder if corrector else None
    # Read here alone: a list may be a pipe, which gives its names once.
    names = list(named(sources, options["lists"]))
    items = find_items(names, wanted=wanted, once=corrector is not None, exclude=options["exclude"], output=output)
    if corrector is not None:
        items = corrector.placed(items, batch.results.targets if batch else (), names)
    progress = Progress(tally, always=batch is not None, quiet=options["quiet"])
    if progress.counts:
        progress.count(names, batch.parts if batch else 1)
    reading = progress.reading if progress.terminal else None
    with (
        said_anyway(lambda: f"done until then, at least: {tally.summary()}" if tally.done else "", options),
        _taken_back(progress, options, corrector),
        # Before the engine is loaded: onnxruntime calls what Ctrl-C breaks off while it is imported a damaged install.
        stopping(tally) as stop,
        open_detector(options, reading) as detector,
    ):
        tally.timing_s["load"] = detector.load_s
        how = {name: options[name] for name in ("workers", "pages", "together")} | {
            "ordered": batch is None,
            "stop": stop,
            "looked": progress.looked,
        }
        outcomes = work(items, detector, corrector, **how)

        def seen() -> Iterator[Outcome]:
            for outcome in outcomes:
                tally.add(outcome)
                if not outcome.skipped:
                    progress.hide()
                    show(outcome)
                progress.show()
                yield outcome

        with closing(outcomes):
            if options["report"] and not batch:
                from ..report import write_report

                about = _about(detector, options, sources, corrector)
                write_report(seen(), options["report"], about=about)
            else:
                deque(seen(), maxlen=0)
    tally.end()
    return tally


def _about(
    detector: Detector | ByHand, options: dict[str, Any], sources: Sequence[str], corrector: Corrector | None
) -> About:
    """What a report says of a run."""
    from ..report import About
    from .by_hand import ByHand

    model, threshold = "by hand", None
    if not isinstance(detector, ByHand):
        model = f"{detector.model.name} {detector.model.version}"
        _, last = allowed(detector.ladder, options["effort"])[-1]
        threshold = getattr(last, options["promise"])
    journal = corrector.writer.journal if corrector else None
    undo = f"upright undo {shlex.quote(str(journal.path))}" if journal else ""
    return About(
        shlex.join(["upright", *sys.argv[1:]]), model, threshold, undo, f"upright review {shlex.join(sources)}"
    )


def check_sources(sources: Sequence[str], options: dict[str, Any]) -> None:
    """Raise `UsageError` where none is named."""
    if not sources and not options["lists"]:
        raise UsageError("there is nothing to work on", remedy="name folders or pictures, or give --list FILE")


@contextmanager
def said_anyway(text: Callable[[], str], options: dict[str, Any]) -> Iterator[None]:
    """Say what was done where an error ends the command before its last line."""
    try:
        yield
    except OutputClosed:
        raise  # nobody is interested
    except BaseException:
        if not options["quiet"] and (said := text()):
            click.echo(said, err=True)
        raise


@contextmanager
def _taken_back(progress: Progress, options: dict[str, Any], corrector: Corrector | None) -> Iterator[None]:
    """Say in the end how to take back what was changed in place."""
    try:
        yield
    finally:
        progress.hide()
        journal = corrector.writer.journal if corrector else None
        if journal and not options["journal"] and journal.path.exists():
            click.echo(f"`upright undo` takes this back; the journal is {printable(journal.path)}", err=True)


def finish(tally: Tally, text: str, options: dict[str, Any]) -> None:
    """Print the last lines and end the command with the exit code of what was done."""
    if text and not options["quiet"]:
        click.echo(text, err=True)
    if options["timing"]:
        click.echo(tally.timing(), err=True)
    sys.exit(tally.exit_code)


@contextmanager
def stopping(tally: Tally) -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second time they end the program at once."""
    event = threading.Event()

    def stop(number: int, frame: object) -> None:
        event.set()
        tally.stopped = True
        signal.signal(number, before[number])
        click.echo("\nfinishing the pictures under way; press Ctrl-C again to stop at once", err=True)

    before = {int(number): signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
