"""From results to figures, and to the files that hold them: JSON, CSV and the page."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from upright_benchmark.compare import all_pairs, suspects
from upright_benchmark.measures import (
    RISKS,
    Answers,
    Row,
    at_risk,
    calibration,
    confusion,
    cost,
    summary,
    tilt_and_mirror,
)
from upright_benchmark.page import page
from upright_benchmark.pictures import PLAIN, Picture, digest, open_upright, turned
from upright_benchmark.seal import ANSWERS, RESULTS, sealed

SLICES = ("part", "group", "kind", "script", "capture", "hardness")
WORST, THUMB_PX = 12, 150
FAILURES = ("crashed", "timeout", "nonsense")
COLUMNS = (
    "entrant", "documents", "shown", "accuracy", "accuracy_low", "accuracy_high", "spoilt", "spoilt_low", "spoilt_high",
    "coverage", "wrong_of_answered", "coverage_at_0.1", "coverage_at_0.5", "coverage_at_1", "180_for_0", "90_for_270",
    "ece", "brier", "no_up_answered", "failures", "cpu_ms", "peak_mib",
)  # fmt: skip


def joined(results: Sequence[Row], pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """Results with what is known of their pictures; `turn` is None where a picture has no up."""
    known = {picture.id: picture for picture in pictures}
    rows = []
    for result in results:
        picture = known[result["picture"]]
        facts = {name: getattr(picture, name) for name in (*SLICES, "dpi")}
        truth = {
            "document": picture.document or picture.id,
            "true_tilt": float(picture.tilt) if picture.tilt else None,
            "true_mirrored": picture.mirrored,
            "has_up": picture.has_up,
        }
        rows.append({**result, **facts, **truth})
    return rows


def figures(rows: Sequence[Row], facts: Mapping[str, Any], absent: Mapping[str, str]) -> dict[str, Any]:
    """All figures: by entrant, then by slice; tests between entrants; pictures that may be labelled wrong."""
    mine: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        mine[row["entrant"]].append(row)
    plain = {name: [r for r in some if r["has_up"] and r["hardness"] == PLAIN] for name, some in mine.items()}
    return {
        "entrants": {name: entrant(some, facts.get(name, {}).get("probability", True)) for name, some in mine.items()},
        "tests": all_pairs({name: some for name, some in plain.items() if some}),
        "suspects": suspects(
            {name: [r for r in some if r["has_up"]] for name, some in mine.items()},
            {name: fact.get("source", "") for name, fact in facts.items()},
        ),
        "absent": dict(absent),
    }


def entrant(rows: Sequence[Row], probability: bool = True) -> dict[str, Any]:
    """The figures of one entrant. The headline counts plain pictures; every hard part stands by itself."""
    with_up = [row for row in rows if row["has_up"]]
    plain = [row for row in with_up if row["hardness"] == PLAIN]
    without = [row for row in rows if not row["has_up"]]
    report: dict[str, Any] = {"failures": {status: sum(r["status"] == status for r in rows) for status in FAILURES}}
    if plain:
        answers = Answers.of(plain)
        report["plain"] = summary(answers)
        report["confusion"] = confusion(answers)
        report["at_risk"] = {f"{100 * risk:g}": at_risk(answers, risk) for risk in RISKS}
        report["calibration"] = calibration(answers) if probability else None
    report["slices"] = {
        name: {
            value: summary(Answers.of(some))
            for value, some in sorted(_by(with_up if name == "hardness" else plain, name).items())
        }
        for name in SLICES
    }
    # Every turn of a picture without an up is an invention; leaving it alone is right.
    report["no_up"] = {
        "shown": len(without),
        "answered": sum(r["answer"] is not None for r in without) / len(without) if without else None,
        "turned": sum(r["answer"] not in (None, 0) for r in without) / len(without) if without else None,
    }
    report["tilt_and_mirror"] = tilt_and_mirror(with_up)
    report["cost"] = cost(rows)
    return report


def _by(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row[name]:
            found[row[name]].append(row)
    return found


def signature(rows: Sequence[Row], pictures: Sequence[Picture]) -> str:
    """sha256 of pictures and answers, without times and memory: equal where two runs came to the same figures."""
    names = ("picture", "turn", "entrant", "status", "answer", "best", "tilt", "mirrored")
    lines = [[row[name] for name in names] + [_rounded(row["confidence"])] for row in rows]
    return hashlib.sha256((digest(pictures) + json.dumps(lines)).encode()).hexdigest()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def leaderboard(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row an entrant, in the order of spoilt, then accuracy."""
    rows = []
    for name, found in report["entrants"].items():
        plain, calibrated = found.get("plain", {}), found.get("calibration") or {}
        row = {
            "entrant": name,
            **{key: plain.get(key) for key in ("documents", "shown", "accuracy", "spoilt", "coverage")},
            "wrong_of_answered": plain.get("wrong_of_answered"),
            **{f"coverage_at_{risk}": at["coverage"] for risk, at in found.get("at_risk", {}).items()},
            **{key: found.get("confusion", {}).get(key) for key in ("180_for_0", "90_for_270")},
            "ece": calibrated.get("ece"),
            "brier": calibrated.get("brier"),
            "no_up_answered": found["no_up"]["answered"],
            "failures": sum(found["failures"].values()),
            "cpu_ms": found["cost"].get("cpu_ms", {}).get("median"),
            "peak_mib": found["cost"].get("peak_mib", {}).get("max"),
        }
        for key in ("accuracy", "spoilt"):
            row[f"{key}_low"], row[f"{key}_high"] = plain.get(f"{key}_interval") or (None, None)
        rows.append(row)
    return sorted(rows, key=lambda row: (row["spoilt"] is None, row["spoilt"], -(row["accuracy"] or 0)))


