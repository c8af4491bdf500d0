"""Words alone, out of doors and in shops: title pages, shop fronts, shelves, menus, captions, number plates."""

from __future__ import annotations

from PIL import Image

from training.synth.canvas import Box, Canvas
from training.synth.display import label, legible, lettering, scene, stack
from training.synth.draft import Draft


def words(d: Draft) -> Canvas:
    """A few large words and hardly anything else: a title page, a logo, a heading, a name."""
    canvas = d.sheet(1.0, 0.45, 200_000, paper=d.pick([d.paper(), d.paper(), d.colour()]))
    w, h = canvas.width, canvas.height
    if d.chance(0.35):
        canvas.image.paste(scene(d, w, h))
    elif d.chance(0.2):
        canvas.gradient((0, 0, w, h), d.colour(), d.colour(), d.chance(0.5))
    wide, high = w * d.real(0.3, 0.95), h * d.real(0.1, 0.8)
    left, top = d.real(0, 1) * (w - wide), d.real(0, 1) * (h - high)
    box = (left, top, left + wide, top + high)
    if d.chance(0.25):  # a mark beside or behind the words
        x, y, side = d.real(0, w), d.real(0, h), w * d.real(0.05, 0.3)
        canvas.panel((x, y, min(w, x + side), min(h, y + side)), d.colour(), d.pick([0, 6, side / 2]))
    lines = [d.write.title(d.whole(1, 2)) for _ in range(d.whole(1, 4))]
    if d.script.cased and d.chance(0.35):
        lines = [line.upper() for line in lines]
    if d.chance(0.2):
        lines.append(d.pick([d.write.number(3000), d.write.date()]))
    upright_words = d.script.vertical > 0 and d.chance(0.4)
    style = d.style(high / len(lines), d.display_family(), align=d.pick(["low", "centre", "centre", "high"]))
    style = style.but(colour=legible(d, canvas, box), vertical=upright_words)
    if upright_words or d.chance(0.25):
        lettering(d, canvas, box, " ".join(lines[:2]), style.but(size=min(wide, high)), plain=d.chance(0.5))
    elif d.chance(0.3):
        stack(d, canvas, box, lines, style)
    else:
        plain = d.chance(0.6)
        for row, line in enumerate(lines):
            upper = top + high * row / len(lines)
            lettering(d, canvas, (left, upper, left + wide, upper + high / len(lines)), line, style, plain)
    return canvas


def storefront(d: Draft) -> Canvas:
    """A name board over windows, more boards, posters in the windows."""
    canvas = d.sheet(0.8, 0.35, 240_000)
    w, h = canvas.width, canvas.height
    canvas.image.paste(scene(d, w, h))
    taken: list[Box] = []
    for _ in range(d.whole(2, 6)):
        bw, bh = w * d.real(0.3, 0.9), h * d.real(0.1, 0.28)
        x, y = d.real(0, 1) * (w - bw), d.real(0, 1) * (h - bh)
        upright_board = d.script.vertical > 0 and d.chance(0.4)
        if upright_board:
            bw, bh = w * d.real(0.1, 0.2), h * d.real(0.35, 0.8)
            y = d.real(0, 1) * (h - bh)
        if any(x < b[2] and b[0] < x + bw and y < b[3] and b[1] < y + bh for b in taken):
            continue
        taken.append((x, y, x + bw, y + bh))
        fill = d.colour()
        if d.chance(0.85):
            canvas.panel((x, y, x + bw, y + bh), fill, d.pick([0, 0, 8]), d.pick([None, (30, 30, 30)]), 2)
        area = (x + bw * 0.06, y + bh * 0.1, x + bw * 0.94, y + bh * 0.9)
        style = d.style(
            min(bh * 0.7, bw),
            d.display_family(),
            align="centre",
            vertical=upright_board,
            colour=legible(d, canvas, area),
        )
        if upright_board:
            style = style.but(size=bw * 0.75)
        lettering(d, canvas, area, d.write.title(d.whole(1, 3)), style)
    return canvas


def shelf(d: Draft) -> Canvas:
    """Products side by side, with price tags under them."""
    canvas = d.sheet(0.9, 0.35, 240_000)
    w, h = canvas.width, canvas.height
    canvas.image.paste(scene(d, w, h))
    across, rows = d.whole(2, 4), d.whole(1, 2)
    tall = h / rows
    for r in range(rows):
        product = label(d).image
        for i in range(across):
            if d.chance(0.4):
                product = label(d).image
            pw, ph = int(w / across * d.real(0.75, 1)), int(tall * d.real(0.6, 0.84))
            foot = (r + 0.86) * tall
            canvas.image.paste(product.resize((pw, ph), Image.Resampling.BOX), (int(w / across * i), int(foot - ph)))
        canvas.panel((0, (r + 0.86) * tall, w, (r + 1) * tall), d.colour((0.3, 0.9), (0, 0.4)))
        for i in range(across):
            x, y = w / across * (i + d.real(0.05, 0.3)), (r + 0.87) * tall
            tag = (x, y, x + w / across * 0.62, y + tall * 0.115)
            fill = d.pick([(255, 255, 255), (255, 230, 0), (220, 30, 30)])
            canvas.panel(tag, fill, 2)
            style = d.style(tall * 0.085, f"{d.family} Bold", colour=d.contrast(fill), align="centre", rtl=False)
            lettering(d, canvas, (tag[0] + 3, tag[1] + 2, tag[2] - 3, tag[3] - 2), d.write.price(), style, plain=True)
    return canvas


