"""The manual page and the completions of the command, made from the command itself when a wheel is built.

A wheel installs them below share/ of its environment, where man, bash, zsh and fish look if that is on their path;
packages of distributions install the same files. Nothing but click is needed: no subcommand imports more until it runs.
"""

import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from click.shell_completion import get_completion_class
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MANUAL = "man/man1/upright.1"
COMPLETIONS = {
    "bash": "bash-completion/completions/upright",
    "zsh": "zsh/site-functions/_upright",
    "fish": "fish/vendor_completions.d/upright.fish",
}


def escaped(text: str) -> str:
    """Text as roff: no line is taken for a request, and a hyphen can be copied into a shell."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in {".", "'"} else line for line in text.splitlines())


def paragraphs(text: str) -> Iterator[str]:
    """Click's help text: paragraphs are filled, those that begin with \\b keep their lines."""
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.lstrip().startswith("\b"):
            yield f".PP\n.nf\n{escaped(part.lstrip().removeprefix(chr(8)).strip(chr(10)))}\n.fi"
        else:
            yield f".PP\n{escaped(' '.join(part.split()))}"


def options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    for names, text in records:
        yield f".TP\n\\fB{escaped(names)}\\fR\n{escaped(' '.join(text.split()))}"


def manual(group: click.Group) -> str:
    """The manual page, section 1, of a command and all its subcommands."""
    top = click.Context(group, info_name="upright")
    parts = [
        '.TH UPRIGHT 1 "" "upright" "User Commands"',
        f".SH NAME\nupright \\- {escaped(group.get_short_help_str(100))}",
        f".SH SYNOPSIS\n{escaped(' '.join(group.collect_usage_pieces(top)))}",
        ".SH DESCRIPTION",
        *paragraphs(group.help or ""),
        ".SH OPTIONS",
        *options(group, top),
        ".SH COMMANDS",
    ]
    for name in group.list_commands(top):
        command = group.get_command(top, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, parent=top, info_name=name)
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        parts += [f".SS {escaped(usage)}", *paragraphs(command.help or ""), *options(command, context)]
        if isinstance(command, click.Group):
            parts += [f".PP\nSee\n.B upright {name} COMMAND \\-\\-help"]
    return "\n".join(parts) + "\n"


def files(sources: Path) -> dict[str, str]:
    """Each text by its place below share/, from the sources of the package."""
    os.environ["COLUMNS"] = "100"  # of a terminal, which a build may have or not
    sys.path.insert(0, str(sources))
    from upright.cli import cli

    found = {MANUAL: manual(cli)}
    for shell, place in COMPLETIONS.items():
        kind = get_completion_class(shell)
        assert kind
        each = kind(cli, {}, "upright", "_UPRIGHT_COMPLETE")
        found[place] = each.source_template % each.source_vars()
    return found


class CustomBuildHook(BuildHookInterface[Any]):
    """What pyproject.toml names for the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        self.folder = TemporaryDirectory()
        for place, text in files(Path(self.root, "src")).items():
            path = Path(self.folder.name, place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            build_data["shared_data"][str(path)] = f"share/{place}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self.folder.cleanup()