def write_csv(rows: Sequence[Mapping[str, Any]], path: Path, columns: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def worst(rows: Sequence[Row], number: int = WORST) -> list[Row]:
    """The surest wrong answers, one a picture, spoilt ones first: those are what a user would see."""
    wrong = [r for r in rows if r["has_up"] and r["answer"] is not None and r["answer"] != r["turn"]]
    wrong.sort(key=lambda r: (r["turn"] != 0, -(r["confidence"] or 0), r["picture"]))
    first: dict[str, Row] = {}
    for row in wrong:
        first.setdefault(row["picture"], row)
    return list(first.values())[:number]


def write(
    out: Path,
    rows: Sequence[Row],
    pictures: Sequence[Picture],
    meta: dict[str, Any],
    absent: Mapping[str, str],
    where: Callable[[Picture], Path],
) -> dict[str, Any]:
    """Writes results.json, leaderboard.csv, answers.csv and index.html below `out`; returns what is in the JSON."""
    report = figures(rows, meta["entrants"], absent)
    meta = {**meta, "pictures": {"number": len(pictures), "digest": digest(pictures)}}
    everything = {"meta": {**meta, "signature": signature(rows, pictures)}, **report}
    board = leaderboard(report)
    write_csv(board, out / "leaderboard.csv", COLUMNS)
    columns = ("picture", "part", "group", "kind", "script", "hardness", "document", "turn", "entrant", "status",
               "answer", "best", "confidence", "tilt", "mirrored", "cpu_ms", "wall_ms", "peak_mib", "note")  # fmt: skip
    write_csv(rows, out / ANSWERS, columns)
    everything = sealed(everything, out / ANSWERS)
    (out / RESULTS).write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    known = {picture.id: picture for picture in pictures}
    mistakes = {
        name: [
            (row, _thumbnail(known[row["picture"]], row, where))
            for row in worst([r for r in rows if r["entrant"] == name])
        ]
        for name in report["entrants"]
    }
    (out / "index.html").write_text(page(everything, board, mistakes, known), encoding="utf-8")
    return everything


def _thumbnail(picture: Picture, row: Row, where: Callable[[Picture], Path]) -> str:
    """The picture as the entrant would leave it, as a data address; empty where it can no longer be read."""
    try:
        upright = open_upright(where(picture), picture.turn)
    except OSError:
        return ""
    left = turned(upright, (row["answer"] - row["turn"]) % 360)
    left.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.BOX)
    buffer = io.BytesIO()
    left.save(buffer, "WEBP", quality=60)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
