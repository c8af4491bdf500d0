"""``upright undo``: take corrections back, byte for byte."""

from __future__ import annotations

import sys

import click


@click.command("undo")
@click.argument("journal", type=click.Path(exists=True, dir_okay=False))
def command(journal: str) -> None:
    """Restore every file that JOURNAL says was changed, byte for byte.

    A file that has changed since is left as it is and named; the others are restored. Running it twice is safe.
    """
    from ..errors import UprightError, printable
    from ..journal import undo

    failed = 0
    for path, outcome in undo(journal):
        failed += isinstance(outcome, UprightError)
        click.echo(f"{printable(path)}: {outcome}", err=isinstance(outcome, UprightError))
    sys.exit(1 if failed else 0)
