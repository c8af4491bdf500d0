"""Windows at reading size out of real upright pages, as a pool to train with beside those that are rendered.

    python -m training.cut --pages FOLDER [--pages FOLDER] --out windows.npy [--sheet sheet.png]

Windows are those that the last step of the ladder would look at, in several sizes of text. A page that the model that
ships would turn is named and left out: somebody has to look at it first.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from training.data import Pixels
from training.heldout import Picture, read
from training.script import run
from training.sheets import contact_sheet
from training.synth.windows import SIZE_PX
from upright import Detector
from upright.pictures import open_picture
from upright.steps import render
from upright.steps.close import CLOSE
from upright.turns import Turn, turn_array

#: Windows are cut at so many times their side and shrunk to it, which makes strokes 4.4 to 2.3 px wide.
SPAN = (0.8, 1.5)
#: In so many sizes of each page.
SIZES = 2
SHEET_WINDOWS = 64


def windows(page: Pixels, random: np.random.Generator) -> Iterator[Pixels]:
    """Upright windows [224, 224, 3] of a page, most text first; none where it has no text."""
    with open_picture(Image.fromarray(page)) as picture:
        for side in (round(SIZE_PX * random.uniform(*SPAN)) for _ in range(SIZES)):
            for view in CLOSE.views(picture, side):
                pixels = turn_array(render(picture, view, side), view.turn.inverse)
                yield np.asarray(Image.fromarray(pixels).resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR))


def cut(pages: Iterable[Picture], detector: Detector, seed: int) -> Iterator[Pixels]:
    """The windows of all pages that the detector would not turn."""
    random = np.random.default_rng(seed)
    for page in pages:
        answer = detector.detect(Image.fromarray(page.pixels))
        if answer.turn in (None, Turn.NONE):
            yield from windows(page.pixels, random)
        else:
            print(f"{page.path}: left out, it may need {answer.turn} degrees ({100 * answer.confidence:.1f} % sure)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", required=True, type=Path, action="append", help="upright, see training.heldout")
    parser.add_argument("--out", required=True, type=Path, help="pool to write, uint8 [n, 224, 224, 3] .npy")
    parser.add_argument("--sheet", type=Path, help=f"contact sheet of {SHEET_WINDOWS} windows, PNG")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with Detector() as detector:
        found = list(cut((page for path in options.pages for page in read(path)), detector, options.seed))
    if not found:
        parser.error("no page has text that could be read; name others with --pages")
    pool = np.stack(found)
    np.random.default_rng(options.seed).shuffle(pool)
    np.save(options.out, pool)
    print(f"{len(pool)} windows")
    if options.sheet:
        contact_sheet([(window, "") for window in pool[:SHEET_WINDOWS]], 8, SIZE_PX).save(options.sheet)


if __name__ == "__main__":
    run(main)