def menu(d: Draft) -> Canvas:
    """A menu, a price list, a notice or a timetable on a board."""
    fill = d.pick([(25, 30, 28), (20, 60, 45), (250, 245, 230), d.colour((0.05, 0.3)), d.colour((0.8, 0.97))])
    canvas = d.sheet(1.2, 0.4, 240_000, paper=fill)
    w, h, ink = canvas.width, canvas.height, d.contrast(fill)
    if d.chance(0.4):
        canvas.panel((w * 0.02, h * 0.02, w * 0.98, h * 0.98), None, 0, ink, d.whole(1, 5))
    head = (w * 0.08, h * 0.05, w * 0.92, h * 0.2)
    lettering(
        d, canvas, head, d.write.title(d.whole(1, 3)), d.style(h * 0.12, d.display_family(), colour=ink, align="centre")
    )
    row = h / d.whole(10, 20)
    style = d.style(min(row * 0.62, w / 16), d.pick([d.family, d.display_family()]), colour=ink)
    y = h * 0.23
    while y < h * 0.94 - row:
        if d.chance(0.14):
            bold = style.but(size=style.size * 1.3, colour=d.contrast(fill), align="centre")
            canvas.line(w * 0.1, y, d.write.title(d.whole(1, 2)), bold, w * 0.8)
        else:
            name, price = (w * 0.08, w * 0.58), (w * 0.7, w * 0.22)
            if d.script.rtl:
                name, price = (w * 0.34, w * 0.58), (w * 0.08, w * 0.22)
            canvas.line(name[0], y, d.write.title(d.whole(1, 4)), style, name[1])
            canvas.line(
                price[0], y, d.write.price(), style.but(align="low" if d.script.rtl else "high", rtl=False), price[1]
            )
        y += row
    return canvas


def caption(d: Draft) -> Canvas:
    """A picture with a few words on it: a subtitle, a headline, a date, a mark."""
    canvas = d.sheet(0.75, 0.4, 220_000)
    w, h = canvas.width, canvas.height
    canvas.image.paste(scene(d, w, h))
    for _ in range(d.whole(1, 3)):
        tall, wide = h * d.real(0.05, 0.2), w * d.real(0.3, 0.95)
        x, y = d.real(0.02, 0.98) * (w - wide), d.real(0.02, 0.98) * (h - tall)
        box = (x, y, x + wide, y + tall)
        if d.chance(0.35):
            canvas.panel((x - 4, y - 4, x + wide + 4, y + tall + 4), d.colour(), d.pick([0, 0, 10]))
        style = d.style(
            tall * d.real(0.5, 0.95), d.pick([d.family, d.display_family()]), align=d.pick(["low", "centre"])
        )
        text = d.pick([d.write.title(d.whole(1, 4)), d.write.words(d.whole(3, 9)), d.write.date()])
        lettering(d, canvas, box, text, style.but(colour=legible(d, canvas, box)))
    return canvas


PLATES = (
    "AA 000 AA",
    "AA00 AAA",
    "A 000 AA 00",
    "000 AAA",
    "AA 00 AA 0000",
    "AAA-0000",
    "A·00000",
    "AA-000-A",
    "0 AAA 000",
    "AA 0000 AA",
    "00-00 AA",
)


def plate(d: Draft) -> Canvas:
    """A number plate or a container's code, close or on something."""
    canvas = d.sheet(0.5, 0.35, 200_000)
    w, h = canvas.width, canvas.height
    canvas.image.paste(scene(d, w, h))
    share = d.real(0.45, 1)
    pw = w * share
    ph = min(h * 0.95, pw * d.real(0.18, 0.5))
    x, y = (w - pw) * d.real(0.1, 0.9), (h - ph) * d.real(0.05, 0.95)
    fill = d.pick([(245, 245, 245), (245, 200, 40), (20, 20, 20), (30, 60, 150), (235, 235, 220), (30, 110, 60)])
    ink = (15, 15, 20) if sum(fill) > 380 else (245, 245, 245)
    canvas.panel((x, y, x + pw, y + ph), fill, ph * 0.1, ink, max(1, int(ph * 0.03)))
    left = x + pw * 0.05
    if d.chance(0.35):
        canvas.panel((x + 2, y + 2, x + pw * 0.1, y + ph - 2), (0, 51, 153))
        canvas.line(
            x + 3,
            y + ph * 0.6,
            d.write.code("A"),
            d.style(ph * 0.22, "Noto Sans Bold", colour=(255, 255, 255), align="centre", rtl=False),
            pw * 0.1 - 4,
        )
        left = x + pw * 0.13
    code = d.write.code(d.pick(PLATES))
    if d.script.name in ("chinese", "arabic", "thai", "korean", "japanese", "persian") and d.chance(0.7):
        code = d.write.word()[:1] + " " + code
    face = d.pick(
        [
            "Noto Sans ExtraCondensed Bold",
            "Nimbus Sans Narrow Bold",
            "Noto Sans Bold",
            "OCR-B",
            "Noto Sans Mono Bold",
            "Bebas Neue",
            "Roboto Condensed Bold",
        ]
    )
    if ph / pw > 0.36:
        code = code.replace(" ", "\n", 1)
    style = d.style(ph * 0.95, face, colour=ink, align="centre", rtl=False, leading=-0.15)
    lettering(d, canvas, (left, y + ph * 0.1, x + pw * 0.95, y + ph * 0.9), code, style, plain=True)
    return canvas
