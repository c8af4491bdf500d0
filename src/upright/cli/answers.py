"""How answers are printed: a table for people, JSON lines and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..errors import printable
from ..results import COLUMNS, Group, Method, Outcome, Reason, columns

if TYPE_CHECKING:
    from ..results import Correction, Orientation
    from ..run import Tally

_COLOURS = {
    Group.TURNED: "green",
    Group.WOULD_TURN: "green",
    Group.CANNOT: "red",
    Group.UNSURE: "yellow",
    Group.FAILED: "red",
}
#: How a run goes on that was stopped.
AGAIN = "run the same command again"
Printer = Callable[[Outcome], None]


def printer(form: str, options: dict[str, Any], *, err: bool = False) -> Printer:
    """What prints one row in the form ``table``, ``json`` (one object a line) or ``csv``.

    A table has its errors on stderr; with ``err`` everything goes there.
    """
    head: Callable[[], object] = lambda: None  # noqa: E731
    show: Callable[[Outcome], object] = partial(_print_json, err)
    if form == "csv":
        writer = csv.DictWriter(sys.stderr if err else sys.stdout, list(COLUMNS), lineterminator="\n")
        head, show = writer.writeheader, lambda row: writer.writerow(columns(row.to_dict()))
    elif form == "table":
        head = partial(_print_head, options["tilt"], err)
        show = partial(_print_line, options["verbose"], options["tilt"], err)
    started = False

    def show_row(row: Outcome) -> None:
        nonlocal started
        if options["quiet"] and row.group not in (Group.FAILED, Group.CANNOT):
            return
        if not started:
            head()
            started = True
        show(row)

    return show_row


def _print_json(err: bool, row: Outcome) -> None:
    values = row.to_dict() | ({"timing_s": row.orientation.to_dict()["timing_s"]} if row.orientation else {})
    # A name may hold lone surrogates; "backslashreplace" writes them as JSON's own escape for them.
    click.echo(json.dumps(values, ensure_ascii=False).encode("utf-8", "backslashreplace"), err=err)


def _print_head(tilt: bool, err: bool) -> None:
    middle = f"{'tilt':>16}  " * tilt
    click.echo(f"{'turn':>7}  {'sure':>7}  {middle}{'outcome':<17} picture", err=err)


def _print_line(verbose: bool, tilt: bool, err: bool, row: Outcome) -> None:
    orientation, correction = row.orientation, row.correction
    middle = f"{orientation.tilt_words if orientation else '':>16}  " * tilt
    if row.error or not orientation:
        answer = "" if not orientation else f"{100 * orientation.confidence:6.2f}%"
        words = click.style(f"{row.group:<17}", fg=_COLOURS[row.group])
        page = f"  (page {row.page + 1})" * (row.name != row.source)
        click.echo(f"{_turn(orientation):>7}  {answer:7}  {middle}{words} {row.error}{page}", err=True)
        return
    words = row.group.value
    if correction and correction.method is not Method.KEEP:
        words += f" ({correction.method})"
    notes = row.words if verbose else _notes(orientation, correction)
    click.echo(
        f"{_turn(orientation):>7}  {100 * orientation.confidence:6.2f}%  {middle}"
        f"{click.style(f'{words:<17}', fg=_COLOURS.get(row.group))} "
        f"{printable(row.name)}{f'  ({notes})' if notes else ''}",
        err=err,
    )


def _turn(orientation: Orientation | None) -> str:
    return "" if orientation is None or orientation.turn is None else f"{orientation.turn}°"


def _notes(orientation: Orientation, correction: Correction | None) -> str:
    notes = list(orientation.warnings)
    if orientation.unsure and not correction:
        notes.insert(0, f"best guess {int(orientation.best)}°")
    if orientation.together and orientation.reason is Reason.TOGETHER:
        notes.insert(0, orientation.together.words)
    if orientation.mirrored:
        notes.insert(0, "mirrored")
    if correction:
        straightened = f"straightened by {correction.tilt:+.2f}°" if correction.tilt else ""
        notes += filter(None, (straightened, correction.note, correction.remedy))
    return "; ".join(notes)


def closing_line(tally: Tally, form: str, again: str = f"{AGAIN} for the rest") -> str:
    """The last line: what became of several pictures, and in any case how many files were skipped.

    ``again`` says how a run that was stopped goes on.
    """
    if tally.stopped:
        return f"stopped: {tally.summary()}; {again}"
    if not tally.done:
        return f"no picture was found; {tally.summary()}" if tally.skipped else "no picture was found"
    return tally.summary() if tally.skipped or (form == "table" and tally.done > 1) else ""
