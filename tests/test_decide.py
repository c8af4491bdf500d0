"""Flows are pure: what they ask for, what they answer, and that turned views are rolled back the right way."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upright.decide import FLOWS, Decision, flow_named, log_softmax, roll_back
from upright.errors import UsageError
from upright.model import Calibration
from upright.results import Orientation, Promise, Reason
from upright.turns import Turn
from upright.views import View

CALIBRATION = {step: Calibration(1.0, 0.999, 0.9, 0.0) for step in ("whole", "turned", "tiles")}
TILES = [View(box=(0, 0, 64, 64), weight=1.0), View(box=(64, 0, 128, 64), weight=0.5)]


def decision(promise: Promise = Promise.BALANCED, effort: int = 3, **more: object) -> Decision:
    return Decision(CALIBRATION, promise, lambda: TILES, effort, **more)  # type: ignore[arg-type]


def logits_for(view: View, picture_needs: Turn, strength: float, habit: int | None = None) -> list[float]:
    """What a good model says: the view has been turned already, so it needs that much less."""
    row = [0.0] * 4
    row[picture_needs.then(view.turn.inverse).index] += strength
    if habit is not None:
        row[habit] += 3.0
    return row


def drive(
    flow: str, decided: Decision, needs: Turn, strength: dict[str, float], habit: int | None = None
) -> tuple[Orientation, list[Sequence[View]]]:
    generator, asked = flow_named(flow)(decided), []
    try:
        views = next(generator)
        while True:
            asked.append(views)
            parts = views[0].box or views[0].quarter is not None
            step = "tiles" if parts else "turned" if views[0].turn else "whole"
            rows = [logits_for(view, needs, strength[step], habit) for view in views]
            views = generator.send(np.array(rows, np.float32))
    except StopIteration as stop:
        return stop.value, asked


SURE, UNSURE = 12.0, 0.5


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("needs", Turn)
def test_every_flow_finds_every_turn(flow: str, needs: Turn) -> None:
    orientation, _ = drive(flow, decision(), needs, dict.fromkeys(("whole", "turned", "tiles"), SURE))
    assert (orientation.turn, orientation.best, orientation.reason) == (needs, needs, Reason.SURE)
    assert orientation.scores.values[needs.index] == orientation.confidence


def test_habit_of_the_model_cancels_out() -> None:
    """A model that prefers one output is misled by one view and not by four."""
    strength = dict.fromkeys(("whole", "turned", "tiles"), 2.0)
    once, _ = drive("whole", decision(Promise.BEST), Turn.LEFT, strength, habit=0)
    four, _ = drive("turned", decision(Promise.BEST), Turn.LEFT, strength, habit=0)
    assert (once.turn, four.turn) == (Turn.NONE, Turn.LEFT)


def test_cascade_goes_on_only_while_unsure() -> None:
    names = ["whole", "turned", "tiles"]
    for stop_at, views, rounds in [("whole", 1, 1), ("turned", 4, 2), ("tiles", 8, 3)]:
        strength = {name: SURE if names.index(name) >= names.index(stop_at) else UNSURE for name in names}
        orientation, asked = drive("cascade", decision(), Turn.RIGHT, strength)
        assert (orientation.flow, orientation.views, len(asked)) == (stop_at, views, rounds)
        assert orientation.turn is Turn.RIGHT


@pytest.mark.parametrize(
    ("effort", "flow", "views"), [(0, "whole", 1), (1, "turned", 4), (2, "tiles", 8), (3, "tiles", 12)]
)
def test_effort_bounds_the_looks(effort: int, flow: str, views: int) -> None:
    orientation, asked = drive(
        "cascade", decision(effort=effort), Turn.HALF, dict.fromkeys(("whole", "turned", "tiles"), UNSURE)
    )
    assert (orientation.flow, orientation.views, sum(map(len, asked))) == (flow, views, views)
    assert (orientation.turn, orientation.best, orientation.reason) == (None, Turn.HALF, Reason.BELOW_THRESHOLD)


@pytest.mark.parametrize(
    ("looks", "tiles", "wins"),
    [(SURE, SURE, "looks"), (2.0, SURE, "tiles"), (2.0, UNSURE, "looks"), (UNSURE, 3.0, "tiles")],
)
def test_tiles_overturn_unsure_looks_and_never_certain_ones(looks: float, tiles: float, wins: str) -> None:
    """The whole picture and its quarters say one turn, its tiles another."""
    for promise in Promise:
        generator = flow_named("tiles")(decision(promise))
        with pytest.raises(StopIteration) as stop:
            views = next(generator)
            while not views[0].box:
                views = generator.send(np.array([logits_for(view, Turn.RIGHT, looks) for view in views], np.float32))
            assert [(view.box, view.turn) for view in views] == [
                (tile.box, turn) for turn in (Turn.NONE, Turn.HALF) for tile in TILES
            ]
            generator.send(np.array([logits_for(view, Turn.LEFT, tiles) for view in views], np.float32))
        assert stop.value.value.best is (Turn.RIGHT if wins == "looks" else Turn.LEFT)


def test_quarters_count_like_the_four_looks() -> None:
    """Eight looks, each as much: three quarters that say LEFT cannot outvote four whole views as sure as they are."""
    generator = flow_named("tiles")(decision(Promise.BEST, effort=2))
    views = next(generator)
    while views[0].quarter is None:
        views = generator.send(np.array([logits_for(view, Turn.RIGHT, 4.0) for view in views], np.float32))
    assert [view.quarter for view in views] == [0, 1, 2, 3] and len({view.turn for view in views}) == 4
    says = [Turn.RIGHT, Turn.LEFT, Turn.LEFT, Turn.LEFT]
    rows = [logits_for(view, turn, 4.0) for view, turn in zip(views, says, strict=True)]
    with pytest.raises(StopIteration) as stop:
        generator.send(np.array(rows, np.float32))
    assert (stop.value.value.best, stop.value.value.views) == (Turn.RIGHT, 8)
    mean = np.mean([[log_softmax(np.array([logits_for(View(), turn, 4.0)], np.float32))[0]] for turn in
                    [Turn.RIGHT] * 5 + [Turn.LEFT] * 3], axis=0)  # fmt: skip
    np.testing.assert_allclose(stop.value.value.scores.values, np.exp(log_softmax(mean))[0], rtol=1e-4)


def test_spent_budget_stops_the_cascade() -> None:
    spent = decision(may_go_on=lambda: False)
    orientation, _ = drive("cascade", spent, Turn.HALF, dict.fromkeys(("whole", "turned", "tiles"), UNSURE))
    assert (orientation.flow, orientation.turn) == ("whole", None)


def test_promises_differ_only_in_the_threshold() -> None:
    strength = dict.fromkeys(("whole", "turned", "tiles"), math.log(0.95 / (0.05 / 3)))
    answers = {p: drive("whole", decision(p), Turn.LEFT, strength)[0] for p in Promise}
    assert [answers[p].turn for p in Promise] == [None, Turn.LEFT, Turn.LEFT]
    assert len({a.confidence for a in answers.values()}) == 1
    assert answers[Promise.CAREFUL].confidence == pytest.approx(0.95)


def test_best_always_answers_and_looks_closer_where_balanced_would() -> None:
    orientation, _ = drive(
        "cascade", decision(Promise.BEST), Turn.RIGHT, dict.fromkeys(("whole", "turned", "tiles"), UNSURE)
    )
    assert (orientation.flow, orientation.turn) == ("tiles", Turn.RIGHT)


def test_no_evidence_is_called_blank() -> None:
    orientation, _ = drive("whole", decision(), Turn.NONE, {"whole": 0.0})
    assert (orientation.turn, orientation.best, orientation.reason) == (None, Turn.NONE, Reason.BLANK)


def test_unknown_flow_is_named() -> None:
    with pytest.raises(UsageError, match=r"no flow is called 'magic'.*whole, turned, tiles, cascade"):
        flow_named("magic")


@given(st.lists(st.lists(st.floats(-30, 30, width=32), min_size=4, max_size=4), min_size=1, max_size=5))
def test_log_softmax_is_a_distribution(rows: list[list[float]]) -> None:
    np.testing.assert_allclose(np.exp(log_softmax(np.array(rows, np.float32))).sum(axis=1), 1, atol=1e-5)


@given(st.sampled_from(Turn), st.sampled_from(Turn))
def test_roll_back(turned: Turn, needs: Turn) -> None:
    view = View(turn=turned)
    row = np.array([logits_for(view, needs, 5.0)], np.float32)
    assert roll_back(row, [view])[0].argmax() == needs.index
