"""Temperature and thresholds from held-out pictures, so that a confidence means something and a promise is kept.

    python -m training.calibrate --model models/small --pools POOLS --figures OUT

The held-out part must be one that neither trained the model nor judges it. Writes the calibration into the folder's
`model.json` and prints what was promised and what was seen.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.data import HELD_OUT_SOURCES
from training.heldout import KINDS, read
from training.looks import Model, native, says
from training.measures import PROMISES, Floats, Ints, Mask, log_softmax, reached, scores
from training.script import run
from upright.steps import LADDER

# Share of the turns made that must be right, with the four turns equally frequent.
PROMISED = {"careful": 0.999, "balanced": 0.995}
#: Of held-out pictures this much of what a promise allows may be wrong: half of them are of sources that trained, and
#: where 0.13 % of upright-1 2.1.1's turns were wrong among them, 0.5 % of eval's were.
OF_ALLOWED = 0.7
#: A picture shown all four ways has three that ask for a turn.
TURNS_OF_ONE = 3
# The threshold of a promise that cannot be kept; in a model folder it is null.
NEVER = math.inf

Calibration = dict[str, dict[str, float | None]]


def calibrate(
    steps: Mapping[str, Floats], labels: Ints, kinds: Sequence[str], strange: Mask | None = None
) -> Calibration:
    """The calibration of a model folder from rows of log-probabilities [n, 4] by step, the right turns [n], the kinds.

    `steps` go from few looks to many. The four turns must be equally frequent among the rows. `strange` [n] are rows of
    sources that never trained, as all of a user's are: the last step, whose threshold the others have at least, keeps
    its promises among them by themselves; of all rows `OF_ALLOWED` of what a promise allows may be wrong. Steps of the
    ladder above the last one take what that has.
    """
    allowed = 1.0 if strange is None else OF_ALLOWED
    wanted = {promise: 1 - allowed * (1 - share) for promise, share in PROMISED.items()}
    found: dict[str, dict[str, float]] = {}
    last, mended = list(steps)[-1], np.ones(len(labels), bool)
    for step, logits in reversed(list(steps.items())):
        degree = temperature(logits, labels, kinds)
        chosen = {promise: threshold(logits, labels, kinds, degree, share) for promise, share in wanted.items()}
        if step == last:
            if strange is not None:
                own = _of(strange, logits, labels, kinds)
                chosen = {name: max(value, threshold(*own, degree, wanted[name])) for name, value in chosen.items()}
            probabilities = scores(logits, degree)
            mended = (probabilities.argmax(1) == labels) | (probabilities.max(1) < chosen["balanced"])
        # To end a climb early saves time and nothing else: that takes 99.9 %.
        elif chosen["careful"] != NEVER:
            chosen["balanced"] = chosen["careful"]
        # Of one look so few turns are sure that a single mistake refutes it. Those that the last step makes as well,
        # which climbing on would not mend, are left out then.
        elif strange is not None:
            chosen["balanced"] = threshold(*_of(mended, logits, labels, kinds), degree, wanted["careful"])
        found[step] = {
            "temperature": round(degree, 4),
            "careful": max(chosen["careful"], chosen["balanced"]),
            "balanced": chosen["balanced"],
            "best": 0.0,
        }
    found = {step: found[step] for step in steps}
    # Fewer looks are never the surer: one look may end the climb only where four as sure would be enough.
    for fewer, more in reversed(list(itertools.pairwise(found))):
        for promise in PROMISED:
            found[fewer][promise] = max(found[fewer][promise], found[more][promise])
    calibration: Calibration = {
        step: {name: None if value == NEVER else value for name, value in values.items()}
        for step, values in found.items()
    }
    names = [step.name for step in LADDER]
    return calibration | {step: dict(calibration[last]) for step in names[names.index(last) + 1 :]}


def _of(rows: Mask, logits: Floats, labels: Ints, kinds: Sequence[str]) -> tuple[Floats, Ints, list[str]]:
    return logits[rows], labels[rows], [kind for kind, is_so in zip(kinds, rows, strict=True) if is_so]


def calibrate_last(
    calibration: Calibration, steps: Mapping[str, Floats], labels: Ints, kinds: Sequence[str]
) -> Calibration:
    """The calibration with separate figures for the last step, from pictures at their own size [n, 4] by step.

    Only what the steps before leave open comes to it. Where that is so little that no confidence can be shown to keep
    a promise, it answers from half-way between its surest mistake and certainty on, for `careful` from three quarters.
    """
    name, logits = list(steps.items())[-1]
    degree = round(temperature(logits, labels, kinds), 4)
    probabilities = scores(logits, degree)
    confidence, wrong = probabilities.max(1), probabilities.argmax(1) != labels
    found: dict[str, float | None] = {"temperature": degree}
    for (promise, share), part in zip(PROMISED.items(), (0.75, 0.5), strict=True):
        left = np.ones(len(labels), bool)
        for step, values in list(steps.items())[:-1]:
            chances = scores(values, float(calibration[step]["temperature"] or 1))
            left &= ~reached(chances.max(1), calibration[step][promise])
        shown = threshold(*_of(left, logits, labels, kinds), degree, share) if left.any() else NEVER
        surest = float(confidence[left & wrong].max(initial=0.0))
        found[promise] = round(surest + part * (1 - surest), 4) if shown == NEVER else shown
    return {**calibration, name: found | {"best": 0.0}}


def weights(kinds: Sequence[str]) -> Floats:
    """One weight a row, 1 on average, that makes every kind count alike, however many pictures of it are held out."""
    names, index, count = np.unique(np.asarray(kinds), return_inverse=True, return_counts=True)
    return np.asarray(len(kinds) / (len(names) * count[index]))


def temperature(logits: Floats, labels: Ints, kinds: Sequence[str]) -> float:
    """What to divide logits by for the least mean negative log-likelihood of the right turns (Guo et al. 2017)."""
    weight = weights(kinds)

    def loss(log_degree: float) -> float:
        logs = log_softmax(logits / math.exp(log_degree))
        return float(-(weight * logs[np.arange(len(labels)), labels]).mean())

    low, high, golden = math.log(0.05), math.log(20), (math.sqrt(5) - 1) / 2
    while high - low > 1e-4:  # golden section: the loss has one minimum in the temperature
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)


def threshold(logits: Floats, labels: Ints, kinds: Sequence[str], degree: float, promised: float) -> float:
    """The smallest confidence at which the promise holds; NEVER where none is enough.

    Counted are the turns made, i.e. answers other than 0, down to that confidence. It holds where
    (1) over all kinds, each weighing alike, one wrong turn more than was seen would still leave the promised share, and
    (2) each kind by itself has the promised share, or misses it by less than half a picture: a photo-only user gains
    nothing from pages. Asking only that no kind refutes the promise, by Wilson's interval, was too little: 99.0 % of
    photographs. Asking for the share to the turn is too much: of 192 scene texts one then decided for all kinds.
    """
    probabilities = scores(logits, degree)
    answer, confidence = probabilities.argmax(1), probabilities.max(1)
    order = np.argsort(-confidence, kind="stable")
    order = order[answer[order] != 0]
    right, sure, kind = (answer == labels)[order], confidence[order], np.asarray(kinds)[order]
    weight = weights(kinds)[order]
    holds = np.cumsum(weight * right) / (np.cumsum(weight) + 1) >= promised
    for name in np.unique(kind):
        made, good = np.cumsum(kind == name), np.cumsum((kind == name) & right)
        allowed = (1 - promised) * made
        holds &= made - good <= np.maximum(allowed, TURNS_OF_ONE * np.round(allowed / TURNS_OF_ONE))
    # Turns of one picture have equal confidence but for rounding: cut only between pictures, half-way.
    below = np.append(sure[1:], 0.0)
    cuts = np.flatnonzero(holds & (sure - below > 1e-6))
    if not len(cuts):
        return NEVER
    return round(float(sure[cuts[-1]] + below[cuts[-1]]) / 2, 6)


def rows(said: Mapping[str, Floats], kinds: Sequence[str]) -> tuple[dict[str, Floats], Ints, list[str]]:
    """What each step says [n, 4, 4] to pictures of these kinds [n] shown all four ways, as rows for `calibrate`."""
    labels = np.tile(np.arange(4), len(kinds))
    return {name: values.reshape(-1, 4) for name, values in said.items()}, labels, [k for k in kinds for _ in range(4)]


def kept(logits: Floats, labels: Ints, kinds: Sequence[str], settings: Mapping[str, float | None]) -> dict[str, Any]:
    """What the held-out rows show at each promise of one step: coverage, turns made, share of them right, by kind."""
    probabilities = scores(logits, settings["temperature"] or 1.0)
    answer, confidence = probabilities.argmax(1), probabilities.max(1)
    shown = {}
    for promise in PROMISES:
        sure = reached(confidence, settings[promise])
        made = sure & (answer != 0)
        shown[promise] = {
            name: {
                "coverage": float(sure[mask].mean()),
                "turns_made": int(made[mask].sum()),
                "turns_right": float((answer == labels)[mask & made].mean()) if (mask & made).any() else None,
            }
            for name in [*dict.fromkeys(kinds), "all"]
            for mask in [np.array([name in (kind, "all") for kind in kinds])]
        }
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path, help="model folder, or an .onnx to see figures only")
    parser.add_argument("--pools", required=True, type=Path, help="held-out pools (training.data pools), tar or folder")
    parser.add_argument(
        "--native", type=Path, help="pictures at their own size, <kind>/<source>/<name>, for the last step"
    )
    parser.add_argument("--json", type=Path, help="where the calibration is written as well")
    parser.add_argument("--figures", type=Path, help="folder for reliability.png and risk_coverage.png")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    pictures = list(read(options.pools))
    said = says(Model.open(options.model, options.threads), pictures)
    steps, labels, names = rows(said, [picture.kind for picture in pictures])
    strange = np.repeat([picture.source in HELD_OUT_SOURCES for picture in pictures], 4)
    calibration = calibrate(steps, labels, names, strange if strange.any() else None)
    if options.native:
        files = sorted(path for path in options.native.glob("*/*/*") if path.is_file())
        said_native = native(Model.open(options.model, options.threads), files)
        kinds = [KINDS.get(file.parts[-3], file.parts[-3]) for file in files]
        steps_native, labels_native, names_native = rows(said_native, kinds)
        calibration = calibrate_last(calibration, steps_native, labels_native, names_native)
    print(json.dumps(calibration, indent=2))
    for step, values in steps.items():
        for promise, kinds in kept(values, labels, names, calibration[step]).items():
            for kind, seen in kinds.items():
                share = "none" if seen["turns_right"] is None else f"{100 * seen['turns_right']:.2f} %"
                print(f"{step:8} {promise:9} {kind:12} coverage {100 * seen['coverage']:5.1f} %, "
                      f"{seen['turns_made']:5} turns made, right {share}")  # fmt: skip
        for promise in PROMISED:
            if calibration[step][promise] is None:
                print(f"{step}: {promise} cannot be promised with these pictures")
    if options.json:
        options.json.write_text(json.dumps(calibration, indent=2) + "\n")
    if options.model.is_dir():
        file = options.model / "model.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "calibration": calibration}, indent=2) + "\n")
    if options.figures:
        from training.figures import figures

        figures(steps, labels, names, calibration, options.figures)


if __name__ == "__main__":
    run(main)
