"""A model's answers to pictures shown all four ways: the product's own steps, taken by its own driver."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.heldout import Picture
from training.measures import Floats
from upright import drive
from upright.decide import climb
from upright.extras import need
from upright.model import Calibration
from upright.pictures import Box, open_picture
from upright.pictures.picture import stored_box
from upright.results import Orientation, Promise
from upright.steps import LADDER, Looks
from upright.turns import ExifOrientation, Turn, turn_array

#: The steps that any picture has views for; those above need one that is large enough.
STEPS = ("glance", "opposite", "turned", "quarters")

#: What was seen of one picture shown one way, by the names of the steps.
Seen = Mapping[str, Looks]


class Looker(Protocol):
    """Whatever gives logits [n, 4] for views [n, S, S, 3]."""

    @property
    def size_px(self) -> int: ...

    def logits(self, views: NDArray[np.uint8]) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Model:
    """A session over a model folder, its int8 form as in the product, or a bare `.onnx`, whose facts are then empty."""

    session: Any
    size_px: int
    facts: dict[str, Any]

    @classmethod
    def open(cls, path: Path, threads: int = 1) -> Model:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no model; name a model folder, or an .onnx file")
        facts = json.loads((path / "model.json").read_text()) if path.is_dir() else {}
        name = "model-int8.onnx" if facts.get("int8_sha256") else "model.onnx"
        onnx = path / name if path.is_dir() else path
        onnxruntime = need("onnxruntime", "")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
        return cls(session, int(facts.get("input_size_px") or session.get_inputs()[0].shape[1]), facts)

    def logits(self, views: NDArray[np.uint8]) -> Floats:
        """float32 [n, 4] in the order of turn for uint8 views [n, S, S, 3]."""
        return np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: views})[0])

    @property
    def calibration(self) -> dict[str, Calibration]:
        return {step: Calibration(**values) for step, values in self.facts.get("calibration", {}).items()}


class Shown:
    """An upright picture as if it were shown so that `turn` quarter turns clockwise set it upright.

    Its pixels are those of the upright one, turned after they were squashed: so the four have the same views, which
    the model sees once. Squashing first differs by 1 at most, from the rounding between Pillow's two passes.
    """

    def __init__(self, upright: Any, turn: int) -> None:
        self.upright, self.lies = upright, Turn.from_index(-turn % 4)
        sides = upright.width_px, upright.height_px
        self.width_px, self.height_px = sides[::-1] if turn % 2 else sides

    def squashed(self, size_px: int | tuple[int, int]) -> NDArray[np.uint8]:
        if not isinstance(size_px, int) and self.lies.index % 2:
            size_px = size_px[::-1]
        return turn_array(self.upright.squashed(size_px), self.lies)

    def small(self, size_px: int) -> NDArray[np.uint8]:
        return turn_array(self.upright.small(size_px), self.lies)

    def grey(self, most_px: int) -> Image.Image:
        return Image.fromarray(turn_array(np.asarray(self.upright.grey(most_px)), self.lies))

    def expect(self, boxes: Sequence[Box]) -> None:
        self.upright.expect([self._stored(box) for box in boxes])

    def region(self, box: Box, side_px: int) -> NDArray[np.uint8]:
        return turn_array(self.upright.region(self._stored(box), side_px), self.lies)

    def _stored(self, box: Box) -> Box:
        size = self.upright.width_px, self.upright.height_px
        return stored_box(box, size, ExifOrientation.TOP_LEFT.then(self.lies))


def seen(model: Looker, upright: Sequence[Picture], steps: Sequence[str] = STEPS) -> list[list[Seen]]:
    """Of every picture, shown all four ways, what each of the first steps of the ladder up to these saw."""
    taken = LADDER[: 1 + max([step.name for step in LADDER].index(name) for name in steps)]
    everything = []
    for picture in upright:
        known: dict[bytes, Floats] = {}
        with open_picture(picture.pixels) as opened:
            shown: list[Any] = [Shown(opened, turn) for turn in range(4)]
            infer = partial(_infer, model, known)
            everything.append([{s.name: drive.look(one, s, model.size_px, infer) for s in taken} for one in shown])
    return everything


def _infer(model: Looker, known: dict[bytes, Floats], views: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of these views, of which those that were seen before are known."""
    keys = [view.tobytes() for view in views]
    if new := {key: index for index, key in enumerate(keys) if key not in known}:
        pixels = views[list(new.values())]
        known.update(zip(new, drive.blanked(pixels, np.asarray(model.logits(pixels), np.float32)), strict=True))
    return np.stack([known[key] for key in keys]).astype(np.float32)


def says(model: Looker, upright: Sequence[Picture], steps: Sequence[str] = STEPS) -> dict[str, Floats]:
    """Log-probabilities [n, 4, 4] of each of these steps, from few looks to many; `glance` is always among them."""
    return evidence(seen(model, upright, steps), steps)


def evidence(everything: Sequence[Sequence[Seen]], steps: Sequence[str] = STEPS) -> dict[str, Floats]:
    """What the looks add up to on each of these steps [n, 4, 4]: `[i, t]` of picture i where turn t sets it upright.

    A step without views repeats the answer of the one before it.
    """
    said: dict[str, list[Floats]] = {name: [] for name in ("glance", *steps)}
    for looks in (looks for picture in everything for looks in picture):
        last: Floats = np.zeros(4)
        for step in LADDER:
            if step.name in looks and looks[step.name].views:
                last = step.combine(looks)
            if step.name in said:
                said[step.name].append(last)
    return {name: np.reshape(rows, (-1, 4, 4)) for name, rows in said.items()}


def native(model: Looker, files: Sequence[Path]) -> dict[str, Floats]:
    """As `says`, of all steps, of upright files at their own size, opened and shrunk as the product does.

    Each is looked at as it lies; shown the other ways it is taken to say the same, rolled. So it costs a quarter.
    """
    everything: list[list[Seen]] = []
    for file in files:
        with open_picture(file) as opened:
            looks = {step.name: drive.look(opened, step, model.size_px, partial(_infer, model, {})) for step in LADDER}
        everything.append([_rolled(looks, turn) for turn in range(4)])
    return evidence(everything, [step.name for step in LADDER])


def _rolled(looks: Seen, turn: int) -> Seen:
    return {name: Looks(seen.views, np.roll(seen.log_probabilities, turn, axis=1)) for name, seen in looks.items()}


def climbed(looks: Seen, calibration: Mapping[str, Calibration], effort: int, promise: Promise) -> Orientation:
    """What the product answers to a picture of which this was seen."""
    ladder = [(step, calibration[step.name]) for step in LADDER if step.name in calibration]
    climbing = climb(ladder, effort, promise)
    step = next(climbing)
    while True:
        try:
            step = climbing.send(looks[step.name])
        except StopIteration as stop:
            answer: Orientation = stop.value
            return answer


def look(model: Looker, upright: Sequence[Picture]) -> Floats:
    """Log-probabilities [n, 4, 4] of one look: `[i, t]` are those of picture i shown so that turn t sets it upright."""
    return says(model, upright, ["glance"])["glance"]
