"""Pictures decided together: how many of a job stay unsure, and what goes wrong, against the same pictures alone.

    python -m bench.together --heldout runs/heldout [--jobs 200] [--kinds doc,scene,photo]

``--heldout`` has ``val_KIND.npy`` (upright pictures ``[n, s, s, 3]`` that no model was trained with) and
``val_KIND.json`` (their names, ``kind/source/picture``). Each picture is decided alone, turned all four ways, by the
default model; that takes most of the time and is kept in ``bench/out/together``. Jobs of 8 to 60 pictures are drawn
from these answers: all alike; duplex; a stack put in the other way round; one page in ten landscape; one in twenty a
stranger, from another kind and turned at random; every page turned at random, where there is nothing to learn; an
archive of which nine in ten are upright. "One source" draws a job's pictures from one source, which the model errs on
alike. Prints a table and writes ``bench/out/together.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from upright import Detector
from upright.model import load_model
from upright.results import Orientation
from upright.together import settle
from upright.turns import Turn, turn_array

OUT = Path(__file__).parent / "out"
#: For each picture's name and needed turn the answer when it is alone.
Pool = dict[str, list[Orientation]]
Job = list[tuple[Orientation, Turn]]
ROW = (
    "| {kind} | {job} | {unsure_alone:.1%} | {unsure:.1%} | {wrong_alone:.2%} | {added:.0f} of {pictures:,.0f} | "
    "{left_lying:.0f} | {ms:.2f} |"
)
PATTERNS = ("plain", "duplex", "stack", "landscape", "strangers", "random", "archive")


def alone(heldout: Path, kind: str, each: int) -> Pool:
    """Answers of every ``each``-th picture, by needed turn."""
    kept = OUT / "together" / f"{load_model(None).sha256[:12]}-{kind}-{each}.json"
    if not kept.exists():
        pixels = np.load(heldout / f"val_{kind}.npy", mmap_mode="r")
        names = json.loads((heldout / f"val_{kind}.json").read_text())
        answers = {}
        with Detector() as detector:
            for i in range(0, len(names), each):
                shown = [np.ascontiguousarray(turn_array(pixels[i], need.inverse)) for need in Turn]
                answers[names[i]] = [detector.detect(picture).to_dict() for picture in shown]
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(answers))
    found = json.loads(kept.read_text())
    return {name: [Orientation.from_dict(row) for row in rows] for name, rows in found.items()}


def needs(pattern: str, count: int, rng: np.random.Generator) -> list[Turn]:
    """The turn that each page of a job needs."""
    first, half = int(rng.integers(4)), int(rng.integers(1, count))
    side = int(rng.choice([1, 3]))
    drawn = {
        "duplex": lambda i: first + 2 * (i % 2),
        "stack": lambda i: first + 2 * (i >= half),
        "landscape": lambda i: first + side * (rng.random() < 0.1),
        "random": lambda i: rng.integers(4),
        "archive": lambda i: rng.choice(4, p=[0.9, 0.04, 0.02, 0.04]),
    }.get(pattern, lambda i: first)
    return [Turn.from_index(int(drawn(i)) % 4) for i in range(count)]


def jobs(pattern: str, pool: Pool, others: Pool, one_source: bool, count: int) -> Iterator[Job]:
    rng = np.random.default_rng(1)
    sources = defaultdict(list)
    for name in pool:
        sources["/".join(name.split("/")[:2]) if one_source else ""].append(name)
    groups = [names for names in sources.values() if len(names) >= 8]
    strangers = list(others.values())
    for _ in range(count):
        names = groups[rng.integers(len(groups))]
        taken = rng.choice(names, min(int(rng.integers(8, 61)), len(names)), replace=False)
        job = []
        for name, need in zip(taken, needs(pattern, len(taken), rng), strict=True):
            answers = pool[name]
            if pattern == "strangers" and rng.random() < 0.05:
                answers, need = strangers[rng.integers(len(strangers))], Turn.from_index(int(rng.integers(4)))
            job.append((answers[need.index], need))
        yield job


def measured(found: Iterator[Job], sure: Any) -> dict[str, float]:
    """Counts over all jobs. An answer is wrong where it is given and not what the picture needs."""
    counts: dict[str, float] = defaultdict(float)
    for job in found:
        answers = [answer for answer, _ in job]
        started = time.process_time()
        settled = settle(answers, sure)
        counts["seconds"] += time.process_time() - started
        for (before, need), after in zip(job, settled, strict=True):
            counts["pictures"] += 1
            counts["unsure_alone"] += before.turn is None
            counts["unsure"] += after.turn is None
            counts["wrong_alone"] += before.turn not in (None, Turn.NONE, need)
            new = before.turn is None and after.turn not in (None, need)
            counts["added"] += new and after.turn != Turn.NONE
            counts["left_lying"] += new and after.turn == Turn.NONE
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heldout", required=True, type=Path)
    parser.add_argument(
        "--kinds", default="doc,scene,photo", help="of which the first ones give strangers to the others"
    )
    parser.add_argument("--jobs", type=int, default=200, help="for each line of the table")
    parser.add_argument("--each", type=int, default=1, help="take every EACH-th picture only")
    options = parser.parse_args()
    calibration = load_model(None).calibration

    def sure(answer: Orientation) -> bool:
        return calibration[answer.step].keeps(answer.promise, answer.confidence)

    kinds = options.kinds.split(",")
    pools = {kind: alone(options.heldout, kind, options.each) for kind in kinds}
    rows = []
    print(
        "| pictures | job | unsure alone | unsure together | wrong turns alone | added | left lying, added | ms each |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for at, kind in enumerate(kinds):
        for one_source, patterns in ((False, PATTERNS), (True, PATTERNS[:4])):
            for pattern in patterns:
                found = jobs(pattern, pools[kind], pools[kinds[at - 1]], one_source, options.jobs)
                row = measured(found, sure)
                total = row["pictures"]
                shares = {name: row[name] / total for name in ("unsure_alone", "unsure", "wrong_alone")}
                ms = 1000 * row["seconds"] / total
                rows.append({"kind": kind, "job": pattern + ", one source" * one_source, **row, **shares, "ms": ms})
                print(ROW.format(**rows[-1]), flush=True)
    (OUT / "together.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
