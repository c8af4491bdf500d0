"""``upright correct``: set pictures right without losing anything."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UprightError, UsageError
from ..folders import STANDARD_STREAM
from ..report import write_report
from ..results import Method, Outcome
from ..turns import Turn
from .answers import Tally, printer
from .options import detected, detector_options, open_detector

if TYPE_CHECKING:
    from ..folders import Found


@click.command("correct")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=str, allow_dash=True))
@click.option("-o", "--output", metavar="OUT", help="A file for one picture, a folder for several, - for stdout.")
@click.option("--in-place", is_flag=True, help="Change the files themselves, each atomically.")
@click.option(
    "--method",
    type=click.Choice(["auto", "tag", "turn", "reencode"]),
    default="auto",
    show_default=True,
    help="tag: change the EXIF orientation, one value. turn: turn the pixels without loss. reencode: turn and"
    " compress anew. auto: tag where the format has one, else turn.",
)
@click.option(
    "--edge",
    type=click.Choice(["tag", "trim", "refuse"]),
    default="tag",
    show_default=True,
    help="What turn does where a JPEG's edge blocks are not whole.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--journal", metavar="FILE", help="Note each change in FILE, for `upright undo FILE`.")
@click.option("--report", metavar="FILE.html", help="Write a before/after contact sheet (HTML, and PNG beside it).")
@click.option("--overwrite", is_flag=True, help="Replace files that are already in OUT.")
@click.option("--new-times", is_flag=True, help="Give written files today's time instead of the original's.")
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header.")
@click.option("--table", "form", flag_value="table", default="table", hidden=True)
@detector_options
def command(paths: tuple[str, ...], form: str, **options: Any) -> None:
    """Set pictures upright: into OUT, or in place.

    PATHS are pictures, folders (searched through), or - for standard input. A picture that upright is unsure of, or
    that is upright, is left alone in place and copied byte for byte into OUT.

    \b
    upright correct in.jpg -o output.jpeg
    upright correct photos/ --in-place --careful --journal turned.jsonl
    """
    from ..folders import find_pictures

    _check(paths, options)
    tally, show, rows = Tally(), printer(form), []
    with open_detector(options) as detector:
        for found, row in detected(
            detector, find_pictures(paths, seen=set() if options["in_place"] else None), options
        ):
            started = time.perf_counter()
            row = _corrected(found, row, _target(found, paths, options), options)
            tally.stages_s["write"] += time.perf_counter() - started
            tally.add(row)
            if options["output"] != STANDARD_STREAM or row.error:
                show(row)
            rows.append(row)
        if options["report"]:
            write_report(rows, options["report"])
        if form == "table" and tally.counts.total() > 1:
            click.echo(tally.summary(), err=True)
        if options["timing"]:
            click.echo(tally.timing(detector.load_s), err=True)
    sys.exit(1 if tally.failed else 0)


def _check(paths: tuple[str, ...], options: dict[str, Any]) -> None:
    output, dry = options["output"], options["dry_run"]
    if bool(output) == options["in_place"] and not (dry and not output):
        raise UsageError("say where to write", remedy="give either -o OUT or --in-place (or --dry-run)")
    if options["in_place"] and STANDARD_STREAM in paths:
        raise UsageError("standard input cannot be corrected in place", remedy="give -o FILE, or -o - for stdout")
    if output == STANDARD_STREAM and (len(paths) != 1 or Path(paths[0]).is_dir()):
        raise UsageError("only one picture can go to standard output", remedy="give a folder with -o")


def _target(found: Found, paths: tuple[str, ...], options: dict[str, Any]) -> str | None:
    """Where the corrected picture goes: the named file, or its place below the named folder."""
    output = options["output"]
    if not output or output == STANDARD_STREAM:
        return output or None
    single = len(paths) == 1 and not Path(paths[0]).is_dir()
    if single and not Path(output).is_dir() and not output.endswith(os.sep):
        return str(output)
    return str(Path(output) / found.relative)


def _corrected(found: Found, row: Outcome, target: str | None, options: dict[str, Any]) -> Outcome:
    """The row with its correction, or with the error that kept it from being written."""
    from ..correct import correct, corrected_bytes

    if not row.orientation:
        return row
    turn = row.orientation.turn or Turn.NONE
    how = {"method": None if options["method"] == "auto" else Method(options["method"]), "edge": options["edge"]}
    source = found.read() if found.path == STANDARD_STREAM else found.path
    try:
        if target == STANDARD_STREAM:
            data, correction = corrected_bytes(source, turn, page=options["page"], **how)
            sys.stdout.buffer.write(data)
        else:
            correction = correct(
                source,
                target,
                turn=turn,
                in_place=options["in_place"],
                dry_run=options["dry_run"],
                journal=options["journal"],
                overwrite=options["overwrite"],
                keep_times=not options["new_times"],
                page=options["page"],
                **how,
            )
    except UprightError as error:
        return replace(row, error=error)
    return replace(row, correction=correction)
