"""Figures: charts with axes, diagrams of boxes and arrows, blocks of picture."""

from __future__ import annotations

import numpy as np
from PIL import Image

from training.synth.canvas import Box, Canvas, Colour
from training.synth.degrade import cloud
from training.synth.draft import Draft

PALETTES: tuple[tuple[Colour, ...], ...] = (
    ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75)),
    ((66, 133, 244), (219, 68, 55), (244, 180, 0), (15, 157, 88), (171, 71, 188), (0, 172, 193)),
    ((0, 0, 0), (90, 90, 90), (150, 150, 150), (60, 60, 60), (190, 190, 190), (30, 30, 30)),
    ((38, 70, 83), (42, 157, 143), (233, 196, 106), (244, 162, 97), (231, 111, 81), (120, 120, 160)),
)


def figure(d: Draft, canvas: Canvas, box: Box, ink: Colour = (30, 30, 30)) -> None:
    """One figure of a random sort that fills `box`."""
    if box[2] - box[0] < 40 or box[3] - box[1] < 40:
        return
    d.pick([chart, chart, diagram, block, block, formula])(d, canvas, box, ink)


def chart(d: Draft, canvas: Canvas, box: Box, ink: Colour = (30, 30, 30)) -> None:
    """Axes with ticks and numbers; bars, lines, points or an area; a title and a legend at times."""
    left, top, right, bottom = box
    size = max(6.0, min((bottom - top) * 0.07, (right - left) * 0.04, 16))
    small = d.style(size, colour=ink, vertical=False)
    if d.chance(0.6):
        canvas.line(left, top, d.write.title(d.whole(2, 6)), small.but(size=size * 1.25, align="centre"), right - left)
        top += size * 2
    x0, y0 = left + size * 3.2, bottom - size * 2
    if d.chance(0.5):
        canvas.line(x0, y0 + size * 0.9, d.write.title(d.whole(1, 3)), small.but(align="centre"), right - x0)
        y0 -= size * 1.3
    ticks, top_value = d.whole(3, 7), d.pick([1, 5, 10, 20, 50, 100, 250, 1000])
    for i in range(ticks + 1):
        y = y0 - (y0 - top) * i / ticks * 0.95
        text = f"{top_value * i / ticks:g}"
        canvas.line(left - size, y - size * 0.75, text[:5], small.but(align="high", rtl=False), size * 3.8)
        if d.chance(0.5):
            canvas.draw.line((x0, y, right, y), (205, 205, 205), 1)
    colours = d.pick(PALETTES)
    if d.chance(0.2):
        _pie(d, canvas, (x0, top, right, y0), colours)
    else:
        _plot(d, canvas, (x0, top, right, y0), colours)
    canvas.draw.line((x0, top, x0, y0), ink, 1)
    canvas.draw.line((x0, y0, right, y0), ink, 1)


