"""The model folder that ships: model.onnx, its int8 form, model.json and the model card.

    python -m training.modelfolder --onnx BUILD/model.onnx --calibration BUILD/calibration.json --name upright-1
        --version 1.0.0 --training-data "..." --commit 1234abc --out models/upright-1 [--report report.json]

Called once before the judge runs and once more with its report, which fills the metrics and the card's tables.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from training.calibrate import Calibration
from training.evaluate import markdown, metrics

TURNS = [0, 90, 180, 270]
CARD = Path(__file__).with_name("model_card.md")


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about the weights that no measurement gives."""

    name: str
    version: str
    input_size_px: int
    training_data: str
    commit: str
    licence: str = "Apache-2.0"


def write_model_folder(
    folder: Path,
    onnx: Path,
    facts: Facts,
    calibration: Calibration,
    measured: Mapping[str, Any],
    tables: Sequence[str] = (),
    pictures: Sequence[Path] = (),
    int8: Path | None = None,
) -> None:
    """Writes a complete folder: the model, its facts with sha256, the card with `tables` and `pictures` (PNG)."""
    folder.mkdir(parents=True, exist_ok=True)
    target = _placed(onnx, folder / "model.onnx")
    small = _placed(int8, folder / "model-int8.onnx") if int8 else None
    content = {
        "name": facts.name,
        "version": facts.version,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "int8_sha256": hashlib.sha256(small.read_bytes()).hexdigest() if small else None,
        "licence": facts.licence,
        "input_size_px": facts.input_size_px,
        "fit": "squash",
        "turns": TURNS,
        "calibration": calibration,
        "training_data": facts.training_data,
        "metrics": dict(measured),
        "commit": facts.commit,
    }
    (folder / "model.json").write_text(json.dumps(content, indent=1) + "\n")
    for picture in pictures:
        shutil.copyfile(picture, folder / picture.name)
    sizes = [path.stat().st_size for path in (target, small) if path]
    (folder / "README.md").write_text(card(content, sizes, tables, [p.name for p in pictures]))


def _placed(onnx: Path, target: Path) -> Path:
    """The file under its name in the folder; whole or not at all."""
    if onnx.resolve() != target.resolve():
        unfinished = target.with_suffix(".unfinished")
        shutil.copyfile(onnx, unfinished)
        unfinished.replace(target)
    return target


def card(content: Mapping[str, Any], sizes: Sequence[int], tables: Sequence[str], pictures: Sequence[str]) -> str:
    """The model card: the template filled with facts, thresholds and measured tables."""
    promises = [
        "| step | temperature | careful | balanced | best |",
        "|---|---|---|---|---|",
        *(f"| {step} | " + " | ".join("never" if value is None else str(value) for value in s.values()) + " |"
          for step, s in content["calibration"].items()),
    ]  # fmt: skip
    images = [f"![{name.removesuffix('.png').replace('_', ' ')}]({name})" for name in pictures]
    return Template(CARD.read_text()).substitute(
        content,
        size_px=content["input_size_px"],
        megabytes=" and in int8 ".join(f"{size / 1e6:.1f} MB" for size in sizes),
        promises="\n".join([*promises, "", *images]).rstrip(),
        measured="\n\n".join(tables) or "Not judged yet.",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnx", required=True, type=Path)
    parser.add_argument("--int8", type=Path, help="the same network in int8, for CPUs and browsers")
    parser.add_argument("--calibration", required=True, type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--size", type=int, default=224, help="input size in px")
    parser.add_argument("--training-data", required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--report", type=Path, help="what training.evaluate wrote with --json")
    parser.add_argument("--table", type=Path, action="append", default=[], help="more Markdown for the card")
    parser.add_argument("--figure", type=Path, action="append", default=[], help="PNG for the card")
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    facts = Facts(options.name, options.version, options.size, options.training_data, options.commit)
    report = json.loads(options.report.read_text()) if options.report else None
    tables = [markdown(report)] if report else []
    write_model_folder(
        options.out,
        options.onnx,
        facts,
        json.loads(options.calibration.read_text()),
        metrics(report) if report else {},
        [*tables, *(table.read_text() for table in options.table)],
        options.figure,
        options.int8,
    )
    print(f"{options.out}: {facts.name} {facts.version}, {'judged' if report else 'not judged yet'}")


if __name__ == "__main__":
    main()
