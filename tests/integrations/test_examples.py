"""The examples run. What their programs would download or need a server for is listed in examples/README.md."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from upright import Detector

from ..service.conftest import Served

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PAGE = ROOT / "testdata" / "demo" / "page.jpg"


def run(*command: object) -> str:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_every_language_asks_the_service(detector: Detector) -> None:
    turn = detector.detect(PAGE).turn
    assert turn
    served = Served()
    try:
        assert json.loads(run("sh", EXAMPLES / "http/orient.sh", PAGE, served.url))["turn"] == turn
        for program, file in ((sys.executable, "orient.py"), ("node", "orient.mjs")):
            assert run(program, EXAMPLES / "http" / file, PAGE, served.url) == f"turn it {int(turn)}° clockwise\n"
    finally:
        served.kill()


@pytest.mark.slow
def test_the_gate_before_a_vision_model() -> None:
    assert "What is this? A picture of " in run(sys.executable, EXAMPLES / "vision-model/gate.py", PAGE)


@pytest.mark.slow
def test_langchain_parsers_see_upright_pages(tmp_path: Path) -> None:
    from upright.integrations.reading import upright_bytes

    other = tmp_path / "notes.txt"
    other.write_text("not a picture")
    lines = run(sys.executable, EXAMPLES / "langchain/blobs.py", PAGE, other).splitlines()
    upright = len(upright_bytes(PAGE.read_bytes()))
    assert upright != PAGE.stat().st_size
    assert lines == [f"{PAGE} {upright}", f"{other} {len('not a picture')}"]


@pytest.mark.slow
def test_label_studio(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text(json.dumps({"source": "a.jpg", "turn": None, "best": 90, "confidence": 0.5}) + "\n")
    script = EXAMPLES / "label-studio/tasks.py"
    (task,) = json.loads(run(sys.executable, script, "tasks", answers))
    assert "<Choices" in run(sys.executable, script, "interface")
    export = tmp_path / "export.json"
    export.write_text(json.dumps([task | {"annotations": task["predictions"]}]))
    assert json.loads(run(sys.executable, script, "decisions", export)) == {"source": "a.jpg", "turn": 90}


def test_every_example_is_in_the_list() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    assert all(f"]({each.name}/" in listed for each in EXAMPLES.iterdir() if each.is_dir())
