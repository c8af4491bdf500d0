"""A sheet of paper, a screen or a board to draw on. Measures are millimetres and points; (0, 0) is top left."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pyvips
from PIL import Image, ImageDraw

from upright_benchmark.scripts import Script
from upright_benchmark.words import Author

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom
T = TypeVar("T")
MM_PER_INCH, PT_PER_INCH = 25.4, 72
BLACK, WHITE = (20, 20, 20), (255, 255, 255)


def ink(text: str, font: str, dpi: float, width_px: int | None, align: str, columns: bool = False) -> Image.Image:
    """Text as a mask (L), wrapped at `width_px`; with `columns` set from top to bottom in columns from the right."""
    body = html.escape(text.strip() or "-")
    if columns:
        body = f"<span gravity='east' gravity_hint='strong'>{body}</span>"
    wide = {"width": max(16, width_px)} if width_px else {}
    image = pyvips.Image.text(body, font=font, dpi=round(dpi), align=align, wrap="word-char", **wide)
    mask = Image.frombytes("L", (image.width, image.height), image.write_to_memory())
    return mask.transpose(Image.Transpose.ROTATE_270) if columns else mask


class Sheet:
    """A picture under construction, with its author and its random draws."""

    def __init__(
        self, rng: np.random.Generator, script: Script, width_mm: float, height_mm: float, dpi: int, paper: Colour
    ) -> None:
        self.rng, self.script, self.dpi, self.paper = rng, script, dpi, paper
        self.width, self.height = width_mm, height_mm
        self.write = Author(script, rng)
        self.font = self.pick(script.fonts)
        self.image = Image.new("RGB", (self.px(width_mm), self.px(height_mm)), paper)
        self.draw = ImageDraw.Draw(self.image)

    def px(self, mm: float) -> int:
        return round(mm / MM_PER_INCH * self.dpi)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.integers(len(choices)))]

    def real(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def text(
        self,
        box: Box,
        text: str,
        pt: float,
        *,
        bold: bool = False,
        align: str = "start",
        colour: Colour = BLACK,
        columns: bool = False,
    ) -> float:
        """Sets a paragraph in `box`, what does not fit is cut between lines; returns the y below it in millimetres.

        In columns: the x left of it. `align` is start, centre or end; the start of a script that runs from right to
        left is on the right."""
        left, top, right, bottom = box
        if right - left < 1 or bottom - top < 1:
            return left if columns else bottom
        font = f"{self.font}{' Bold' if bold else ''} {pt * self.script.scale:.1f}"
        measure = self.px((bottom - top) if columns else (right - left))
        mask = ink(text, font, self.dpi, measure, "centre" if align == "centre" else "low", columns)
        room = self.px((right - left) if columns else (bottom - top))
        filled: np.ndarray = np.any(np.asarray(mask), axis=0 if columns else 1)
        if columns:
            keep = whole_lines(filled[::-1], room)
            mask = mask.crop((mask.width - keep, 0, mask.width, mask.height))
            self.image.paste(colour, (self.px(right) - keep, self.px(top)), mask)
            return right - keep / self.dpi * MM_PER_INCH
        keep = whole_lines(filled, room)
        mask = mask.crop((0, 0, min(mask.width, measure), keep))
        at_right = (align == "end") != self.script.rtl if align != "centre" else False
        x = self.px(left) + ((measure - mask.width) // 2 if align == "centre" else 0)
        x = self.px(right) - mask.width if at_right else x
        self.image.paste(colour, (x, self.px(top)), mask)
        return top + keep / self.dpi * MM_PER_INCH

    def line(self, x: float, y: float, x_end: float, y_end: float, colour: Colour = BLACK, mm: float = 0.2) -> None:
        ends = tuple(self.px(v) for v in (x, y, x_end, y_end))
        self.draw.line(ends, colour, max(1, self.px(mm)))

    def panel(
        self, box: Box, fill: Colour | None, outline: Colour | None = None, mm: float = 0.2, radius: float = 0
    ) -> None:
        corners = [self.px(v) for v in box]
        if corners[2] - corners[0] > 2 and corners[3] - corners[1] > 2:
            self.draw.rounded_rectangle(corners, self.px(radius), fill, outline, max(1, self.px(mm)))

    def hue(self, light: tuple[int, int]) -> Colour:
        """A colour whose three values are drawn from `light`."""
        red, green, blue = (int(v) for v in self.rng.integers(light[0], light[1], 3))
        return red, green, blue


def whole_lines(filled: np.ndarray, room: int) -> int:
    """How many rows of a text to keep so that no line is cut through: up to the last empty one before `room`."""
    if len(filled) <= room:
        return len(filled)
    empty = np.flatnonzero(~filled[: max(1, room)])
    return int(empty[-1]) if len(empty) else max(1, room)
