"""``upright undo``: take corrections back, byte for byte."""

from __future__ import annotations

import json
import sys
from collections import Counter

import click

from .parsing import Command


@click.command("undo", cls=Command, short_help="Take a run in place back, byte for byte.")
@click.argument("journal", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--list", "listed", is_flag=True, help="List the runs in place that kept a journal by themselves.")
@click.option(
    "--moved",
    nargs=2,
    multiple=True,
    metavar="OLD NEW",
    help="The files of folder OLD are in folder NEW now. A folder that was only renamed is found without.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(journal: str | None, listed: bool, moved: tuple[tuple[str, str], ...], as_json: bool) -> None:
    """Restore every file that JOURNAL says was changed, byte for byte; without JOURNAL, the last run in place.

    It says which run that is. A file that has changed since is left as it is and named; the others are restored.
    Running it twice is safe.

    \b
    Exit codes: 0 every file is as it was before the run, 1 some could not be restored, 2 wrong use.
    """
    from ..errors import UprightError, UsageError, printable
    from ..journal import last_run, runs, undo

    if listed and (journal or moved):
        raise UsageError("--list takes nothing back", remedy="leave it out, or give nothing else")
    if listed:
        for run in runs():
            facts = {"changes": run.changes, "backup_bytes": run.backup_bytes, "ended_s": run.ended_s}
            row = {"journal": printable(run.journal), "folder": printable(run.folder), **facts}
            row |= {"error": run.error.to_dict()} if run.error else {}
            click.echo(json.dumps(row) if as_json else f"{printable(run.journal)}: {run.words}")
        return
    last = journal is None
    if journal is None:
        run = last_run()
        journal = str(run.journal)
        click.echo(f"taking back the last run: {run.words}; the journal is {printable(journal)}", err=True)
    counts = Counter[str]()
    for each in undo(journal, moved=moved):
        error = each.outcome if isinstance(each.outcome, UprightError) else None
        counts["failed" if error else str(each.outcome)] += 1
        text = str(error) if error else f"{printable(each.path)}: {each.outcome}"
        click.echo(json.dumps(each.to_dict()) if as_json else text, err=bool(error) and not as_json)
    if counts.total() > 1:
        click.echo(", ".join(f"{count:,} {what}" for what, count in counts.items()), err=True)
    if last and counts.total() == counts["as it was"]:
        click.echo("nothing was left to take back; `upright undo --list` names earlier runs", err=True)
    sys.exit(1 if counts["failed"] else 0)
