"""Pictures a second of `upright batch` with one look each, beside what a bare 1/8 decode and one look would allow.

    python -m bench.throughput [PICTURE...] [--count 300] [--engine onnx] [-o bench/out]

Without pictures, ``--count`` JPEGs of 12 megapixels are made up.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from bench.bars import write
from upright import Detector
from upright.machine import processors
from upright.results_file import ResultsFile
from upright.run import Tally, work
from upright.sources import find_items

#: 4032 x 3024: what phones write.
SIDES_PX = (4032, 3024)


def make_pictures(folder: Path, count: int) -> list[Path]:
    """JPEGs of 12 megapixels with the detail of photographs, always the same."""
    chance = np.random.default_rng(0)
    paths = [folder / f"{index:04}.jpg" for index in range(count)]
    kinds = []
    for _ in range(min(count, 4)):
        # Noise at every scale, as in natural pictures, whose spectrum falls with frequency.
        layers = [
            Image.fromarray(chance.integers(0, 256, (3 * n, 4 * n, 3), dtype=np.uint8)).resize(SIDES_PX)
            for n in (4, 30, 200)
        ]
        mixed = Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.25)
        data = io.BytesIO()
        mixed.save(data, "JPEG", quality=90)
        kinds.append(data.getvalue())
    for index, path in enumerate(paths):
        path.write_bytes(kinds[index % len(kinds)])
    return paths


def floor_cpu_s(detector: Detector, paths: list[Path]) -> float:
    """CPU seconds for each picture of the bare 1/8 decode and one view, in one thread and nothing else."""
    size = detector.model.input_size_px
    view = np.zeros((1, size, size, 3), np.uint8)
    detector.engine.infer(view)
    started = time.thread_time()
    for path in paths:
        with Image.open(path) as image:
            image.draft("RGB", (image.width // 8, image.height // 8))
            image.load()
        detector.engine.infer(view)
    return (time.thread_time() - started) / len(paths)


def measure(detector: Detector, paths: list[Path], folder: Path, workers: int, run: str) -> dict[str, float]:
    """One run: pictures a second, CPU seconds each, stages at a time."""
    tally = Tally()
    with ResultsFile(folder / f"{run}-{workers}.jsonl") as results:
        for outcome in work(find_items(map(str, paths)), detector, workers=workers, ordered=False):
            results.append(outcome)
            tally.add(outcome)
    return {
        "workers": workers,
        "pictures_per_s": tally.done / tally.wall_s,
        "cpu_s": tally.cpu_s / tally.done,
        "processors_used": tally.cpu_s / tally.wall_s,
        "stages_at_a_time": tally.overlap,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=300, help="how many are made up")
    parser.add_argument("--engine", default="onnx", help="as of `upright detect`")
    parser.add_argument("-o", "--output", type=Path, help="folder for JSON and PNG")
    options = parser.parse_args(arguments)
    available = processors()
    with tempfile.TemporaryDirectory() as temporary, Detector(engine=options.engine, effort=0) as detector:
        folder = Path(temporary)
        paths = options.pictures or make_pictures(folder, options.count)
        rows = [measure(detector, paths, folder, workers, "run") for workers in sorted({1, 2, available})]
        floor = floor_cpu_s(detector, paths[: max(20, len(paths) // 5)])
    bound = available / floor
    print(f"bare decode and inference: {1000 * floor:.1f} ms CPU a picture; {available} processors: {bound:.1f}/s")
    for row in rows:
        row["of_bound_by_cpu_time"] = floor / row["cpu_s"]
        row["of_bound_by_clock"] = row["pictures_per_s"] / (min(row["workers"], available) / floor)
        print(
            f"{row['workers']:>3} workers: {row['pictures_per_s']:7.1f}/s, {1000 * row['cpu_s']:.1f} ms CPU each "
            f"({row['of_bound_by_cpu_time']:.1%} of the bound by CPU time, "
            f"{row['of_bound_by_clock']:.1%} by the clock), "
            f"{row['processors_used']:.2f} processors busy, {row['stages_at_a_time']:.2f} stages at a time"
        )
    print(f"from 1 to 2 workers: {rows[1]['pictures_per_s'] / rows[0]['pictures_per_s']:.2f} times as many")
    shown = {f"{row['workers']:.0f} workers": {"pictures/s": row["pictures_per_s"]} for row in rows}
    bars = {**shown, "bound": {"pictures/s": bound}}
    write(options.output, "throughput", {"floor_cpu_s": floor, "rows": rows}, bars, "/s")


if __name__ == "__main__":
    main()
