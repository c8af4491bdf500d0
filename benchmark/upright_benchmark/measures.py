"""What the answers of one entrant are worth: shares with intervals, confusion, calibration, coverage at fixed risks.

An answer is wrong where the entrant names another turn than the right one; silence (unsure, crashed, nonsense) is
neither right nor wrong: nothing would be turned. `spoilt` counts upright pictures that would be turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upright_benchmark.pictures import TURNS

RISKS = (0.001, 0.005, 0.01)
DRAWS = 2000
SEED = 20
BINS = 10

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Answers:
    """Rows of one entrant as arrays [n]. `answer` and `best` are -1 where there is none, `confidence` NaN."""

    document: Ints
    turn: Ints
    answer: Ints
    best: Ints
    confidence: Floats

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Answers:
        """Rows of pictures that have an up; `document` numbers them in order of first appearance."""
        numbers: dict[str, int] = {}
        documents = [numbers.setdefault(row["document"], len(numbers)) for row in rows]
        answer = [_turn(row["answer"]) for row in rows]
        best = [_turn(row["best"]) if row["best"] is not None else a for row, a in zip(rows, answer, strict=True)]
        confidence = [np.nan if row["confidence"] is None else row["confidence"] for row in rows]
        turns = [row["turn"] for row in rows]
        d, t, a, b = (np.array(values, np.int64) for values in (documents, turns, answer, best))
        return cls(d, t, a, b, np.array(confidence, float))

    def __len__(self) -> int:
        return len(self.turn)

    @property
    def answered(self) -> Mask:
        return np.asarray(self.answer >= 0)

    @property
    def right(self) -> Mask:
        return np.asarray(self.answer == self.turn)

    @property
    def upright(self) -> Mask:
        return np.asarray(self.turn == 0)

    @property
    def spoilt(self) -> Mask:
        return self.upright & (self.answer > 0)


def _turn(value: int | None) -> int:
    return -1 if value is None else value


def shares(answers: Answers) -> dict[str, tuple[Floats, Floats]]:
    """What each share counts and of what, [n] each: hits and trials."""
    every, answered = np.ones(len(answers)), answers.answered.astype(float)
    wrong = (answers.answered & ~answers.right).astype(float)
    made = answers.answer > 0
    return {
        "accuracy": (answers.right.astype(float), every),
        "spoilt": (answers.spoilt.astype(float), answers.upright.astype(float)),
        "coverage": (answered, every),
        "wrong_of_answered": (wrong, answered),
        "turns_wrong": ((made & ~answers.right).astype(float), made.astype(float)),
    }


def draws(documents: int, number: int = DRAWS, seed: int = SEED) -> Floats:
    """How often [number, documents] each document is drawn by a bootstrap sample of as many documents."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(documents, np.full(documents, 1 / documents), number).astype(float)


def interval(hits: Floats, trials: Floats, document: Ints) -> tuple[float, float]:
    """95 % interval of a share by bootstrap over documents (percentiles).

    Where nothing or everything was hit, a bootstrap says that there is no doubt; the open end is then Clopper and
    Pearson's, counting documents as trials."""
    number = int(document.max()) + 1
    by_hit, by_trial = (np.bincount(document, values, number) for values in (hits, trials))
    tried = int((by_trial > 0).sum())
    if not tried:
        return 0.0, 1.0
    weights = draws(number)
    total = weights @ by_trial
    low, high = np.percentile((weights @ by_hit)[total > 0] / total[total > 0], (2.5, 97.5))
    open_end = 1 - 0.025 ** (1 / tried)
    if hits.sum() == 0:
        high = open_end
    elif hits.sum() == trials.sum():
        low = 1 - open_end
    return float(low), float(high)


def summary(answers: Answers) -> dict[str, Any]:
    """Shares in [0, 1] with their intervals; None where nothing was tried."""
    row: dict[str, Any] = {
        "shown": len(answers),
        "upright_shown": int(answers.upright.sum()),
        "documents": len(np.unique(answers.document)),
    }
    for name, (hits, trials) in shares(answers).items():
        row[name] = float(hits.sum() / trials.sum()) if trials.sum() else None
        row[f"{name}_interval"] = interval(hits, trials, answers.document) if trials.sum() else None
    return row


