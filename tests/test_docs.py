"""The reference is true: rows of real runs are of the published form, and every error has its remedy."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest

import upright

from .conftest import DEMO, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(*command: object, status: int = 0) -> list[dict[str, object]]:
    words = [sys.executable, "-m", "upright", *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_outcomes_are_of_the_published_form(reference: ModuleType, tmp_path: Path) -> None:
    schema = reference.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    (tmp_path / "broken.jpg").write_bytes((DEMO / "page.jpg").read_bytes()[:300])
    (tmp_path / "there.png").write_bytes(b"another file")
    found = rows("detect", DEMO / "page.jpg", DEMO / "cat.gif", tmp_path / "broken.jpg", "--json", status=1)
    found += rows("correct", DEMO / "receipt.png", "-o", tmp_path / "there.png", "--json", status=1)
    found += rows("correct", DEMO / "receipt.png", "-o", tmp_path / "fresh.png", "--json")
    rows("batch", DEMO / "page.jpg", "-o", tmp_path / "rows.jsonl")
    found += [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    for row in found:
        jsonschema.validate(row, schema)
    seen = {key for row in found for key in row}
    assert seen == set(schema["properties"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**found[0], "angle": 90}, schema)


def test_the_reference_names_every_command_route_and_public_name(reference: ModuleType) -> None:
    commands, library, http = ("\n".join(page()) for page in (reference.commands, reference.library, reference.http))
    for name in ("detect", "correct", "undo", "batch", "serve", "doctor", "model show"):
        assert f"## `upright {name}`" in commands
    assert {f"upright.{name}" for name in upright.__all__ if name[0] != "_"} <= set(re.findall(r":: (\S+)", library))
    assert "## `POST /v1/orientation`" in http and "| 413 |" in http and "### `Problem`" in http


def test_troubleshooting_has_every_error() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    for name in upright.__all__:
        value = getattr(upright, name)
        if isinstance(value, type) and issubclass(value, upright.UprightError) and not value.__subclasses__():
            assert f"| `{name}` |" in page, name
