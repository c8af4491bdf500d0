"""Upright pictures with text, rendered from a seed: pages, papers, slides, screens, posters, signs.

`render(seed)` is deterministic on one machine: the same seed, fonts and libraries give the same bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from training.synth import boards, degrade, display, pages, papers, screens, slides
from training.synth.canvas import Canvas
from training.synth.draft import Draft
from training.synth.scripts import BY_NAME

Finish = Callable[[Draft, Image.Image], np.ndarray]

PRINTED: tuple[tuple[Finish, float], ...] = ((degrade.plain, 0.35), (degrade.scan, 0.35), (degrade.photograph, 0.3))
SHOWN: tuple[tuple[Finish, float], ...] = ((degrade.plain, 0.8), (degrade.photographed_screen, 0.2))
DISPLAYED: tuple[tuple[Finish, float], ...] = ((degrade.plain, 0.55), (degrade.photograph, 0.45))

# kind: how it is drawn, its share of the pictures, how it is finished
KINDS: dict[str, tuple[Callable[[Draft], Canvas], float, tuple[tuple[Finish, float], ...]]] = {
    "article": (pages.article, 8, PRINTED),
    "newspaper": (pages.newspaper, 4, PRINTED),
    "book": (pages.book, 6, PRINTED),
    "letter": (pages.letter, 4, PRINTED),
    "notes": (slides.notes, 3, PRINTED),
    "table": (papers.table, 4, PRINTED),
    "form": (papers.form, 5, PRINTED),
    "invoice": (papers.invoice, 4, PRINTED),
    "receipt": (papers.receipt, 3, PRINTED),
    "card": (papers.card, 3, PRINTED),
    "certificate": (papers.certificate, 1, PRINTED),
    "slide": (slides.slide, 6, SHOWN),
    "plot": (slides.plot, 3, SHOWN),
    "scheme": (slides.scheme, 2, SHOWN),
    "application": (screens.application, 2, SHOWN),
    "chat": (screens.chat, 2, SHOWN),
    "settings": (screens.settings, 2, SHOWN),
    "terminal": (screens.terminal, 1, SHOWN),
    "editor": (screens.editor, 1, SHOWN),
    "web": (screens.web, 3, SHOWN),
    "words": (boards.words, 9, DISPLAYED),
    "poster": (display.poster, 12, DISPLAYED),
    "cover": (display.cover, 9, DISPLAYED),
    "sign": (display.sign, 6, DISPLAYED),
    "storefront": (boards.storefront, 4, DISPLAYED),
    "label": (display.label, 5, DISPLAYED),
    "plate": (boards.plate, 3, DISPLAYED),
    "shelf": (boards.shelf, 3, DISPLAYED),
    "menu": (boards.menu, 3, DISPLAYED),
    "caption": (boards.caption, 3, DISPLAYED),
}

_SHARES = np.array([share for _, share, _ in KINDS.values()], float)
#: Probability of each of KINDS.
SHARES = _SHARES / _SHARES.sum()


def render(
    seed: int, kind: str | None = None, script: str | None = None, photos: np.ndarray | None = None
) -> np.ndarray:
    """One upright picture, uint8 [288, 288, 3], squashed to a square as the training shards are.

    `kind` is one of KINDS and `script` a name of scripts.BY_NAME, else both are drawn by their shares. `photos`, uint8
    [n, s, s, 3] and upright, lend backgrounds; without them those are coloured noise. Raises KeyError for an unknown
    kind or script."""
    rng = np.random.default_rng(seed)
    name = kind or list(KINDS)[rng.choice(len(KINDS), p=SHARES)]
    draft = Draft(rng, BY_NAME[script] if script else None, photos)
    return finished(draft, name, KINDS[name][0](draft).image)


def finished(draft: Draft, kind: str, image: Image.Image) -> np.ndarray:
    """What becomes of a drawn picture of that kind: scanned, photographed, or left as it is; uint8 [288, 288, 3]."""
    finishes = KINDS[kind][2]
    weights = np.array([weight for _, weight in finishes])
    return finishes[draft.rng.choice(len(finishes), p=weights / weights.sum())][0](draft, image)


__all__ = ["KINDS", "SHARES", "finished", "render"]
