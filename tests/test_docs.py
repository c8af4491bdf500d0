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
from PIL import Image

import upright

from .conftest import DEMO, ROOT

pytestmark = pytest.mark.slow


def module_of_docs(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return module_of_docs("reference")


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
    found += rows("correct", DEMO / "receipt.png", "-o", tmp_path / "fresh.png", "--mirror", "--json")
    for number in range(4):
        page = Image.open(DEMO / "page.jpg") if number else Image.new("L", (99, 140))
        page.save(tmp_path / f"scan{number}.png")
    found += rows("detect", "--together", "--tilt", "--json", *sorted(tmp_path.glob("scan*.png")))
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


def test_measured_tables_follow_the_figures(tmp_path: Path) -> None:
    tables = module_of_docs("tables")
    cells = "{name} | {ms:.1f} | {of_first[ms]:.2f} | {parts[a b]:.0%}"
    head = f"<!-- measured: x.json/of all | {cells} -->\n| a | b | c | d |\n|---|---|---|---|\n"
    page = f"before\n\n{head}| old | 1 | 1 | 1 |\n<!-- end -->\nafter\n"
    assert tables.with_measured(page, tmp_path) == page, "a file that is not there leaves its table alone"
    rows = {"one": {"ms": 2.0, "parts": {"a b": 0.5}}, "two": {"ms": 5.0, "parts": {"a b": 1}, "more": 1.5}}
    (tmp_path / "x.json").write_text(json.dumps({"of all": rows}))
    new = tables.with_measured(page, tmp_path)
    assert new == f"before\n\n{head}| one | 2.0 | 1.00 | 50% |\n| two | 5.0 | 2.50 | 100% |\n<!-- end -->\nafter\n"


def test_every_measured_table_names_a_file_that_bench_writes() -> None:
    written = "".join(path.read_text("utf-8") for path in (ROOT / "bench").glob("*.py"))
    marks = re.findall(r"<!-- measured: (\w+)\.json", "".join(p.read_text() for p in (ROOT / "docs").rglob("*.md")))
    assert len(marks) > 5
    for name in marks:
        assert re.search(rf'"{name}(\.json)?"|f"{name}', written), name
