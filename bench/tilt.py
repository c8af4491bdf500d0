"""The tilt of pages: how far upright, jdeskew, deskew and leptonica (as OCRmyPDF calls it) are off, at which CPU time.

    pip install jdeskew deskew ocrmypdf
    PYTHONPATH=benchmark python -m bench.tilt --write

Pages are drawn by the benchmark (benchmark/), tilted by known angles within ±15°, then blurred, lit, given noise and
compressed as a scanner does. Every entrant gets the same pages as grey arrays (OCRmyPDF's as a file, which it wants).
``--write`` puts the tables into docs/tilt.md and the model card.
"""

import argparse
import csv
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageFilter
from upright_benchmark import capture
from upright_benchmark.layouts import KINDS
from upright_benchmark.scripts import BY_CODE, Script
from upright_benchmark.sheet import WHITE, Sheet

from bench.written import CARD, ROOT, TILT, put
from upright.tilt import SIDE_PX, tilt_of
from upright.turns import Turn, turn_array

MOST_TILT = 15
DPI = 150
HANDS = ("Dancing Script", "Nanum Brush Script", "Kaushan Script", "Hand Me Down O BRK", "DkgHandwriting", "Rufscript")
PROSE = ("article", "book", "newspaper", "letter", "invoice")
#: Codes of scripts and kinds of pages (`KINDS`) of each case.
CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "print": (("Latn",), PROSE),
    "noise": (("Latn",), PROSE),
    "other scripts": (("Cyrl", "Deva", "Hang", "Thai", "Jpan", "Grek"), PROSE),
    "right to left": (("Arab", "Hebr"), ("article", "book", "letter")),
    "vertical": (("Jpan", "Hant"), ()),
    "tables and forms": (("Latn",), ("table", "form")),
    "handwriting": (("Latn",), ("letter",)),
    "photographs in the page": (("Latn",), ("article",)),
}
DEMO, OUT = ROOT / "testdata" / "demo", ROOT / "bench" / "out"
#: Degrees clockwise that straighten a grey page, or None.
Entrant = Callable[[np.ndarray], float | None]


def pages(count: int, seed: int = 19) -> Iterator[tuple[str, float, np.ndarray]]:
    """Case, tilt and grey pixels of each page."""
    photos = list(_photos())
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        case = list(CASES)[number % len(CASES)]
        tilt = float(rng.uniform(-MOST_TILT, MOST_TILT))
        yield case, tilt, np.asarray(_scanned(rng, _sheet(rng, case, photos), tilt, case == "noise").convert("L"))


def _photos() -> Iterator[Image.Image]:
    turns = {row["file"]: int(row["turn"]) for row in csv.DictReader((ROOT / "testdata/demo-turns.csv").open())}
    for name in ("astronaut.jpg", "coffee.jpg", "rocket.jpg", "camera.jpg"):
        with Image.open(DEMO / name) as image:
            yield Image.fromarray(turn_array(np.asarray(image.convert("RGB")), Turn(turns[name])))


def _sheet(rng: np.random.Generator, case: str, photos: list[Image.Image]) -> Image.Image:
    codes, kinds = CASES[case]
    script = BY_CODE[str(rng.choice(codes))]
    if case == "handwriting":
        script = replace(script, fonts=HANDS)
    if case == "vertical":
        return _columns(rng, script)
    image: Image.Image = KINDS[str(rng.choice(kinds))][0](rng, script, DPI).image.convert("RGB")
    if case == "photographs in the page":
        for _ in range(2):
            photo, width = photos[rng.integers(len(photos))], int(image.width * rng.uniform(0.4, 0.8))
            photo = photo.resize((width, int(width * photo.height / photo.width)))
            image.paste(photo, (int(rng.uniform(0.05, 0.15) * image.width), int(rng.uniform(0, 0.6) * image.height)))
    return image


def _columns(rng: np.random.Generator, script: Script) -> Image.Image:
    """A page of a book whose lines run from top to bottom, from the right."""
    sheet = Sheet(rng, script, 148, 210, DPI, WHITE)
    x, size = 128.0, sheet.real(9, 11)
    while x > 25:
        text = sheet.write.prose(sheet.whole(150, 500))
        x = sheet.text((18, 20, x, 190), text, size, columns=True) - size * 0.3
    return sheet.image


