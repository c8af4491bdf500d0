"""Memory of one detector over many pictures: it must stay flat.

    python bench/memory.py --pictures 10000

Every format of the demo, four threads, one engine. Prints resident memory, writes JSON and a plot to bench/out/.
"""

import argparse
import gc
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

from PIL import Image, ImageDraw

from upright import Detector

DEMO = Path(__file__).parent.parent / "testdata" / "demo"
OUT = Path(__file__).parent / "out"


def resident_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def plot(points: list[tuple[int, float]], path: Path) -> None:
    image = Image.new("RGB", (900, 360), "white")
    draw = ImageDraw.Draw(image)
    most, last = max(mib for _, mib in points), points[-1][0]
    line = [(60 + 800 * count / last, 320 - 280 * mib / most) for count, mib in points]
    draw.line(line, fill="#2563eb", width=3)
    draw.text((60, 10), f"resident memory, MiB (top {most:.0f}), over {last} pictures", fill="black", font_size=16)
    image.save(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=10_000)
    count = parser.parse_args().pictures
    step = max(1, count // 20)
    points = []
    with Detector(effort=0) as detector, ThreadPoolExecutor(4) as pool:
        sources = cycle([str(path) for path in sorted(DEMO.iterdir())])
        for done in range(step, count + 1, step):
            for _ in pool.map(detector.detect, islice(sources, step)):
                pass
            gc.collect()
            points.append((done, resident_mib()))
            print(f"{done:>7} pictures {points[-1][1]:8.1f} MiB", flush=True)
    first, last = points[len(points) // 4][1], points[-1][1]
    print(f"after a quarter {first:.1f} MiB, at the end {last:.1f} MiB: {last - first:+.1f} MiB")
    OUT.mkdir(exist_ok=True)
    (OUT / "memory.json").write_text(json.dumps(points) + "\n")
    plot(points, OUT / "memory.png")


if __name__ == "__main__":
    main()
