"""Memory and CPU time of reading pictures of every size, each against what its decoder needs at the least.

    python bench/pictures.py [--gigapixel] [--only NAME] [--folder FOLDER]

Files are built by streaming (kept in the folder for the next run). Each picture is measured in its own process:
peak memory over the idle process (all libraries imported, a small picture of each kind decoded before), and CPU time
of the whole view of 224 pixels, the median of pairs with the reference measured in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE_PX = 224
HERE = Path(__file__).parent
DEMO = HERE.parent / "testdata" / "demo"


def texture(width: int, height: int) -> Any:
    """A lazy picture of photographs with sensor noise, repeated to the size."""
    import pyvips

    tiles = []
    for name in ("astronaut.jpg", "coffee.jpg", "rocket.jpg", "page.jpg"):
        tile = pyvips.Image.new_from_file(str(DEMO / name)).colourspace("srgb")
        tiles.append(tile.resize(1024 / tile.width, vscale=1024 / tile.height))
    sheet = pyvips.Image.arrayjoin(tiles, across=2)
    noise = pyvips.Image.gaussnoise(sheet.width, sheet.height, sigma=4, mean=0, seed=1)
    sheet = (sheet + noise).cast("uchar").copy(interpretation="srgb").copy_memory()
    return sheet.replicate(-(-width // 2048), -(-height // 2048)).crop(0, 0, width, height)


JPEG_TILES = {"tile": True, "tile_width": 256, "tile_height": 256, "compression": "jpeg", "Q": 80}
#: Name: size, how it is saved, which reference, the goals for memory in MB and for the ratio of CPU time.
PICTURES: dict[str, tuple[int, int, str, dict[str, Any], str, float, float]] = {
    "12mp.jpg": (4000, 3000, "jpeg", {"Q": 92}, "grey", 40, 1.35),
    "12mp-progressive.jpg": (4000, 3000, "jpeg", {"Q": 92, "interlace": True}, "grey", 40, 0.35),
    "12mp.png": (4000, 3000, "png", {"compression": 6}, "thumbnail", 80, 1.2),
    "8k.jpg": (7680, 4320, "jpeg", {"Q": 88}, "grey", 25, 1.3),
    "48mp.jpg": (8000, 6000, "jpeg", {"Q": 88}, "grey", 40, 1.35),
    "48mp-progressive.jpg": (8000, 6000, "jpeg", {"Q": 88, "interlace": True}, "grey", 40, 0.35),
    "48mp.png": (8000, 6000, "png", {"compression": 3}, "thumbnail", 80, 1.2),
    "200mp.jpg": (16384, 12288, "jpeg", {"Q": 85}, "grey", 60, 1.3),
    "200mp-progressive.jpg": (16384, 12288, "jpeg", {"Q": 85, "interlace": True}, "grey", 60, 0.3),
    "200mp.png": (16384, 12288, "png", {"compression": 3}, "thumbnail", 120, 1.2),
    "200mp-lzw.tif": (16384, 12288, "tiff", {"compression": "lzw"}, "thumbnail", 120, 1.2),
    "200mp-strips.tif": (16384, 12288, "tiff", {}, "thumbnail", 120, 1.2),
    "200mp-jpeg-tiles.tif": (16384, 12288, "tiff", JPEG_TILES, "thumbnail", 120, 0.7),
    "200mp-pyramid.tif": (16384, 12288, "tiff", JPEG_TILES | {"pyramid": True}, "60 ms", 30, 1.0),
}
GIGAPIXEL = {
    "4.8gp-pyramid.tif": (69632, 69632, "tiff", JPEG_TILES | {"pyramid": True, "bigtiff": True}, "60 ms", 30, 1.0),
    "4.8gp-jpeg-tiles.tif": (69632, 69632, "tiff", JPEG_TILES | {"bigtiff": True}, "thumbnail", 350, 0.7),
}


def build(path: Path, width: int, height: int, form: str, options: dict[str, Any]) -> None:
    """Write the picture strip by strip unless it is there."""
    if not path.exists():
        unfinished = path.with_name("unfinished-" + path.name)
        getattr(texture(width, height), form + "save")(str(unfinished), **options)
        unfinished.rename(path)


def ours(path: Path) -> Callable[[], object]:
    """What upright does to see a picture."""
    from upright.pictures import open_picture

    def view() -> object:
        with open_picture(path) as picture:
            return picture.squashed(SIZE_PX)

    return view


def reference(kind: str, path: Path) -> Callable[[], object]:
    """The least that the decoder itself needs: libjpeg-turbo's 1/8 greyscale decode, or libvips' thumbnail alone."""
    import pyvips
    import simplejpeg

    if kind == "grey":
        data = path.read_bytes()
        return lambda: simplejpeg.decode_jpeg(data, "GRAY", fastdct=True, min_width=1, min_height=1, min_factor=8)
    return lambda: pyvips.Image.thumbnail(
        str(path), 2 * SIZE_PX, height=2 * SIZE_PX, size="force", no_rotate=True
    ).write_to_memory()


def cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def bytes_read() -> int:
    """What this process has read so far, by system calls."""
    return int(Path("/proc/self/io").read_text().split()[1])


def memory_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def child(path: Path, kind: str) -> None:
    """Measure one picture and print JSON; memory first, before any reference has run."""
    import simplejpeg  # noqa: F401

    view = ours(path)
    for name in ("coffee.jpg", "receipt.png", "chart.tif"):
        ours(DEMO / name)()
    Path("/proc/self/clear_refs").write_text("5")
    idle = memory_mb("VmRSS")
    before = bytes_read()
    first = cpu_s(view)
    read_mb = (bytes_read() - before) / 1e6
    peak = memory_mb("VmHWM") - idle
    rounds = range(1 if first > 5 else 3 if first > 0.5 else 9)
    if kind == "60 ms":
        pairs = [(cpu_s(view), 0.06) for _ in rounds]
    else:
        floor = reference(kind, path)
        pairs = [(cpu_s(view), cpu_s(floor)) for _ in rounds]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    print(
        json.dumps(
            {
                "memory_mb": round(peak, 1),
                "read_mb": round(read_mb, 1),
                "cpu_ms": round(1000 * statistics.median(mine for mine, _ in pairs), 1),
                "reference_ms": round(1000 * statistics.median(theirs for _, theirs in pairs), 1),
                "ratio": round(ratio, 2),
            }
        )
    )


def steady(rounds: int = 2000) -> dict[str, float]:
    """Memory of this process after 200 and after all views of the demo pictures."""
    names = sorted(DEMO.iterdir())
    after = {}
    for i in range(1, rounds + 1):
        ours(names[i % len(names)])()
        if i in (200, rounds):
            after[f"after_{i}_mb"] = round(memory_mb("VmRSS"), 1)
    return after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigapixel", action="store_true", help="also 4.8-gigapixel TIFF: 2 GB of disk, minutes")
    parser.add_argument("--only", default="", help="names that contain this; writes a separate JSON file")
    parser.add_argument("--folder", type=Path, default=HERE / "out" / "pictures")
    parser.add_argument("--child", nargs=2, metavar=("PATH", "REFERENCE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(Path(options.child[0]), options.child[1])
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    pictures = PICTURES | (GIGAPIXEL if options.gigapixel else {})
    rows = []
    print(f"{'picture':24}{'file MB':>9}{'read MB':>9}{'memory MB':>11}{'goal':>6}", end="")
    print(f"{'CPU ms':>9}{'ref ms':>9}{'ratio':>7}{'goal':>6}")
    for name, (width, height, form, saving, kind, most_mb, most_ratio) in pictures.items():
        if options.only not in name:
            continue
        path = options.folder / name
        build(path, width, height, form, saving)
        command = [sys.executable, __file__, "--child", str(path), kind]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
        row = json.loads(done.stdout) | {
            "picture": name,
            "megapixels": round(width * height / 1e6),
            "file_mb": round(path.stat().st_size / 1e6, 1),
            "reference": kind,
            "goal_mb": most_mb,
            "goal_ratio": most_ratio,
        }
        rows.append(row)
        print(
            f"{name:24}{row['file_mb']:9}{row['read_mb']:9}{row['memory_mb']:11}{most_mb:6}{row['cpu_ms']:9}{row['reference_ms']:9}"
            f"{row['ratio']:7}{most_ratio:6}",
            flush=True,
        )
    result: dict[str, Any] = {"pictures": rows}
    if not options.only:
        result["2,000 views"] = steady()
        print(result["2,000 views"])
    name = f"pictures{'-' + options.only if options.only else ''}.json"
    (HERE / "out" / name).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
