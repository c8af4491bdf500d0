"""Reliability diagram and risk-coverage curve of a calibration, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from training.calibrate import PROMISED, Calibration
from training.measures import Floats, Ints, masks, scores

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def reliability(confidence: Floats, right: Floats, bins: int = 12) -> tuple[Floats, Floats]:
    """Mean confidence and share right of bins that hold equally many answers."""
    order = np.argsort(confidence)
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return np.array([confidence[p].mean() for p in parts]), np.array([right[p].mean() for p in parts])


def risk_coverage(confidence: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Share answered, and share wrong among those, as the threshold falls."""
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    return answered / len(order), np.cumsum(1 - right[order]) / answered


def figures(steps: Mapping[str, Floats], labels: Ints, kinds: Sequence[str], settings: Calibration, out: Path) -> None:
    """Writes `reliability.png` and `risk_coverage.png` into a folder; rows as `training.calibrate` takes them."""
    out.mkdir(parents=True, exist_ok=True)
    _reliability(steps, labels, settings).savefig(out / "reliability.png", dpi=110)
    _risk_coverage(steps, labels, kinds, settings).savefig(out / "risk_coverage.png", dpi=110)
    plt.close("all")


def _reliability(steps: Mapping[str, Floats], labels: Ints, settings: Calibration) -> Any:
    figure, axes = plt.subplots(1, len(steps), figsize=(4.5 * len(steps), 4.4), layout="constrained")
    for axis, (step, logits) in zip(axes, steps.items(), strict=True):
        for degree, name in ((1.0, "as trained"), (settings[step]["temperature"], "calibrated")):
            probabilities = scores(logits, degree)
            right = (probabilities.argmax(1) == labels).astype(float)
            axis.plot(*reliability(probabilities.max(1), right), marker="o", label=name)
        axis.plot([0.25, 1], [0.25, 1], color="grey", linewidth=0.8)
        axis.set(title=f"{step}, T = {settings[step]['temperature']}", xlabel="confidence", ylabel="share right")
        axis.legend()
    return figure


def _risk_coverage(steps: Mapping[str, Floats], labels: Ints, kinds: Sequence[str], settings: Calibration) -> Any:
    figure, axes = plt.subplots(1, len(steps), figsize=(4.5 * len(steps), 4.4), layout="constrained", sharey=True)
    for axis, (step, logits) in zip(axes, steps.items(), strict=True):
        probabilities = scores(logits, settings[step]["temperature"])
        right = (probabilities.argmax(1) == labels).astype(float)
        for kind, mask in masks(kinds).items():
            coverage, risk = risk_coverage(probabilities.max(1)[mask], right[mask])
            axis.plot(100 * coverage, 100 * risk, label=kind)
        for threshold in sorted({value for promise in PROMISED if (value := settings[step][promise]) is not None}):
            names = ", ".join(promise for promise in PROMISED if settings[step][promise] == threshold)
            covered = 100 * (probabilities.max(1) >= threshold).mean()
            axis.axvline(covered, color="grey", linewidth=0.8)
            axis.annotate(names, (covered, 0), rotation=90, fontsize=8, xytext=(2, 60), textcoords="offset points")
        axis.set(title=step, xlabel="answered, %", ylabel="wrong of the answered, %", xlim=(0, 100), ylim=(0, None))
        axis.legend()
    return figure
