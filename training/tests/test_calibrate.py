import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.calibrate import (
    NEVER,
    PROMISED,
    calibrate,
    calibrate_last,
    kept,
    main,
    rows,
    temperature,
    threshold,
    weights,
)
from training.figures import figures, reliability, risk_coverage
from training.looks import STEPS, says
from training.measures import Floats, Ints, log_softmax, scores
from training.tests.sky import Sky, pictures
from upright.steps import LADDER


def answers(number: int, degree: float, seed: int = 0) -> tuple[Floats, Ints]:
    """Logits whose probabilities, at this temperature, are the true chances of the labels drawn from them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (number, 4))
    chances = np.exp(log_softmax(logits))
    labels = (chances.cumsum(1) > random.random((number, 1))).argmax(1)
    return logits * degree, labels


@pytest.mark.parametrize("degree", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_again(degree: float) -> None:
    logits, labels = answers(20_000, degree)
    assert temperature(logits, labels, ["document"] * len(labels)) == pytest.approx(degree, rel=0.05)


def test_every_kind_weighs_alike() -> None:
    weight = weights(["a"] * 30 + ["b"] * 10)
    assert weight.mean() == pytest.approx(1)
    assert weight[:30].sum() == pytest.approx(weight[30:].sum())


def sorted_answers(number: int, wrong: set[int]) -> tuple[Floats, Ints]:
    """All say 90 degrees, the first the surest; those in `wrong` should have said 0."""
    logits = np.zeros((number, 4))
    logits[:, 1] = np.linspace(9, 3, number)
    return logits, np.array([0 if i in wrong else 1 for i in range(number)])


def test_the_threshold_is_the_smallest_that_keeps_the_promise() -> None:
    logits, labels = sorted_answers(3000, set(range(2000, 3000, 10)))
    cut = threshold(logits, labels, ["document"] * 3000, 1.0, 0.995)
    sure = np.exp(log_softmax(logits))[:, 1] >= cut
    # With one wrong turn more than seen: 2 + 9 wrong among about 2,090 keep 99.5 %, 3 more do not.
    wrong = int((sure & (labels != 1)).sum())
    assert (sure.sum() - wrong) / (sure.sum() + 1) >= 0.995
    assert 2000 < sure.sum() < 2200


def test_what_is_said_to_be_upright_has_no_part_in_a_promise() -> None:
    logits, labels = sorted_answers(2000, set())
    upright = np.tile([9.0, 0, 0, 0], (5000, 1))  # 5,000 answers of 0, all wrong
    both = np.concatenate([logits, upright]), np.concatenate([labels, np.full(5000, 3)])
    assert threshold(*both, ["document"] * 7000, 1.0, 0.999) < 0.9


def test_a_promise_that_cannot_be_kept_is_never_made() -> None:
    logits, labels = sorted_answers(500, set(range(0, 500, 10)))
    assert threshold(logits, labels, ["document"] * 500, 1.0, 0.995) == NEVER
    # 500 right answers alone do not show 99.9 %: one more wrong would break it.
    assert threshold(*sorted_answers(500, set()), ["document"] * 500, 1.0, 0.999) == NEVER


def test_one_bad_kind_raises_the_threshold_for_all() -> None:
    good, right = sorted_answers(9000, set())
    bad, wrong = sorted_answers(300, set(range(150, 300, 3)))
    together = np.concatenate([good, bad]), np.concatenate([right, wrong])
    kinds = ["document"] * 9000 + ["scene text"] * 300
    cut = threshold(*together, kinds, 1.0, 0.995)
    alone = threshold(good, right, ["document"] * 9000, 1.0, 0.995)
    surest_mistake = np.exp(log_softmax(bad))[150, 1]
    assert alone < cut and cut > surest_mistake - 0.005


def test_each_kind_keeps_the_promise_by_itself() -> None:
    """3 wrong of 300 are 99.0 %, which 9,000 right ones of another kind must not hide; 1 of the first 200 is 99.5."""
    good, right = sorted_answers(9000, set())
    bad, wrong = sorted_answers(300, {100, 200, 250})
    together = np.concatenate([good, bad]), np.concatenate([right, wrong])
    cut = threshold(*together, ["document"] * 9000 + ["photograph"] * 300, 1.0, 0.995)
    assert int((np.exp(log_softmax(bad))[:, 1] >= cut).sum()) == 200


def test_one_picture_does_not_decide_for_its_kind() -> None:
    """Of 192 scene texts one is wrong in its three turns: as near to one in 200 as a whole picture can be."""
    good, right = sorted_answers(9000, set())
    bad, wrong = sorted_answers(576, {60, 61, 62})
    together = np.concatenate([good, bad]), np.concatenate([right, wrong])
    kinds = ["document"] * 9000 + ["scene text"] * 576
    cuts = [threshold(*together, kinds, 1.0, share) for share in (0.995, 0.999)]
    usual, careful = [int((np.exp(log_softmax(bad))[:, 1] >= cut).sum()) for cut in cuts]
    assert usual == 576 and careful <= 60


def test_a_calibration_has_every_step_and_key_and_keeps_its_order() -> None:
    whole, labels = answers(4000, 1.0)
    calm, _ = answers(4000, 1.0)
    steps = {"glance": whole, "opposite": 3 * calm, "turned": 2 * calm, "quarters": calm}
    settings = calibrate(steps, labels, ["document"] * 4000)
    assert list(settings) == [step.name for step in LADDER]
    assert settings["close"] == settings["quarters"], "what has no views here is as sure as the step before"
    wanted = [[settings[step][p] or NEVER for p in PROMISED] for step in steps]
    assert wanted[0] >= wanted[1] >= wanted[2] >= wanted[3]
    for step in settings.values():
        assert list(step) == ["temperature", "careful", "balanced", "best"] and step["best"] == 0.0
        balanced, careful = step["balanced"] or NEVER, step["careful"] or NEVER
        assert 0.0 < balanced <= careful and balanced < 1
    seen = kept(whole, labels, ["document"] * 4000, settings["glance"])
    for promise, share in PROMISED.items():
        made = seen[promise]["all"]
        assert made["turns_right"] is None or made["turns_right"] >= share


def test_the_last_step_keeps_its_promise_among_strange_sources() -> None:
    known, right = sorted_answers(9000, set())
    strange, wrong = sorted_answers(3000, set(range(1500, 3000, 20)))
    logits, labels, kinds = np.concatenate([known, strange]), np.concatenate([right, wrong]), ["photograph"] * 12000
    mask = np.arange(12000) >= 9000
    loose = calibrate({"glance": logits, "quarters": logits}, labels, kinds)
    strict = calibrate({"glance": logits, "quarters": logits}, labels, kinds, mask)
    assert loose["quarters"]["balanced"] < strict["quarters"]["balanced"] <= strict["glance"]["balanced"]
    confidence = scores(strange, strict["quarters"]["temperature"]).max(1)
    assert 1500 <= int((confidence >= strict["quarters"]["balanced"]).sum()) <= 1700


def test_a_mistake_that_more_looks_would_make_as_well_is_no_reason_to_climb() -> None:
    """Of 3,000 sure turns by one look one picture is wrong; the eight looks are as wrong about it, or they are not."""
    one, right = sorted_answers(3000, {10, 11, 12})
    mended = one.copy()
    mended[10:13, 0] = 20
    kinds, strange = ["document"] * 3000, np.arange(3000) >= 1500
    shared, better = (calibrate({"glance": one, "quarters": all_}, right, kinds, strange) for all_ in (one, mended))
    assert shared["glance"]["careful"] is None and shared["glance"]["balanced"] is not None
    assert better["glance"]["balanced"] is None and better["quarters"]["balanced"] is not None


def test_rows_show_every_picture_all_four_ways() -> None:
    said = says(Sky(), pictures(3))
    steps, labels, kinds = rows(said, ["a", "b", "c"])
    assert list(steps) == list(STEPS) and {values.shape for values in steps.values()} == {(12, 4)}
    assert labels.tolist() == [0, 1, 2, 3] * 3 and kinds == list("aaaabbbbcccc")
    assert np.array_equal(steps["glance"][5], said["glance"][1, 1])
    assert np.array_equal(steps["quarters"][5], said["quarters"][1, 1])


def test_curves_and_figures(tmp_path: Path) -> None:
    confidence, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 1.0, 0.0, 1.0])
    coverage, risk = risk_coverage(confidence, right)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0] and risk == pytest.approx([0, 0, 1 / 3, 0.25])
    sure, share = reliability(confidence, right, bins=2)
    assert sure == pytest.approx([0.65, 0.85]) and share == pytest.approx([0.5, 1.0])
    logits, labels = answers(400, 1.0)
    kinds = ["document", "photograph"] * 200
    steps = {"glance": logits, "turned": logits}
    figures(steps, labels, kinds, calibrate(steps, labels, kinds), tmp_path)
    for name in ("reliability.png", "risk_coverage.png"):
        with Image.open(tmp_path / name) as drawn:
            assert drawn.width > 600 and len(drawn.convert("RGB").getcolors(10**6) or []) > 20


def test_the_command_writes_into_the_model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"name": "toy", "calibration": {}}))
    monkeypatch.setattr("training.looks.Model.open", lambda *_: Sky())
    monkeypatch.setattr("training.calibrate.read", lambda _: pictures(8))
    arguments = ["calibrate", "--model", str(tmp_path), "--pools", "x", "--json", str(tmp_path / "c.json")]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    facts = json.loads((tmp_path / "model.json").read_text())
    assert facts["name"] == "toy" and facts["calibration"] == json.loads((tmp_path / "c.json").read_text())
    assert facts["calibration"]["glance"]["careful"] is None  # eight pictures prove no 99.9 %


def test_the_last_step_is_calibrated_on_what_the_others_leave_open() -> None:
    """400 pictures: the steps before are sure of half; of the rest the last step is right but for 40, less surely.

    It answers above them, whether there are enough pictures to show that the promise holds or not."""
    early, late = np.zeros((400, 4)), np.zeros((400, 4))
    early[:200, 0] = 20
    late[:, 0] = 5
    late[-40:] = [0, 2, 0, 0]
    for first in (0, 340):
        said = {name: all_ways(early[first:]) for name in ("glance", "turned", "quarters")}
        steps, labels, kinds = rows(said | {"close": all_ways(late[first:])}, ["document"] * (400 - first))
        settings: dict[str, float | None] = {"temperature": 1.0, "careful": 0.99, "balanced": 0.99, "best": 0.0}
        found = calibrate_last({name: dict(settings) for name in steps}, steps, labels, kinds)
        assert all(found[name] == settings for name in said)
        confidence = scores(steps["close"], float(found["close"]["temperature"] or 0)).max(1)
        balanced, careful = (float(found["close"][promise] or 0) for promise in ("balanced", "careful"))
        assert confidence[-160:].max() < balanced <= careful and found["close"]["best"] == 0


def all_ways(logits: np.ndarray) -> np.ndarray:
    """[n, 4, 4] of pictures whose upright showing says [n, 4]."""
    return np.stack([np.roll(logits, turn, axis=1) for turn in range(4)], axis=1)
