"""``upright undo``: take corrections back, byte for byte."""

from __future__ import annotations

import sys

import click


@click.command("undo")
@click.argument("journal", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--list", "listed", is_flag=True, help="List the runs in place that kept a journal by themselves.")
@click.option(
    "--moved",
    nargs=2,
    multiple=True,
    metavar="OLD NEW",
    help="The files of folder OLD are in folder NEW now. A folder that was only renamed is found without.",
)
def command(journal: str | None, listed: bool, moved: tuple[tuple[str, str], ...]) -> None:
    """Restore every file that JOURNAL says was changed, byte for byte; without JOURNAL, the last run in place.

    It says which run that is. A file that has changed since is left as it is and named; the others are restored.
    Running it twice is safe.
    """
    from ..errors import UprightError, UsageError, printable
    from ..journal import last_run, runs, undo

    if listed and (journal or moved):
        raise UsageError("--list takes nothing back", remedy="leave it out, or give nothing else")
    if listed:
        for run in runs():
            click.echo(f"{printable(run.journal)}: {run.words}")
        return
    if journal is None:
        run = last_run()
        journal = str(run.journal)
        click.echo(f"taking back the last run: {run.words}; the journal is {printable(journal)}", err=True)
    failed = 0
    for path, outcome in undo(journal, moved=moved):
        failed += isinstance(outcome, UprightError)
        text = str(outcome) if isinstance(outcome, UprightError) else f"{printable(path)}: {outcome}"
        click.echo(text, err=isinstance(outcome, UprightError))
    sys.exit(1 if failed else 0)
