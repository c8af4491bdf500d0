"""Networks of a model folder that are none, or answer nonsense: an error of upright, at once or for that picture."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from upright import Detector, EngineError, Limits, ModelError, TooLarge, workers
from upright.engines.onnx import _only_input
from upright.heads import load_heads
from upright.model import load_model
from upright.pictures.source import open_source

from .conftest import DEMO

MODEL = load_model()
SIZE = MODEL.input_size_px


def graph(inputs: list[Any], outputs: list[Any]) -> Any:
    """A session that has such inputs and outputs: type and shape."""
    named = [[SimpleNamespace(name="x", type=f"tensor({t})", shape=s) for t, s in each] for each in (inputs, outputs)]
    return SimpleNamespace(get_inputs=lambda: named[0], get_outputs=lambda: named[1])


RIGHT, LOGITS = ("uint8", ["n", SIZE, SIZE, 3]), ("float", ["n", 4])


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([], [LOGITS]),
        ([RIGHT], []),
        ([], []),
        ([RIGHT], [("float", [])]),
        ([RIGHT], [("float", ["n"])]),
        ([RIGHT], [("float", ["n", 4, 1])]),
        ([("uint8", [])], [LOGITS]),
        ([RIGHT, RIGHT], [LOGITS]),
    ],
)
def test_a_graph_that_is_no_models_is_refused(inputs: list[Any], outputs: list[Any]) -> None:
    assert _only_input(graph([RIGHT], [LOGITS]), Path("a.onnx"), SIZE, 4) == "x"
    with pytest.raises(ModelError, match=r"the graph has .*; wanted one uint8 input"):
        _only_input(graph(inputs, outputs), Path("a.onnx"), SIZE, 4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_logits_that_are_no_numbers_fail_their_picture_alone(value: float, batch_size: int) -> None:
    class Broken:
        name, device = "broken", "here"

        def infer(self, pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            logits = np.tile(np.float32([9, 0, 0, 0]), (len(pixels), 1))
            logits[pixels.max((1, 2, 3)) == 255, 1] = value
            return logits

        def close(self) -> None: ...

    engine = Broken()
    engine.batch_size = batch_size  # type: ignore[attr-defined]
    noise = np.random.default_rng(0).integers(0, 200, (SIZE, SIZE, 3), np.uint8)
    bright = np.maximum(noise, 255 * (noise > 100)).astype(np.uint8)
    with Detector(engine=engine) as detector:  # type: ignore[arg-type]
        failed, answer = (found for _, found in detector.detect_many([bright, noise]))
    assert isinstance(failed, EngineError) and "answered what is no number" in str(failed)
    assert getattr(answer, "turn", None) == 0


@pytest.mark.parametrize("value", ["3", None, True, float("nan")])
def test_facts_of_the_second_network_that_are_no_numbers(value: object, tmp_path: Path) -> None:
    facts = json.loads((MODEL.folder / "heads.json").read_text())
    for part, name in (("mirror", "mirrored"), ("tilt", "most")):
        changed = facts | {part: facts[part] | {name: value}}
        (tmp_path / "heads.json").write_text(json.dumps(changed))
        with pytest.raises(
            ModelError, match=rf"heads\.json or heads\.onnx: {name} is .*, not a number; copy the folder"
        ):
            load_heads(replace(MODEL, folder=tmp_path))


def test_a_second_network_that_is_none_or_answers_no_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL.folder, folder)
    with Detector(mirror=True) as detector:
        assert detector.heads is not None
        nans = SimpleNamespace(infer=lambda pixels: np.full((len(pixels), 3), np.nan))
        with pytest.raises(EngineError, match=r"heads\.onnx answered what is no number"):
            replace(detector.heads, engine=nans)._said([np.zeros((SIZE, SIZE, 3), np.uint8)])
    shutil.copyfile(folder / "model.onnx", folder / "heads.onnx")
    facts = json.loads((folder / "heads.json").read_text())
    facts["sha256"] = hashlib.sha256((folder / "heads.onnx").read_bytes()).hexdigest()
    (folder / "heads.json").write_text(json.dumps(facts))
    with Detector(folder, mirror=True) as detector, pytest.raises(ModelError, match="the graph has"):
        detector.detect(DEMO / "page.jpg")


def test_missing_memory_names_what_bounds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(DEMO / "page.jpg", Limits(max_memory_mb=7))
    with (
        source.file,
        pytest.raises(TooLarge, match="not enough memory to decode it; give the process more"),
        source.decoding(),
    ):
        raise MemoryError
    monkeypatch.setattr(workers, "_pipes", ["to the one that calls"])
    bounded = "more memory than the limit max_memory_mb of 7; raise it with --max-memory-mb"
    with pytest.raises(TooLarge, match=bounded), source.decoding():
        raise MemoryError
