"""Printed pages: articles, newspapers, books, letters, forms, tables, invoices."""

from __future__ import annotations

from training.synth.canvas import Box, Canvas, Style
from training.synth.draft import Draft
from training.synth.figures import figure


def _body(d: Draft, canvas: Canvas, per_page: tuple[int, int] = (22, 58)) -> Style:
    """Running text, this many lines a page."""
    size = max(7.0, canvas.height / d.whole(*per_page) * 0.72)
    size = min(size, canvas.width / 18)
    return d.style(
        size, colour=d.dark(), justify=d.chance(0.6), leading=d.pick([0, 0, 0.1, 0.25, 0.6]), vertical=d.vertical
    )


def _margins(d: Draft, canvas: Canvas) -> Box:
    side, head, foot = (d.real(0.03, 0.14) for _ in range(3))
    return canvas.width * side, canvas.height * head, canvas.width * (1 - side), canvas.height * (1 - foot)


def columns(d: Draft, canvas: Canvas, box: Box, style: Style, number: int = 1, full: float = 1.0) -> None:
    """Fills `box` with paragraphs, headings, figures and lists in `number` columns."""
    left, top, right, bottom = box
    gap = style.size * d.real(1, 2.2)
    width = (right - left - gap * (number - 1)) / number
    order = range(number - 1, -1, -1) if style.rtl else range(number)
    for place, i in enumerate(order):
        end = bottom if place < number - 1 or full >= 1 else top + (bottom - top) * full
        _column(d, canvas, (left + i * (width + gap), top, left + i * (width + gap) + width, end), style)


def _column(d: Draft, canvas: Canvas, box: Box, style: Style) -> None:
    if style.vertical:
        _tategaki(d, canvas, box, style)
        return
    left, y, right, bottom = box
    gap = style.size * d.pick([0.1, 0.4, 0.9])
    indent = d.chance(0.5)
    while bottom - y > style.size * 2:
        u = d.rng.random()
        if u < 0.1:
            head = style.but(family=f"{d.family} Bold", size=style.size * d.real(1, 1.45), justify=False)
            y = (
                canvas.flow((left, y + style.size * 0.7, right, bottom), d.write.title(d.whole(1, 5)), head)
                + style.size * 0.5
            )
        elif u < 0.17 and bottom - y > style.size * 9:
            height = min(bottom - y, (right - left) * d.real(0.3, 0.8))
            figure(d, canvas, (left, y + gap, right, y + height - style.size))
            y += height + style.size * 0.4
            y = canvas.flow(
                (left, y, right, bottom),
                d.write.prose(40),
                style.but(size=style.size * 0.85, align="centre", justify=False),
            )
            y += style.size
        elif u < 0.25:
            for item in range(d.whole(2, 6)):
                mark = d.pick(["•", "–", f"{item + 1}."])
                text = d.write.words(d.whole(3, 16))
                inset = style.size * 1.6
                area = (left, y, right - inset, bottom) if style.rtl else (left + inset, y, right, bottom)
                if bottom - y > style.size * 1.5:
                    canvas.line(
                        right - inset * 0.7 if style.rtl else left + inset * 0.3, y, mark, style.but(justify=False)
                    )
                    y = canvas.flow(area, text, style.but(justify=False)) + gap
        else:
            text = d.write.prose(d.whole(60, 700))
            y = canvas.flow((left, y, right, bottom), ("\u2003" if indent else "") + text, style)
        y += gap + style.size * 0.45


def _tategaki(d: Draft, canvas: Canvas, box: Box, style: Style) -> None:
    left, top, right, bottom = box
    rows = 1 if bottom - top < style.size * 30 else d.whole(1, 3)
    height = (bottom - top) / rows
    for row in range(rows):
        x, y = right, top + row * height
        if row == 0 and d.chance(0.5):
            head = style.but(family=f"{d.family} Bold", size=style.size * d.real(1.3, 2.4))
            x = canvas.flow((left, y, x, y + height - style.size * 2), d.write.title(d.whole(1, 3)), head) - style.size
        while x - left > style.size * 2:
            text = "\u3000" + d.write.prose(d.whole(40, 400))
            x = canvas.flow((left, y, x, y + height - style.size * 1.2), text, style) - style.size * 0.35
        if rows > 1 and row and d.chance(0.5):
            canvas.draw.line((left, y - style.size * 0.6, right, y - style.size * 0.6), style.colour, 1)


def heading(d: Draft, canvas: Canvas, box: Box, style: Style, scale: float, words: int = 6) -> float:
    """A title at the top of `box`; returns the y below it."""
    left, top, right, bottom = box
    big = d.style(style.size * scale, f"{d.family} Bold", colour=style.colour, align=d.pick(["low", "centre"]))
    return canvas.flow((left, top, right, bottom), d.write.title(words), big) + style.size * d.real(0.4, 1.4)


def article(d: Draft) -> Canvas:
    canvas = d.sheet(1.35, paper=d.paper())
    style, (left, y, right, bottom) = _body(d, canvas), _margins(d, canvas)
    if d.chance(0.7) and not style.vertical:
        y = heading(d, canvas, (left, y, right, bottom), style, d.real(1.4, 2.6), d.whole(3, 10))
        for _ in range(d.whole(0, 3)):
            y = (
                canvas.flow(
                    (left, y, right, bottom), d.write.title(d.whole(2, 6)), style.but(align="centre", justify=False)
                )
                + style.size * 0.4
            )
        y += style.size
    columns(
        d, canvas, (left, y, right, bottom), style, 1 if style.vertical else d.pick([1, 1, 2, 2, 3]), d.real(0.3, 1.4)
    )
    _furniture(d, canvas, style)
    return canvas


