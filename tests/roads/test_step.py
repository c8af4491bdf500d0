"""A new step is one entry of the ladder and one calibration: then it is climbed, shown and served."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from upright import Detector, steps
from upright.model import MODELS_FOLDER
from upright.results import Reason

from ..conftest import DEMO, ROOT
from .toy_step import MIDDLE

#: Eight looks at it are not enough for `balanced`, so that the decision climbs on.
UNSURE = DEMO / "rocket.jpg"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The default model with a calibration for the step."""
    folder = tmp_path / "model"
    shutil.copytree(MODELS_FOLDER / "upright-1", folder)
    facts = json.loads((folder / "model.json").read_text())
    facts["calibration"]["middle"] = {"temperature": 1.0, "careful": None, "balanced": 0.3, "best": 0.0}
    (folder / "model.json").write_text(json.dumps(facts))
    return folder


def toy(*words: object) -> list[str]:
    command = [sys.executable, "-m", "tests.roads.toy_step", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_new_step_is_climbed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "LADDER", (*steps.LADDER, MIDDLE))
    with Detector(model, effort=4) as detector:
        assert detector.detect(DEMO / "page.jpg").step == "glance"
        answer, less = detector.detect(UNSURE), detector.detect(UNSURE, effort=3)
        careful = detector.detect(UNSURE, promise="careful")
    assert (answer.step, answer.reason, answer.views) == ("middle", Reason.SURE, less.views + 1)
    assert answer.scores != less.scores and answer.turn == answer.best
    assert (careful.step, careful.turn) == ("middle", None), "the calibration says that this promise cannot be kept"


@pytest.mark.slow
def test_the_command_and_the_service_show_it(model: Path) -> None:
    assert "x<=4" in " ".join(toy("detect", "--help"))
    (row,) = toy("detect", UNSURE, "--model", model, "--effort", 4, "--json")
    assert json.loads(row)["step"] == "middle"
    answer, facts = map(json.loads, toy("answers", model, UNSURE))
    assert (answer["step"], answer["turn"]) == ("middle", json.loads(row)["turn"])
    assert "middle" in facts["calibration"]
