"""The command ``upright``: parse, call, print. Each subcommand is a module that is imported when it is used."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from importlib.util import find_spec

import click

from .. import __version__
from ..errors import UprightError

_COMMANDS = ("detect", "correct", "review", "undo", "batch", "serve", "doctor", "model", "consume", "photos")


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in _COMMANDS if find_spec(f"{__name__}.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(f".{cmd_name}", __name__).command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="upright")
def cli() -> None:
    """Tell which way up pictures belong, and set them right without losing anything.

    Every option can be set in the environment: --engine of `upright detect` is UPRIGHT_DETECT_ENGINE.
    """


def main() -> None:
    """Run the command; an error that upright knows is one line and an exit code, never a stack."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal of another encoding than a name: its letters are escaped, and the run goes on.
            stream.reconfigure(errors="backslashreplace")
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
    except BrokenPipeError:
        # The reader of our output has exited (`upright detect … | head`); closing stdout must not raise again.
        sys.stderr.close()
        sys.exit(141)
