"""How the command line is understood: commands that are imported when they are used, paths without a command, help."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError

COMMANDS = ("detect", "correct", "review", "undo", "batch", "watch", "serve", "doctor", "model", "consume", "photos")
#: What paths without a command get.
_LOOK = "look"
#: Parameters that few need; they come last in the help.
_RARE = {
    *("bands", "budget_ms", "color", "edge", "engine", "gpus", "limits", "model", "new_times"),
    *("port", "ray", "shard", "threads", "timing", "workers"),
}


class Lazy(click.Group):
    """The group of all commands; what is no command and is there to be looked at is looked at."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those whose module is there."""
        return [name for name in COMMANDS if find_spec(f"{__package__}.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported."""
        if cmd_name not in (*self.list_commands(ctx), _LOOK):
            return None
        command = import_module(f".{cmd_name}", __package__).command
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Paths without a command are looked at. Raises `UsageError` for a word that is neither."""
        own = ("-h", "--help", "--version")
        if args and args[0] not in (*self.list_commands(ctx), *own):
            close = difflib.get_close_matches(args[0], self.list_commands(ctx))
            # Paths may follow a mistyped command: it is no picture that is missing.
            mistyped = close and not args[0].startswith("-") and not _is_source(args[0])
            if any(map(_is_source, args)) and not mistyped:
                args = [_LOOK, *args]
            elif not args[0].startswith("-"):
                remedy = f"did you mean `upright {close[0]}`?" if close else "`upright --help` lists the commands"
                raise UsageError(f"there is no command and no file {args[0]!r}", remedy=remedy)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and see that its output is out: at the very end nobody would say that it is not."""
        try:
            return super().invoke(ctx)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()


def _is_source(word: str) -> bool:
    from ..sources.stores import is_remote

    try:
        return word == "-" or is_remote(word) or Path(word).exists()
    except (OSError, ValueError):
        return False


class Command(click.Command):
    """A command whose help begins with its examples and ends with the options that few need."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises `UsageError` for two flags that set one thing: the last one would win, and nobody would know."""
        options = args[: args.index("--")] if "--" in args else args
        for name in dict.fromkeys(option.name for option in self.params):
            flags = [flag for each in self.params if each.name == name for flag in (*each.opts, *each.secondary_opts)]
            given = [flag for flag in flags if flag[:2] == "--" and flag in options]
            if len(given) > 1:
                raise UsageError(f"{' and '.join(given)} contradict each other", remedy="give one of them")
        for option in self.params:
            if isinstance(option, click.Option) and not option.is_flag and ctx.auto_envvar_prefix:
                # click itself has the name of the parameter, which users do not know; that still works, too.
                name = max(option.opts, key=len).removeprefix("--").replace("-", "_").upper()
                option.envvar = f"{ctx.auto_envvar_prefix}_{name}"
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Usage, examples, text, options."""
        self.format_usage(ctx, formatter)
        paragraphs = cleandoc(self.help or "").split("\n\n")
        examples = [each for each in paragraphs if "\b\nupright " in each]
        if examples:
            with formatter.section("Examples"):
                for line in "\n".join(examples).replace("\b\n", "").splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")
        whole, self.help = self.help, "\n\n".join(each for each in paragraphs if each not in examples)
        try:
            self.format_help_text(ctx, formatter)
        finally:
            self.help = whole
        self.format_options(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The usual ones first."""
        for title, rare in (("Options", False), ("Options that few need", True)):
            options = [p for p in self.get_params(ctx) if isinstance(p, click.Option) and (p.name in _RARE) == rare]
            rows = [record for option in options if (record := option.get_help_record(ctx))]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
