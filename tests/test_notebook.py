"""The notebook runs from its first cell to its last, and its picture is one."""

import nbformat
from nbclient import NotebookClient

from .conftest import ROOT


def test_notebook_runs() -> None:
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": ROOT}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = str(outputs)
    assert "270" in text
    assert "('tag', True)" in text
    assert any("image/png" in output.get("data", {}) for output in outputs)
