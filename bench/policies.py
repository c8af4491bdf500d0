"""How much to decode: the policies `lean`, `seed` and `full`, and the centre crop of 448 pixels, against each other.

    python bench/policies.py [--evaluation eval.tar] [--pages 8]

One look at each picture. Each policy runs in its own process: accuracy, mean CPU time, and the peak of memory over
what the process held before it opened the picture. On the large pages of bench/large_pages.py
and on a sample of an evaluation tar. Prints a table and writes bench/out/policies.json.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from ladder import evaluation, large

from upright import Detector
from upright.carriers import patch_exif_orientation
from upright.pictures import Picture, open_picture, squash
from upright.turns import ExifOrientation

OUT = Path(__file__).parent / "out" / "policies.json"
POLICIES = ("lean", "seed", "full", "crop")
CROP_PX = 448


def cropped(path: Path) -> Any:
    """The middle of the picture, at most 448 pixels each way, as it was decoded whole."""
    with open_picture(path) as picture:
        pixels = np.asarray(picture.image(decoded_px(picture, "full")))
    height, width = pixels.shape[:2]
    top, left = max(0, height - CROP_PX) // 2, max(0, width - CROP_PX) // 2
    return np.ascontiguousarray(pixels[top : top + CROP_PX, left : left + CROP_PX])


def decoded_px(picture: Picture, policy: str) -> tuple[int, int]:
    """Width and height that are decoded: `full` all pixels; `seed` those of a long side of at most 2,048, up to 4,096
    as 2,048, above as 1,024."""
    longest = max(picture.width_px, picture.height_px)
    target = longest if policy == "full" or longest <= 2048 else 2048 if longest <= 4096 else 1024
    return tuple(max(1, round(side * target / longest)) for side in (picture.width_px, picture.height_px))


def squashed(path: Path, policy: Any) -> Any:
    """What the model is shown of it, decoded by a policy."""
    with open_picture(path) as picture:
        return picture.squashed(224) if policy == "lean" else squash(picture.image(decoded_px(picture, policy)), 224)


def memory_mb(what: str) -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith(what))


def child(policy: str, tar: Path | None, pages: int, folder: Path) -> dict[str, Any]:
    detector = Detector(effort=0)
    detector.detect(np.tile(np.arange(64, dtype=np.uint8), (64, 1)))
    sets = {"evaluation": list(evaluation(tar, 40, 5))} if tar else {}
    result: dict[str, Any] = {}
    for name, cases in {**sets, "large pages": large(5, pages)}.items():
        rows, peaks = [], []
        for _, data, needs in cases:
            path = folder / "picture"
            path.write_bytes(patch_exif_orientation(data, ExifOrientation.TOP_LEFT.then(needs.inverse)))
            del data
            gc.collect()
            # Resets the kernel's peak of resident memory (proc(5), clear_refs).
            Path("/proc/self/clear_refs").write_text("5")
            before = memory_mb("VmRSS")
            started = time.process_time()
            found = detector.detect(cropped(path) if policy == "crop" else squashed(path, policy))
            rows.append(((time.process_time() - started) * 1000, found.best is needs))
            peaks.append(memory_mb("VmHWM") - before)
        result[name] = {
            "pictures": len(rows),
            "best": mean(right for _, right in rows),
            "cpu_ms": mean(ms for ms, _ in rows),
            "peak_mb": max(peaks),
            "mean_peak_mb": mean(peaks),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--pages", type=int, default=8, help="large pages of each of five kinds")
    parser.add_argument("--child", choices=POLICIES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(child(arguments.child, arguments.evaluation, arguments.pages, Path(folder))))
        return
    list(large(5, arguments.pages))
    results = {}
    for policy in POLICIES:
        command = [sys.executable, __file__, "--child", policy, *sys.argv[1:]]
        environment = {**os.environ, "VIPS_CONCURRENCY": "1"}
        results[policy] = json.loads(subprocess.check_output(command, env=environment))
    print("| policy | set | pictures | best, % | CPU ms | peak memory MB, mean | most |\n|---|---|---|---|---|---|---|")
    for policy, sets in results.items():
        for name, row in sets.items():
            shares = [f"{100 * row['best']:.1f}", *(f"{row[key]:.0f}" for key in ("cpu_ms", "mean_peak_mb", "peak_mb"))]
            print("|", " | ".join([policy, name, str(row["pictures"]), *shares]), "|")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
