"""What `.importlinter` and ruff do not hold: files stay short, and what a module calls private stays in it."""

import ast
from pathlib import Path

import pytest

from .conftest import ROOT

FILES = sorted((ROOT / "src" / "upright").rglob("*.py"))
MOST_LINES = 400


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def test_there_is_a_house() -> None:
    assert len(FILES) > 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_takes_nothing_private(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            taken = [each.name for each in node.names if each.name.startswith("_") and not each.name.endswith("__")]
            assert not taken, f"line {node.lineno} takes {taken} from {node.module}"


def test_onnxruntime_is_imported_after_its_telemetry_is_turned_off() -> None:
    """`upright` does that when it is imported, so it comes first where another program imports onnxruntime itself."""
    for path in [*ROOT.glob("bench/*.py"), *ROOT.glob("training/*.py"), *ROOT.glob("benchmark/*/*.py")]:
        done = False
        for node in tree(path).body:
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            done = done or any(name.partition(".")[0] == "upright" for name in names)
            assert done or "onnxruntime" not in names, path
