"""Model folders: whole ones load, and each way of not being whole is named."""

import json
import shutil
from pathlib import Path

import pytest

from upright.detector import Detector
from upright.errors import ModelError
from upright.model import DEFAULT_MODEL, MODELS_FOLDER, load_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = shutil.copytree(MODELS_FOLDER / DEFAULT_MODEL, tmp_path / "mine")
    return Path(copied)


def edit(folder: Path, **facts: object) -> None:
    path = folder / "model.json"
    known = json.loads(path.read_text()) | facts
    path.write_text(
        json.dumps({key: value for key, value in known.items() if value is not None or key == "int8_sha256"})
    )


def test_default_model_is_whole() -> None:
    model = load_model()
    assert model.name == DEFAULT_MODEL
    assert (MODELS_FOLDER / DEFAULT_MODEL / "README.md").is_file()
    assert json.loads(json.dumps(model.to_dict()))["sha256"] == model.sha256


def test_folder_of_ones_own(folder: Path) -> None:
    edit(folder, name="mine")
    assert load_model(folder).name == load_model(str(folder)).name == "mine"


STEP = {"temperature": 1.0, "careful": None, "balanced": 0.9, "best": 0.0}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"licence": None}, r"missing \['licence'\]"),
        ({"colour": "blue"}, r"unknown \['colour'\]"),
        ({"turns": [0, 90, 180]}, "not an order of 0, 90, 180, 270"),
        ({"fit": "crop"}, "fit is 'crop'"),
        ({"input_size_px": "224"}, "input_size_px"),
        ({"input_size_px": 7}, "input_size_px"),
        ({"calibration": {"glance": {"temperature": 1}}}, "missing 3"),
        ({"calibration": {"glance": STEP | {"temperature": 0.0}}}, "the temperature of glance is 0.0, not above 0"),
        ({"calibration": {"glance": STEP | {"careful": 1.0}}}, "threshold 1.0 for careful; .*less than 1, or null"),
        ({"calibration": {"glance": STEP | {"balanced": -0.1}}}, "threshold -0.1 for balanced"),
        ({"calibration": {"glance": STEP | {"best": None}}}, "glance has no threshold for best"),
        ({"calibration": 3}, "items"),
    ],
)
def test_facts_that_do_not_fit(folder: Path, facts: dict[str, object], message: str) -> None:
    edit(folder, **facts)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "fact", "engine"),
    [("model.onnx", "sha256", "onnx:cpu"), ("model-int8.onnx", "int8_sha256", "onnx:int8")],
)
def test_changed_weights_are_refused(folder: Path, name: str, fact: str, engine: str) -> None:
    def refused(message: str) -> None:
        model = load_model(folder)
        for use in (model.check, lambda: Detector(folder, engine=engine)):
            with pytest.raises(ModelError, match=message) as caught:
                use()
            assert str(folder) in str(caught.value)

    weights = (folder / name).read_bytes()
    (folder / name).write_bytes(weights[:-1] + b"\0")
    refused(f"{name} has sha256 .*, model.json says")
    (folder / name).unlink()
    refused("No such file")
    (folder / name).write_bytes(weights)
    load_model(folder).check()
    edit(folder, **{fact: "0" * 64})
    refused(f"{name} has sha256 .*, model.json says 000")


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_facts_that_are_no_facts(folder: Path, text: str) -> None:
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError):
        load_model(folder)


def test_no_such_model() -> None:
    with pytest.raises(ModelError, match=r"nowhere.*No such file.*docs/models.md"):
        load_model("nowhere")
