"""Twelve kinds of pictures with text, drawn upright. Everything is in millimetres, type in points."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from upright_benchmark.scripts import Script
from upright_benchmark.sheet import BLACK, WHITE, Box, Colour, Sheet

CREAM: tuple[Colour, ...] = (WHITE, WHITE, (250, 247, 238), (243, 236, 220))


def _paper(rng: np.random.Generator) -> Colour:
    return CREAM[rng.integers(len(CREAM))]


def _sheet(rng: np.random.Generator, script: Script, dpi: int, width: float, height: float, **more: Colour) -> Sheet:
    return Sheet(rng, script, width, height, dpi, more.get("paper") or _paper(rng))


def _picture(s: Sheet, box: Box) -> None:
    """A bar chart, or a plain shape."""
    left, top, right, bottom = box
    s.panel(box, s.hue((200, 245)), BLACK, 0.3)
    if s.chance(0.5):
        count = s.whole(3, 7)
        step = (right - left) / count
        for i in range(count):
            high = s.real(0.15, 0.9) * (bottom - top)
            s.panel((left + (i + 0.2) * step, bottom - high, left + (i + 0.8) * step, bottom), s.hue((40, 180)))
    else:
        middle, reach = ((left + right) / 2, (top + bottom) / 2), min(right - left, bottom - top) * 0.4
        s.panel((middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach), s.hue((90, 200)),
                radius=reach * s.real(0, 1))  # fmt: skip


def _prose(s: Sheet, box: Box, pt: float, *, pictures: float = 0.1, heads: float = 0.15) -> None:
    """Fills a column with paragraphs, heads and now and then a picture."""
    left, y, right, bottom = box
    while bottom - y > pt * 1.2:
        if s.chance(heads):
            y = s.text((left, y, right, bottom), s.write.title(s.whole(2, 5)), pt * 1.25, bold=True) + pt * 0.25
        elif s.chance(pictures) and bottom - y > (right - left) * 0.6:
            height = (right - left) * s.real(0.35, 0.55)
            _picture(s, (left, y, right, y + height))
            y += height + pt * 0.5
        else:
            y = s.text((left, y, right, bottom), s.write.prose(s.whole(150, 600)), pt) + pt * 0.35


def _columns_of_signs(s: Sheet, box: Box, pt: float) -> None:
    """Chinese and Japanese from top to bottom, columns from the right."""
    left, top, right, bottom = box
    x = s.text((left, top, right, bottom), s.write.title(s.whole(2, 4)), pt * 1.8, bold=True, columns=True) - pt * 0.4
    while x - left > pt:
        x = s.text((left, top, x, bottom), s.write.prose(s.whole(150, 500)), pt, columns=True) - pt * 0.3


def book(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    s = _sheet(rng, script, dpi, 148, 210)
    side, pt = s.real(12, 22), s.real(8.5, 11.5)
    body = (side, s.real(18, 55), s.width - side, 188.0)
    _columns_of_signs(s, body, pt) if script.columns and s.chance(0.6) else _prose(s, body, pt, pictures=0)
    if s.chance(0.7):
        s.text((side, 10, s.width - side, 17), s.write.title(3), pt * 0.85, align=s.pick(["start", "centre", "end"]))
    if s.chance(0.8):
        s.text((side, 195, s.width - side, 203), s.write.number(600), pt * 0.9, align=s.pick(["centre", "end"]))
    return s


def article(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    s = _sheet(rng, script, dpi, 210, 297, paper=WHITE)
    pt, y, gap = s.real(8.5, 10.5), s.real(18, 35), 7.0
    y = s.text((20, y, 190, 80), s.write.title(s.whole(5, 11)), pt * 2, bold=True, align="centre") + 4
    y = s.text((20, y, 190, 100), s.write.title(s.whole(3, 8)), pt * 1.1, align="centre") + 6
    if s.chance(0.7):
        y = s.text((30, y, 180, y + 40), s.write.prose(s.whole(200, 500)), pt * 0.9) + 6
    number = s.pick([1, 2, 2, 2])
    width = (170 - gap * (number - 1)) / number
    for i in range(number):
        left = 20 + i * (width + gap)
        _prose(s, (left, y, left + width, 278), pt, pictures=0.15)
    s.text((20, 283, 190, 291), s.write.number(40), pt, align="centre")
    return s


def newspaper(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    s = _sheet(rng, script, dpi, 289, 380, paper=(238, 234, 224))
    s.text((12, 10, 277, 45), s.write.title(2), s.real(50, 70), bold=True, align="centre")
    s.line(12, 48, 277, 48, mm=0.6)
    s.text((12, 49, 277, 56), f"{s.write.date()}   {s.write.title(3)}", 9, align="centre")
    y, pt = 60.0, s.real(7.5, 9)
    while y < 330:
        bottom = min(372.0, y + s.real(80, 190))
        head = s.text((12, y, 277, y + 34), s.write.title(s.whole(3, 7)), s.real(20, 40), bold=True) + 3
        number = s.whole(3, 6)
        width = (265 - 5 * (number - 1)) / number
        for i in range(number):
            left = 12 + i * (width + 5)
            _prose(s, (left, head, left + width, bottom), pt, pictures=0.12, heads=0.05)
        s.line(12, bottom + 2, 277, bottom + 2, mm=0.3)
        y = bottom + 6
    return s


def letter(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    s = _sheet(rng, script, dpi, 210, 297)
    pt = s.real(10, 12.5)
    head = s.pick(["start", "end", "centre"])
    y = 18.0
    for words in (2, 4, 3):
        y = s.text((22, y, 188, y + 9), s.write.title(words), pt * (1.4 if words == 2 else 0.85), align=head) + 1.5
    y = 55.0
    for words in (3, 2, 3, 1):
        y = s.text((22, y, 110, y + 8), s.write.title(words), pt) + 1.5
    s.text((22, y + 8, 188, y + 16), s.write.date(), pt, align="end")
    y = s.text((22, y + 22, 188, y + 32), s.write.title(5), pt, bold=True) + 7
    for _ in range(s.whole(2, 5)):
        y = s.text((22, y, 188, 235), s.write.prose(s.whole(120, 450)), pt) + 4
    s.text((22, min(y + 8, 250), 188, 270), s.write.title(2), pt * 1.5, colour=(30, 40, 120))
    return s


def form(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    s = _sheet(rng, script, dpi, 210, 297, paper=WHITE)
    pt = s.real(8, 10)
    y = s.text((15, 14, 195, 34), s.write.title(s.whole(3, 6)), pt * 2, bold=True, align="centre") + 6
    while y < 275:
        kind = s.pick(["fields", "fields", "boxes", "head", "text"])
        if kind == "fields":
            number = s.whole(1, 3)
            width = 180 / number
            for i in range(number):
                left = 15 + i * width
                s.panel((left, y, left + width, y + 13), None, (90, 90, 90))
                s.text((left + 1.5, y + 1, left + width - 1.5, y + 5.5), s.write.title(s.whole(1, 3)), pt * 0.75)
                if s.chance(0.6):
                    s.text((left + 3, y + 6, left + width - 3, y + 12.5), s.write.words(2), pt, colour=(30, 40, 130))
            y += 13
        elif kind == "boxes":
            for i in range(4):
                left = 17 + i * 45
                s.panel((left, y + 2, left + 4, y + 6), None, BLACK, 0.3)
                if s.chance(0.4):
                    s.line(left + 0.6, y + 2.6, left + 3.4, y + 5.4, mm=0.5)
                    s.line(left + 0.6, y + 5.4, left + 3.4, y + 2.6, mm=0.5)
                s.text((left + 6, y + 1.5, left + 42, y + 7.5), s.write.words(1), pt)
            y += 10
        elif kind == "head":
            s.panel((15, y + 2, 195, y + 10), (215, 220, 228))
            s.text((17, y + 3, 193, y + 9.5), s.write.title(3), pt * 1.1, bold=True)
            y += 12
        else:
            y = s.text((15, y + 2, 195, min(285, y + 26)), s.write.prose(s.whole(100, 350)), pt * 0.85) + 3
    return s


def _grid(s: Sheet, box: Box, rows: int, columns: int, pt: float) -> float:
    """A table with a head; numbers at the end of their cells. Returns the y below it."""
    left, top, right, bottom = box
    row = min((bottom - top) / rows, pt * s.real(0.75, 1.1))
    cuts = sorted([left, right, *(s.real(left + 15, right - 15) for _ in range(columns - 1))])
    if min(b - a for a, b in pairwise(cuts)) < 14:
        cuts = [left + (right - left) * i / columns for i in range(columns + 1)]
    numeric = [False, *(s.chance(0.6) for _ in range(columns - 1))]
    numeric = numeric[::-1] if s.script.rtl else numeric
    ruled, banded = s.chance(0.6), s.chance(0.4)
    for r in range(rows):
        y = top + r * row
        if r == 0 or (banded and r % 2 == 0):
            s.panel((left, y, right, y + row), (205, 212, 225) if r == 0 else (240, 240, 244))
        for c, (a, b) in enumerate(pairwise(cuts)):
            value = s.write.price() if numeric[c] and r else s.write.title(s.whole(1, 2))
            align = "end" if numeric[c] and not s.script.rtl else "start"
            s.text((a + 1, y + row * 0.15, b - 1, y + row), value, pt, bold=r == 0, align=align)
            if ruled:
                s.panel((a, y, b, y + row), None, (120, 120, 120))
    return top + rows * row


def table(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    wide = rng.random() < 0.4
    s = _sheet(rng, script, dpi, 297 if wide else 210, 210 if wide else 297, paper=WHITE)
    pt, y, right, foot = s.real(7.5, 10), 15.0, s.width - 15, s.height - 15
    while foot - y > 50:
        y = s.text((15, y, right, y + 10), s.write.title(s.whole(2, 6)), pt * 1.3, bold=True) + 3
        y = _grid(s, (15, y, right, min(foot, y + s.real(60, 230))), s.whole(6, 28), s.whole(3, 6), pt) + 6
        y = s.text((15, y, right, min(foot, y + 20)), s.write.prose(s.whole(60, 200)), pt) + 5
    return s


def invoice(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    s = _sheet(rng, script, dpi, 210, 297, paper=WHITE)
    pt, accent = s.real(8.5, 10), s.hue((20, 150))
    s.panel((15, 14, 15 + s.real(18, 50), 14 + s.real(10, 20)), accent)
    s.text((105, 14, 195, 32), s.write.title(1), pt * 2.6, bold=True, align="end", colour=accent)
    y = 48.0
    for _ in range(s.whole(3, 5)):
        s.text((15, y, 100, y + 6), s.write.title(s.whole(1, 3)), pt)
        s.text((110, y, 195, y + 6), f"{s.write.title(1)}: {s.write.date()}", pt, align="end")
        y += 6.5
    y = _grid(s, (15, y + 8, 195, 225), s.whole(5, 16), s.whole(3, 5), pt) + 5
    for _ in range(3):
        s.text((110, y, 155, y + 7), s.write.title(1), pt, bold=True)
        s.text((155, y, 195, y + 7), s.write.price(), pt, align="start" if script.rtl else "end")
        y += 7
    s.text((15, min(y + 8, 262), 195, 285), s.write.prose(s.whole(100, 300)), pt * 0.85)
    return s


def receipt(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    rows = int(rng.integers(8, 26))
    s = _sheet(rng, script, dpi, 80, 62 + rows * 5.4, paper=WHITE)
    pt = s.real(8, 9.5)
    y = s.text((5, 5, 75, 18), s.write.title(s.whole(1, 2)), pt * 1.9, bold=True, align="centre") + 2
    for words in (3, 2):
        y = s.text((5, y, 75, y + 7), s.write.title(words), pt, align="centre") + 1
    y = s.text((5, y, 75, y + 7), s.write.date(), pt, align="centre") + 3
    s.line(5, y, 75, y)
    for _ in range(rows):
        s.text((5, y + 1, 56, y + 6.2), s.write.words(s.whole(1, 3)), pt)
        s.text((52, y + 1, 75, y + 6.2), s.write.price(), pt, align="start" if script.rtl else "end")
        y += 5.4
    s.line(5, y + 2, 75, y + 2)
    s.text((5, y + 4, 40, y + 12), s.write.title(1), pt * 1.5, bold=True)
    s.text((38, y + 4, 75, y + 12), s.write.price(), pt * 1.5, bold=True, align="start" if script.rtl else "end")
    s.text((5, y + 14, 75, y + 21), s.write.words(4), pt, align="centre")
    return s


def slide(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    dark = rng.random() < 0.35
    ground: Colour = (24, 32, 52) if dark else WHITE
    colour: Colour = (235, 235, 240) if dark else BLACK
    s = _sheet(rng, script, dpi, 254, 143, paper=ground)
    s.text((14, 10, 240, 34), s.write.title(s.whole(2, 6)), s.real(24, 32), bold=True, colour=colour)
    y, right = 42.0, 240.0
    if s.chance(0.5):
        _picture(s, (140, 45, 240, 125))
        right = 132.0
    while y < 120:
        s.panel((14, y + 2, 16, y + 4), s.hue((60, 200)))
        y = s.text((20, y, right, 130), s.write.title(s.whole(3, 9)), 16, colour=colour) + 5
    s.text((14, 133, 240, 140), s.write.number(60), 9, align="end", colour=colour)
    return s


def window(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    """A program's window as a screenshot; its pixels are those of the screen, so `dpi` is its density."""
    dark = rng.random() < 0.4
    ground, panel = ((30, 31, 34), (43, 45, 49)) if dark else ((250, 250, 252), (236, 238, 242))
    colour: Colour = (222, 223, 226) if dark else (30, 30, 36)
    s = _sheet(rng, script, dpi, 217, 122, paper=ground)
    s.font = script.fonts[-1]
    s.panel((0, 0, 217, 7), panel)
    s.text((4, 1.4, 150, 6.5), s.write.title(3), 7.5, colour=colour)
    for i in range(3):
        s.panel((198 + i * 6, 2, 201 + i * 6, 5), s.hue((90, 220)), radius=1.5)
    for i in range(6):
        s.text((4 + i * 22, 8.5, 25 + i * 22, 13.5), s.write.title(1), 7, colour=colour)
    first = 160.0 if script.rtl else 0.0
    s.panel((first, 15, first + 57, 122), panel)
    y = 18.0
    while y < 115:
        if s.chance(0.15):
            s.panel((first + 2, y - 1, first + 55, y + 5), (52, 102, 190), radius=1)
        s.text((first + 6, y, first + 54, y + 5), s.write.title(s.whole(1, 2)), 7.5, colour=colour)
        y += 7
    left, right = (4.0, 156.0) if script.rtl else (62.0, 212.0)
    y = s.text((left, 19, right, 32), s.write.title(s.whole(2, 4)), 14, bold=True, colour=colour) + 4
    while y < 104:
        y = s.text((left, y, right - 45, y + 12), s.write.prose(40), 7.5, colour=colour) + 1.5
        s.panel((left, y, left + s.real(50, 100), y + 7), ground, (140, 140, 150), radius=1)
        y += 11
    s.panel((right - 28, 110, right, 117), (40, 110, 200), radius=1.2)
    s.text((right - 27, 111, right - 1, 116.5), s.write.title(1), 8, align="centre", colour=WHITE)
    return s


