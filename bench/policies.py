"""How much to decode: the policies `lean`, `seed` and `full`, and the centre crop of 448 pixels, against each other.

    python bench/policies.py [--evaluation eval.tar] [--pages 4]

The flow is `whole`. Each policy runs in a process of its own: accuracy, mean CPU time, and the peak of memory over
the idle process (libraries and model loaded, one small picture decided). On the large pages of bench/large_pages.py
and on a sample of an evaluation tar. Prints a table and writes bench/out/policies.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from cascade import evaluation, large

from upright import Detector
from upright.exif import patch_exif_orientation
from upright.pictures import open_picture
from upright.turns import ExifOrientation

OUT = Path(__file__).parent / "out" / "policies.json"
POLICIES = ("lean", "seed", "full", "crop")
CROP_PX = 448


def cropped(path: Path) -> Any:
    """The middle of the picture, at most 448 pixels each way, as it was decoded whole."""
    with open_picture(path) as picture:
        pixels = picture.shrunk(224, "full")
    height, width = pixels.shape[:2]
    top, left = max(0, height - CROP_PX) // 2, max(0, width - CROP_PX) // 2
    return np.ascontiguousarray(pixels[top : top + CROP_PX, left : left + CROP_PX])


def child(policy: str, tar: Path | None, pages: int, folder: Path) -> dict[str, Any]:
    detector = Detector(flow="whole", policy="full" if policy == "crop" else policy)  # type: ignore[arg-type]
    detector.detect(np.tile(np.arange(64, dtype=np.uint8), (64, 1)))
    sets = {"evaluation": list(evaluation(tar, 20, 6))} if tar else {}
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result: dict[str, Any] = {}
    for name, cases in {**sets, "large pages": large(5, pages)}.items():
        rows = []
        for _, data, needs in cases:
            path = folder / "picture"
            path.write_bytes(patch_exif_orientation(data, ExifOrientation.TOP_LEFT.then(needs.inverse)))
            del data
            started = time.process_time()
            found = detector.detect(cropped(path) if policy == "crop" else path)
            rows.append(((time.process_time() - started) * 1000, found.best is needs))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result[name] = {
            "pictures": len(rows),
            "best": mean(right for _, right in rows),
            "cpu_ms": mean(ms for ms, _ in rows),
            "peak_mb": (peak - idle) / 1000,
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--pages", type=int, default=4, help="large pages of each of five kinds")
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
    print("| policy | set | pictures | best, % | CPU ms | peak memory MB |\n|---|---|---|---|---|---|")
    for policy, sets in results.items():
        for name, row in sets.items():
            facts = f"{row['pictures']} | {100 * row['best']:.1f} | {row['cpu_ms']:.0f} | {row['peak_mb']:.0f}"
            print(f"| {policy} | {name} | {facts} |")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
