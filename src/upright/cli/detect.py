"""``upright detect``: which way up pictures belong."""

from __future__ import annotations

import sys
from typing import Any

import click

from .answers import Tally, printer
from .options import detected, detector_options, open_detector


@click.command("detect")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=str, allow_dash=True))
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header.")
@click.option("--table", "form", flag_value="table", default="table", hidden=True)
@detector_options
def command(paths: tuple[str, ...], form: str, **options: Any) -> None:
    """Print the clockwise turn that makes each picture upright.

    PATHS are pictures, folders (searched through, pictures known by their content), or - for standard input.

    \b
    Exit codes: 0 every picture was answered (unsure is an answer), 1 some could not be read, 2 wrong use.
    """
    from ..folders import find_pictures

    tally, show = Tally(), printer(form)
    with open_detector(options) as detector:
        for _, row in detected(detector, find_pictures(paths), options):
            show(row)
            tally.add(row)
        if form == "table" and tally.counts.total() > 1:
            click.echo(tally.summary(), err=True)
        if options["timing"]:
            click.echo(tally.timing(detector.load_s), err=True)
    sys.exit(1 if tally.failed else 0)
