"""How well one look reads: square windows of files at their own size, by their share of the short side.

    python -m training.reading --model src/upright/models/upright-1 --files FOLDER [--shares 0.12,0.3,1]

Files are `<kind>/<source>/<name>`, all upright; what a source shows is said by training/native.csv. Windows are drawn
where there is something to read, and shown all four ways; `1` is the whole picture.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from training.data import Pixels
from training.heldout import shown
from training.looks import Looker, Model
from training.script import run
from upright.pictures import Picture, open_picture
from upright.steps import View, render

#: What may be read: the first word that native.csv says of a source.
SORTS = ("handwriting", "print", "blackletter", "terminals")
SOURCES = Path(__file__).with_name("native.csv")
#: Windows of one file at one share, and how many are drawn to find them.
EACH, TRIES = 6, 40
#: A window has something to read where the grey values of this share of neighbouring pixels differ by so much.
LEAST_EDGES, EDGE = 0.03, 20


def sorts() -> dict[str, str]:
    """What each source of native.csv shows, of those that are of one sort."""
    with SOURCES.open(newline="", encoding="utf-8") as file:
        first = {row["source"]: row["what"].split(":")[0] for row in csv.DictReader(file)}
    return {source: word for source, word in first.items() if word in SORTS}


def windows(picture: Picture, share: float, size_px: int, random: np.random.Generator) -> list[Pixels]:
    """At most `EACH` windows [S, S, 3] of an open picture that have something to read; at a share of 1 the whole."""
    if share == 1:
        return [render(picture, View(), size_px)]
    side = max(1, round(share * min(picture.width_px, picture.height_px)))

    def drawn() -> Pixels:
        left, top = (int(random.integers(each - side + 1)) for each in (picture.width_px, picture.height_px))
        return render(picture, View(box=(left, top, left + side, top + side)), size_px)

    return list(islice(filter(readable, (drawn() for _ in range(TRIES))), EACH))


def readable(window: Pixels) -> bool:
    grey = window.mean(axis=2)
    return bool((np.abs(np.diff(grey, axis=1)) >= EDGE).mean() >= LEAST_EDGES)


def right(model: Looker, seen: Sequence[Pixels]) -> list[bool]:
    """Of each of these upright views, shown all four ways, whether one look says its turn."""
    views = np.stack([shown(view, turn) for view in seen for turn in range(4)])
    return list(model.logits(views).argmax(axis=1) == np.tile(np.arange(4), len(seen)))


def judge(
    model: Looker, folders: Sequence[Path], shares: Sequence[float], seed: int
) -> dict[str, dict[float, list[bool]]]:
    """By what is read and by share: whether each look at a window is right."""
    known, random = sorts(), np.random.default_rng(seed)
    found: dict[str, dict[float, list[bool]]] = {sort: {share: [] for share in shares} for sort in SORTS}
    for file in sorted(file for folder in folders for file in folder.glob("*/*/*") if file.parent.name in known):
        with open_picture(file) as picture:
            for share in shares:
                if seen := windows(picture, share, model.size_px, random):
                    found[known[file.parent.name]][share] += right(model, seen)
    return found


def markdown(found: dict[str, dict[float, list[bool]]]) -> str:
    """A table in per cent, with the number of windows in brackets."""
    shares = list(next(iter(found.values())))
    lines = ["| one look, right % (windows) | " + " | ".join(f"{share:g}" for share in shares) + " |"]
    lines.append("|---" * (1 + len(shares)) + "|")
    for sort, rows in found.items():
        cells = (f"{100 * np.mean(row):.1f} ({len(row) // 4})" if row else "-" for row in rows.values())
        lines.append(f"| {sort} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path, help="model folder, or a bare .onnx")
    parser.add_argument("--files", required=True, type=Path, action="append", help="folder of <kind>/<source>/<name>")
    parser.add_argument("--shares", default="0.12,0.2,0.3,0.45,1", help="of the short side; 1: the whole picture")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    shares = [float(share) for share in options.shares.split(",")]
    print(markdown(judge(Model.open(options.model), options.files, shares, options.seed)))


if __name__ == "__main__":
    run(main)
