"""The reference, made from the program: commands, classes, the form of an outcome, the routes of the service."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import upright
from upright.cli import cli
from upright.errors import UprightError
from upright.service import answers
from upright.service.app import create_app
from upright.service.openapi import describe
from upright.service.settings import Settings

DOCS = Path(__file__).parent
ROOT = DOCS.parent
#: Headings of the page of classes and functions, and the modules whose public names come under each.
_HEADINGS = {
    "Deciding": ("detector",),
    "Correcting": ("correction", "journal"),
    "Answers": ("results", "turns"),
    "Pictures": ("pictures", "limits"),
    "Errors": ("errors",),
}


#: Pages of the site that are files elsewhere in the repository.
_ELSEWHERE = {
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
    "changes": "CHANGELOG.md",
    "training": "training/README.md",
    "training-log": "training/LOG.md",
    "benchmark": "benchmark/README.md",
    "benchmark-methods": "benchmark/METHODS.md",
    "benchmark-data": "benchmark/DATACARD.md",
    "benchmark-results": "benchmark/RESULTS.md",
    "examples": "examples/README.md",
    "npm": "web/package/README.md",
    "model-card": "src/upright/models/upright-1/README.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def write(folder: Path) -> None:
    """Write a page for each part of the reference into ``folder``."""
    folder.mkdir(exist_ok=True)
    for page in (commands, library, outcome, http):
        (folder / f"{page.__name__}.md").write_text("\n".join(page()) + "\n", "utf-8")
    for name, path in _ELSEWHERE.items():
        text = (ROOT / path).read_text("utf-8")
        (folder / f"{name}.md").write_text(linked(text, ROOT / path, folder / f"{name}.md"), "utf-8")


def linked(text: str, source: Path, page: Path) -> str:
    """The text of ``source`` with its links as they are for ``page`` of the site."""
    pages = {ROOT / path: DOCS / "reference" / f"{name}.md" for name, path in _ELSEWHERE.items()}
    pages[ROOT / "README.md"] = DOCS / "index.md"

    def link(found: re.Match[str]) -> str:
        there = Path(os.path.normpath(source.parent / found[2]))
        if there.is_dir():
            return f"`{there.relative_to(ROOT)}/`"
        return f"[{found[1]}]({os.path.relpath(pages.get(there, there), page.parent)}{found[3] or ''})"

    return _LINK.sub(link, text)


def commands() -> Iterator[str]:
    """Every command with its ``--help``."""
    yield "# Commands\n"
    yield "The exit code is 0 when all pictures are done, 1 when some could not be read or written, 2 when the command"
    yield "is not understood or upright cannot run, 130 after Ctrl-C. Every option that takes a value is also an"
    yield "environment variable: `upright detect --engine` is `UPRIGHT_DETECT_ENGINE`.\n"
    yield from _command(cli, click.Context(cli, info_name="upright", max_content_width=100))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    if context.parent:
        yield f"\n## `{context.command_path}`\n"
    yield f"```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (inner := command.get_command(context, name)) is not None:
                yield from _command(inner, click.Context(inner, context, name, max_content_width=100))


def library() -> Iterator[str]:
    """Every public name, under the heading of its module."""
    yield "# Classes and functions\n"
    yield "`from upright import …`: these names are public, everything else may change."
    homes = {name: getattr(upright, name).__module__.split(".")[1] for name in upright.__all__ if name[0] != "_"}
    for heading, modules in _HEADINGS.items():
        yield f"\n## {heading}\n"
        if heading == "Errors":
            drawing = str(import_module("upright.errors").__doc__).partition("\n\n")[2]
            yield f"```text\n{drawing.strip()}\n```"
        for name in [name for name, home in homes.items() if home in modules]:
            del homes[name]
            value = getattr(upright, name)
            kind = "exception" if _is_error(value) else "class" if isinstance(value, type) else "function"
            members = "   :members:\n" if kind == "class" else ""
            yield f"```{{eval-rst}}\n.. auto{kind}:: upright.{name}\n{members}```"
    if homes:
        raise SystemExit(f"docs/reference.py has no heading for {homes}")


def _is_error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, UprightError)


def schema() -> dict[str, Any]:
    """JSON Schema of an outcome: a line of ``detect --json``, ``correct --json`` and of ``batch``."""
    model = answers.JobLine.model_json_schema()
    fields = {name: field for name, field in model["properties"].items() if name not in ("name", "number")}
    fields["correction"] = {"$ref": "#/$defs/Correction", "description": "What was done, where that was asked for."}
    decided = [name for name in model["required"] if name in fields and name != "timing_s"]
    failed = {
        "error": "Kind of the error.",
        "cause": "What failed and why.",
        "remedy": "What to do.",
    }
    fields |= {name: {"type": "string", "description": text} for name, text in failed.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Outcome",
        "description": "The answer about one picture, whatever it was.",
        "type": "object",
        "properties": fields,
        "anyOf": [{"required": decided}, {"required": ["source", *failed]}],
        "additionalProperties": False,
        "$defs": model["$defs"],
    }


def outcome() -> Iterator[str]:
    """The form of an outcome as JSON."""
    whole = schema()
    kinds = whole["$defs"]
    yield "# An outcome as JSON\n"
    yield "`upright detect --json`, `upright correct --json` and `upright batch` write one object a line for each"
    yield "picture. It has the fields of an answer, or `error`, `cause` and `remedy`; it has both where a picture was"
    yield "decided and could not be written. `turn` is the clockwise turn in degrees that makes the picture upright;"
    yield "`null` means unsure: leave it alone.\n"
    yield from _fields(whole, kinds)
    yield "\n## `correction`\n"
    yield from _fields(kinds["Correction"], kinds)
    yield "\n## `together`\n"
    yield from _fields(kinds["Together"], kinds)
    yield "\n## JSON Schema\n"
    yield f"```json\n{json.dumps(whole, indent=1)}\n```"


def _fields(kind: dict[str, Any], kinds: dict[str, Any]) -> Iterator[str]:
    yield "| field | type | |"
    yield "|---|---|---|"
    for name, field in kind.get("properties", {}).items():
        yield f"| `{name}` | {_type(field, kinds)} | {field.get('description', '')} |"


def _type(field: dict[str, Any], kinds: dict[str, Any]) -> str:
    """A JSON Schema type in a word or two; choices of words are named, other objects are not."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return _type(kinds[name], kinds) if "enum" in kinds.get(name, {}) else f"`{name}`"
    if choices := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(_type(each, kinds) for each in choices)
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), kinds)}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"object of {_type(field['additionalProperties'], kinds)}"
    return str(field.get("const", field.get("type", "any")))


