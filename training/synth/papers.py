"""Papers with lines and cells: tables, forms, invoices, receipts, cards, certificates."""

from __future__ import annotations

from itertools import pairwise

from training.synth.canvas import Box, Canvas, Style
from training.synth.draft import Draft
from training.synth.figures import backdrop, block


def grid(d: Draft, canvas: Canvas, box: Box, style: Style, rows: int, cells: int) -> float:
    """A table of words and numbers with a head; returns the y below it."""
    left, top, right, bottom = box
    row = min(style.size * d.real(1.5, 2.4), (bottom - top) / rows)
    rows = max(2, int((bottom - top) / row)) if rows * row > bottom - top else rows
    cuts = [
        left,
        *sorted(d.real(left + (right - left) * 0.15, right - (right - left) * 0.08) for _ in range(cells - 1)),
        right,
    ]
    if min(b - a for a, b in pairwise(cuts)) < style.size * 3:
        cuts = [left + (right - left) * i / cells for i in range(cells + 1)]
    numeric = [False, *(d.chance(0.6) for _ in range(cells - 1))]
    numeric = numeric[::-1] if style.rtl else numeric
    head_fill, lines, banded = (
        d.pick([None, None, d.colour((0.2, 0.9))]),
        d.pick(["all", "rows", "head", "none"]),
        d.chance(0.3),
    )
    pad = style.size * 0.4
    for r in range(rows):
        y = top + r * row
        style_here = style.but(justify=False, vertical=False)
        if r == 0 and head_fill:
            canvas.panel((left, y, right, y + row), head_fill)
            style_here = style_here.but(colour=d.contrast(head_fill))
        elif banded and r % 2:
            canvas.panel((left, y, right, y + row), (238, 238, 242))
        if r == 0:
            style_here = style_here.but(family=f"{d.family} Bold")
        for c in range(cells):
            if r and d.chance(0.08):
                continue
            value = (
                d.pick([d.write.price, d.write.number, d.write.date])()
                if numeric[c] and r
                else d.write.title(d.whole(1, 3))
            )
            align = "high" if numeric[c] and not style.rtl else "low"
            canvas.line(
                cuts[c] + pad,
                y + (row - style.size * 1.4) / 2,
                value,
                style_here.but(align=align),
                cuts[c + 1] - cuts[c] - 2 * pad,
            )
        if lines in ("all", "rows") or (lines == "head" and r < 2):
            canvas.draw.line((left, y, right, y), style.colour, 1)
    end = top + rows * row
    if lines != "none":
        canvas.draw.line((left, end, right, end), style.colour, 1)
    for x in cuts if lines == "all" else ():
        canvas.draw.line((x, top, x, end), style.colour, 1)
    return end + style.size


def _start(d: Draft, tall: float, lines: tuple[int, int]) -> tuple[Canvas, Style, Box]:
    canvas = d.sheet(tall, paper=d.paper())
    size = min(max(7.0, canvas.height / d.whole(*lines) * 0.66), canvas.width / 22)
    side = canvas.width * d.real(0.03, 0.1)
    return (
        canvas,
        d.style(size, colour=d.dark()),
        (side, canvas.height * 0.04, canvas.width - side, canvas.height * 0.96),
    )


def table(d: Draft) -> Canvas:
    canvas, style, (left, y, right, bottom) = _start(d, 1.0, (14, 50))
    while bottom - y > style.size * 6:
        if d.chance(0.7):
            y = canvas.flow(
                (left, y, right, bottom),
                d.write.title(d.whole(2, 7)),
                style.but(size=style.size * d.real(1, 1.8), align=d.pick(["low", "centre"])),
            )
            y += style.size * 0.8
        y = grid(d, canvas, (left, y, right, bottom), style, d.whole(4, 40), d.whole(2, 7)) + style.size
        if d.chance(0.4):
            y = canvas.flow((left, y, right, bottom), d.write.prose(d.whole(60, 400)), style) + style.size
    return canvas


