"""How answers are printed: a table for people, JSON lines and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..errors import printable
from ..results import COLUMNS, Outcome, columns

if TYPE_CHECKING:
    from ..results import Correction, Orientation
    from ..run import Tally

Printer = Callable[[Outcome], None]


def printer(form: str) -> Printer:
    """What prints one row in the form ``table``, ``json`` (one object a line) or ``csv``; errors go to stderr."""
    return {"json": lambda: _print_json, "csv": _csv_printer, "table": _table_printer}[form]()


def _print_json(row: Outcome) -> None:
    values = row.to_dict() | ({"timing_s": row.orientation.to_dict()["timing_s"]} if row.orientation else {})
    # A name may hold lone surrogates; "backslashreplace" writes them as JSON's own escape for them.
    click.echo(json.dumps(values, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def _csv_printer() -> Printer:
    writer = csv.DictWriter(sys.stdout, list(COLUMNS), lineterminator="\n")
    started = False

    def show(row: Outcome) -> None:
        nonlocal started
        if not started:
            writer.writeheader()
            started = True
        writer.writerow(columns(row.to_dict()))

    return show


def _table_printer() -> Printer:
    started = False

    def show(row: Outcome) -> None:
        nonlocal started
        if not started:
            click.echo(f"{'turn':>7}  {'sure':>7}  {'method':<9} picture")
            started = True
        orientation, correction = row.orientation, row.correction
        if row.error or not orientation:
            click.echo(f"{click.style('  error', fg='red')}  {'':7}  {'':9} {row.error}", err=True)
            return
        turn = "unsure" if orientation.unsure else "upright" if not orientation.turn else f"{orientation.turn}°"
        colour = "yellow" if orientation.unsure else "green" if orientation.turn else None
        method = correction.method.value if correction else ""
        notes = _notes(orientation, correction)
        click.echo(
            f"{click.style(f'{turn:>7}', fg=colour)}  {100 * orientation.confidence:6.2f}%  {method:<9} "
            f"{printable(row.source)}{f'  ({notes})' if notes else ''}"
        )

    return show


def _notes(orientation: Orientation, correction: Correction | None) -> str:
    notes = list(orientation.warnings)
    if orientation.unsure:
        notes.insert(0, f"best guess {int(orientation.best)}°")
    if correction and correction.note:
        notes.append(correction.note)
    return "; ".join(notes)


def closing_line(tally: Tally, form: str) -> str:
    """The last line: what became of several pictures, and in any case how many files were passed over."""
    if not tally.done and not tally.stopped:
        return f"no picture was found; {tally.summary()}" if tally.skipped else "no picture was found"
    return tally.summary() if tally.skipped or (form == "table" and tally.done > 1) else ""
