"""Stage times of the ladder: script, resident, other engine, lean input."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ..errors import UprightError
from ..machine import cache_folder

if TYPE_CHECKING:
    from ..detector import Detector

STAGES = ("load", "preprocess", "infer", "save")
Seconds = dict[str, float]


@dataclass(frozen=True)
class Step:
    """One row: what it is, and the seconds of each stage."""

    name: str
    stages_s: Seconds

    @property
    def total_s(self) -> float:
        """All stages together."""
        return sum(self.stages_s.values())


def measure(detector: Detector, picture: Path, folder: Path, runs: int) -> list[Step]:
    """Medians over ``runs``; without torch the rows that need it are left out."""
    steps = []
    script = _torchscript(detector)
    if script:
        steps.append(Step("cold script, torch", _median(lambda: _script(detector, script, picture, folder), runs)))
        resident = _resident(script)
        steps.append(Step("resident, torch", _median(lambda: _full(detector, picture, folder, resident), runs)))
    steps.append(Step("resident, onnx", _median(lambda: _full(detector, picture, folder, detector.infer), runs)))
    steps.append(Step("resident, onnx, lean input", _median(lambda: _lean(detector, picture, folder), runs)))
    steps.append(Step("cold command, lean input", _median(lambda: _command(picture, folder), runs)))
    return steps


def _median(run: Callable[[], Seconds], runs: int) -> Seconds:
    times = [run() for _ in range(runs)]
    return {stage: median(one.get(stage, 0.0) for one in times) for stage in times[0]}


def _torchscript(detector: Detector) -> Path | None:
    path = cache_folder() / f"{detector.model.sha256[:16]}.pt"
    if not path.exists():
        from ..export import export

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
            str(Path(__file__).with_name("bench_seed.py")),
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
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        jit: Any = torch.jit
        net = jit.load(str(script))

    def infer(pixels: Any) -> Any:
        with torch.inference_mode():
            return net(torch.from_numpy(pixels)).numpy()

    infer(__import__("numpy").zeros((1, 224, 224, 3), "uint8"))
    return infer


def _full(detector: Detector, picture: Path, folder: Path, infer: Callable[[Any], Any]) -> Seconds:
    """Decoded whole and compressed again, as the script does, with another engine."""
    import numpy as np
    from PIL import Image, ImageOps

    from ..turns import ExifOrientation, Turn, show_pillow

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
    from ..correction import correct

    orientation = detector.detect(picture, flow="whole")
    clock = _Clock()
    correct(picture, folder / "lean.jpg", turn=orientation.best, overwrite=True)
    clock.stage("save")
    timing = orientation.timing_s
    return {"load": 0.0, "preprocess": timing["read"], "infer": timing["infer"], "save": clock.stages_s["save"]}


def _command(picture: Path, folder: Path) -> Seconds:
    command = [sys.executable, "-m", "upright", "correct", str(picture), "-o", str(folder / "cold.jpg"), "--overwrite"]
    command += ["--timing", "--best", "--flow", "whole"]
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