def form(d: Draft) -> Canvas:
    canvas, style, (left, y, right, bottom) = _start(d, 1.3, (18, 42))
    y = (
        canvas.flow(
            (left, y, right, bottom), d.write.title(d.whole(2, 6)), style.but(size=style.size * 1.7, align="centre")
        )
        + style.size
    )
    hand = style.but(
        family=d.pick(["DkgHandwriting", "Kristi", "Breip", "Dancing Script", d.family]),
        colour=d.pick([(25, 35, 140), (20, 20, 20)]),
    )
    filled = d.chance(0.6)
    while bottom - y > style.size * 3:
        u, row = d.rng.random(), style.size * d.real(1.8, 2.8)
        if u < 0.6:
            fields = d.whole(1, 3)
            width = (right - left) / fields
            for i in range(fields):
                x, end = left + i * width, left + (i + 1) * width - style.size
                if style.rtl:
                    w = canvas.line(x, y, d.write.title(d.whole(1, 2)) + ":", style, end - x)
                    canvas.draw.line((x, y + style.size * 1.5, end - w - 4, y + style.size * 1.5), style.colour, 1)
                    continue
                w = canvas.line(x, y, d.write.title(d.whole(1, 3)) + ":", style, (end - x) * 0.6)
                canvas.draw.line((x + w + 4, y + style.size * 1.5, end, y + style.size * 1.5), style.colour, 1)
                if filled and d.chance(0.75):
                    canvas.line(
                        x + w + 8,
                        y - style.size * 0.1,
                        d.pick([d.write.date(), d.write.words(2), d.write.number()]),
                        hand,
                        max(20, end - x - w - 8),
                    )
        elif u < 0.75:
            canvas.flow(
                (left, y, right, bottom),
                d.write.title(d.whole(1, 5)),
                style.but(family=f"{d.family} Bold", size=style.size * 1.15),
            )
        elif u < 0.9:
            for i in range(d.whole(2, 4)):
                x = left + (right - left) * i / 4
                canvas.panel((x, y + 2, x + style.size, y + 2 + style.size), None, 0, style.colour)
                if d.chance(0.4):
                    canvas.line(x + 1, y - style.size * 0.2, "✓", style.but(family="DejaVu Sans", rtl=False))
                canvas.line(
                    x + style.size * 1.5, y, d.write.word(), style.but(rtl=False), (right - left) / 4 - style.size * 2
                )
        elif d.chance(0.4) and bottom - y > style.size * 12:
            row = (
                grid(d, canvas, (left, y, right, min(bottom, y + style.size * 14)), style, d.whole(3, 6), d.whole(2, 5))
                - y
                + style.size
            )
        else:
            row = canvas.flow((left, y, right, bottom), d.write.prose(d.whole(60, 300)), style) - y + style.size
        y += row
    return canvas


def invoice(d: Draft) -> Canvas:
    canvas, style, (left, y, right, bottom) = _start(d, 1.35, (34, 56))
    middle = (left + right) / 2
    accent = d.pick([style.colour, d.colour((0.2, 0.5))])
    if d.chance(0.5):
        canvas.panel(
            (left, y, left + style.size * d.real(3, 9), y + style.size * d.real(2, 4)), accent, d.pick([0, 4, 30])
        )
    big = style.but(size=style.size * d.real(2, 3.2), colour=accent, family=f"{d.family} Bold", align="high", rtl=False)
    canvas.line(middle, y, d.write.title(1), big, right - middle)
    y += style.size * 5
    for _ in range(d.whole(3, 6)):
        canvas.line(left, y, d.write.title(d.whole(1, 4)), style, middle - left - style.size)
        canvas.line(
            middle,
            y,
            f"{d.write.title(1)}: {d.pick([d.write.date(), d.write.number(99999), d.write.code('AA-00000')])}",
            style.but(align="high"),
            right - middle,
        )
        y += style.size * 1.5
    y = (
        grid(d, canvas, (left, y + style.size, right, bottom - style.size * 12), style, d.whole(4, 16), d.whole(3, 6))
        + style.size
    )
    for i in range(d.whole(2, 4)):
        bold = style.but(family=f"{d.family} Bold") if i == 2 else style
        canvas.line(middle, y, d.write.title(1), bold, (right - middle) * 0.5)
        canvas.line(
            middle + (right - middle) * 0.5,
            y,
            d.write.price(),
            bold.but(align="high", rtl=False),
            (right - middle) * 0.5,
        )
        y += style.size * 1.7
    if bottom - y > style.size * 3:
        canvas.flow(
            (left, y + style.size, right, bottom), d.write.prose(d.whole(80, 400)), style.but(size=style.size * 0.9)
        )
    return canvas


def receipt(d: Draft) -> Canvas:
    canvas = d.sheet(2.0, 0.3, paper=d.pick([(255, 255, 255), (250, 250, 246), (244, 240, 235)]))
    mono = (
        d.pick(["Liberation Mono", "OCR-B", "Courier Prime", "Noto Sans Mono", "GNUTypewriter"])
        if d.script.name == "latin"
        else d.family
    )
    size = canvas.width / d.whole(18, 34)
    style = d.style(size, mono, colour=d.pick([(20, 20, 20), (60, 60, 75), (80, 70, 110)]))
    left, right, y = canvas.width * 0.06, canvas.width * 0.94, canvas.height * d.real(0.01, 0.05)
    y = (
        canvas.flow(
            (left, y, right, canvas.height),
            d.write.title(d.whole(1, 3)),
            style.but(size=size * d.real(1.4, 2.6), align="centre"),
        )
        + size * 0.5
    )
    for _ in range(d.whole(2, 5)):
        canvas.line(
            left,
            y,
            d.pick([d.write.title(3), d.write.date(), d.write.code("000-0000-0000")]),
            style.but(align="centre"),
            right - left,
        )
        y += size * 1.35
    while canvas.height * 0.95 - y > size * 2.5:
        u = d.rng.random()
        if u < 0.1:
            canvas.line(left, y, d.pick(["-", "=", "*"]) * 60, style.but(rtl=False), right - left)
        elif u < 0.85:
            name, price = (left, (right - left) * 0.68), (left + (right - left) * 0.7, (right - left) * 0.3)
            if d.script.rtl:
                name, price = (left + (right - left) * 0.32, (right - left) * 0.68), (left, (right - left) * 0.3)
            canvas.line(name[0], y, d.write.title(d.whole(1, 4)), style, name[1])
            canvas.line(
                price[0], y, d.write.price(), style.but(align="low" if d.script.rtl else "high", rtl=False), price[1]
            )
        elif u < 0.93:
            big = style.but(size=size * d.real(1.2, 1.8), rtl=False)
            canvas.line(left, y, d.write.title(1), big, (right - left) * 0.5)
            canvas.line(left + (right - left) * 0.5, y, d.write.price(), big.but(align="high"), (right - left) * 0.5)
            y += size
        else:
            canvas.line(left, y, d.write.words(4), style.but(align="centre"), right - left)
        y += size * 1.4
    return canvas


