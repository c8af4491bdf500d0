"""What one decision costs, against the floor: libjpeg-turbo's own 1/8 greyscale decode of the same file.

    python bench/decision.py [--rounds 15]

CPU time, medians of interleaved rounds, so that ratios hold on a busy machine. Prints a table and writes
bench/out/decision.json.
"""

import argparse
import ctypes
import ctypes.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path(__file__).parent / "out" / "decision.json"
BARE = "import sys, PIL.Image, onnxruntime\ns = onnxruntime.InferenceSession(sys.argv[1])\n"
BARE += "im = PIL.Image.open(sys.argv[2]); im.draft('RGB', (300, 300)); im.load()"


def photograph(width: int, height: int, seed: int = 7) -> Image.Image:
    """Noise on every scale: as costly to entropy-decode as a sharp photograph (about 2.5 bits for each pixel)."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    for size, strength in ((8, 90), (64, 60), (512, 30), (2048, 9)):
        small = rng.normal(0, strength, (size * height // width + 1, size, 3)).astype(np.float32)
        layers = [Image.fromarray(small[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(3)]
        image += np.stack([np.asarray(layer) for layer in layers], axis=2)
    return Image.fromarray(np.clip(image + 128, 0, 255).astype(np.uint8))


class Turbo:
    """The floor: the system's libturbojpeg by ctypes, greyscale at 1/8, from memory to memory."""

    def __init__(self) -> None:
        self.lib = ctypes.CDLL(ctypes.util.find_library("turbojpeg") or "libturbojpeg.so.0")
        self.lib.tjInitDecompress.restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(self.lib.tjInitDecompress())

    def decode(self, data: bytes, width: int, height: int) -> np.ndarray:
        w, h = -(-width // 8), -(-height // 8)
        pixels = np.empty((h, w), np.uint8)
        grey = 6  # TJPF_GRAY
        failed = self.lib.tjDecompress2(
            self.handle, data, ctypes.c_ulong(len(data)), pixels.ctypes.data_as(ctypes.c_void_p), w, 0, h, grey, 0
        )
        assert not failed, "libturbojpeg could not decode the file"
        return pixels


def cpu_ms(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def interleaved(measures: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of each measure, which is taken in turn with the others, after once for nothing."""
    times = [{name: measure() for name, measure in measures.items()} for _ in range(1 + rounds)][1:]
    return {name: statistics.median(each[name] for each in times) for name in measures}


def child_cpu_ms(*command: str) -> float:
    """CPU time of a process whose modules are compiled already, as those of an installed package are.

    Where PYTHONDONTWRITEBYTECODE is set, a checkout is compiled in each run: that cost the command 80 ms of 400.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**environment, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def cold(model: Path, picture: Path, rounds: int) -> dict[str, float]:
    commands = {
        "bare script, cold": (sys.executable, "-c", BARE, str(model), str(picture)),
        "upright detect, cold": (sys.executable, "-m", "upright", "detect", "--effort", "0", str(picture)),
    }
    return interleaved({name: partial(child_cpu_ms, *command) for name, command in commands.items()}, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    from upright import Detector

    with tempfile.TemporaryDirectory() as folder, Detector() as detector:
        picture = photograph(4000, 3000)
        baseline, progressive = Path(folder, "baseline.jpg"), Path(folder, "progressive.jpg")
        picture.save(baseline, quality=88)
        picture.save(progressive, quality=88, progressive=True)
        data = {path: path.read_bytes() for path in (baseline, progressive)}
        turbo, size = Turbo(), detector.model.input_size_px
        views = np.zeros((1, size, size, 3), np.uint8) + np.arange(size, dtype=np.uint8)[:, None]
        works = {
            "floor: baseline 1/8 grey": lambda: turbo.decode(data[baseline], 4000, 3000),
            "upright, baseline": lambda: detector.detect(baseline, effort=0),
            "all scans: progressive 1/8 grey": lambda: turbo.decode(data[progressive], 4000, 3000),
            "upright, progressive": lambda: detector.detect(progressive, effort=0),
            "of these: inference alone": lambda: detector.infer(views),
        }
        result = interleaved({name: partial(cpu_ms, work) for name, work in works.items()}, rounds)
        result |= cold(detector.model.onnx_path, baseline, max(3, rounds))
    report(result, baseline_bytes=len(data[baseline]))


def report(result: dict[str, float], baseline_bytes: int) -> None:
    ratios = {
        "warm, baseline / floor (goal 1.35)": result["upright, baseline"] / result["floor: baseline 1/8 grey"],
        "warm, progressive / all scans (goal 0.35)": result["upright, progressive"]
        / result["all scans: progressive 1/8 grey"],
        "cold command / bare script (goal 1.3)": result["upright detect, cold"] / result["bare script, cold"],
    }
    print(f"12 megapixels, baseline file of {baseline_bytes / 1e6:.1f} MB; CPU ms, medians")
    for name, value in result.items():
        print(f"  {name:<36}{value:>10.1f}")
    for name, value in ratios.items():
        print(f"  {name:<46}{value:>8.2f}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"cpu_ms": result, "ratios": ratios}, indent=1))


if __name__ == "__main__":
    main()
