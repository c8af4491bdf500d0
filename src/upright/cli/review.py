"""``upright review``: settle by eye what upright is unsure of."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import SourceMissing, UsageError
from ..results import Outcome
from .answers import printer
from .options import DECIDING_NAMES, open_detector, picture_options, refuse
from .parsing import Command
from .running import check_sources

if TYPE_CHECKING:
    from ..review import Session


@click.command("review", cls=Command, short_help="Settle by eye what upright is unsure of.")
@click.option("-o", "--output", metavar="OUT", help="Copy the pictures into OUT and set the copies right.")
@click.option("--journal", metavar="FILE", help="Note each change in FILE; by default in upright's state folder.")
@click.option(
    "--decisions",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Remember decisions in FILE; by default in upright's state folder.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where to listen; by default a free port.")
@click.option("--no-browser", is_flag=True, help="Print the address; open no browser.")
@picture_options
@click.pass_context
def command(context: click.Context, /, sources: tuple[str, ...], **options: Any) -> None:
    """Settle by eye what upright is unsure of: large pictures in your browser, one key each.

    SOURCES are pictures and folders, or one results file (.jsonl) of `upright batch`. Pictures are changed in place,
    without loss, the moment that you decide; with -o copies are. Pictures with running numbers are decided together.
    A closed tab or a killed process loses nothing: the same command goes on.

    \b
    upright review scans/
    upright review photos/ -o upright-photos/

    \b
    Arrows turn the picture, Enter settles it, Shift+Enter all of its job, M mirrors, U undoes, N and P move.
    The page is on this machine only, behind a token in its address.
    """
    check_sources(sources, options)
    refuse(context, ("report", "timing"), "is not for a review", "leave it out")
    if _is_results(sources):
        refuse(context, ("lists", "exclude", *DECIDING_NAMES), "does not go with a results file", "leave it out")
        if not Path(sources[0]).is_file():
            raise SourceMissing("there is no such results file", source=sources[0], remedy="name one, or pictures")
        if options["output"]:
            raise UsageError("-o does not go with a results file", remedy="name the folders that it is about")
    session = _session(options)
    _review(session, sources, options)
    if session.complete and not session.shows_something:
        click.echo("there is no picture to review", err=True)
        sys.exit(1)
    click.echo(_summary(session), err=True)


def _session(options: dict[str, Any]) -> Session:
    from ..journal import Journal, run_journal
    from ..machine import state_folder
    from ..review import Session
    from ..together import place_of

    def job_of(outcome: Outcome) -> str:
        place = place_of(outcome)
        return "\0".join(place.job) if place else ""

    journal = Journal(options["journal"]) if options["journal"] else run_journal()
    decisions = options["decisions"] or state_folder() / "decisions.jsonl"
    return Session(journal, decisions, Path(options["output"]) if options["output"] else None, job_of)


def _review(session: Session, sources: tuple[str, ...], options: dict[str, Any]) -> None:
    """Show the pictures, while they are decided, until the person has done; Ctrl-C and SIGTERM end it, too."""
    from ..review import Server

    server = Server(session, options["port"])
    stop, known = threading.Event(), threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    looking = threading.Thread(target=_look, args=(session, sources, options, stop, known), daemon=True)
    looking.start()
    try:
        # A shell that starts a program in the background has it ignore Ctrl-C, and SIGTERM would end it without a word.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        known.wait()
        if session.shows_something:
            click.echo(f"review at {server.url}\npress Ctrl-C or Finish to end", err=True)
            if not options["no_browser"]:
                webbrowser.open(server.url)
            server.finished.wait()
    except KeyboardInterrupt:
        click.echo(err=True)
    stop.set()
    server.shutdown()
    server.server_close()
    looking.join()


def _look(
    session: Session, sources: tuple[str, ...], options: dict[str, Any], stop: threading.Event, known: threading.Event
) -> None:
    """Decide all pictures, and hand them to the session; ``known`` is set with the first, or where there is none."""
    show = printer("table", options | {"quiet": True})
    try:
        for outcome, relative in _outcomes(sources, options, stop):
            if stop.is_set():
                return
            session.add(outcome, relative, earlier=_is_results(sources))
            if outcome.orientation:
                known.set()
            elif outcome.error:
                show(outcome)
    except Exception as error:
        click.echo(f"upright: {error}", err=True)
    session.complete = True
    known.set()


def _is_results(sources: tuple[str, ...]) -> bool:
    return len(sources) == 1 and sources[0].lower().endswith(".jsonl")


def _outcomes(
    sources: tuple[str, ...], options: dict[str, Any], stop: threading.Event
) -> Iterator[tuple[Outcome, Path]]:
    from ..results_file import read_outcomes
    from ..run import work
    from ..sources import Item, find_items

    if _is_results(sources):
        for outcome in read_outcomes(Path(sources[0])):
            yield outcome, Path(Path(outcome.source).name)
        return
    places: dict[str, Path] = {}

    def placed(items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            places[item.key] = Path(item.relative)
            yield item

    where = {"lists": options["lists"], "exclude": options["exclude"], "output": options["output"]}
    items = placed(find_items(sources, once=True, **where))
    with open_detector(options) as detector:
        how = {"workers": options["workers"], "pages": options["pages"], "stop": stop}
        for outcome in work(items, detector, together=options["together"] is not False, **how):
            yield outcome, places[outcome.source]


def _summary(session: Session) -> str:
    counts = session.counts()
    text = f"{counts['decided']:,} of {counts['pictures']:,} pictures settled, {counts['turned']:,} turned"
    if session.journal.path.exists():
        text += f"; undo all of it with: upright undo {shlex.quote(str(session.journal.path))}"
    return f"{text}\ndecisions: {session.decisions}"