def _plot(d: Draft, canvas: Canvas, box: Box, colours: tuple[Colour, ...]) -> None:
    left, top, right, bottom = box
    series, points = d.whole(1, 4), d.whole(3, 14)
    step, sort = (right - left) / points, d.pick(["bars", "bars", "lines", "lines", "dots", "area", "stack"])
    floor = np.zeros(points)
    for s in range(series):
        trend = np.cumsum(d.rng.normal(0, 0.12, points)) + d.real(0.2, 0.8) if sort != "bars" else d.rng.random(points)
        value = np.clip(trend, 0.03, 1)
        xs, ys = left + step * (np.arange(points) + 0.5), bottom - value * (bottom - top)
        colour = colours[s % len(colours)]
        if sort == "stack":
            value = value / series
        for i in range(points) if sort in ("bars", "stack") else ():
            thin = step * 0.8 / (series if sort == "bars" else 1)
            x = left + step * (i + 0.1) + (s * thin if sort == "bars" else 0)
            low = bottom - floor[i] * (bottom - top)
            canvas.panel((x, low - value[i] * (bottom - top), x + thin - 1, low), colour)
        floor += value if sort == "stack" else 0
        if sort == "lines":
            canvas.draw.line(list(zip(xs, ys, strict=True)), colour, d.whole(1, 3))
        if sort == "area":
            canvas.draw.polygon([(xs[0], bottom), *zip(xs, ys, strict=True), (xs[-1], bottom)], colour)
        for x, y in zip(xs, ys, strict=True) if sort in ("dots", "lines") else ():
            canvas.draw.ellipse((x - 2, y - 2, x + 2, y + 2), colour)
    if d.chance(0.7):
        for i in range(0, points, max(1, points // 6)):
            label = d.write.number(99) if d.chance(0.5) else d.write.word()[:6]
            canvas.line(
                left + step * i,
                bottom + 1,
                label,
                d.style(max(5.0, min(step / 3, 11))),
                step * max(1, points // 6) * 0.9,
            )
    if d.chance(0.4):
        for s in range(series):
            y = top + s * 13
            canvas.panel((right - 90, y + 3, right - 82, y + 11), colours[s % len(colours)])
            canvas.line(right - 78, y, d.write.word(), d.style(10), 74)


def _pie(d: Draft, canvas: Canvas, box: Box, colours: tuple[Colour, ...]) -> None:
    left, top, right, bottom = box
    canvas.panel(box, (255, 255, 255))
    radius, start = min(right - left, bottom - top) * 0.45, d.real(0, 360)
    x, y = (left + right) / 2, (top + bottom) / 2
    parts = d.rng.dirichlet(np.ones(d.whole(2, 6)))
    for i, part in enumerate(parts):
        canvas.draw.pieslice(
            (x - radius, y - radius, x + radius, y + radius), start, start + part * 360, colours[i % 6]
        )
        angle = np.deg2rad(start + part * 180)
        canvas.line(
            x + radius * 0.6 * np.cos(angle) - 8,
            y + radius * 0.6 * np.sin(angle) - 7,
            f"{part * 100:.0f}%",
            d.style(10),
        )
        start += part * 360


def diagram(d: Draft, canvas: Canvas, box: Box, ink: Colour = (30, 30, 30)) -> None:
    """Boxes with words, joined by arrows that run every way."""
    left, top, right, bottom = box
    across, down = d.whole(2, 4), d.whole(1, 4)
    w, h = (right - left) / across, (bottom - top) / down
    colours, size = d.pick(PALETTES), max(6.0, min(w / 7, h / 3, 18))
    centres = []
    for i in range(across * down):
        if d.chance(0.15):
            continue
        x, y = left + (i % across + 0.5) * w, top + (i // across + 0.5) * h
        centres.append((x, y))
    for _ in range(len(centres)):
        (x1, y1), (x2, y2) = d.pick(centres), d.pick(centres)
        canvas.draw.line((x1, y1, x2, y2), ink, d.whole(1, 2))
    for x, y in centres:
        fill = d.pick([(255, 255, 255), *colours])
        half = w * 0.36, h * d.real(0.2, 0.36)
        area = (x - half[0], y - half[1], x + half[0], y + half[1])
        if d.chance(0.2):
            canvas.draw.ellipse(area, fill, ink)
        else:
            canvas.panel(area, fill, d.pick([0, 4, 12]), ink)
        canvas.line(
            area[0] + 3,
            y - size * 0.75,
            d.write.title(d.whole(1, 2)),
            d.style(size, colour=d.contrast(fill), align="centre"),
            half[0] * 2 - 6,
        )


def block(d: Draft, canvas: Canvas, box: Box, ink: Colour = (30, 30, 30)) -> None:
    """A picture: a photograph when the draft has some, else coloured clouds."""
    left, top, right, bottom = (int(v) for v in box)
    w, h = right - left, bottom - top
    picture = d.photo(w, h)
    if picture is None:
        picture = backdrop(d, w, h)
    canvas.image.paste(picture, (left, top))


def formula(d: Draft, canvas: Canvas, box: Box, ink: Colour = (30, 30, 30)) -> None:
    """Displayed formulas, numbered."""
    left, top, right, bottom = box
    size = max(8.0, min((right - left) / 22, 20))
    y = top
    while bottom - y > size * 2:
        terms = [
            d.pick("xyzabαβγλμσfghnkt") + d.pick(["", "²", "³", "ₙ", "ᵢ", "(x)", "′"]) for _ in range(d.whole(3, 7))
        ]
        text = "".join(
            term + d.pick([" + ", " − ", " = ", " · ", " ≤ ", "/", " ∈ ", " → "]) for term in terms
        ) + d.pick(["∑", "∫", "√2", "0", "∞", "1"])
        canvas.line(
            left,
            y,
            text,
            d.style(size, "Noto Serif Italic", align="centre", colour=ink, rtl=False),
            (right - left) * 0.9,
        )
        canvas.line(
            right - size * 3,
            y,
            f"({d.whole(1, 40)})",
            d.style(size, "Noto Serif", align="high", colour=ink, rtl=False),
            size * 3,
        )
        y += size * 2.4


def backdrop(d: Draft, width: int, height: int) -> Image.Image:
    """Something behind text: a colour, a ramp of any direction, clouds, or shapes; no way of it is up."""
    first, last = np.array(d.colour((0.05, 0.95))), np.array(d.colour((0.05, 0.95)))
    if d.chance(0.25):
        last = first
    angle = d.real(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    mix = 0.5 + 0.35 * (x * np.cos(angle) + y * np.sin(angle))
    if d.chance(0.5):
        mix = mix + cloud(d, width, height, d.pick([2, 3, 5, 9, 20])) * d.real(0.1, 0.8)
    if d.chance(0.15):
        mix = np.round(mix * d.whole(2, 6)) / 4
    field = np.clip(mix, 0, 1)[..., None] * (last - first) + first
    if d.chance(0.3):
        field = field + d.rng.normal(0, d.real(2, 25), (height, width, 1))
    image = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))
    if d.chance(0.45):
        _shapes(d, Canvas.over(image), d.whole(1, 14))
    return image


def _shapes(d: Draft, canvas: Canvas, number: int) -> None:
    w, h = canvas.width, canvas.height
    colours = [d.colour() for _ in range(3)]
    for _ in range(number):
        x, y, r = d.real(0, w), d.real(0, h), d.real(0.03, 0.4) * min(w, h)
        sort, colour = d.whole(0, 4), d.pick(colours)
        if sort == 0:
            canvas.draw.ellipse((x - r, y - r, x + r, y + r), colour)
        elif sort == 1:
            canvas.panel((x - r, y - r * d.real(0.2, 1), x + r, y + r * d.real(0.2, 1)), colour)
        elif sort == 2:
            canvas.draw.polygon(
                [(x + r * np.cos(a), y + r * np.sin(a)) for a in d.rng.uniform(0, 6.28, d.whole(3, 6))], colour
            )
        elif sort == 3:
            canvas.draw.line([(d.real(0, w), d.real(0, h)) for _ in range(d.whole(2, 5))], colour, d.whole(1, 14))
        else:
            canvas.draw.arc((x - r, y - r, x + r, y + r), d.real(0, 360), d.real(0, 360), colour, d.whole(2, 12))
