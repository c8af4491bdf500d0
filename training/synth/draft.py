"""What one picture is made with: its random draws, its writer, its fonts and its colours."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from PIL import Image

from training.synth.canvas import Canvas, Colour, Style
from training.synth.scripts import Script
from training.synth.words import Writer, draw_script

T = TypeVar("T")


class Draft:
    """One picture's choices, all from one generator."""

    def __init__(
        self, rng: np.random.Generator, script: Script | None = None, photos: np.ndarray | None = None
    ) -> None:
        self.rng = rng
        self.script = script or draw_script(rng)
        self.write = Writer(self.script, rng)
        self.photos = photos
        self.vertical = self.chance(self.script.vertical)
        self.family = str(self.pick(self.script.text))
        self.detail = 1.0  # area of the sheet, in those of a whole page that is squashed to one view

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.integers(len(choices)))]

    def real(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """An integer of [low, high]."""
        return int(self.rng.integers(low, high + 1))

    def sheet(
        self, tall: float, spread: float = 0.35, area: float = 300_000, paper: Colour = (255, 255, 255)
    ) -> Canvas:
        """A canvas whose height / width is `tall`, give or take a factor of e^spread either way; a fifth are on their
        side or the like, so that no layout is known by its shape."""
        ratio = tall * float(np.exp(self.rng.normal(0, spread)))
        ratio = 1 / ratio if self.chance(0.2) else ratio
        ratio = min(3.2, max(0.31, ratio))
        area *= self.detail * self.real(0.6, 1.2)
        return Canvas(int((area / ratio) ** 0.5), int((area * ratio) ** 0.5), paper)

    def style(self, size: float, family: str = "", **changes: object) -> Style:
        base = Style(family or self.family, size * self.script.scale, rtl=self.script.rtl)
        return base.but(**changes) if changes else base

    def display_family(self) -> str:
        faces = self.script.display or self.script.text
        return str(self.pick(faces)) + (" Bold" if self.chance(0.25) else "") + (" Italic" if self.chance(0.08) else "")

    def colour(self, light: tuple[float, float] = (0, 1), depth: tuple[float, float] = (0, 1)) -> Colour:
        """A colour whose HLS lightness and saturation lie in the two ranges."""
        r, g, b = colorsys.hls_to_rgb(self.rng.random(), self.real(*light), self.real(*depth))
        return int(r * 255), int(g * 255), int(b * 255)

    def dark(self) -> Colour:
        return (
            self.colour((0.0, 0.3), (0, 0.7))
            if self.chance(0.4)
            else self.pick([(0, 0, 0), (25, 25, 28), (45, 45, 50)])
        )

    def paper(self) -> Colour:
        return self.colour((0.88, 0.98), (0.05, 0.6)) if self.chance(0.35) else (255, 255, 255)

    def contrast(self, colour: Colour) -> Colour:
        """A colour that reads well on `colour`."""
        luma = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
        if 95 < luma < 165 or self.chance(0.45):
            return (255, 255, 255) if luma < 140 else (15, 15, 15)
        return self.colour((0.78, 0.97), (0, 1)) if luma < 120 else self.colour((0.03, 0.27), (0, 1))

    def photo(self, width: int, height: int) -> Image.Image | None:
        """A photograph of `photos` (uint8 [n, s, s, 3], upright), stretched to width x height, if there are any."""
        if self.photos is None or not len(self.photos):
            return None
        picture = Image.fromarray(np.asarray(self.photos[self.whole(0, len(self.photos) - 1)]))
        return picture.resize((width, height), Image.Resampling.BICUBIC)
