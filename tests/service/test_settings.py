"""Settings: each is an option, every message names options that exist, and worker processes get them."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import upright
from upright import UsageError
from upright.cli import cli
from upright.cli.serve import command
from upright.service.settings import Settings, option_of

PACKAGE = Path(upright.__file__).parent


def test_settings_reach_the_workers_by_the_environment(monkeypatch):
    monkeypatch.setenv("UPRIGHT_SERVICE_SETTINGS", "{}")
    settings = Settings(max_queue=3, cors_origin=("https://a.example",))
    settings.to_environment()
    assert Settings.from_environment() == settings


def test_every_setting_is_an_option_with_its_default():
    options = {option.name: option for option in command.params}
    assert {setting.name for setting in fields(Settings)} | {"host", "port", "processes"} == set(options)
    context = click.Context(command)
    values = {setting.name: options[setting.name].get_default(context) for setting in fields(Settings)}
    assert Settings(**values) == Settings()
    assert all(options[setting.name].help for setting in fields(Settings))


@pytest.mark.parametrize("setting", [each for each in fields(Settings) if each.metadata["least"] is not None])
def test_a_value_below_the_least_is_refused_with_the_options_name(setting):
    value = setting.metadata["kind"](setting.metadata["least"]) - 1
    with pytest.raises(UsageError, match=f"{option_of(setting)} is {value}"):
        Settings(**{setting.name: value})
    run = CliRunner().invoke(command, [option_of(setting), str(value)])
    assert run.exit_code == 2
    assert option_of(setting) in run.output


@pytest.mark.parametrize("setting", [each for each in fields(Settings) if each.metadata["kind"] is float])
@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_what_is_no_number_is_refused_with_the_options_name(setting, text):
    with pytest.raises(UsageError, match=f"{option_of(setting)} is {text}; give a number"):
        Settings(**{setting.name: float(text)})


@pytest.mark.parametrize("origin", ["a.example", "https://a.example/", "https://A.example", "", "https://a b"])
def test_an_origin_that_no_browser_names_is_refused(origin):
    with pytest.raises(UsageError, match="--cors-origin is "):
        Settings(cors_origin=("https://b.example", origin))


def test_origins_of_pages_are_taken():
    origins = ("*", "null", "https://a.example", "http://localhost:8080", "http://[::1]:80", "app+x://localhost")
    assert Settings(cors_origin=origins).cors_origin == origins


def options_of(group: click.Command, context: click.Context) -> dict[str, set[str]]:
    """The options of each command, by its name."""
    found = {group.name or "": {name for each in group.params for name in (*each.opts, *each.secondary_opts)}}
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            inner = group.get_command(context, name)
            assert inner
            found |= options_of(inner, context)
    return found


def test_every_option_that_a_message_of_the_package_names_exists():
    """String constants alone: an error, a help text, a docstring. The service names options of `serve`."""
    by_command = options_of(cli, click.Context(cli))
    # Of pip, uv, nvidia-smi, gifsicle, qpdf and curl.
    others = {"--editable", "--force-reinstall", "--no-deps", "--python", "--query-gpu", "--format", "--rotate-"}
    others |= {"--decrypt", "--password", "--break-system-packages"}
    curl = {"--data-binary", "--sparse", "--dereference", "--hard-dereference"}  # and tar
    known = {"--help", *others, *set().union(*by_command.values())}
    unknown = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.name == "integrations":  # these name options of the programs that they are for
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                served = path.parent.name == "service" and path.name != "problems.py"  # which tells them apart
                mine = by_command["serve"] | curl if served else known
                named = re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", node.value)
                unknown += [(path.relative_to(PACKAGE), node.lineno, name) for name in named if name not in mine]
    assert unknown == []
