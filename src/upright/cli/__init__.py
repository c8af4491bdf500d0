"""The command ``upright``: parse, call, print. Each subcommand is a module that is imported when it is used."""

from __future__ import annotations

import sys

import click

from .. import __version__
from ..errors import UprightError
from .parsing import Lazy
from .streams import OutputClosed, guard


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="upright")
def cli() -> None:
    """Tell which way up pictures belong, and set them right without losing anything.

    \b
    upright photos/                        says what would be done, and what to type next
    upright correct photos/ --in-place     sets pictures upright
    upright review photos/                 shows you what it is unsure of
    upright undo                           takes it back

    Every option that takes a value can be set in the environment: --engine of `upright detect` is
    UPRIGHT_DETECT_ENGINE.
    """


def main() -> None:
    """Run the command; an error that upright knows is one line and an exit code, never a stack."""
    guard()
    try:
        cli(auto_envvar_prefix="UPRIGHT", standalone_mode=False)
    except UprightError as error:
        click.echo(f"upright: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("upright: stopped", err=True)
        sys.exit(130)
    except OutputClosed:
        sys.exit(141)
