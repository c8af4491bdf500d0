"""What upright answers: frozen dataclasses, each with ``to_dict()`` for JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from .errors import UsageError, printable
from .turns import ExifOrientation, Turn


class Promise(StrEnum):
    """How sure an answer has to be. The model's calibration holds the threshold of each."""

    CAREFUL = "careful"
    BALANCED = "balanced"
    BEST = "best"

    @classmethod
    def _missing_(cls, value: object) -> Promise:
        raise UsageError(f"no promise is called {value!r}", remedy=f"choose one of {', '.join(cls)}")


class Reason(StrEnum):
    """Why the answer is what it is."""

    SURE = "sure"
    BELOW_THRESHOLD = "below_threshold"
    BLANK = "blank"


class Method(StrEnum):
    """What a correction does to the file."""

    KEEP = "keep"
    TAG = "tag"
    TURN = "turn"
    REENCODE = "reencode"


@dataclass(frozen=True, slots=True)
class Scores:
    """Four calibrated probabilities in the order of turn 0, 90, 180, 270; they add up to 1."""

    values: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        if not math.isclose(sum(self.values), 1.0, abs_tol=1e-3):
            raise ValueError(f"scores add up to {sum(self.values)}, not 1")

    @property
    def best(self) -> Turn:
        """The likeliest turn; the smaller one of two equals."""
        return Turn.from_index(max(range(4), key=lambda i: (self.values[i], -i)))

    @property
    def confidence(self) -> float:
        """The probability of the likeliest turn."""
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Orientation:
    """The answer of detection.

    ``turn`` is the clockwise turn that makes the picture, as shown, upright; ``None`` means *unsure: leave it alone*.
    ``best`` is what the model would have said all the same, ``reason`` why the two differ.
    """

    turn: Turn | None
    best: Turn
    confidence: float
    scores: Scores
    reason: Reason
    promise: Promise
    flow: str
    views: int
    source: str = ""
    format: str = ""
    width_px: int = 0
    height_px: int = 0
    exif: ExifOrientation = ExifOrientation.TOP_LEFT
    page: int = 0
    pages: int = 1
    warnings: tuple[str, ...] = ()
    timing_s: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def unsure(self) -> bool:
        """Whether the picture should be left alone because the confidence is below the promise's threshold."""
        return self.turn is None

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON values; sizes are of the picture as shown."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values |= {
            "turn": None if self.turn is None else int(self.turn),
            "best": int(self.best),
            "confidence": round(self.confidence, 6),
            "scores": [round(v, 6) for v in self.scores.values],
            "reason": self.reason.value,
            "promise": self.promise.value,
            "source": printable(self.source),
            "exif": int(self.exif),
            "warnings": list(self.warnings),
            "timing_s": {stage: round(s, 6) for stage, s in self.timing_s.items()},
        }
        return values


@dataclass(frozen=True, slots=True)
class Correction:
    """The answer of writing: what was done, or with ``written=False`` what would be done."""

    source: str
    target: str
    method: Method
    turn: Turn
    exif_before: ExifOrientation
    exif_after: ExifOrientation
    lossless: bool
    written: bool
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return asdict(self) | {
            "source": printable(self.source),
            "target": printable(self.target),
            "method": self.method.value,
            "turn": int(self.turn),
            "exif_before": int(self.exif_before),
            "exif_after": int(self.exif_after),
        }
