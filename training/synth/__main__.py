"""Writes a pool of rendered pictures: `python -m training.synth --number 1000 --out pool.npy --sheet sheet.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.sheets import contact_sheet
from training.synth import KINDS
from training.synth.degrade import SIZE_PX
from training.synth.pool import rendered
from training.synth.scripts import BY_NAME
from training.synth.windows import SIZE_PX as WINDOW_PX

SHEET_PICTURES = 64


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.synth", description=__doc__)
    parser.add_argument("--number", type=int, default=SHEET_PICTURES, help="how many pictures")
    parser.add_argument("--seed", type=int, default=0, help="the first picture's seed; the next ones count up")
    parser.add_argument("--out", type=Path, help="pool to write, uint8 [number, 288, 288, 3] .npy")
    parser.add_argument("--sheet", type=Path, help=f"contact sheet of the first {SHEET_PICTURES}, PNG")
    parser.add_argument("--kind", choices=sorted(KINDS), action="append", help="only these kinds, in turn")
    parser.add_argument("--script", choices=sorted(BY_NAME), action="append", help="only these scripts, in turn")
    parser.add_argument("--photos", help="upright photographs for backgrounds, uint8 [n, s, s, 3] .npy")
    parser.add_argument("--windows", action="store_true", help="windows at reading size, 224 px, instead of the whole")
    parser.add_argument("--workers", type=int, default=1)
    a = parser.parse_args(arguments)
    if not a.out and not a.sheet:
        parser.error("nothing to write: name a pool with --out, a contact sheet with --sheet, or both")
    side = WINDOW_PX if a.windows else SIZE_PX
    pool = np.lib.format.open_memmap(a.out, "w+", np.uint8, (a.number, side, side, 3)) if a.out else None
    shown: list[np.ndarray] = []
    seeds = range(a.seed, a.seed + a.number)
    for i, picture in enumerate(rendered(seeds, a.kind, a.photos, a.workers, a.windows, a.script)):
        if pool is not None:
            pool[i] = picture
        if len(shown) < SHEET_PICTURES:
            shown.append(picture)
    if pool is not None:
        pool.flush()
    if a.sheet:
        contact_sheet([(picture, "") for picture in shown], 8, side).save(a.sheet)


if __name__ == "__main__":
    main()
