"""The climb is pure: which steps it asks for, where it ends, what it answers; and the ladder that a model fits."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upright import steps
from upright.decide import Ladder, climb, judge, ladder_of
from upright.errors import ModelError
from upright.model import Calibration, load_model
from upright.pictures import open_picture
from upright.results import Orientation, Promise, Reason
from upright.steps import LADDER, Looks, Step, View
from upright.steps.view import log_softmax
from upright.turns import Turn

CALIBRATION = Calibration(1.0, 0.999, 0.9, 0.0)
NAMES = [step.name for step in LADDER]
GLANCE, OPPOSITE, TURNED, QUARTERS, CLOSE = LADDER
SURE, UNSURE = 12.0, 0.5
#: What each step shows of a picture that is large enough for all of them.
VIEWS: dict[str, Sequence[View]] = {
    "glance": [View()],
    "opposite": [View(turn=Turn.HALF)],
    "turned": [View(turn=Turn.RIGHT), View(turn=Turn.LEFT)],
    "quarters": [View(turn=turn, squashed=(8, 8)) for turn in Turn],
    "close": [View((64 * i, 0, 64 * i + 64, 64), t, 1 - i / 2) for t in (Turn.NONE, Turn.HALF) for i in range(2)],
}


def ladder(calibration: Calibration = CALIBRATION, **special: Calibration) -> Ladder:
    return [(step, special.get(step.name, calibration)) for step in LADDER]


def logits_for(view: View, picture_needs: Turn, strength: float, habit: int | None = None) -> list[float]:
    """What a good model says: the view has been turned already, so it needs that much less."""
    row = [0.0] * 4
    row[picture_needs.then(view.turn.inverse).index] += strength
    if habit is not None:
        row[habit] += 3.0
    return row


def looks(step: str, needs: Turn, strength: float, habit: int | None = None) -> Looks:
    views = VIEWS[step]
    return Looks.of(views, np.array([logits_for(view, needs, strength, habit) for view in views], np.float32))


def climbed(
    needs: Turn,
    strength: dict[str, float] | float,
    *,
    on: Ladder | None = None,
    effort: int = 3,
    promise: Promise = Promise.BALANCED,
    **more: object,
) -> tuple[Orientation, list[str]]:
    """The answer, and the steps that were asked for."""
    if not isinstance(strength, dict):
        strength = dict.fromkeys(NAMES, strength)
    climbing, asked = climb(on or ladder(), effort, promise, **more), []  # type: ignore[arg-type]
    try:
        step = next(climbing)
        while True:
            asked.append(step.name)
            step = climbing.send(looks(step.name, needs, strength[step.name]))
    except StopIteration as stop:
        return stop.value, asked


@pytest.mark.parametrize("effort", range(4))
@pytest.mark.parametrize("needs", Turn)
def test_every_effort_finds_every_turn(effort: int, needs: Turn) -> None:
    for strength in (SURE, 1.5):
        answer, _ = climbed(needs, strength, effort=effort, promise=Promise.BEST)
        assert (answer.turn, answer.best, answer.reason) == (needs, needs, Reason.SURE)
        assert answer.scores.values[needs.index] == answer.confidence


def test_habit_of_the_model_cancels_out() -> None:
    """A model that prefers one output is misled by one view and not by four; two look as wrong as each other."""
    seen = {name: looks(name, Turn.LEFT, 2.0, habit=0) for name in ("glance", "opposite", "turned")}
    once, twice, four = (judge(step, seen, CALIBRATION, Promise.BEST) for step in (GLANCE, OPPOSITE, TURNED))
    assert (once.turn, four.turn) == (Turn.NONE, Turn.LEFT)
    assert twice.scores.values[0] == pytest.approx(twice.scores.values[2]), "what it prefers of each view, as often"


@pytest.mark.parametrize(
    ("stop_at", "views"), [("glance", 1), ("opposite", 2), ("turned", 4), ("quarters", 8), ("close", 12)]
)
def test_it_climbs_only_while_unsure(stop_at: str, views: int) -> None:
    strength = {name: SURE if NAMES.index(name) >= NAMES.index(stop_at) else UNSURE for name in NAMES}
    answer, asked = climbed(Turn.RIGHT, strength)
    assert (answer.step, answer.views, answer.turn) == (stop_at, views, Turn.RIGHT)
    assert asked == NAMES[: NAMES.index(stop_at) + 1]


@pytest.mark.parametrize(("effort", "step", "views"), [(0, "glance", 1), (1, "turned", 4), (2, "quarters", 8)])
def test_effort_bounds_the_looks(effort: int, step: str, views: int) -> None:
    answer, asked = climbed(Turn.HALF, UNSURE, effort=effort)
    assert (answer.step, answer.views, asked) == (step, views, NAMES[: NAMES.index(step) + 1])
    assert (answer.turn, answer.best, answer.reason) == (None, Turn.HALF, Reason.BELOW_THRESHOLD)


def test_a_step_that_has_nothing_to_show_leaves_the_answer_of_the_one_before() -> None:
    climbing = climb(ladder(), 3, Promise.BALANCED)
    step = next(climbing)
    while step.name != "close":
        step = climbing.send(looks(step.name, Turn.LEFT, UNSURE))
    with pytest.raises(StopIteration) as stop:
        climbing.send(Looks((), np.empty((0, 4), np.float32)))
    assert (stop.value.value.step, stop.value.value.views) == ("quarters", 8)


def test_quarters_count_like_the_four_looks() -> None:
    """Eight looks, each as much: three quarters that say LEFT cannot outvote four whole views as sure as they are."""
    seen = {name: looks(name, Turn.RIGHT, 4.0) for name in ("glance", "opposite", "turned")}
    says = [Turn.RIGHT, Turn.LEFT, Turn.LEFT, Turn.LEFT]
    rows = [logits_for(view, turn, 4.0) for view, turn in zip(VIEWS["quarters"], says, strict=True)]
    seen["quarters"] = Looks.of(VIEWS["quarters"], np.array(rows, np.float32))
    answer = judge(QUARTERS, seen, CALIBRATION, Promise.BEST)
    assert (answer.best, answer.views) == (Turn.RIGHT, 8)
    mean = np.mean([[log_softmax(np.array([logits_for(View(), turn, 4.0)], np.float32))[0]] for turn in
                    [Turn.RIGHT] * 5 + [Turn.LEFT] * 3], axis=0)  # fmt: skip
    np.testing.assert_allclose(answer.scores.values, np.exp(log_softmax(mean))[0], rtol=1e-4)


def test_a_spent_budget_ends_the_climb() -> None:
    answer, _ = climbed(Turn.HALF, UNSURE, may_go_on=lambda: False)
    assert (answer.step, answer.turn) == ("glance", None)


def test_promises_differ_only_in_the_threshold() -> None:
    strength = math.log(0.95 / (0.05 / 3))
    answers = {p: climbed(Turn.LEFT, strength, effort=0, promise=p)[0] for p in Promise}
    assert [answers[p].turn for p in Promise] == [None, Turn.LEFT, Turn.LEFT]
    assert len({a.confidence for a in answers.values()}) == 1
    assert answers[Promise.CAREFUL].confidence == pytest.approx(0.95)


def test_best_always_answers_and_looks_closer_where_balanced_would() -> None:
    answer, _ = climbed(Turn.RIGHT, UNSURE, effort=2, promise=Promise.BEST)
    assert (answer.step, answer.turn) == ("quarters", Turn.RIGHT)
    assert climbed(Turn.RIGHT, SURE, promise=Promise.BEST)[1] == ["glance"]


def test_a_promise_that_a_step_cannot_keep_is_never_met() -> None:
    """Not even by a confidence of exactly 1.0, which four logits far enough apart have."""
    never = Calibration(1.0, None, None, 0.0)
    assert climbed(Turn.LEFT, 1000.0, effort=0)[0].confidence == 1.0
    for promise in (Promise.CAREFUL, Promise.BALANCED):
        answer, _ = climbed(Turn.LEFT, 1000.0, on=ladder(never), effort=0, promise=promise)
        assert (answer.confidence, answer.turn, answer.reason) == (1.0, None, Reason.BELOW_THRESHOLD)
    answer, asked = climbed(Turn.LEFT, 1000.0, on=ladder(CALIBRATION, glance=never))
    assert (answer.step, answer.turn, asked) == ("opposite", Turn.LEFT, NAMES[:2])
    assert climbed(Turn.LEFT, UNSURE, on=ladder(never), effort=1, promise=Promise.BEST)[0].turn is Turn.LEFT


def test_no_evidence_is_called_blank() -> None:
    answer, _ = climbed(Turn.NONE, 0.0, effort=0)
    assert (answer.turn, answer.best, answer.reason) == (None, Turn.NONE, Reason.BLANK)


def test_the_ladder_of_the_default_model_is_the_whole_one() -> None:
    model = load_model()
    assert [step for step, _ in ladder_of(model)] == list(LADDER)
    assert [calibration for _, calibration in ladder_of(model)] == list(model.calibration.values())


def test_a_model_may_know_the_first_steps_only() -> None:
    model = load_model()
    short = ladder_of(replace(model, calibration={name: model.calibration[name] for name in NAMES[:3]}))
    answer, asked = climbed(Turn.LEFT, UNSURE, on=short)
    assert (answer.step, asked) == ("turned", NAMES[:3])


def test_a_step_that_a_model_is_not_calibrated_for_is_climbed_through() -> None:
    """So a model folder from before a step was there answers as it did."""
    older = ladder_of(replace(load_model(), calibration=dict.fromkeys(["glance", "turned", "quarters"], CALIBRATION)))
    assert [step.name for step, _ in older] == NAMES[:4]
    strength = {"glance": UNSURE, "opposite": 1000.0, "turned": SURE}
    answer, asked = climbed(Turn.LEFT, strength, on=older)
    assert (answer.step, answer.views, answer.turn, asked) == ("turned", 4, Turn.LEFT, NAMES[:3])


@pytest.mark.parametrize("names", [[], ["turned"], ["turned", "glance"], ["glance", "whole"], [*NAMES, "more"]])
def test_a_calibration_that_does_not_fit_the_ladder_is_refused(names: list[str]) -> None:
    model = replace(load_model(), calibration=dict.fromkeys(names, CALIBRATION))
    with pytest.raises(ModelError, match=r"the ladder is glance, opposite, turned, quarters, close; calibrate"):
        ladder_of(model)


def test_a_new_step_is_one_entry_and_its_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    again = Step("again", 4, lambda picture, size_px: [View()], lambda seen: seen["again"].log_probabilities[0])
    monkeypatch.setattr(steps, "LADDER", (*LADDER, again))
    monkeypatch.setitem(VIEWS, "again", [View()])
    model = load_model()
    longer = ladder_of(replace(model, calibration=model.calibration | {"again": CALIBRATION}))
    answer, asked = climbed(Turn.HALF, dict.fromkeys(NAMES, UNSURE) | {"again": SURE}, on=longer, effort=4)
    assert (answer.step, answer.turn, asked) == ("again", Turn.HALF, [*NAMES, "again"])


def test_each_step_shows_what_it_is_named_for() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (2100, 1500, 3)).astype(np.uint8)
    with open_picture(pixels) as picture:
        shown = {step.name: step.views(picture, 224) for step in LADDER}
    assert shown["glance"] == [View()]
    assert [view.turn for step in ("opposite", "turned") for view in shown[step]] == [180, 90, 270]
    assert len({view.corner for view in shown["quarters"]}) == len({view.turn for view in shown["quarters"]}) == 4
    assert len(shown["close"]) > 4 and {view.turn for view in shown["close"]} == set(Turn)


@given(st.lists(st.lists(st.floats(-30, 30, width=32), min_size=4, max_size=4), min_size=1, max_size=5))
def test_log_softmax_is_a_distribution(rows: list[list[float]]) -> None:
    np.testing.assert_allclose(np.exp(log_softmax(np.array(rows, np.float32))).sum(axis=1), 1, atol=1e-5)


@given(st.sampled_from(Turn), st.sampled_from(Turn))
def test_looks_at_turned_views_speak_of_the_picture(turned: Turn, needs: Turn) -> None:
    view = View(turn=turned)
    seen = Looks.of([view], np.array([logits_for(view, needs, 5.0)], np.float32))
    assert seen.log_probabilities[0].argmax() == needs.index
