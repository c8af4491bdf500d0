"""Writes ``testdata/reference/web.jsonl``, the answers that Python and the browser both have to give.

Run it whenever the default model changes: ``python -m tests.web.reference``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from upright import Detector

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "testdata/demo"
REFERENCE = ROOT / "testdata/reference/web.jsonl"


def answers() -> list[dict[str, Any]]:
    """Python's answers at its default effort, which is how closely the browser looks too."""
    with Detector() as detector:
        rows = []
        for path in sorted(DEMO.iterdir()):
            found = detector.detect(path)
            rows.append(
                {
                    "picture": path.name,
                    "turn": None if found.turn is None else int(found.turn),
                    "best": int(found.best),
                    "confidence": round(found.confidence, 4),
                    "scores": [round(value, 4) for value in found.scores.values],
                    "step": found.step,
                    "model": detector.model.sha256[:16],
                }
            )
    return rows


def kept_answers() -> list[dict[str, Any]]:
    """What the file says."""
    return [json.loads(line) for line in REFERENCE.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    REFERENCE.parent.mkdir(exist_ok=True)
    REFERENCE.write_text("".join(json.dumps(row) + "\n" for row in answers()), "utf-8")
