"""Answers of upright: frozen dataclasses, each with ``to_dict()`` for JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, ClassVar, Self

from . import errors
from .errors import NotLossless, UprightError, UsageError, printable
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
    """The reason for the answer."""

    SURE = "sure"
    BELOW_THRESHOLD = "below_threshold"
    BLANK = "blank"
    TOGETHER = "together"
    BY_HAND = "by_hand"


class Group(StrEnum):
    """What became of a picture, in the words of every table, summary, row, report and header; in their order."""

    UPRIGHT = "already upright"
    TURNED = "turned"
    WOULD_TURN = "would turn"
    CANNOT = "cannot be turned"
    UNSURE = "unsure"
    FAILED = "failed"
    SKIPPED = "skipped"


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


class _Answer:
    """A dataclass whose fields become JSON values and come back."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def _values(self) -> dict[str, Any]:
        return {name: _json(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of ``to_dict``. Raises KeyError, TypeError or ValueError for anything else."""
        found = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        return cls(**{name: _TYPES[name](v) if name in _TYPES and v is not None else v for name, v in found.items()})


@dataclass(frozen=True, slots=True)
class Together(_Answer):
    """What a picture was alone, and how its job lies: the ``pattern`` in words, and of how many ``pictures``."""

    pattern: str
    pictures: int
    turn: Turn | None
    confidence: float
    scores: Scores

    @property
    def words(self) -> str:
        """What the picture was alone, and what its job is."""
        alone = f"{self.scores.confidence:.1%} sure of {int(self.scores.best)}°"
        return f"alone {'unsure, ' * (self.turn is None)}{alone}; with {self.pictures} pictures, {self.pattern}"

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return self._values() | {"confidence": round(self.confidence, 6)}


@dataclass(frozen=True, slots=True)
class Orientation(_Answer):
    """The answer of detection.

    ``turn`` is the clockwise turn that makes the picture, as shown, upright; ``None`` means *unsure: leave it alone*.
    ``best`` is the likeliest turn in any case; ``reason`` says why the two differ. ``tilt`` is the small angle, in
    degrees clockwise, that straightens the picture after that turn, ``tilt_error`` its standard error: both ``None``
    where it was not asked for, and where nothing tells it. ``mirrored`` says whether left and right are exchanged,
    to be undone before that turn; ``None`` where it was not asked for, and where nothing tells it.
    """

    turn: Turn | None
    best: Turn
    confidence: float
    scores: Scores
    reason: Reason
    promise: Promise
    step: str
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
    #: What it was alone, where it was decided together with others.
    together: Together | None = None
    tilt: float | None = None
    tilt_error: float | None = None
    mirrored: bool | None = None

    @property
    def unsure(self) -> bool:
        """Whether the picture should be left alone because the confidence is below the promise's threshold."""
        return self.turn is None

    @property
    def to_apply(self) -> ExifOrientation:
        """What makes the picture, as shown, upright: mirrored or not, then turned; nothing where it is unsure."""
        if self.turn is None:
            return ExifOrientation.TOP_LEFT
        return ExifOrientation.compose(self.mirrored is True, self.turn)

    @property
    def tilt_words(self) -> str:
        """The tilt and its standard error, as in ``+1.25° ± 0.03°``; nothing where there is none."""
        return "" if self.tilt is None else f"{self.tilt:+.2f}° ± {self.tilt_error or 0:.2f}°"

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON values; sizes are of the picture as shown."""
        values = self._values() | {"source": printable(self.source), "confidence": round(self.confidence, 6)}
        values["timing_s"] = {stage: round(s, 6) for stage, s in self.timing_s.items()}
        values |= {name: round(v, 3) for name in ("tilt", "tilt_error") if (v := values[name]) is not None}
        return {name: value for name, value in values.items() if value is not None or name not in _WHERE_ASKED}


@dataclass(frozen=True, slots=True)
class Correction(_Answer):
    """The answer of writing: what was done, or with ``written=False`` what would be done.

    ``written`` says that the target holds these bytes now. ``remedy`` is what to do about a ``note`` that says why the
    picture could not be turned.
    """

    source: str
    target: str
    method: Method
    turn: Turn
    exif_before: ExifOrientation
    exif_after: ExifOrientation
    lossless: bool
    written: bool
    note: str = ""
    remedy: str = ""
    #: Degrees clockwise that it was straightened by, after the turn.
    tilt: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        names = {"source": printable(self.source), "target": printable(self.target)}
        return self._values() | names | {"remedy": str(self.remedy)}


#: Left out of JSON where they are `None`.
_WHERE_ASKED = {"together", "tilt", "tilt_error", "mirrored"}

#: Fields that are not what JSON has for them.
_TYPES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("turn", "best"), Turn),
    **dict.fromkeys(("exif", "exif_before", "exif_after"), ExifOrientation),
    "scores": lambda scores: Scores(tuple(scores)),
    "reason": Reason,
    "promise": Promise,
    "method": Method,
    "warnings": tuple,
    "together": Together.from_dict,
}


def _json(value: Any) -> Any:
    if isinstance(value, Together):
        return value.to_dict()
    if isinstance(value, Scores):
        return [round(v, 6) for v in value.values]
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer about one item of a run: an orientation or an error, and what was written.

    ``source`` is the item's key. An item that was passed over has neither, only the reason in
    ``skipped``; it is counted and gives no row. ``timing_s`` are the seconds of each stage.
    """

    source: str
    orientation: Orientation | None = None
    error: UprightError | None = None
    correction: Correction | None = None
    skipped: str = ""
    timing_s: dict[str, float] = field(default_factory=dict, compare=False)
    #: Whether no further page of the same file follows.
    last: bool = field(default=True, compare=False)

    @property
    def name(self) -> str:
        """The source, and of one with several pages which one, counted from 1."""
        several = self.page or (self.orientation and not self.last)
        return f"{self.source}, page {self.page + 1}" if several else self.source

    @property
    def page(self) -> int:
        """Which one of its file, counted from 0."""
        return self.orientation.page if self.orientation else 0

    @property
    def proposed(self) -> Turn:
        """The answer, or for an unsure picture the likeliest turn."""
        answer = self.orientation
        return Turn.NONE if not answer else answer.best if answer.turn is None else answer.turn

    @property
    def written(self) -> str:
        """The file that holds what was written; empty where nothing was, or not into a file."""
        return self.correction.target if self.correction and self.correction.written else ""

    @property
    def group(self) -> Group:
        """What it is counted as: what was done, not what was decided."""
        answer, done = self.orientation, self.correction
        if self.skipped:
            return Group.SKIPPED
        straightened = bool(done and done.tilt)
        if isinstance(self.error, NotLossless) and answer and (answer.turn or answer.mirrored or answer.tilt):
            return Group.CANNOT
        if self.error or not answer:
            return Group.FAILED
        if answer.turn is None:
            return Group.UNSURE
        if not answer.turn and not answer.mirrored and not straightened:
            return Group.UPRIGHT
        if done and done.method is Method.KEEP:
            return Group.CANNOT
        return Group.TURNED if done and done.written else Group.WOULD_TURN

    @property
    def words(self) -> str:
        """What happened and why, in a sentence."""
        if self.skipped or self.error:
            return self.skipped or str(self.error)
        if not (answer := self.orientation):
            return "no answer"
        text = f"{answer.confidence:.1%} sure, step {answer.step}, {answer.views} view{'s' * (answer.views != 1)}"
        if answer.reason is Reason.BY_HAND:
            text = "turned by hand"
        if answer.turn is None:
            blank = answer.reason is Reason.BLANK
            why = "blank" if blank else f"not sure enough for the promise {answer.promise.value}"
            text = f"{why}; the likeliest turn was {int(answer.best)}°; {text}"
        elif self.correction:
            done = self.correction
            how = f"; straightened by {done.tilt:+.2f}°" * bool(done.tilt)
            how += f"; {done.method.value}{', lossless' * done.lossless}{'' if done.written else ', not written'}"
            text += "; ".join(filter(None, (how * (done.method is not Method.KEEP), done.note, done.remedy)))
        together = answer.together.words if answer.together else ""
        tilt = f"tilt {answer.tilt_words}" if answer.tilt_words else ""
        return "; ".join(filter(None, (text, "mirrored" * bool(answer.mirrored), tilt, together, *answer.warnings)))

    def to_dict(self) -> dict[str, Any]:
        """JSON values of everything known but the times, so that a picture gives the same ones wherever it is done.

        Names are exact: bytes that are no UTF-8 are lone surrogates, as `os.fsdecode` makes them.
        """
        values: dict[str, Any] = {}
        for part in (self.orientation, self.error):
            values |= part.to_dict() if part else {}
        values.pop("timing_s", None)
        values["outcome"] = self.group.value
        if done := self.correction:
            values["correction"] = done.to_dict() | {"source": done.source, "target": done.target}
        return {"source": self.source} | values | {"source": self.source}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Outcome:
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError for anything else."""
        orientation = Orientation.from_dict(values) if "scores" in values else None
        correction = Correction.from_dict(values["correction"]) if "correction" in values else None
        error = _error_from(values) if "error" in values else None
        return cls(values["source"], orientation, error, correction)


def _error_from(values: dict[str, Any]) -> UprightError:
    kind = getattr(errors, str(values["error"]), None)
    if not (isinstance(kind, type) and issubclass(kind, UprightError)):
        kind = UprightError
    error = kind.__new__(kind)
    UprightError.__init__(error, values["cause"], source=values["source"], remedy=values["remedy"])
    return error


#: Columns of an outcome in a table, CSV or Parquet. ``turn`` is empty where upright is unsure or failed.
COLUMNS: dict[str, type] = {
    "source": str,
    "outcome": str,
    "turn": int,
    "best": int,
    "tilt": float,
    "tilt_error": float,
    "mirrored": bool,
    "confidence": float,
    "score_0": float,
    "score_90": float,
    "score_180": float,
    "score_270": float,
    "reason": str,
    "pattern": str,
    "alone_turn": int,
    "alone_confidence": float,
    "promise": str,
    "step": str,
    "views": int,
    "format": str,
    "width_px": int,
    "height_px": int,
    "exif": int,
    "page": int,
    "pages": int,
    "warnings": str,
    "method": str,
    "target": str,
    "lossless": bool,
    "written": bool,
    "error": str,
    "cause": str,
    "remedy": str,
}


def columns(values: dict[str, Any]) -> dict[str, Any]:
    """`Outcome.to_dict` as one value for each of `COLUMNS`, ``None`` where there is none.

    Why a picture cannot be turned is in ``cause``, as what is wrong with one that failed. CSV and Parquet hold only
    text, so bytes of a file name that are not UTF-8 are escaped.
    """
    done, flat = values.get("correction", {}), dict(values)
    if done.get("method") == Method.KEEP and values.get("outcome") == Group.CANNOT:
        flat |= {"cause": done["note"], "remedy": done["remedy"]}
    flat |= {name: done[name] for name in ("method", "target", "lossless", "written") if name in done}
    if alone := values.get("together"):
        flat |= {"pattern": alone["pattern"], "alone_turn": alone["turn"], "alone_confidence": alone["confidence"]}
    flat |= {f"score_{90 * index}": score for index, score in enumerate(values.get("scores", ()))}
    if "warnings" in values:
        flat["warnings"] = "; ".join(values["warnings"])
    for name in {"source", "target"} & flat.keys():
        flat[name] = flat[name].encode("utf-8", "backslashreplace").decode()
    return {name: flat.get(name) for name in COLUMNS}
