"""How a decision is reached: `climb`, a loop up the ladder of looks, as a generator without I/O.

It yields the step to take, is sent what the model answered, and returns an `Orientation`::

    Climb = Generator[Step, Looks, Orientation]

`upright.drive` takes the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from . import steps
from .errors import ModelError
from .model import Calibration, Model
from .results import Orientation, Promise, Reason, Scores
from .steps import Looks, Step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The steps that a model is calibrated for, from one look upwards.
Ladder: TypeAlias = Sequence[tuple[Step, Calibration]]
Climb: TypeAlias = Generator[Step, Looks, Orientation]
#: How far up the ladder a decision may climb: 0 one look, 1 four, 2 the quarters as well, 3 parts at reading size too.
DEFAULT_EFFORT = 3
EFFORT_HELP = "How closely to look where that is needed: 0 one look, 1 four, 2 eight, 3 windows of text too."

#: Of a step that a model has no figures for.
_NEVER = Calibration(temperature=1.0, careful=None, balanced=None, best=0.0)


def efforts() -> range:
    """Every effort that can be asked for."""
    return range(steps.LADDER[-1].effort + 1)


def ladder_of(model: Model) -> Ladder:
    """The ladder with a model's calibration, up to the last step that it names.

    One that it passes over is never enough: the decision climbs through it.

    Raises:
        ModelError: its calibration does not begin with the first step, or names others, or these in another order.
    """
    wanted, found = [step.name for step in steps.LADDER], list(model.calibration)
    if found[:1] != wanted[:1] or found != [name for name in wanted if name in found]:
        raise ModelError(
            f"model.json: calibration has the steps {', '.join(found) or 'none'}; the ladder is {', '.join(wanted)}",
            source=model.folder,
            remedy="calibrate these steps in this order; all but the first may be left out (docs/models.md)",
        )
    upto = wanted.index(found[-1]) + 1
    return [(step, model.calibration.get(step.name, _NEVER)) for step in steps.LADDER[:upto]]


def allowed(ladder: Ladder, effort: int) -> Ladder:
    """The steps of a ladder that are taken at this effort."""
    return [(step, calibration) for step, calibration in ladder if step.effort <= effort]


def climb(ladder: Ladder, effort: int, promise: Promise, may_go_on: Callable[[], bool] = lambda: True) -> Climb:
    """Take one step after the other until one is sure, or none is left that ``effort`` allows.

    A step without views is passed over: it would show nothing new of this picture. ``may_go_on()`` turns false when the
    time budget is spent.
    """
    looks: dict[str, Looks] = {}
    answer: Orientation | None = None
    for step, calibration in allowed(ladder, effort):
        seen = yield step
        if not seen.views:
            continue
        looks[step.name] = seen
        answer = judge(step, looks, calibration, promise)
        if is_enough(answer, calibration) or not may_go_on():
            break
    assert answer is not None, "the first step of the ladder has no views"
    return answer


def judge(step: Step, looks: Mapping[str, Looks], calibration: Calibration, promise: Promise) -> Orientation:
    """The answer from all looks so far; unsure if the step cannot keep the promise with them."""
    scores = Scores(_softmax(step.combine(looks) / calibration.temperature))
    sure = calibration.keeps(promise, scores.confidence)
    blank = scores.confidence - min(scores.values) < 1e-6
    return Orientation(
        turn=scores.best if sure else None,
        best=scores.best,
        confidence=scores.confidence,
        scores=scores,
        reason=Reason.BLANK if blank else Reason.SURE if sure else Reason.BELOW_THRESHOLD,
        promise=promise,
        step=step.name,
        views=sum(len(seen.views) for seen in looks.values()),
    )


def is_enough(answer: Orientation, calibration: Calibration) -> bool:
    """Whether to stop here. *Best* always answers, so it climbs exactly where *balanced* would."""
    stop_at = Promise.BALANCED if answer.promise is Promise.BEST else answer.promise
    return calibration.keeps(stop_at, answer.confidence)


def _softmax(row: NDArray[np.float32]) -> tuple[float, float, float, float]:
    import numpy as np

    weights = np.exp(row.astype(np.float64) - row.max())
    a, b, c, d = (float(v) for v in weights / weights.sum())
    return a, b, c, d
