"""Shares with their uncertainty, and what a promise does to pictures shown all four ways.

Everywhere here ``logits[i, t]`` are the four logits of picture ``i`` shown so that turn ``t`` sets it upright:
a perfect model has its greatest value at ``logits[i, t, t]``. ``t`` counts quarter turns clockwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]

PROMISES = ("careful", "balanced", "best")


def wilson(hits: float, trials: float, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927), 95 % two-sided by default; (0, 1) where nothing was tried."""
    if trials <= 0:
        return 0.0, 1.0
    share = hits / trials
    middle = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def scores(logits: Floats, temperature: float) -> Floats:
    """Calibrated probabilities [..., 4]."""
    return np.exp(log_softmax(logits / temperature))


def turned(logits: Floats) -> Floats:
    """Mean log-probabilities [n, 4, 4] of the step `turned`: each shown picture seen four ways, rolled back.

    A picture that needs turn t, turned clockwise by j more, needs t - j; its class c - j therefore speaks for turn c.
    Squashing to a square commutes with quarter turns, so the four views of the four shown pictures are the same four.
    """
    logs = log_softmax(logits)
    upright = np.mean([np.roll(logs[:, -j % 4], j, axis=-1) for j in range(4)], axis=0)
    return np.stack([np.roll(upright, t, axis=-1) for t in range(4)], axis=1)


def decided(logits: Floats, temperature: float, threshold: float | None) -> tuple[Ints, Mask]:
    """The likeliest turn [n, 4] and whether it is sure [n, 4]."""
    probabilities = scores(logits, temperature)
    return probabilities.argmax(-1), reached(probabilities.max(-1), threshold)


def reached(confidence: Floats, threshold: float | None) -> Mask:
    """Where a confidence is enough; nowhere for a promise that cannot be kept, whose threshold is None."""
    return np.zeros(confidence.shape, bool) if threshold is None else confidence >= threshold


def confusion(answer: Ints) -> Ints:
    """How often [4 turns that are right, 4 turns that were answered]."""
    return np.stack([np.bincount(answer[:, turn], minlength=4) for turn in range(4)])


def promise_row(answer: Ints, sure: Mask) -> dict[str, Any]:
    """What sure and unsure answers [n, 4] do to the pictures; shares in [0, 1], intervals by Wilson.

    `accuracy`: right answers of all, unsure counted as not right; `coverage`: answers that are not unsure;
    `right_when_sure`; `spoilt`: upright pictures that would be turned; `turns_right`: of the turns made with the four
    turns equally frequent. The four turns of one picture are no independent trials, so every interval counts pictures.
    """
    pictures = len(answer)
    right = sure & (answer == np.arange(4))
    made = sure & (answer != 0)
    spoilt, turns_made = int(made[:, 0].sum()), int(made.sum())
    row: dict[str, Any] = {
        "pictures": pictures,
        "accuracy": float(right.mean()),
        "accuracy_interval": wilson(float(right.mean()) * pictures, pictures),
        "coverage": float(sure.mean()),
        "right_when_sure": float(right.sum() / sure.sum()) if sure.any() else None,
        "spoilt": spoilt / pictures,
        "spoilt_interval": wilson(spoilt, pictures),
        "turns_made": turns_made,
        "turns_right": float((made & right).sum() / turns_made) if turns_made else None,
    }
    row["turns_right_interval"] = wilson((row["turns_right"] or 0) * turns_made / 3, turns_made / 3)
    return row


def masks(names: Sequence[str]) -> dict[str, Mask]:
    """A mask for each name, in order of first appearance, and one for `all` where there are several."""
    each = {name: np.array([other == name for other in names], bool) for name in dict.fromkeys(names)}
    return {**each, "all": np.ones(len(names), bool)} if len(each) > 1 else each
