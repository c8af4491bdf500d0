"""Figures that can be worked out by hand."""

from typing import Any

import numpy as np
import pytest
from upright_benchmark.compare import all_pairs, paired, suspects
from upright_benchmark.measures import (
    Answers,
    at_risk,
    calibration,
    confusion,
    cost,
    interval,
    summary,
    tilt_and_mirror,
)


def row(
    turn: int, answer: int | None, confidence: float | None = None, document: str = "d", **more: Any
) -> dict[str, Any]:
    return {"picture": document, "document": document, "turn": turn, "answer": answer, "best": None,
            "confidence": confidence, **more}  # fmt: skip


def test_shares_by_hand() -> None:
    rows = [row(0, 0, document="a"), row(0, 180, document="b"), row(90, 90, document="a"), row(90, 270, document="b"),
            row(180, None, document="a"), row(270, 0, document="b")]  # fmt: skip
    found = summary(Answers.of(rows))
    assert found["accuracy"] == pytest.approx(2 / 6)
    assert found["spoilt"] == pytest.approx(1 / 2)
    assert found["coverage"] == pytest.approx(5 / 6)
    assert found["wrong_of_answered"] == pytest.approx(3 / 5)
    assert found["turns_wrong"] == pytest.approx(2 / 3)  # 180 and 270 of the three turns made
    table = confusion(Answers.of(rows))
    assert table["table"] == [[1, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]]
    assert table["180_for_0"] == pytest.approx(1 / 3) and table["90_for_270"] == pytest.approx(1 / 3)


def test_a_silent_entrant_has_no_share_of_wrong_answers() -> None:
    found = summary(Answers.of([row(turn, None) for turn in (0, 90, 180, 270)]))
    assert found["wrong_of_answered"] is None and found["accuracy"] == found["coverage"] == found["spoilt"] == 0.0


def test_coverage_at_a_risk_keeps_ties_together() -> None:
    confidences = [0.9, 0.8, 0.8, 0.7, 0.6]
    answers = [0, 0, 180, 0, 0]
    rows = [row(0, a, c, str(i)) for i, (a, c) in enumerate(zip(answers, confidences, strict=True))]
    assert at_risk(Answers.of(rows), 0.01) == {"coverage": 0.2, "threshold": 0.9, "spoilt": 0.0}
    assert at_risk(Answers.of(rows), 0.2)["coverage"] == 1.0
    assert at_risk(Answers.of(rows), 0.2)["spoilt"] == pytest.approx(0.2)
    assert at_risk(Answers.of([row(0, 0)]), 0.01)["coverage"] is None
    assert at_risk(Answers.of([row(0, 90, 1.0)]), 0.01)["coverage"] == 0.0


def test_calibration_by_hand() -> None:
    rows = [row(0, 0, 0.95), row(0, 0, 0.95), row(0, 90, 0.95), row(0, 90, 0.15)]
    found = calibration(Answers.of(rows))
    assert found is not None
    assert found["brier"] == pytest.approx((2 * 0.05**2 + 0.95**2 + 0.15**2) / 4)
    assert found["ece"] == pytest.approx(0.75 * abs(0.95 - 2 / 3) + 0.25 * 0.15)
    assert [(b["from"], b["answers"]) for b in found["bins"]] == [(0.1, 1), (0.9, 3)]
    assert calibration(Answers.of([row(0, 0)])) is None


def test_pages_of_one_document_do_not_count_as_many() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random(20) < 0.3
    alone = [row(0, 90 if wrong[i % 20] else 0, document=str(i)) for i in range(200)]
    together = [row(0, 90 if wrong[i % 20] else 0, document=str(i % 20)) for i in range(200)]
    narrow, wide = (np.diff(summary(Answers.of(rows))["spoilt_interval"])[0] for rows in (alone, together))
    assert 2.5 < wide / narrow < 4  # ten copies each: about the root of ten


def test_nothing_seen_is_not_never() -> None:
    document = np.arange(100)
    assert interval(np.zeros(100), np.ones(100), document) == pytest.approx((0, 1 - 0.025**0.01))
    assert interval(np.ones(100), np.ones(100), document) == pytest.approx((0.025**0.01, 1))
    assert interval(np.zeros(2), np.zeros(2), np.arange(2)) == (0, 1)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(60):
        hits = (rng.random(80) < 0.2).astype(float)
        low, high = interval(hits, np.ones(80), np.arange(80))
        covered += low <= 0.2 <= high
    assert covered >= 53


def test_paired_differences() -> None:
    good = [row(0, 0, document=str(i)) for i in range(40)]
    bad = [row(0, 90 if i < 12 else 0, document=str(i)) for i in range(40)]
    test = paired(good, bad, "accuracy")
    assert test is not None and test["difference"] == pytest.approx(0.3) and test["p"] < 0.005
    low, high = test["interval"]
    assert 0.1 < low < 0.3 < high < 0.5
    other = paired(bad, good, "spoilt")
    assert other is not None and other["difference"] == pytest.approx(0.3)
    same = paired(good, good, "accuracy")
    assert same is not None and (same["difference"], same["p"]) == (0.0, 1.0)
    assert paired(good, [], "accuracy") is None
    tests = all_pairs({"good": good, "bad": bad, "again": good})
    assert len(tests) == 6 and all(t["p_holm"] >= t["p"] for t in tests)


def test_two_entrants_must_agree_in_all_four_turns_to_doubt_a_label() -> None:
    def shown(errors: dict[int, int]) -> list[dict[str, Any]]:
        return [row(turn, (turn + error) % 360, document="x") for turn, error in errors.items()]

    always, once = shown(dict.fromkeys((0, 90, 180, 270), 90)), shown({0: 90, 90: 90, 180: 90, 270: 0})
    assert suspects({"a": always, "b": always}) == [{"picture": "x", "says": 90, "entrants": ["a", "b"]}]
    assert suspects({"a": always, "b": always}, {"a": "one", "b": "one"}) == []
    assert suspects({"a": always, "b": once}) == suspects({"a": always}) == []


def reported(
    tilt: float | None, true_tilt: float, mirrored: bool | None, true_mirrored: int, **more: Any
) -> dict[str, Any]:
    return {"tilt": tilt, "true_tilt": true_tilt, "mirrored": mirrored, "true_mirrored": true_mirrored, **more}


def test_tilt_mirror_and_cost() -> None:
    rows = [
        reported(3.0, 3.5, True, 1, cpu_ms=1.0, wall_ms=None, peak_mib=7),
        reported(-2.0, 0.0, False, 0, cpu_ms=3.0, wall_ms=None, peak_mib=9),
        reported(None, 9.0, None, 0, cpu_ms=None, wall_ms=None, peak_mib=8),
    ]
    found = tilt_and_mirror(rows)
    assert found == {"tilts": 2, "tilt_error": 1.25, "tilt_within_1": 0.5, "mirrored_found": 1.0, "mirrored_false": 0.0}
    assert cost(rows) == {
        "cpu_ms": {"median": 2.0, "p95": pytest.approx(2.9), "max": 3.0},
        "peak_mib": {"median": 8.0, "p95": pytest.approx(8.9), "max": 9.0},
    }
