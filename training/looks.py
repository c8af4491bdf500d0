"""What an exported model says to pictures shown all four ways: ONNX Runtime alone, one batch of four a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from training.data import Pixels, squash
from training.heldout import Picture, shown
from training.measures import Floats, turned
from upright.decide import log_softmax, roll_back
from upright.pictures import open_picture
from upright.views import QUARTERS, render

FLOWS = ("whole", "turned", "tiles")


class Looker(Protocol):
    """Whatever gives logits [n, 4] for views [n, S, S, 3]."""

    @property
    def size_px(self) -> int: ...

    def logits(self, views: NDArray[np.uint8]) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Model:
    """A session over a model folder, or over a bare `.onnx`, whose facts are then empty."""

    session: Any
    size_px: int
    facts: dict[str, Any]

    @classmethod
    def open(cls, path: Path, threads: int = 1) -> Model:
        onnx = path / "model.onnx" if path.is_dir() else path
        facts = json.loads((path / "model.json").read_text()) if path.is_dir() else {}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
        return cls(session, int(facts.get("input_size_px") or session.get_inputs()[0].shape[1]), facts)

    def logits(self, views: NDArray[np.uint8]) -> Floats:
        """float32 [n, 4] in the order of turn for uint8 views [n, S, S, 3]."""
        return np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: views})[0])


def views(pixels: Pixels, size_px: int) -> NDArray[np.uint8]:
    """The picture shown all four ways, each squashed afterwards as the product would: uint8 [4, S, S, 3]."""
    return np.stack([squash(Image.fromarray(shown(pixels, turn)), size_px) for turn in range(4)])


def says(model: Looker, upright: Sequence[Picture], flows: Sequence[str] = FLOWS) -> dict[str, Floats]:
    """What the looks of each of these flows say [n, 4, 4], from few looks to many; `whole` is always among them."""
    logits = look(model, upright)
    said = {"whole": logits}
    if "turned" in flows:
        said["turned"] = turned(logits)
    if "tiles" in flows:
        said["tiles"] = look_closer(model, upright, logits)
    return said


def look_closer(model: Looker, upright: Sequence[Picture], logits: Floats) -> Floats:
    """Mean log-probabilities [n, 4, 4] of the flow `tiles`: the four looks whose logits are given, and four quarters.

    The quarters of a turned picture are the same four views as those of the upright one (`upright.views.QUARTERS`).
    """
    means = []
    for picture in upright:
        with open_picture(picture.pixels) as opened:
            seen = np.stack([render(opened, view, model.size_px) for view in QUARTERS])
        mean = roll_back(log_softmax(model.logits(seen)), QUARTERS).mean(0)
        means.append([np.roll(mean, turn) for turn in range(4)])
    return (turned(logits) + np.reshape(means, (-1, 4, 4))) / 2


def look(model: Looker, upright: Iterable[Picture]) -> Floats:
    """Logits [n, 4, 4]: `[i, t]` are those of picture i shown so that turn t sets it upright."""
    rows = [model.logits(views(picture.pixels, model.size_px)) for picture in upright]
    return np.stack(rows) if rows else np.zeros((0, 4, 4), np.float32)
