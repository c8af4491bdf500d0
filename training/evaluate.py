"""The judge: how often a model is right, and how often it spoils, on upright pictures shown all four ways.

    python -m training.evaluate --model models/small --eval eval.tar --json report.json --sheet worst.png

Each step of the ladder is judged by itself, and `climb` as the product climbs at its default effort.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.heldout import Picture, read, sample, shown
from training.looks import Model, Seen, climbed, evidence, seen
from training.measures import PROMISES, Floats, Ints, Mask, confusion, decided, masks, promise_row, scores
from training.script import run
from upright.decide import DEFAULT_EFFORT
from upright.results import Promise
from upright.steps import LADDER

STEPS = tuple(step.name for step in LADDER)
UNCALIBRATED: dict[str, float | None] = {"temperature": 1.0, "best": 0.0}
#: The row of the report that climbs from step to step.
CLIMB = "climb"

Report = dict[str, Any]


def judge(answers: dict[str, tuple[Ints, Mask]], pictures: Sequence[Picture]) -> Report:
    """The report of one step from its answers [n, 4] and whether they are sure [n, 4], by promise."""
    kinds, sources = [picture.kind for picture in pictures], [f"{p.kind}/{p.source}" for p in pictures]
    best = answers["best"][0]
    return {
        "promises": {
            promise: {kind: promise_row(answer[mask], sure[mask]) for kind, mask in masks(kinds).items()}
            for promise, (answer, sure) in answers.items()
        },
        "confusion": {kind: confusion(best[mask]).tolist() for kind, mask in masks(kinds).items()},
        "sources": {
            source: {
                "pictures": int(mask.sum()),
                "accuracy": float((best[mask] == np.arange(4)).mean()),
                "spoilt": float((best[mask, 0] != 0).mean()),
            }
            for source, mask in sorted(masks(sources).items())
        },
    }


def step_answers(values: Floats, step: str, facts: dict[str, Any]) -> dict[str, tuple[Ints, Mask]]:
    """Answers of a step by promise, from what it says [n, 4, 4]."""
    settings = facts.get("calibration", {}).get(step, UNCALIBRATED)
    return {p: decided(values, settings["temperature"], settings[p]) for p in PROMISES if p in settings}


def climb_answers(everything: Sequence[Sequence[Seen]], model: Model) -> dict[str, tuple[Ints, Mask]]:
    """Answers of the product at its default effort, by promise, which decides how far it climbs."""
    answers: dict[str, tuple[Ints, Mask]] = {}
    for promise in PROMISES:
        found = [
            [climbed(looks, model.calibration, DEFAULT_EFFORT, Promise(promise)) for looks in picture]
            for picture in everything
        ]
        answers[promise] = (
            np.array([[answer.best.index for answer in row] for row in found], np.int64).reshape(-1, 4),
            np.array([[answer.turn is not None for answer in row] for row in found], bool).reshape(-1, 4),
        )
    return answers


def evaluate(path: Path, pictures: Sequence[Picture], steps: Sequence[str], threads: int = 1) -> tuple[Report, Floats]:
    """The report by step, and what four looks say [n, 4, 4]."""
    model = Model.open(path, threads)
    everything = seen(model, pictures, STEPS)
    said = evidence(everything, STEPS)
    report: Report = {
        "model": {key: model.facts.get(key) for key in ("name", "version", "sha256", "commit")},
        "pictures": len(pictures),
        "steps": {},
    }
    for step in steps:
        climbs = step == CLIMB
        if climbs and not model.calibration:
            continue
        answers = climb_answers(everything, model) if climbs else step_answers(said[step], step, model.facts)
        report["steps"][step] = judge(answers, pictures)
    return report, said["turned"]


def metrics(report: Report) -> dict[str, Any]:
    """The figures of a report that a `model.json` keeps: by step, kind and promise."""
    keys = ("accuracy", "coverage", "spoilt", "spoilt_interval", "turns_made", "turns_right")
    kept: dict[str, Any] = {}
    for step, judged in report["steps"].items():
        for promise, kinds in judged["promises"].items():
            for kind, row in kinds.items():
                entry = kept.setdefault(step, {}).setdefault(kind, {"pictures": row["pictures"]})
                entry[promise] = {key: rounded(row[key]) for key in keys}
    return kept


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    return [round(v, 5) for v in value] if isinstance(value, list | tuple) else value


def worst(logits: Floats, number: int) -> list[tuple[int, int]]:
    """The (picture, answered turn) whose four looks together most confidently say something else than upright."""
    probabilities = scores(logits[:, 0], 1.0)
    order = np.argsort(probabilities[:, 0], kind="stable")[:number]
    return [(int(i), int(probabilities[i].argmax())) for i in order if probabilities[i].argmax()]


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def markdown(report: Report) -> str:
    """The report as Markdown tables, in per cent."""
    lines = []
    for step, judged in report["steps"].items():
        lines += [
            f"Step `{step}`",
            "",
            "| promise | kind | pictures | right | sure | right of the sure | spoilt (95 %) | turns right (95 %) |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for promise, kinds in judged["promises"].items():
            for kind, row in kinds.items():
                spoilt = "–".join(percent(end) for end in row["spoilt_interval"])
                turns = "–".join(percent(end) for end in row["turns_right_interval"])
                cells = [promise, kind, str(row["pictures"]), percent(row["accuracy"]), percent(row["coverage"]),
                         percent(row["right_when_sure"]), f"{percent(row['spoilt'])} ({spoilt})",
                         f"{percent(row['turns_right'])} ({turns})"]  # fmt: skip
                lines.append("| " + " | ".join(cells) + " |")
        lines += ["", f"Confusion of `{step}` without a threshold: right turn down, answered turn across.", ""]
        lines += ["| kind | turn | 0 | 90 | 180 | 270 |", "|---|---|---|---|---|---|"]
        for kind, counts in judged["confusion"].items():
            lines += [
                f"| {kind} | {90 * turn} | " + " | ".join(map(str, row)) + " |" for turn, row in enumerate(counts)
            ]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path, help="model folder, or a bare .onnx (then uncalibrated)")
    parser.add_argument("--eval", required=True, type=Path, help="tar or folder of <kind>/<source>/<name>, all upright")
    parser.add_argument("--steps", default=",".join((*STEPS, CLIMB)), help=f"of {', '.join(STEPS)}, {CLIMB}")
    parser.add_argument("--doubts", type=Path, help="CSV whose first column names pictures to leave out of the figures")
    parser.add_argument("--limit", type=int, default=0, help="pictures of each kind, drawn with --seed; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path, help="PNG of the 50 worst pictures, as the model would leave them")
    options = parser.parse_args()
    doubted = {line.split(",")[0] for line in options.doubts.read_text().splitlines()} if options.doubts else set()
    pictures = [picture for picture in read(options.eval) if picture.path not in doubted]
    if options.limit:
        pictures = sample(pictures, options.limit, options.seed)
    report, looked = evaluate(options.model, pictures, options.steps.split(","), options.threads)
    print(markdown(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.sheet:
        from training.sheets import contact_sheet

        tiles = [(shown(pictures[i].pixels, -turn), f"{90 * turn} {pictures[i].source}/{pictures[i].name}")
                 for i, turn in worst(looked, 50)]  # fmt: skip
        contact_sheet(tiles).save(options.sheet)


if __name__ == "__main__":
    run(main)
