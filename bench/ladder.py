"""Accuracy against CPU time for each effort and for each step alone, and where a climb ends.

    python bench/ladder.py --evaluation eval.tar [--of-each-kind 40] [--pages 8]

On two sets: a sample of an evaluation tar (`<kind>/<source>/<id>.webp`, upright pictures), each picture as two of its
four turns, and the large pages of bench/large_pages.py. Pictures are turned by their EXIF tag, so that their pixels
are decoded as they are. All settings look at a picture before the next one comes; the order of settings changes with
the picture. One thread. Prints a table, writes ladder.json and ladder.png to bench/out.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from large_pages import made

from upright import Detector
from upright.carriers import patch_exif_orientation
from upright.decide import efforts
from upright.errors import UprightError
from upright.steps import LADDER
from upright.turns import ExifOrientation, Turn

OUT = Path(__file__).parent / "out"
STEPS = [step.name for step in LADDER]
#: Every step whatever the picture, then every effort.
SETTINGS = [*(f"{step} always" for step in STEPS), *(f"effort {effort}" for effort in efforts() if effort)]
Case = tuple[str, bytes, Turn]


def evaluation(tar: Path, of_each_kind: int, seed: int) -> Iterator[Case]:
    with tarfile.open(tar) as archive:
        names = sorted(member.name for member in archive.getmembers() if member.isfile() and "/" in member.name)
        kinds = defaultdict(list)
        for name in names:
            if name.endswith(".webp"):
                kinds[name.split("/")[0]].append(name)
        rng = np.random.default_rng(seed)
        for kind, members in sorted(kinds.items()):
            for name in rng.choice(members, min(of_each_kind, len(members)), replace=False):
                file = archive.extractfile(str(name))
                assert file is not None
                data = file.read()
                for turn in rng.choice(4, 2, replace=False):
                    yield kind, data, list(Turn)[turn]


def large(seed: int, each: int) -> Iterator[Case]:
    for number, (kind, path) in enumerate(made(OUT / "large_pages", seed, each)):
        yield kind, path.read_bytes(), list(Turn)[number % 4]


def measured(cases: Iterator[Case]) -> dict[str, dict[str, Any]]:
    detectors = {name: opened(name) for name in SETTINGS}
    seen: dict[str, list[tuple[str, float, bool, bool, bool, str]]] = {name: [] for name in SETTINGS}
    for number, (kind, data, needs) in enumerate(cases):
        shown = patch_exif_orientation(data, ExifOrientation.TOP_LEFT.then(needs.inverse))
        for setting in SETTINGS[number % len(SETTINGS) :] + SETTINGS[: number % len(SETTINGS)]:
            started = time.process_time()
            try:
                found = detectors[setting].detect(shown)
            except UprightError as error:
                raise SystemExit(f"{kind}: {error}") from error
            ms = (time.process_time() - started) * 1000
            right, answered = found.best is needs, found.turn is not None
            seen[setting].append((kind, ms, right, answered and right, answered and not right, found.step))
    return {name: summary(rows) for name, rows in seen.items()}


def opened(setting: str) -> Detector:
    """A detector that climbs so far; `always` by a calibration with which no step below the last is ever enough."""
    step, _, number = setting.partition(" ")
    if number != "always":
        return Detector(effort=int(number))
    detector = Detector()
    upto = STEPS.index(step)
    below = [(s, replace(c, careful=None, balanced=None)) for s, c in detector.ladder[:upto]]
    detector.ladder = [*below, detector.ladder[upto]]
    return detector


def summary(rows: list[tuple[str, float, bool, bool, bool, str]]) -> dict[str, Any]:
    stops = Counter(row[5] for row in rows)
    kinds = sorted({row[0] for row in rows})
    return {
        "pictures": len(rows),
        "cpu_ms": mean(row[1] for row in rows),
        "best": mean(row[2] for row in rows),
        "balanced_right": mean(row[3] for row in rows),
        "balanced_wrong": mean(row[4] for row in rows),
        "stops": {step: stops[step] / len(rows) for step in STEPS},
        "best_of_kind": {kind: mean(row[2] for row in rows if row[0] == kind) for kind in kinds},
    }


def report(result: dict[str, dict[str, Any]], title: str) -> None:
    first = next(iter(result.values()))
    kinds = list(first["best_of_kind"])
    print(f"\n{title}: {first['pictures']} pictures\n")
    heads = [
        "setting",
        "CPU ms",
        "of a glance",
        "best, %",
        "balanced: right, %",
        "wrong, %",
        f"stop {'/'.join(STEPS)}, %",
    ]
    print("|", " | ".join(heads + kinds), "|")
    print("|" + "---|" * (len(heads) + len(kinds)))
    for name, row in result.items():
        stops = " / ".join(f"{100 * share:.0f}" for share in row["stops"].values())
        shares = [f"{100 * row[key]:.1f}" for key in ("best", "balanced_right", "balanced_wrong")]
        each = [f"{100 * row['best_of_kind'][kind]:.0f}" for kind in kinds]
        ratio = row["cpu_ms"] / first["cpu_ms"]
        print("|", " | ".join([name, f"{row['cpu_ms']:.0f}", f"{ratio:.2f}", *shares, stops, *each]), "|")


def plot(results: dict[str, dict[str, dict[str, Any]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(2, len(results), figsize=(5.2 * len(results), 6.4), dpi=80, squeeze=False)
    for (title, result), above, below in zip(results.items(), rows[0], rows[1], strict=True):
        for nth, (name, row) in enumerate(result.items()):
            right = [100 * row["balanced_right"], 100 * row["best"]]
            above.plot([row["cpu_ms"]] * 2, right, "-", color=f"C{nth}", alpha=0.4)
            above.plot(row["cpu_ms"], right[0], "s", color=f"C{nth}")
            above.plot(row["cpu_ms"], right[1], "o", color=f"C{nth}", label=name)
        above.set(title=f"{title}: ● best, ■ balanced", xlabel="CPU ms for a picture", ylabel="right, % of pictures")
        above.set_ylim(0, 100)
        left = np.zeros(len(result))
        for step in STEPS:
            share = np.array([100 * row["stops"][step] for row in result.values()])
            below.barh(list(result), share, left=left, label=step)
            left += share
        below.set(xlabel="decided at this step, % of pictures")
        below.invert_yaxis()
        below.legend(fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
    rows[0][-1].legend(fontsize=8, loc=(0.66, 0.03))
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluation", type=Path, required=True)
    parser.add_argument("--of-each-kind", type=int, default=40)
    parser.add_argument("--pages", type=int, default=8, help="large pages of each of five kinds")
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    results = {
        "large pages": measured(large(arguments.seed, arguments.pages)),
        "evaluation": measured(evaluation(arguments.evaluation, arguments.of_each_kind, arguments.seed)),
    }
    for title, result in results.items():
        report(result, title)
    (OUT / "ladder.json").write_text(json.dumps(results, indent=1))
    plot(results, OUT / "ladder.png")


if __name__ == "__main__":
    main()