def web(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    """A web page as a screenshot, of a telephone or a wide screen."""
    phone = rng.random() < 0.4
    s = _sheet(rng, script, dpi, 68 if phone else 217, 140 if phone else 130, paper=WHITE)
    s.font = script.fonts[-1]
    accent = s.hue((20, 140))
    s.panel((0, 0, s.width, 11), accent)
    s.text((4, 2.5, s.width - 4, 10), s.write.title(s.whole(1, 2)), 11, bold=True, colour=WHITE)
    y, margin = 16.0, 4.0 if phone else 24.0
    y = s.text((margin, y, s.width - margin, y + 22), s.write.title(s.whole(3, 7)), 15, bold=True) + 3
    while y < s.height - 12:
        if s.chance(0.3) and s.height - y > 45:
            _picture(s, (margin, y, s.width - margin, y + 28))
            y += 31
        elif s.chance(0.3):
            y = s.text((margin, y, s.width - margin, y + 6), s.write.title(3), 9, colour=accent) + 2.5
        else:
            y = s.text((margin, y, s.width - margin, s.height - 3), s.write.prose(s.whole(80, 260)), 8.5) + 3
    return s


def sign(rng: np.random.Generator, script: Script, dpi: int) -> Sheet:
    """A board with a few large words, as on streets and shops. Its size on the picture is that of a sheet of paper."""
    fill = tuple(int(v) for v in rng.integers(0, 256, 3))
    red, green, blue = fill
    dark = red * 0.3 + green * 0.6 + blue * 0.1 < 128
    s = _sheet(rng, script, dpi, float(rng.uniform(120, 240)), float(rng.uniform(60, 150)), paper=(red, green, blue))
    colour: Colour = WHITE if dark else BLACK
    s.panel((4, 4, s.width - 4, s.height - 4), None, colour, 1.2, radius=s.pick([0, 4]))
    lines = s.whole(1, 3)
    step = (s.height - 20) / lines
    for i in range(lines):
        pt = min(step * 1.5, s.width * 0.45)
        s.text((10, 10 + i * step, s.width - 10, 10 + (i + 1) * step), s.write.title(s.whole(1, 2)), pt, bold=True,
               align="centre", colour=colour)  # fmt: skip
    return s


Layout = Callable[[np.random.Generator, Script, int], Sheet]
# kind: what draws it, its group, and the ways in which it may have been captured
KINDS: dict[str, tuple[Layout, str, tuple[str, ...]]] = {
    "book": (book, "document", ("digital", "flatbed", "flatbed", "phone")),
    "article": (article, "document", ("digital", "flatbed", "phone", "fax")),
    "newspaper": (newspaper, "document", ("flatbed", "phone")),
    "letter": (letter, "document", ("digital", "flatbed", "phone", "fax")),
    "form": (form, "document", ("digital", "flatbed", "phone", "fax")),
    "table": (table, "document", ("digital", "flatbed", "phone", "fax")),
    "invoice": (invoice, "document", ("digital", "flatbed", "phone", "fax")),
    "receipt": (receipt, "document", ("thermal", "thermal", "phone")),
    "slide": (slide, "document", ("digital", "digital", "phone")),
    "window": (window, "screenshot", ("digital", "digital", "phone")),
    "web": (web, "screenshot", ("digital", "digital", "digital", "phone")),
    "sign": (sign, "scene", ("phone",)),
}
