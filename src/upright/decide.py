"""How a decision is reached: flows, which are generators without I/O.

A flow yields the views that it wants, is sent their logits, and returns an `Orientation`::

    Flow = Generator[Sequence[View], logits [n, 4], Orientation]

Whoever drives it renders the views and runs the engine: the `Detector` one picture or many together, the service
through its batcher. The answer is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import UsageError
from .results import Orientation, Promise, Reason, Scores
from .turns import Turn
from .views import QUARTERS, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .model import Calibration

    Logits = NDArray[np.float32]
    Flow = Generator[Sequence[View], Logits, Orientation]
    #: Between two steps of a decision; returns the last step's orientation and all logits, rolled back, so far.
    Step = Generator[Sequence[View], Logits, Orientation]

WHOLE = View()
#: 0: one look; 1: four; 2: the picture's quarters as well; 3: up to 16 tiles of large pictures as well, twice each.
EFFORTS = range(4)
DEFAULT_EFFORT = 2
#: What sure tiles together count where the eight looks together count 1.
_MOST_COUNT_OF_TILES = 6


@dataclass(frozen=True)
class Decision:
    """What a flow has to know: the model's calibration, the promise, and where tiles come from.

    ``tiles()`` plans tiles of the picture, none where one view shows all of its detail.
    ``may_go_on()`` turns false when the time budget is spent.
    """

    calibration: dict[str, Calibration]
    promise: Promise
    tiles: Callable[[], Sequence[View]]
    effort: int = DEFAULT_EFFORT
    may_go_on: Callable[[], bool] = lambda: True

    def judge(self, step: str, log_probabilities: Logits, views: int) -> Orientation:
        """The orientation that averaged log-probabilities ``[4]`` of one step give."""
        calibration = self.calibration[step]
        scores = Scores(_softmax(log_probabilities / calibration.temperature))
        sure = scores.confidence >= calibration.threshold(self.promise)
        blank = scores.confidence - min(scores.values) < 1e-6
        return Orientation(
            turn=scores.best if sure else None,
            best=scores.best,
            confidence=scores.confidence,
            scores=scores,
            reason=Reason.BLANK if blank else Reason.SURE if sure else Reason.BELOW_THRESHOLD,
            promise=self.promise,
            flow=step,
            views=views,
        )

    def is_enough(self, orientation: Orientation) -> bool:
        """Whether a closer look is not worth its time.

        *Best* answers whatever the confidence, so it looks closer just where *balanced* would.
        """
        stop_at = Promise.BALANCED if self.promise is Promise.BEST else self.promise
        return orientation.confidence >= self.calibration[orientation.flow].threshold(stop_at)


def whole(decision: Decision) -> Flow:
    """One look at the whole picture."""
    logits = yield [WHOLE]
    return decision.judge("whole", log_softmax(logits)[0], 1)


def turned(decision: Decision) -> Flow:
    """The whole picture, and the same turned three ways, averaged: what the model prefers by habit cancels out."""
    first = yield [WHOLE]
    mean = yield from _turned_mean(log_softmax(first)[0])
    return decision.judge("turned", mean, 4)


def tiles(decision: Decision) -> Flow:
    """The whole picture turned four ways, and parts of it: what is too small for one view is seen at twice the size."""
    first = yield [WHOLE]
    mean = yield from _turned_mean(log_softmax(first)[0])
    return (yield from _parts(decision, mean))


def cascade(decision: Decision) -> Flow:
    """One look; where that is not enough, four; where that is not either, parts of the picture. The default."""
    first = yield [WHOLE]
    log_probabilities = log_softmax(first)[0]
    orientation = decision.judge("whole", log_probabilities, 1)
    if decision.effort < 1 or decision.is_enough(orientation) or not decision.may_go_on():
        return orientation
    mean = yield from _turned_mean(log_probabilities)
    orientation = decision.judge("turned", mean, 4)
    if decision.effort < 2 or decision.is_enough(orientation) or not decision.may_go_on():
        return orientation
    return (yield from _parts(decision, mean))


FLOWS: dict[str, Callable[[Decision], Flow]] = {f.__name__: f for f in (whole, turned, tiles, cascade)}


def flow_named(name: str) -> Callable[[Decision], Flow]:
    """The flow of that name. Raises `UsageError`."""
    if name not in FLOWS:
        raise UsageError(f"no flow is called {name!r}", remedy=f"choose one of {', '.join(FLOWS)}")
    return FLOWS[name]


def _turned_mean(first: Logits) -> Generator[Sequence[View], Logits, Logits]:
    """Three more looks at turned views; the mean of all four log-probabilities, rolled back to the picture's turns."""
    views = [View(turn=turn) for turn in (Turn.RIGHT, Turn.HALF, Turn.LEFT)]
    logits = yield views
    mean: Logits = (first + roll_back(log_softmax(logits), views).sum(axis=0)) / 4
    return mean


def _parts(decision: Decision, mean: Logits) -> Step:
    """The four quarters, all eight looks counting alike; at effort 3, where that is not enough, tiles as well.

    One look at each quarter is worth more than it costs: of 60 drawn pages too small for one view the four looks had
    88 % right, with the quarters 97 %, with four tiles of 1,024 pixels, twice each, instead of them 93 %.
    """
    logits = yield QUARTERS
    mean = (mean + roll_back(log_softmax(logits), QUARTERS).mean(axis=0)) / 2
    orientation = decision.judge("tiles", mean, 8)
    if decision.effort < 3 or decision.is_enough(orientation) or not decision.may_go_on():
        return orientation
    return (yield from _tile_vote(decision, mean)) or orientation


def _tile_vote(decision: Decision, mean: Logits) -> Generator[Sequence[View], Logits, Orientation | None]:
    """Tiles, each as it is and turned by half, vote by confidence and weight, against the eight looks' mean.

    Together they count up to six times what the eight looks do, by how sure they are together: unsure tiles (sky, skin,
    a blank margin) change nothing. Of 60 drawn pages too small for one view the eight looks had 97 % right, with the
    tiles 98 %.
    """
    upright = decision.tiles()
    if not upright:
        return None
    import numpy as np

    views = [replace(view, turn=turn) for turn in (Turn.NONE, Turn.HALF) for view in upright]
    logits = yield views
    votes = roll_back(log_softmax(logits), views).reshape(2, len(upright), 4).mean(axis=0)
    power = np.exp(votes.max(axis=1)) * [view.weight for view in upright]
    together = (votes * power[:, None]).sum(axis=0) / power.sum()
    certainty = (max(_softmax(together)) - 0.25) / 0.75
    count = _MOST_COUNT_OF_TILES * certainty
    return decision.judge("tiles", (mean + count * together) / (1 + count), 8 + len(views))


def roll_back(log_probabilities: Logits, views: Sequence[View]) -> Logits:
    """From turns of turned views ``[n, 4]`` to turns of the picture.

    A view that was turned clockwise by ``t`` and still needs ``u`` means that the picture needs ``t + u``.
    """
    import numpy as np

    rolled = [np.roll(row, view.turn.index) for row, view in zip(log_probabilities, views, strict=True)]
    return np.stack(rolled)


def log_softmax(logits: Logits) -> Logits:
    """Log-probabilities ``[n, 4]`` of logits ``[n, 4]``."""
    import numpy as np

    shifted = logits.astype(np.float32) - logits.max(axis=1, keepdims=True)
    result: Logits = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _softmax(row: Logits) -> tuple[float, float, float, float]:
    import numpy as np

    weights = np.exp(row.astype(np.float64) - row.max())
    a, b, c, d = (float(v) for v in weights / weights.sum())
    return a, b, c, d