def barcode(d: Draft, canvas: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    x = left
    while x < right:
        thick = d.real(1, 4)
        canvas.panel((x, top, min(x + thick, right), bottom), (0, 0, 0)) if thick >= 2 else canvas.draw.line(
            (x, top, x, bottom), (0, 0, 0)
        )
        x += thick + d.real(1, 4)


def card(d: Draft) -> Canvas:
    """A business, bank, identity or membership card, a ticket."""
    canvas = d.sheet(0.62, 0.3, 200_000)
    paper = d.pick([(255, 255, 255), d.colour((0.75, 0.97)), d.colour((0.05, 0.4))])
    canvas.panel((0, 0, canvas.width, canvas.height), paper)
    if d.chance(0.3):
        canvas.image.paste(backdrop(d, canvas.width, canvas.height).point(lambda v: int(v * 0.35 + 160)))
        paper = (220, 220, 220)
    w, h, ink = canvas.width, canvas.height, d.contrast(paper)
    style, pad = d.style(min(h / 13, w / 18), colour=ink, rtl=d.script.rtl), w * 0.06
    left = pad
    if d.chance(0.45):
        side = w * d.real(0.2, 0.32)
        block(d, canvas, (pad, h * 0.28, pad + side, h * 0.28 + side * 1.2))
        left = pad * 1.6 + side
    align = d.pick(["low", "low", "centre", "high"])
    y = h * d.real(0.05, 0.12)
    canvas.line(
        pad,
        y,
        d.write.title(d.whole(1, 4)),
        style.but(size=style.size * d.real(1.1, 2), family=d.display_family(), align=align),
        w - 2 * pad,
    )
    y = h * d.real(0.28, 0.34)
    for i in range(d.whole(3, 7)):
        text = d.pick(
            [d.write.title(2), d.write.date(), d.write.code("AA 000000"), d.write.title(1) + ": " + d.write.number()]
        )
        canvas.line(
            left, y, text, style.but(align=align, size=style.size * (1.3 if i == 0 else d.real(0.7, 1))), w - pad - left
        )
        y += style.size * 1.6
    if d.chance(0.35):
        canvas.line(
            pad,
            h * 0.84,
            d.write.code("0000 0000 0000 0000"),
            style.but(family="OCR-B", rtl=False, size=style.size * 1.3),
            w - 2 * pad,
        )
    elif d.chance(0.3):
        barcode(d, canvas, (pad, h * 0.86, w - pad, h * 0.96))
    return canvas


def certificate(d: Draft) -> Canvas:
    canvas = d.sheet(0.75, paper=d.paper())
    w, h, ink = canvas.width, canvas.height, d.dark()
    frame = d.colour((0.2, 0.6))
    for i in range(d.whole(1, 3)):
        inset = w * 0.02 * (i + 1)
        canvas.panel((inset, inset, w - inset, h - inset), None, 0, frame, d.whole(1, 5))
    style = d.style(min(h, w) / 26, colour=ink, align="centre")
    y = h * 0.12
    for size, words in ((d.real(2, 3.2), 2), (1, 5), (d.real(1.6, 2.6), 2), (1, 14), (1, 9)):
        family = d.display_family() if size > 1.5 else d.family
        y = (
            canvas.flow(
                (w * 0.12, y, w * 0.88, h * 0.8), d.write.title(words), style.but(size=style.size * size, family=family)
            )
            + style.size
        )
    for x in (0.15, 0.6):
        canvas.draw.line((w * x, h * 0.86, w * (x + 0.25), h * 0.86), ink, 1)
        canvas.line(
            w * x, h * 0.87, d.pick([d.write.date(), d.write.title(2)]), style.but(size=style.size * 0.8), w * 0.25
        )
    return canvas