def http() -> Iterator[str]:
    """Every route of the service, as its OpenAPI document describes it."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(jobs=f"{folder}/jobs.sqlite"))
        document = describe(app)
        app.state.service.detector.close()
    kinds = document["components"]["schemas"]
    yield "# HTTP\n"
    yield f"{document['info']['description']} A running service gives this as `/openapi.json`.\n"
    problems: dict[str, str] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"## `{method.upper()} {path}`\n"
            yield f"{operation.get('description') or operation.get('summary', '')}\n"
            yield from _asked(operation, kinds)
            yield from _answered(operation, kinds, problems)
    yield "## Errors\n"
    yield "Each is a `Problem`.\n\n| status | when |\n|---|---|"
    yield from (f"| {status} | {when} |" for status, when in sorted(problems.items()))
    yield "\n## Objects\n"
    for name, kind in kinds.items():
        yield f"### `{name}`\n"
        yield f"{kind.get('description', '')}\n"
        yield from _fields(kind, kinds) if "properties" in kind else [_type(kind, kinds)]
        yield ""


def _asked(operation: dict[str, Any], kinds: dict[str, Any]) -> Iterator[str]:
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        yield f"Body: {', '.join(f'`{kind}`' for kind in body)}.\n"
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | |\n|---|---|---|---|"
        for each in parameters:
            kind, text = _type(each["schema"], kinds), each.get("description", "")
            yield f"| `{each['name']}` | {each['in']} | {kind} | {text} |"
        yield ""


def _answered(operation: dict[str, Any], kinds: dict[str, Any], problems: dict[str, str]) -> Iterator[str]:
    """What a route answers; its errors by their number, gathered with their meaning in ``problems``."""
    errors = []
    for status, answer in sorted(operation["responses"].items()):
        meaning = " ".join(answer.get("description", "").split())
        if status >= "400":
            errors.append(status)
            problems[status] = meaning
            continue
        content = answer.get("content", {}).items()
        given = ", ".join(f"`{kind}` {_type(value.get('schema', {}), kinds)}" for kind, value in content)
        yield f"{status}: {given or 'nothing'}. {'' if meaning == 'Successful Response' else meaning}\n"
    yield f"Errors: {', '.join(errors)}.\n"
