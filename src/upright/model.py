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
        """Path of the weights. Raises ModelError where they are not those of the facts."""
        return self._weights("model.onnx", self.sha256)

    @property
    def int8_path(self) -> Path:
        """Path of the form in int8. Raises ModelError where the facts name none, or another one."""
        if not self.int8_sha256:
            raise ModelError(
                f"{self.name} has no form in int8", source=self.folder, remedy="docs/models.md says how to add one"
            )
        return self._weights("model-int8.onnx", self.int8_sha256)

    def check(self) -> None:
        """Raise ModelError where any weights are not those of the facts."""
        _ = self.onnx_path, self.int8_sha256 and self.int8_path

    def _weights(self, name: str, digest: str) -> Path:
        # 10 MB take 40 ms: an engine has the form that it runs checked, and no other.
        path = self.folder / name
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise _missing(error) from error
        if found != digest:
            raise ModelError(
                f"{name} has sha256 {found}, model.json says {digest}",
                source=self.folder,
                remedy="copy the folder again, or correct model.json if the weights are meant to be new",
            )
        return path

    def to_dict(self) -> dict[str, Any]:
        """What ``model.json`` says, as a dictionary of JSON values."""
        facts = json.loads((self.folder / "model.json").read_text("utf-8"))
        assert isinstance(facts, dict)
        return facts


def load_model(name_or_folder: str | Path | None = None) -> Model:
    """Read the facts of a model folder, or of a model of that name that comes with upright.

    Weights are checked where they are used, and by `Model.check`.

    Raises:
        ModelError: there is no such folder, or a fact is missing, unknown or wrong.
    """
    name_or_folder = name_or_folder or DEFAULT_MODEL
    folder = MODELS_FOLDER / name_or_folder
    if not folder.is_dir():
        folder = Path(name_or_folder)
    try:
        facts = json.loads((folder / "model.json").read_text("utf-8"))
    except OSError as error:
        raise _missing(error) from error
    except (RecursionError, ValueError) as error:
        raise ModelError(f"model.json is not JSON: {error}", source=folder, remedy=_REMEDY) from error
    return _from_facts(facts, folder)


def _missing(error: OSError) -> ModelError:
    bundled = ", ".join(sorted(path.name for path in MODELS_FOLDER.iterdir() if path.is_dir()))
    remedy = f"name a model folder (docs/models.md), or one that comes with upright: {bundled}"
    return ModelError(f"no model here: {error.strerror}", source=error.filename, remedy=remedy)


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
