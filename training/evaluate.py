"""The judge: how often a model is right, and how often it spoils, on upright pictures shown all four ways.

    python -m training.evaluate --model models/small --eval eval.tar --json report.json --sheet worst.png

Flows `whole`, `turned` and `tiles` (eight looks) run on ONNX Runtime directly; `cascade` asks `upright.Detector` as a
user would.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.heldout import Picture, read, sample, shown
from training.looks import FLOWS, Model, says
from training.measures import PROMISES, Floats, Ints, Mask, confusion, decided, masks, promise_row, scores, turned

UNCALIBRATED = {"temperature": 1.0, "best": 0.0}

Report = dict[str, Any]


def judge(answers: dict[str, tuple[Ints, Mask]], pictures: Sequence[Picture]) -> Report:
    """The report of one flow from its answers [n, 4] and whether they are sure [n, 4], by promise."""
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


def flow_answers(values: Floats, flow: str, facts: dict[str, Any]) -> dict[str, tuple[Ints, Mask]]:
    """Answers of a flow by promise, from what its looks say [n, 4, 4]."""
    settings = facts.get("calibration", {}).get(flow, UNCALIBRATED)
    return {p: decided(values, settings["temperature"], settings[p]) for p in PROMISES if p in settings}


def detector_answers(folder: Path, flow: str, pictures: Sequence[Picture]) -> dict[str, tuple[Ints, Mask]]:
    """Answers of the product itself, by promise; the promise decides how far a cascade goes."""
    from upright import Detector

    with Detector(folder, flow=flow) as detector:
        answers: dict[str, tuple[Ints, Mask]] = {}
        for promise in PROMISES:
            seen = [
                [detector.detect(shown(picture.pixels, turn), promise=promise) for turn in range(4)]
                for picture in pictures
            ]
            answers[promise] = (
                np.array([[orientation.best.index for orientation in row] for row in seen], np.int64).reshape(-1, 4),
                np.array([[orientation.turn is not None for orientation in row] for row in seen], bool).reshape(-1, 4),
            )
    return answers


def evaluate(path: Path, pictures: Sequence[Picture], flows: Sequence[str], threads: int = 1) -> tuple[Report, Floats]:
    """The report by flow, and the logits [n, 4, 4] of single looks."""
    model = Model.open(path, threads)
    said = says(model, pictures, flows)
    report: Report = {
        "model": {key: model.facts.get(key) for key in ("name", "version", "sha256", "commit")},
        "pictures": len(pictures),
        "flows": {},
    }
    for flow in flows:
        direct = flow in said
        answers = flow_answers(said[flow], flow, model.facts) if direct else detector_answers(path, flow, pictures)
        report["flows"][flow] = judge(answers, pictures)
    return report, said["whole"]


def metrics(report: Report) -> dict[str, Any]:
    """The figures of a report that a `model.json` keeps: by flow, kind and promise."""
    keys = ("accuracy", "coverage", "spoilt", "spoilt_interval", "turns_made", "turns_right")
    kept: dict[str, Any] = {}
    for flow, judged in report["flows"].items():
        for promise, kinds in judged["promises"].items():
            for kind, row in kinds.items():
                entry = kept.setdefault(flow, {}).setdefault(kind, {"pictures": row["pictures"]})
                entry[promise] = {key: rounded(row[key]) for key in keys}
    return kept


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    return [round(v, 5) for v in value] if isinstance(value, list | tuple) else value


def worst(logits: Floats, number: int) -> list[tuple[int, int]]:
    """The (picture, answered turn) whose four looks together most confidently say something else than upright."""
    probabilities = scores(turned(logits)[:, 0], 1.0)
    order = np.argsort(probabilities[:, 0], kind="stable")[:number]
    return [(int(i), int(probabilities[i].argmax())) for i in order if probabilities[i].argmax()]


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def markdown(report: Report) -> str:
    """The report as Markdown tables, in per cent."""
    lines = []
    for flow, judged in report["flows"].items():
        lines += [
            f"Flow `{flow}`",
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
        lines += ["", f"Confusion of `{flow}` without a threshold: right turn down, answered turn across.", ""]
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
    parser.add_argument("--flows", default=",".join(FLOWS), help="of whole, turned, tiles, cascade")
    parser.add_argument("--limit", type=int, default=0, help="so many pictures of each kind, drawn with --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path, help="PNG of the 50 worst pictures, as the model would leave them")
    options = parser.parse_args()
    pictures = list(read(options.eval))
    if options.limit:
        pictures = sample(pictures, options.limit, options.seed)
    report, logits = evaluate(options.model, pictures, options.flows.split(","), options.threads)
    print(markdown(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.sheet:
        from training.sheets import contact_sheet

        tiles = [(shown(pictures[i].pixels, -turn), f"{90 * turn} {pictures[i].source}/{pictures[i].name}")
                 for i, turn in worst(logits, 50)]  # fmt: skip
        contact_sheet(tiles).save(options.sheet)


if __name__ == "__main__":
    main()
