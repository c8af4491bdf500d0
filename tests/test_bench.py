"""The benchmarks of `make bench` that need no service: they run, and write what they print."""

import json
from pathlib import Path

import pytest
from PIL import Image

from bench import engines, stages, throughput, written

pytestmark = pytest.mark.slow


def test_throughput_states_the_bound_and_how_near_the_pipeline_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    throughput.main(["--count", "4", "-o", str(tmp_path)])
    figures = json.loads((tmp_path / "throughput.json").read_text())
    assert figures["floor_cpu_s"] > 0
    assert [row["workers"] for row in figures["rows"]][:2] == [1, 2]
    assert all(row["pictures_per_s"] > 0 and row["of_bound_by_cpu_time"] > 0 for row in figures["rows"])
    assert "from 1 to 2 workers" in capsys.readouterr().out
    with Image.open(tmp_path / "throughput.png") as plot:
        assert plot.size[0] > 500


def test_stages_has_the_rows_from_script_to_upright(tmp_path: Path) -> None:
    stages.main(["--runs", "1", "-o", str(tmp_path)])
    rows = json.loads((tmp_path / "stages.json").read_text())
    assert list(rows) == [
        "cold script, torch",
        "resident, torch",
        "resident, onnx",
        "resident, onnx, lean input",
        "cold command, lean input",
    ]
    assert all(set(stages) == {"load", "preprocess", "infer", "save"} for stages in rows.values())
    assert rows["cold script, torch"]["load"] > rows["resident, torch"]["load"] == 0


def test_engines_lists_what_opens_here_and_says_what_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engines.main(["--seconds", "0.01", "-o", str(tmp_path)])
    rows = json.loads((tmp_path / "engines.json").read_text())
    assert {"onnx:cpu", "openvino:fp32", "torch:fp32"} <= set(rows)
    assert "NVIDIA's own package index" in capsys.readouterr().out


def test_tables_are_put_between_marks_and_at_the_end_of_a_page_without_any(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\nText.\n")
    written.put(page, "bench.one", "| a |\n")
    written.put(page, "bench.two", "| b |\n")
    written.put(page, "bench.one", "| c |\n")
    one, two = (
        f"<!-- python -m bench.{name} --write -->\n\n| {cell} |\n\n<!-- end of bench.{name} -->\n"
        for name, cell in (("one", "c"), ("two", "b"))
    )
    assert page.read_text() == f"# Page\n\nText.\n\n{one}\n{two}"
