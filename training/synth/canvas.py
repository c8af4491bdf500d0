"""A sheet to draw on: pango text through pyvips, shapes through Pillow. All measures are pixels, (0, 0) is top left."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, replace

import numpy as np
import pyvips
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom
PLAIN_FAMILY = "Noto Sans"
SMALLEST_PX, SIZE_STEP = 5.0, 1.117


@dataclass(frozen=True)
class Style:
    """How text looks. `vertical` sets columns from right to left, as Chinese and Japanese do."""

    family: str
    size: float
    colour: Colour = (20, 20, 20)
    align: str = "low"  # low | centre | high: the start, the middle, the end of a line
    justify: bool = False
    leading: float = 0.0  # extra space between lines, in sizes
    tracking: float = 0.0  # extra space between letters, in sizes
    vertical: bool = False
    rtl: bool = False

    def but(self, **changes: object) -> Style:
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Ink:
    """Rendered text: `mask` (L) whose top left lies at (x, y) of the text's layout."""

    mask: Image.Image
    x: int
    y: int

    @property
    def width(self) -> int:
        return self.mask.width

    @property
    def height(self) -> int:
        return self.mask.height


def set_text(text: str, style: Style, measure: float | None = None, whole_words: bool = False) -> Ink:
    """Renders `text`; lines wrap at `measure` pixels (the height of the columns when vertical), inside words only
    where one is wider than that and `whole_words` is false."""
    marks = f" letter_spacing='{int(style.tracking * style.size * 1024)}'" if style.tracking else ""
    if style.vertical:
        marks += " gravity='east' gravity_hint='strong'"
    body = html.escape(text.strip() or "-")
    options = {
        "dpi": 72,
        "align": style.align,
        "justify": style.justify and measure is not None,
        "spacing": int(style.leading * style.size),
        "wrap": "word" if whole_words else "word-char",
        **({"width": max(8, int(measure))} if measure is not None else {}),
    }
    marked = f"<span{marks}>{body}</span>" if marks else body
    try:
        image = pyvips.Image.text(marked, font=f"{style.family} {snapped(style.size)}px", **options)
    except pyvips.Error:  # "no text to render": a family whose glyphs of these letters are empty
        image = pyvips.Image.text("\u2013", font=f"{PLAIN_FAMILY} {snapped(style.size)}px", **options)
    x, y = image.xoffset, image.yoffset
    mask = Image.frombytes("L", (image.width, image.height), image.write_to_memory())
    if style.vertical:
        # A wide measure is the column's height: the layout's left becomes the top, its top becomes the right.
        return Ink(mask.transpose(Image.Transpose.ROTATE_270), y, x)
    return Ink(mask, x, y)


def snapped(size: float) -> float:
    """The nearest of 41 type sizes from 5 to 420 px: pango looks a font up again for every size, 2.9 ms against 0.2."""
    step = round(math.log(max(size, SMALLEST_PX) / SMALLEST_PX, SIZE_STEP))
    return round(SMALLEST_PX * SIZE_STEP ** min(step, 40), 1)


