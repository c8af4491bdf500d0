"""A model is a folder: ``model.onnx`` (weights), ``model.json`` (facts), ``README.md`` (model card).

``model-int8.onnx`` may lie beside them: the same network in int8, half of the time on a CPU.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .errors import ModelError
from .results import Promise

MODELS_FOLDER = Path(__file__).parent / "models"
DEFAULT_MODEL = "upright-1"

_REMEDY = "see docs/models.md for what a model folder holds"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of one step: makes its confidences true probabilities, and has the threshold of each promise.

    ``temperature`` divides log-probabilities (Guo et al. 2017, "On Calibration of Modern Neural Networks"); the
    others are the lowest calibrated confidence that keeps a promise, ``None`` if no confidence does.
    """

    temperature: float
    careful: float | None
    balanced: float | None
    best: float

    def keeps(self, promise: Promise, confidence: float) -> bool:
        """Whether this confidence is enough for the promise."""
        threshold = getattr(self, promise.value)
        return threshold is not None and confidence >= threshold


@dataclass(frozen=True, slots=True)
class Model:
    """The facts of a model folder; every field of ``model.json`` is needed, none has a default.

    ``int8_sha256`` is None where there is no form in int8.
    """

    folder: Path
    name: str
    version: str
    sha256: str
    int8_sha256: str | None
    licence: str
    input_size_px: int
    fit: str
    turns: tuple[int, ...]
    calibration: dict[str, Calibration]
    training_data: str
    metrics: dict[str, Any]
    commit: str

    @property
    def onnx_path(self) -> Path:
        """Path of the weights."""
        return self.folder / "model.onnx"

    @property
    def int8_path(self) -> Path:
        """Path of the form in int8. Raises ModelError where the facts name none."""
        if not self.int8_sha256:
            raise ModelError(
                f"{self.name} has no form in int8", source=self.folder, remedy="docs/models.md says how to add one"
            )
        return self.folder / "model-int8.onnx"

    def to_dict(self) -> dict[str, Any]:
        """What ``model.json`` says, as a dictionary of JSON values."""
        facts = json.loads((self.folder / "model.json").read_text("utf-8"))
        assert isinstance(facts, dict)
        return facts


def load_model(name_or_folder: str | Path | None = None) -> Model:
    """Read a model folder, or a model of that name that comes with upright, and check that it is whole.

    Raises:
        ModelError: a file is missing, a fact is missing or unknown, or the weights are not those of the facts.
    """
    name_or_folder = name_or_folder or DEFAULT_MODEL
    folder = MODELS_FOLDER / name_or_folder
    if not folder.is_dir():
        folder = Path(name_or_folder)
    try:
        facts = json.loads((folder / "model.json").read_text("utf-8"))
        model = _from_facts(facts, folder)
        digests = {model.onnx_path: model.sha256}
        digests |= {model.int8_path: model.int8_sha256} if model.int8_sha256 else {}
        found = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in digests}
    except OSError as error:
        raise ModelError(f"no model here: {error.strerror}", source=error.filename, remedy=_REMEDY) from error
    except (RecursionError, ValueError) as error:
        raise ModelError(f"model.json is not JSON: {error}", source=folder, remedy=_REMEDY) from error
    for path, digest in found.items():
        if digest != digests[path]:
            raise ModelError(
                f"{path.name} has sha256 {digest}, model.json says {digests[path]}",
                source=folder,
                remedy="copy the folder again, or correct model.json if the weights are meant to be new",
            )
    return model


def _from_facts(facts: Any, folder: Path) -> Model:
    wanted = {f.name for f in fields(Model)} - {"folder"}
    found = set(facts) if isinstance(facts, dict) else set()
    if wrong := sorted(wanted ^ found):
        missing = [key for key in wrong if key in wanted]
        unknown = [key for key in wrong if key not in wanted]
        raise ModelError(f"model.json: missing {missing}, unknown {unknown}", source=folder, remedy=_REMEDY)
    try:
        calibration = {step: Calibration(**values) for step, values in facts["calibration"].items()}
        model = Model(**{**facts, "folder": folder, "turns": tuple(facts["turns"]), "calibration": calibration})
        fault = _fault(model)
    except (TypeError, AttributeError, ValueError) as error:
        fault = str(error)
    if fault:
        raise ModelError(f"model.json: {fault}", source=folder, remedy=_REMEDY)
    return model


def _fault(model: Model) -> str:
    if sorted(model.turns) != [0, 90, 180, 270]:
        return f"turns are {list(model.turns)}, not an order of 0, 90, 180, 270"
    if model.fit != "squash":
        return f"fit is {model.fit!r}; only 'squash' is known"
    if not (isinstance(model.input_size_px, int) and 32 <= model.input_size_px <= 1024):
        return f"input_size_px is {model.input_size_px}, not a whole number from 32 to 1024"
    for step, calibration in model.calibration.items():
        if not calibration.temperature > 0:
            return f"the temperature of {step} is {calibration.temperature}, not above 0"
        for promise in Promise:
            threshold = getattr(calibration, promise)
            if threshold is None and promise is Promise.BEST:
                return f"{step} has no threshold for best, which answers always: 0.0"
            if threshold is not None and not 0 <= threshold < 1:
                return f"{step} has the threshold {threshold} for {promise}; wanted 0 or more and less than 1, or null"
    return ""
