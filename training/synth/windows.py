"""Windows of rendered pictures at reading size: a few lines as a close look at a page, a screen or a sign sees them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from training.synth import KINDS, finished
from training.synth.draft import Draft
from training.synth.scripts import BY_NAME

#: Side of a window, as in the shards of real ones.
SIZE_PX = 224
#: Sheets have this many times the area that a whole page is drawn with, so that type is 1.7 to 2.8 times as large; what
#: is displayed has large type already.
DETAIL, DISPLAYED_DETAIL = (3.0, 8.0), (0.6, 2.0)
#: How often each kind is drawn: running text first, since that is what close looks are for.
PAGES = dict.fromkeys(("article", "newspaper", "book", "letter", "notes", "table", "form", "invoice", "receipt"), 7.0)
SCREENS = dict.fromkeys(("application", "chat", "settings", "web", "slide", "scheme", "card", "menu"), 2.0)
SCREENS |= {"terminal": 6.0, "editor": 5.0}
DISPLAYED = dict.fromkeys(("words", "poster", "cover", "sign", "storefront", "label", "plate", "shelf", "caption"), 1.6)
KINDS_DRAWN = PAGES | SCREENS | DISPLAYED
#: Hands and types that have no whole pages to be learnt from, and how often a page is set in one.
HANDS, HANDS_SHARE = ("blackletter", "handwriting", "handwriting", "typewriter"), 0.3
#: Side of a window on the sheet, in sides of the view.
SPAN = (0.75, 2.2)
#: Ink is looked for in cells of this many pixels; a window has to have some in this share of its cells.
_CELL_PX = 8
_LEAST_INK = 0.22
_TRIES = 12


def render_window(
    seed: int, kind: str | None = None, script: str | None = None, photos: np.ndarray | None = None
) -> np.ndarray:
    """One upright window, uint8 [224, 224, 3]: part of what `training.synth.render` would draw larger.

    Raises KeyError for an unknown kind or script."""
    rng = np.random.default_rng((seed, 1))
    shares = np.array(list(KINDS_DRAWN.values()))
    name = kind or list(KINDS_DRAWN)[rng.choice(len(shares), p=shares / shares.sum())]
    if script is None and name in PAGES and rng.random() < HANDS_SHARE:
        script = str(rng.choice(HANDS))
    elif script is None and name in ("terminal", "editor") and rng.random() < 0.7:
        script = "terminal"
    draft = Draft(rng, BY_NAME[script] if script else None, photos)
    draft.detail = draft.real(*(DISPLAYED_DETAIL if name in DISPLAYED else DETAIL))
    sheet = KINDS[name][0](draft).image
    picture = finished(draft, name, _window(draft, sheet))
    return np.asarray(Image.fromarray(picture).resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR))


def _window(d: Draft, sheet: Image.Image) -> Image.Image:
    """A part of the sheet that has ink in it; the densest of some tries where none has enough."""
    ink = _ink(sheet)
    best, most = sheet, -1.0
    for _ in range(_TRIES):
        side = SIZE_PX * d.real(*SPAN)
        stretch = float(np.exp(d.rng.normal(0, 0.18)))
        wide, high = min(sheet.width, int(side * stretch)), min(sheet.height, int(side / stretch))
        left, top = d.whole(0, sheet.width - wide), d.whole(0, sheet.height - high)
        part = ink[top // _CELL_PX : (top + high) // _CELL_PX, left // _CELL_PX : (left + wide) // _CELL_PX]
        share = float(part.mean()) if part.size else 0.0
        if share > most:
            best, most = sheet.crop((left, top, left + wide, top + high)), share
        if share >= _LEAST_INK:
            break
    return best


def _ink(sheet: Image.Image) -> np.ndarray:
    """bool [h / 8, w / 8]: cells whose grey values differ by more than paper's."""
    grey = np.asarray(sheet.convert("L"))
    rows, columns = grey.shape[0] // _CELL_PX, grey.shape[1] // _CELL_PX
    cells = grey[: rows * _CELL_PX, : columns * _CELL_PX].reshape(rows, _CELL_PX, columns, _CELL_PX)
    return np.asarray(cells.max(axis=(1, 3)).astype(int) - cells.min(axis=(1, 3)) > 40)
