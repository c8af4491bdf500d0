"""How answers are printed: a table for people, JSON lines and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..errors import printable
from ..results import COLUMNS, Outcome, columns

if TYPE_CHECKING:
    from ..results import Correction, Orientation

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


class Tally:
    """Counts answers and seconds, for the lines at the end and the exit code."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.stages_s = {"read": 0.0, "infer": 0.0, "write": 0.0}

    def add(self, row: Outcome) -> None:
        """Take note of one answer."""
        self.counts[row.group] += 1
        if row.orientation:
            for stage, seconds in row.orientation.timing_s.items():
                self.stages_s[stage] += seconds

    @property
    def failed(self) -> int:
        """How many pictures could not be read or written."""
        return self.counts["failed"]

    def summary(self) -> str:
        """One line: how many were what."""
        return ", ".join(f"{self.counts[group]} {group}" for group in ("upright", "turned", "unsure", "failed"))

    def timing(self, load_s: float) -> str:
        """The seconds of each stage: load, read (decode and shrink), infer, write."""
        stages = {"load": load_s} | self.stages_s
        lines = [f"{'stage':<8}{'seconds':>10}"]
        lines += [f"{stage:<8}{seconds:>10.4f}" for stage, seconds in stages.items()]
        return "\n".join([*lines, f"{'total':<8}{sum(stages.values()):>10.4f}"])