def confusion(answers: Answers) -> dict[str, Any]:
    """Right turn down, answered turn across, silence last; and the two confusions that have names."""
    table = [[int(((answers.turn == t) & (answers.answer == a)).sum()) for a in (*TURNS, -1)] for t in TURNS]
    lying = table[1][3] + table[3][1], sum(table[1]) + sum(table[3])
    standing = table[0][2] + table[2][0], sum(table[0]) + sum(table[2])
    return {"table": table, "90_for_270": _share(*lying), "180_for_0": _share(*standing)}


def _share(hits: float, trials: float) -> float | None:
    return hits / trials if trials else None


def at_risk(answers: Answers, risk: float) -> dict[str, float | None]:
    """The most answers that can be had with at most `risk` of them wrong, by a threshold on the confidence.

    The threshold is chosen on the same answers, which flatters every entrant alike. Equal confidences stay together.
    The entrant's best guess counts, also where it was unsure itself. None where it gives no confidence."""
    usable = (answers.best >= 0) & ~np.isnan(answers.confidence)
    if not usable.any():
        return {"coverage": None, "threshold": None, "spoilt": None}
    order = np.argsort(-answers.confidence[usable], kind="stable")
    confidence = answers.confidence[usable][order]
    wrong = np.cumsum((answers.best != answers.turn)[usable][order])
    number = np.arange(1, len(order) + 1)
    allowed = (wrong <= risk * number) & np.append(confidence[1:] < confidence[:-1], True)
    if not allowed.any():
        return {"coverage": 0.0, "threshold": None, "spoilt": 0.0}
    last = int(np.flatnonzero(allowed)[-1])
    kept = usable & (answers.confidence >= confidence[last])
    spoilt = (kept & answers.upright & (answers.best > 0)).sum()
    upright = float(answers.upright.sum())
    return {
        "coverage": (last + 1) / len(answers),
        "threshold": float(confidence[last]),
        "spoilt": float(spoilt) / upright if upright else None,
    }


def calibration(answers: Answers) -> dict[str, Any] | None:
    """Reliability in ten bins of confidence, its mean gap (ECE) and the Brier score of "the best guess is right"."""
    usable = (answers.best >= 0) & ~np.isnan(answers.confidence)
    if not usable.any():
        return None
    confidence = answers.confidence[usable].clip(0, 1)
    right = (answers.best == answers.turn)[usable].astype(float)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    rows = []
    for number in np.unique(bins):
        inside = bins == number
        rows.append({
            "from": number / BINS, "to": (number + 1) / BINS, "answers": int(inside.sum()),
            "confidence": float(confidence[inside].mean()), "right": float(right[inside].mean()),
        })  # fmt: skip
    gap = sum(row["answers"] * abs(row["confidence"] - row["right"]) for row in rows) / len(right)
    return {"bins": rows, "ece": float(gap), "brier": float(((confidence - right) ** 2).mean())}


def tilt_and_mirror(rows: Sequence[Row]) -> dict[str, Any]:
    """Of answers that report them: the mean error of the tilt in degrees, and mirrored pictures recognised as such."""
    tilts = [abs(row["tilt"] - row["true_tilt"]) for row in rows if None not in (row["tilt"], row["true_tilt"])]
    told = [(bool(row["mirrored"]), bool(row["true_mirrored"])) for row in rows if row["mirrored"] is not None]
    mirrored, straight = [m for m, true in told if true], [m for m, true in told if not true]
    return {
        "tilts": len(tilts),
        "tilt_error": float(np.mean(tilts)) if tilts else None,
        "tilt_within_1": float(np.mean(np.array(tilts) <= 1)) if tilts else None,
        "mirrored_found": _share(sum(mirrored), len(mirrored)),
        "mirrored_false": _share(sum(straight), len(straight)),
    }


def cost(rows: Sequence[Row]) -> dict[str, Any]:
    """CPU time, time by the clock and peak memory of one picture, without the set-up."""
    table = {name: np.array([row[name] for row in rows if row[name] is not None]) for name in COSTS}
    return {
        name: {"median": float(np.median(v)), "p95": float(np.percentile(v, 95)), "max": float(v.max())}
        for name, v in table.items()
        if len(v)
    }


COSTS = ("cpu_ms", "wall_ms", "peak_mib")