def _scanned(rng: np.random.Generator, page: Image.Image, tilt: float, noise: bool) -> Image.Image:
    """Pillow turns counterclockwise: what it turns by ``tilt`` is straightened by as much clockwise."""
    lid = (int(rng.choice([255, 225, 30])),) * 3
    page = page.rotate(tilt, Image.Resampling.BICUBIC, expand=True, fillcolor=lid)
    page = page.filter(ImageFilter.GaussianBlur(DPI / 300 * rng.uniform(0.3, 1.0)))
    page = capture.lit(page, capture.uneven_light(rng, page.size, rng.uniform(0.7, 0.96), 1.0))
    page = capture.noisy(rng, page, rng.uniform(15, 35) if noise else rng.uniform(2, 6))
    return capture.compressed(page, int(rng.integers(60, 92)))


def by_upright(page: np.ndarray) -> float | None:
    image = Image.fromarray(page)
    scale = SIDE_PX / max(image.size)
    found = tilt_of(image.resize([round(side * scale) for side in image.size], Image.Resampling.BILINEAR))
    return found.degrees if found else None


def by_jdeskew(page: np.ndarray) -> float | None:
    from jdeskew.estimator import get_angle

    return -float(get_angle(page))


def by_deskew(page: np.ndarray, step: float = 1.0) -> float | None:
    from deskew import determine_skew

    found = determine_skew(page, min_deviation=step)
    return None if found is None else -float(found)


def by_deskew_finely(page: np.ndarray) -> float | None:
    return by_deskew(page, 0.1)


def by_leptonica(page: np.ndarray) -> float | None:
    """Tesseract, which asks leptonica, in a process of its own."""
    from ocrmypdf._exec import tesseract

    with TemporaryDirectory() as folder:
        path = Path(folder, "page.png")
        Image.fromarray(page).save(path, compress_level=1, dpi=(DPI, DPI))
        return -float(tesseract.get_deskew(path, ["eng"], None, 180, 1))


ENTRANTS: dict[str, Entrant] = {
    "upright": by_upright,
    "jdeskew": by_jdeskew,
    "deskew": by_deskew,
    "deskew in steps of 0.1°": by_deskew_finely,
    "leptonica": by_leptonica,
}


def cpu_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def measured(count: int, names: list[str]) -> list[dict]:
    rows = []
    for case, tilt, page in pages(count):
        row: dict = {"case": case, "tilt": tilt}
        for name in names:
            started = cpu_s(), time.perf_counter()
            found = ENTRANTS[name](page)
            used = cpu_s() - started[0]
            off = None if found is None else abs(found - tilt)
            row[name] = {"off": off, "cpu_s": used, "wall_s": time.perf_counter() - started[1]}
        rows.append(row)
    return rows


def table(rows: list[dict], names: list[str]) -> str:
    """What each is off by, all pages together, then by case."""

    def offs(name: str, case: str | None = None) -> np.ndarray:
        found = [row[name]["off"] for row in rows if case in (None, row["case"])]
        return np.array([90.0 if off is None else off for off in found])

    lines = [f"| {len(rows)} pages | median | 99 % within | within 0.3° | within 1° | CPU a page |", "|---" * 6 + "|"]
    for name in names:
        off, cpu = offs(name), np.median([row[name]["cpu_s"] for row in rows])
        lines.append(
            f"| {name} | {np.median(off):.3f}° | {np.quantile(off, 0.99):.2f}° | {(off <= 0.3).mean():.1%}"
            f" | {(off <= 1).mean():.1%} | {1000 * cpu:.0f} ms |"
        )
    lines += ["", f"| median, and within 0.3° | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for case in CASES:
        cells = (f"{np.median(off):.3f}°, {(off <= 0.3).mean():.0%}" for off in (offs(name, case) for name in names))
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="pages")
    parser.add_argument("--only", default=",".join(ENTRANTS), help="entrants, with commas between")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/tilt.md and the model card")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    rows = measured(arguments.count, names)
    OUT.mkdir(exist_ok=True)
    (OUT / "tilt.json").write_text(json.dumps(rows) + "\n")
    print(table(rows, names))
    if arguments.write:
        put(TILT, "bench.tilt", table(rows, names))
        put(CARD, "bench.tilt", f"## Tilt of text\n\n{table(rows, names)}")


if __name__ == "__main__":
    main()
