"""Slides, charts and diagrams that fill the picture."""

from __future__ import annotations

from collections.abc import Callable

from training.synth.canvas import Box, Canvas, Style, mean_colour
from training.synth.draft import Draft
from training.synth.figures import backdrop, chart, diagram, figure, formula
from training.synth.papers import grid


def slide(d: Draft) -> Canvas:
    """A title, then bullets, a picture, a table, or several of them side by side."""
    ground = d.pick([(255, 255, 255), (255, 255, 255), d.paper(), d.colour((0.05, 0.3)), d.colour((0.7, 0.95))])
    canvas = d.sheet(0.68, 0.28, paper=ground)
    w, h = canvas.width, canvas.height
    if d.chance(0.12):
        canvas.image.paste(backdrop(d, w, h))
        ground = mean_colour(canvas, (0, 0, w, h))
    ink, accent = d.contrast(ground), d.colour((0.25, 0.6), (0.4, 1))
    style = d.style(min(h, w) / d.whole(15, 30), colour=ink)
    left, right, y = w * 0.05, w * 0.95, h * d.real(0.03, 0.1)
    title = style.but(size=style.size * d.real(1.4, 2.2), family=f"{d.family} Bold", align=d.pick(["low", "centre"]))
    if d.chance(0.35):
        canvas.panel((0, 0, w, y + title.size * 1.8), accent)
        title = title.but(colour=d.contrast(accent))
    canvas.line(left, y * 0.7, d.write.title(d.whole(1, 6)), title, right - left)
    y += title.size * 2
    areas = [(left, y, right, h * 0.92)]
    if d.chance(0.5):
        middle = w * d.real(0.4, 0.6)
        areas = [(left, y, middle - w * 0.02, h * 0.92), (middle + w * 0.02, y, right, h * 0.92)]
    for area in areas:
        if d.chance(0.6):
            _bullets(d, canvas, area, style)
        elif d.chance(0.25):
            grid(d, canvas, area, style.but(size=style.size * 0.8), d.whole(3, 8), d.whole(2, 4))
        else:
            figure(d, canvas, area, ink)
    if d.chance(0.6):
        small = style.but(size=style.size * 0.6)
        canvas.line(left, h * 0.95, d.write.title(3), small, (right - left) * 0.6)
        canvas.line(right - w * 0.1, h * 0.95, d.write.number(90), small.but(align="high", rtl=False), w * 0.1)
    return canvas


def _bullets(d: Draft, canvas: Canvas, box: Box, style: Style) -> None:
    left, y, right, bottom = box
    mark = d.pick(["•", "–", "■", "➢", ""])
    while bottom - y > style.size * 1.6 and not d.chance(0.08):
        inner = d.chance(0.3)
        here = style.but(size=style.size * (0.85 if inner else 1))
        inset = style.size * (2.4 if inner else 1.2)
        canvas.line(right - inset if style.rtl else left + inset - style.size, y, mark or " ", here.but(rtl=False))
        area = (left, y, right - inset, bottom) if style.rtl else (left + inset, y, right, bottom)
        y = canvas.flow(area, d.write.title(d.whole(1, 12)), here) + style.size * d.real(0.4, 1)


def plot(d: Draft) -> Canvas:
    """One chart, or a few."""
    canvas = d.sheet(0.75, 0.3, paper=d.paper())
    _several(d, canvas, chart)
    return canvas


def scheme(d: Draft) -> Canvas:
    """A diagram with a caption."""
    canvas = d.sheet(0.8, 0.35, paper=d.paper())
    _several(d, canvas, diagram)
    return canvas


def _several(d: Draft, canvas: Canvas, draw: Callable[[Draft, Canvas, Box], None]) -> None:
    across, down = d.pick([(1, 1), (1, 1), (2, 1), (1, 2), (2, 2)])
    w, h = canvas.width / across, canvas.height / down
    for i in range(across):
        for j in range(down):
            draw(d, canvas, (i * w + w * 0.04, j * h + h * 0.04, (i + 1) * w - w * 0.04, (j + 1) * h - h * 0.05))


def notes(d: Draft) -> Canvas:
    """Handwriting or formulas on ruled, squared or blank paper."""
    canvas = d.sheet(1.2, paper=d.paper())
    w, h = canvas.width, canvas.height
    row = h / d.whole(12, 28)
    hand = d.style(
        row * 0.72,
        d.pick(d.script.display or d.script.text)
        if d.script.name != "latin"
        else d.pick(
            ["DkgHandwriting", "Kristi", "Breip", "Dancing Script", "Humor Sans", "Comic Neue Italic", "Rufscript"]
        ),
    )
    hand = hand.but(colour=d.pick([(30, 40, 130), (20, 20, 20), (60, 60, 70)]))
    if d.chance(0.6):
        for i in range(1, int(h / row) + 1):
            canvas.draw.line((0, i * row, w, i * row), (190, 205, 225), 1)
        for i in range(1, int(w / row) + 1 if d.chance(0.4) else 1):
            canvas.draw.line((i * row, 0, i * row, h), (190, 205, 225), 1)
    y = row
    while y < h - row * 1.2:
        if d.chance(0.12):
            formula(d, canvas, (w * 0.1, y, w * 0.9, y + row * 1.8), hand.colour)
            y += row
        elif d.chance(0.88):
            size = hand.size * d.real(0.92, 1.08)
            canvas.line(
                w * (0.08 + d.real(0, 0.03)),
                y + (row - size * 1.6),
                d.write.words(d.whole(4, 12)),
                hand.but(size=size),
                w * d.real(0.6, 0.85),
            )
        y += row
    return canvas
