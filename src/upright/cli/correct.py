"""``upright correct``: set pictures right without losing anything."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..formats import format_of_suffix
from ..results import Group, Outcome
from ..sources import STANDARD_STREAM
from .answers import AGAIN, closing_line, printer
from .options import check_options, correction_options, corrector_of, form_options, picture_options
from .parsing import Command
from .running import finish, go_through

if TYPE_CHECKING:
    from ..correction.corrector import Corrector
    from ..run import Tally


@click.command("correct", cls=Command)
@click.option("-o", "--output", metavar="OUT", help="A file for one picture, a folder for several, - for stdout.")
@correction_options
@form_options
@picture_options
@click.pass_context
def command(context: click.Context, /, sources: tuple[str, ...], form: str, **options: Any) -> None:
    """Set pictures upright: into OUT, or in place.

    SOURCES are pictures, folders (searched through), tar shards, Parquet files, URLs, or - for standard input. A
    picture that upright is unsure of, or that is upright, is left alone in place and copied byte for byte into OUT.

    \b
    upright correct in.jpg -o output.jpeg
    upright correct photos/ --in-place --careful

    \b
    Exit codes: 0 all is done, 1 some pictures failed, 3 some need a turn and cannot be turned (their rows say why and
    what to do), 2 wrong use.
    """
    check_options(context, options)
    piped = options["output"] == STANDARD_STREAM
    corrector, show = _corrector(sources, options), printer(form, options, err=piped)

    def show_unless_piped(outcome: Outcome) -> None:
        if not piped or outcome.error:
            show(outcome)

    tally = go_through(sources, options, show_unless_piped, corrector=corrector)
    lines = [_for_the_rest(tally, form, sources, options), closing_line(tally, form, _again(options, corrector))]
    finish(tally, "\n".join(filter(None, lines)), options)


def _for_the_rest(tally: Tally, form: str, sources: tuple[str, ...], options: dict[str, Any]) -> str:
    """The command that settles what is unsure."""
    where = (options["output"],) if options["output"] else sources
    written = not options["dry_run"] and not options["sidecar"] and options["output"] != STANDARD_STREAM
    if form != "table" or not tally.counts[Group.UNSURE] or not written or not where:
        return ""
    return f"`upright review {shlex.join(where)}` shows you what is unsure, one key each"


def _again(options: dict[str, Any], corrector: Corrector) -> str:
    """How a run that was stopped goes on. Where nothing is decided, nothing knows what it has turned already."""
    journal = corrector.writer.journal
    if options["turn"] and journal and journal.path.exists():
        return f"run `upright undo {shlex.quote(str(journal.path))}` first, then {AGAIN}, or some are turned twice"
    return f"{AGAIN} for the rest"


def _corrector(sources: tuple[str, ...], options: dict[str, Any]) -> Corrector:
    output = options["output"]
    options["in_place"] |= bool(options["sidecar"]) and not output
    if output and options["in_place"]:
        raise UsageError("-o and --in-place contradict each other", remedy="give one of them")
    if not output and not options["in_place"] and not options["dry_run"]:
        raise UsageError("where to write is not said", remedy="give -o OUT or --in-place, or look first by --dry-run")
    if options["in_place"] and STANDARD_STREAM in sources:
        raise UsageError("standard input cannot be corrected in place", remedy="give -o FILE, or -o - for stdout")
    single = sources[0] if len(sources) == 1 and not options["lists"] else None
    if output == STANDARD_STREAM:
        if single is None or Path(single).is_dir():
            raise UsageError("only one picture can go to standard output", remedy="give a folder with -o")
        if sys.stdout.isatty():
            raise UsageError("standard output is a terminal", remedy="send it into a file or a program: -o - > FILE")
        from ..correction.writer import BytesWriter

        return corrector_of(options, None, writer=BytesWriter(dry_run=options["dry_run"], take=sys.stdout.buffer.write))
    if output and (Path(output).is_dir() or output.endswith(os.sep)):
        single = None
    elif output and format_of_suffix(output) and (single is None or Path(single).is_dir()):
        cause = f"{output} is the name of one picture, and there are several"
        raise UsageError(cause, remedy=f"name a folder; one of this name is {output}{os.sep}")
    return corrector_of(options, output or None, single=single)
