"""``upright detect``: which way up pictures belong."""

from __future__ import annotations

from typing import Any

import click

from .answers import closing_line, printer
from .options import form_options, picture_options
from .parsing import Command
from .running import finish, go_through


@click.command("detect", cls=Command)
@form_options
@picture_options
def command(sources: tuple[str, ...], form: str, **options: Any) -> None:
    """Print the clockwise turn that makes each picture upright.

    \b
    upright detect photos/
    upright detect scan.jpg --json

    SOURCES are pictures, folders (searched through, pictures known by their content), tar shards, Parquet files, URLs,
    or - for standard input.

    \b
    Exit codes: 0 every picture was answered (unsure is an answer), 1 some could not be read, 2 wrong use.
    """
    tally = go_through(sources, options, printer(form, options))
    finish(tally, closing_line(tally, form), options)