def _furniture(d: Draft, canvas: Canvas, style: Style) -> None:
    """A page number and a running head, where printers put them."""
    small = style.but(size=style.size * 0.85, vertical=False, justify=False, align=d.pick(["low", "centre", "high"]))
    inside = canvas.width * 0.84
    if d.chance(0.5):
        canvas.line(canvas.width * 0.08, canvas.height * 0.965 - small.size, d.write.number(900), small, inside)
    if d.chance(0.3):
        canvas.line(canvas.width * 0.08, canvas.height * 0.015, d.write.title(d.whole(2, 5)), small, inside)
        if d.chance(0.4):
            y = canvas.height * 0.015 + small.size * 1.6
            canvas.draw.line((canvas.width * 0.08, y, canvas.width * 0.92, y), small.colour, 1)


def newspaper(d: Draft) -> Canvas:
    canvas = d.sheet(1.3, paper=d.pick([(255, 255, 255), d.paper(), (228, 222, 205)]))
    style, (left, y, right, bottom) = _body(d, canvas, (45, 75)).but(justify=True, leading=0), _margins(d, canvas)
    if not style.vertical:
        mast = d.style(canvas.height * d.real(0.05, 0.1), d.display_family(), align="centre", colour=style.colour)
        y = canvas.flow((left, y, right, bottom), d.write.title(d.whole(1, 3)), mast) + style.size * 0.5
        canvas.draw.line((left, y, right, y), style.colour, d.whole(1, 3))
        y += style.size
    while bottom - y > style.size * 6:
        depth = min(bottom - y, canvas.height * d.real(0.2, 0.9))
        top = y
        if not style.vertical and d.chance(0.8):
            top = heading(d, canvas, (left, y, right, y + depth), style, d.real(1.4, 3.5), d.whole(3, 8))
        columns(d, canvas, (left, top, right, y + depth), style, 1 if style.vertical else d.whole(2, 5))
        y += depth + style.size * 0.6
        canvas.draw.line((left, y - style.size * 0.5, right, y - style.size * 0.5), style.colour, 1)
    return canvas


def book(d: Draft) -> Canvas:
    """One page or an open spread."""
    pages = d.pick([1, 1, 2])
    canvas = d.sheet(1.5 / pages, paper=d.pick([(255, 255, 255), (246, 240, 225), (236, 226, 200)]))
    style = _body(d, canvas, (20, 40)).but(justify=True)
    half = canvas.width / pages
    if pages == 2:
        style = style.but(size=min(style.size, half / 16))
        for reach in range(1, int(half * d.real(0.03, 0.12))):
            tone = int(150 + 100 * reach / (half * 0.12))
            for x in (half - reach, half + reach):
                if reach % 2:
                    canvas.draw.line((x, 0, x, canvas.height), (min(tone, 245), min(tone, 240), min(tone, 228)), 1)
    for i in range(pages):
        left, right = half * (i + d.real(0.08, 0.16)), half * (i + 1 - d.real(0.08, 0.16))
        top, bottom = canvas.height * d.real(0.06, 0.3), canvas.height * d.real(0.85, 0.94)
        columns(d, canvas, (left, top, right, bottom), style, full=d.real(0.5, 2))
        small = style.but(vertical=False, justify=False, align="centre", size=style.size * 0.85)
        if d.chance(0.7):
            canvas.line(left, canvas.height * 0.955 - small.size, d.write.number(600), small, right - left)
        if d.chance(0.5):
            canvas.line(left, canvas.height * 0.02, d.write.title(3), small, right - left)
    return canvas


def letter(d: Draft) -> Canvas:
    canvas = d.sheet(1.35, paper=d.paper())
    style, (left, y, right, bottom) = _body(d, canvas, (26, 44)).but(vertical=False), _margins(d, canvas)
    if d.chance(0.4):
        style = style.but(family=d.pick(d.script.display or d.script.text), justify=False)
    head = style.but(justify=False, align=d.pick(["low", "high", "centre"]))
    for _ in range(d.whole(2, 5)):
        canvas.line(left, y, d.write.title(d.whole(1, 4)), head, right - left)
        y += style.size * 1.5
    y += style.size * d.real(1, 3)
    canvas.line(left, y, d.write.date(), style.but(justify=False, align=d.pick(["low", "high"])), right - left)
    y += style.size * d.real(2, 5)
    for _ in range(d.whole(2, 6)):
        y = canvas.flow((left, y, right, bottom), d.write.prose(d.whole(80, 500)), style) + style.size * 0.8
        if bottom - y < style.size * 5:
            break
    if bottom - y > style.size * 4:
        signature = style.but(
            size=style.size * d.real(1.2, 2.2),
            family=d.pick(d.script.display or d.script.text),
            colour=d.pick([(20, 30, 120), (0, 0, 0)]),
        )
        canvas.line(
            left,
            y + style.size,
            d.write.title(2),
            signature.but(justify=False, align=d.pick(["low", "high"])),
            right - left,
        )
    return canvas
