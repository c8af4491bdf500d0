"""Stage times of one picture, from the way of scripts to upright: script, resident, other engine, lean input.

    python -m bench.stages [PICTURE.jpg] [--runs 5] [-o bench/out]

The first row works as scripts do: torch and model loaded for each picture, decoded whole, compressed again. Without a
picture one of 12 megapixels is made up. Rows that need torch are left out where it is missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from bench.bars import write
from bench.throughput import make_pictures
from upright import Detector, correct
from upright.errors import UprightError
from upright.export import export
from upright.machine import cache_folder
from upright.turns import ExifOrientation, Turn, show_pillow

STAGES = ("load", "preprocess", "infer", "save")
Seconds = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One row: what it is, and the seconds of each stage."""

    name: str
    stages_s: Seconds

    @property
    def total_s(self) -> float:
        """All stages together."""
        return sum(self.stages_s.values())


def measure(detector: Detector, picture: Path, folder: Path, runs: int) -> list[Row]:
    """Medians over ``runs``; without torch the rows that need it are left out."""
    rows = []
    script = _torchscript(detector)
    if script:
        rows.append(Row("cold script, torch", _median(lambda: _script(detector, script, picture, folder), runs)))
        resident = _resident(script)
        rows.append(Row("resident, torch", _median(lambda: _full(detector, picture, folder, resident), runs)))
    rows.append(Row("resident, onnx", _median(lambda: _full(detector, picture, folder, detector.infer), runs)))
    rows.append(Row("resident, onnx, lean input", _median(lambda: _lean(detector, picture, folder), runs)))
    rows.append(Row("cold command, lean input", _median(lambda: _command(picture, folder), runs)))
    return rows


def _median(run: Callable[[], Seconds], runs: int) -> Seconds:
    times = [run() for _ in range(runs)]
    return {stage: median(one.get(stage, 0.0) for one in times) for stage in times[0]}


def _torchscript(detector: Detector) -> Path | None:
    path = cache_folder() / f"{detector.model.sha256[:16]}.pt"
    if not path.exists():
        try:
            export(detector.model, "torchscript", path)
        except UprightError:
            return None
    return path


def _script(detector: Detector, script: Path, picture: Path, folder: Path) -> Seconds:
    started = time.perf_counter()
    answer = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("seed_script.py")),
            str(script),
            str(picture),
            str(folder / "seed.jpg"),
            str(detector.model.input_size_px),
            json.dumps(detector.model.turns),
        ],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    stages: Seconds = json.loads(answer)
    # What starts and ends the process is part of loading, too.
    stages["load"] += time.perf_counter() - started - sum(stages.values())
    return stages


def _resident(script: Path) -> Callable[[Any], Any]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        jit: Any = torch.jit
        net = jit.load(str(script))

    def infer(pixels: Any) -> Any:
        with torch.inference_mode():
            return net(torch.from_numpy(pixels)).numpy()

    infer(np.zeros((1, 224, 224, 3), np.uint8))
    return infer


def _full(detector: Detector, picture: Path, folder: Path, infer: Callable[[Any], Any]) -> Seconds:
    """Decoded whole and compressed again, as the script does, with another engine."""
    clock = _Clock()
    with Image.open(picture) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    side = detector.model.input_size_px
    pixels = np.array(image.resize((side, side), Image.Resampling.LANCZOS))[None]
    clock.stage("preprocess")
    turn = Turn(detector.model.turns[int(infer(pixels).argmax())])
    clock.stage("infer")
    show_pillow(image, ExifOrientation.TOP_LEFT.then(turn)).save(folder / "full.jpg", "JPEG", quality=95)
    clock.stage("save")
    return clock.stages_s


def _lean(detector: Detector, picture: Path, folder: Path) -> Seconds:
    orientation = detector.detect(picture, effort=0)
    clock = _Clock()
    correct(picture, folder / "lean.jpg", turn=orientation.best, overwrite=True)
    clock.stage("save")
    timing = orientation.timing_s
    return {"load": 0.0, "preprocess": timing["read"], "infer": timing["infer"], "save": clock.stages_s["save"]}


def _command(picture: Path, folder: Path) -> Seconds:
    command = [sys.executable, "-m", "upright", "correct", str(picture), "-o", str(folder / "cold.jpg"), "--overwrite"]
    command += ["--timing", "--best", "--effort", "0"]
    started = time.perf_counter()
    told = subprocess.run(command, capture_output=True, check=True, text=True).stderr
    total = time.perf_counter() - started
    found = dict(line.split() for line in told.splitlines() if len(line.split()) == 2)
    stages = {
        "preprocess": float(found["read"]),
        "infer": float(found["infer"]),
        "save": float(found["write"]),
    }
    return {"load": total - sum(stages.values()), **stages}


class _Clock:
    def __init__(self) -> None:
        self.stages_s: Seconds = {"load": 0.0}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.stages_s[name], self._last = now - self._last, now


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=5, help="runs of which each figure is the median")
    parser.add_argument("-o", "--output", type=Path, help="folder for JSON and PNG")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary, Detector() as detector:
        folder = Path(temporary)
        rows = measure(detector, options.picture or make_pictures(folder, 1)[0], folder, options.runs)
    print(f"{'seconds':<28}" + "".join(f"{stage:>11}" for stage in (*STAGES, "total", "faster", "than first")))
    for index, row in enumerate(rows):
        before = rows[max(0, index - 1)].total_s
        print(
            f"{row.name:<28}"
            + "".join(f"{row.stages_s.get(stage, 0):>11.4f}" for stage in STAGES)
            + f"{row.total_s:>11.4f}{before / row.total_s:>10.2f}x{rows[0].total_s / row.total_s:>10.1f}x"
        )
    figures = {row.name: row.stages_s for row in rows}
    write(options.output, "stages", figures, figures, "s")


if __name__ == "__main__":
    main()
