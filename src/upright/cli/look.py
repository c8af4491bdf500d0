"""``upright PATH…``: what would be done, and what to type next. Nothing is changed."""

from __future__ import annotations

import shlex
from typing import Any

import click

from ..results import Group, Outcome
from ..run import Tally
from .answers import closing_line, printer
from .options import form_options, picture_options
from .parsing import Command
from .running import finish, go_through

#: Rows of a longer run are for `upright detect`.
MOST_ROWS = 20


@click.command("look", cls=Command, hidden=True)
@form_options
@picture_options
def command(sources: tuple[str, ...], form: str, **options: Any) -> None:
    """Look at SOURCES, and say what would be done. Nothing is changed."""
    show, rows = printer(form, options), 0
    options["together"] = options["together"] is not False

    def show_some(outcome: Outcome) -> None:
        nonlocal rows
        if len(sources) > 1 or outcome.source not in sources:
            rows += outcome.group is not Group.UPRIGHT
            if rows > MOST_ROWS or outcome.group is Group.UPRIGHT:
                return
        show(outcome)

    tally = go_through(sources, options, show_some)
    text = closing_line(tally, form)
    if form == "table":
        more = [f"… and {rows - MOST_ROWS:,} more that are not upright"] * (rows > MOST_ROWS)
        text = "\n".join([*more, *filter(None, [text]), *_next(tally, sources)])
    finish(tally, text, options)


def _next(tally: Tally, sources: tuple[str, ...]) -> list[str]:
    """The commands that go on from here."""
    paths, counts = shlex.join(sources), tally.counts
    lines = []
    if turn := counts[Group.WOULD_TURN]:
        together = " --together" * (tally.done > 1)
        lines.append((f"correct {paths} --in-place{together}", f"turns {turn:,}; `upright undo` takes it back"))
    if unsure := counts[Group.UNSURE]:
        lines.append((f"review {paths}", f"shows you {unsure:,} unsure, one key each"))
    if tally.done > 1:
        lines.append((f"detect {paths}", "prints every answer"))
    if not lines:
        return []
    width = max(len(command) for command, _ in lines)
    return ["Nothing was changed. Next:", *(f"  upright {command:<{width}}   {what}" for command, what in lines)]