class Canvas:
    """A picture under construction."""

    def __init__(self, width: int, height: int, paper: Colour = (255, 255, 255)) -> None:
        self.image = Image.new("RGB", (width, height), paper)
        self.draw = ImageDraw.Draw(self.image)

    @classmethod
    def over(cls, image: Image.Image) -> Canvas:
        canvas = cls(1, 1)
        canvas.image = image
        canvas.draw = ImageDraw.Draw(image)
        return canvas

    @property
    def width(self) -> int:
        return self.image.width

    @property
    def height(self) -> int:
        return self.image.height

    def stamp(self, ink: Ink | Image.Image, x: float, y: float, colour: Colour, strength: float = 1.0) -> None:
        """Lays a mask's colour down with its top left at (x, y)."""
        mask = ink.mask if isinstance(ink, Ink) else ink
        if strength < 1:
            mask = mask.point(lambda v: int(v * strength))
        self.image.paste(colour, (round(x), round(y)), mask)

    def line(self, x: float, y: float, text: str, style: Style, within: float | None = None) -> float:
        """One line of text whose layout starts at (x, y), inside `within` pixels; returns the width of its ink."""
        if within is not None and within < style.size / 2:
            return 0
        flat = style.but(vertical=False)
        ink = set_text(text, flat)
        if within and ink.width > within:
            ink = set_text(text, flat.but(size=style.size * max(0.6, within / ink.width)))
        if within and ink.width > within:
            ink = Ink(ink.mask.crop((0, 0, int(within), ink.height)), ink.x, ink.y)
        side = {"low": "high", "high": "low"}.get(style.align, "centre") if style.rtl else style.align
        room = (within or ink.width) - ink.width
        shift = 0 if not within else {"low": 0, "centre": room / 2, "high": room}[side]
        self.stamp(ink, x + shift, y + ink.y, style.colour)
        return ink.width

    def flow(self, box: Box, text: str, style: Style) -> float:
        """Sets a paragraph in `box`, cut between lines where it is full; returns how far it reached: the y below it,
        or, when vertical, the x left of it."""
        left, top, right, bottom = box
        if right - left < style.size or bottom - top < style.size:
            return left if style.vertical else bottom
        ink = set_text(text, style, (bottom - top) if style.vertical else (right - left))
        mask: np.ndarray = np.asarray(ink.mask) > 0
        if style.vertical:
            room = int(right - left - ink.x)
            kept = cut(np.any(mask, axis=0)[::-1], room)
            self.stamp(
                ink.mask.crop((mask.shape[1] - kept, 0, mask.shape[1], mask.shape[0])),
                right - ink.x - kept,
                top + ink.y,
                style.colour,
            )
            return right - ink.x - kept
        kept = cut(np.any(mask, axis=1), int(bottom - top - ink.y))
        x = right - ink.width if style.rtl and style.align == "low" else left + ink.x
        self.stamp(ink.mask.crop((0, 0, mask.shape[1], kept)), x, top + ink.y, style.colour)
        return top + ink.y + kept

    def gradient(self, box: Box, first: Colour, last: Colour, across: bool) -> None:
        left, top, right, bottom = (int(v) for v in box)
        w, h = max(1, right - left), max(1, bottom - top)
        ramp = np.linspace(0, 1, w if across else h)[:, None] * (np.array(last) - np.array(first)) + np.array(first)
        strip = ramp.astype(np.uint8)[None if across else slice(None)]
        strip = strip if across else strip[:, None]
        self.image.paste(Image.fromarray(np.ascontiguousarray(np.broadcast_to(strip, (h, w, 3)))), (left, top))

    def panel(
        self, box: Box, fill: Colour | None, radius: float = 0, outline: Colour | None = None, width: int = 1
    ) -> None:
        left, top, right, bottom = box
        if right - left < 2 or bottom - top < 2:
            return
        radius = min(radius, (right - left) / 2 - 1, (bottom - top) / 2 - 1)
        self.draw.rounded_rectangle((left, top, right, bottom), max(0, radius), fill, outline, width)


def cut(inked: np.ndarray, room: int) -> int:
    """How much of a block of lines to keep so that no line is cut through: the last blank before `room`."""
    if len(inked) <= room:
        return len(inked)
    blanks = np.flatnonzero(~inked[: max(1, room)])
    return int(blanks[-1]) if len(blanks) else 0


def fit(text: str, style: Style, width: float, height: float) -> Ink:
    """`text` as large as `width` x `height` allows, at most `style.size`, wrapped."""
    size = style.size
    for _ in range(6):
        ink = set_text(text, style.but(size=size), height if style.vertical else width, whole_words=True)
        if ink.height <= height and ink.width <= width * 1.02:
            return ink
        size *= max(0.55, min(0.92, (height * width / max(1, ink.height * ink.width)) ** 0.5))
    mask = ink.mask
    scale = min(width / mask.width, height / mask.height, 1)
    shrunk = mask.resize((max(1, int(mask.width * scale)), max(1, int(mask.height * scale))), Image.Resampling.BOX)
    return Ink(shrunk, 0, 0)


def swell(mask: Image.Image, by: int) -> Image.Image:
    """A mask grown by `by` pixels on every side: outlines and glows."""
    grown = Image.new("L", (mask.width + 2 * by, mask.height + 2 * by))
    grown.paste(mask, (by, by))
    return grown.filter(ImageFilter.MaxFilter(2 * by + 1))


def mean_colour(canvas: Canvas, box: Box) -> Colour:
    """The mean colour of what lies in `box`."""
    left, top, right, bottom = (max(0, int(v)) for v in box)
    part = np.asarray(canvas.image.crop((left, top, max(right, left + 1), max(bottom, top + 1))))
    red, green, blue = part[::4, ::4].reshape(-1, 3).mean(axis=0)
    return int(red), int(green), int(blue)
