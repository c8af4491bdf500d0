"""Large words over something: posters, covers, signs, labels."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from training.synth.canvas import Box, Canvas, Colour, Style, fit, mean_colour, set_text, swell
from training.synth.draft import Draft
from training.synth.figures import backdrop
from training.synth.papers import barcode


def scene(d: Draft, width: int, height: int) -> Image.Image:
    """A photograph, when the draft has some; else a backdrop."""
    return (d.photo(width, height) if d.chance(0.75) else None) or backdrop(d, width, height)


def lettering(d: Draft, canvas: Canvas, box: Box, text: str, style: Style, plain: bool = False) -> Box:
    """`text` as large as `box` allows, at times sloping, bent or with an effect; returns its ink's box."""
    left, top, right, bottom = box
    if right - left < 12 or bottom - top < 8:
        return left, top, left, top
    mask = fit(text, style, right - left, bottom - top).mask
    if not plain and d.chance(0.15):
        mask = mask.rotate(float(np.clip(d.rng.normal(0, 2.5), -5, 5)), Image.Resampling.BILINEAR, expand=True)
    elif not plain and not style.vertical and d.chance(0.12):
        mask = bend(mask, d.real(-0.5, 0.5))
    side = {"low": "high", "high": "low"}.get(style.align, "centre") if style.rtl else style.align
    side = "centre" if style.vertical else side
    x = {"low": left, "centre": (left + right - mask.width) / 2, "high": right - mask.width}[side]
    y = top + (bottom - top - mask.height) * d.pick([0.0, 0.5, 1.0])
    paint(d, canvas, mask, x, y, style, plain)
    return x, y, x + mask.width, y + mask.height


def paint(d: Draft, canvas: Canvas, mask: Image.Image, x: float, y: float, style: Style, plain: bool) -> None:
    """Lays lettering down: bare, outlined once or twice, shadowed, deep, glowing, or with a ramp of colour."""
    under = np.asarray(canvas.image.crop((int(x), int(y), int(x) + mask.width, int(y) + mask.height)))[::4, ::4]
    edge, by = d.contrast(style.colour), max(1, min(7, round(style.size * d.real(0.02, 0.07))))
    effect = "none" if plain else d.pick(["outline", "two", "shadow", "glow", "ramp", "deep", "none", "none", "none"])
    if effect == "none" and not plain and under.std() > 25 and d.chance(0.7):
        effect = "outline"
    if effect == "two":
        canvas.stamp(swell(mask, 2 * by), x - 2 * by, y - 2 * by, d.colour())
    if effect in ("outline", "two"):
        canvas.stamp(swell(mask, by), x - by, y - by, edge)
    if effect == "shadow":
        reach = style.size * 0.08
        canvas.stamp(mask, x + d.real(-reach, reach), y + d.real(-reach, reach), edge, d.real(0.5, 1))
    if effect == "deep":
        angle, colour = d.real(0, 2 * np.pi), d.colour((0.05, 0.6))
        for step in range(d.whole(3, 9), 0, -1):
            canvas.stamp(mask, x + step * np.cos(angle), y + step * np.sin(angle), colour)
    if effect == "glow":
        canvas.stamp(swell(mask, 5).filter(ImageFilter.BoxBlur(4)), x - 5, y - 5, edge)
    if effect == "ramp":
        ramp = Canvas(mask.width, mask.height)
        ramp.gradient((0, 0, mask.width, mask.height), style.colour, d.colour((0.3, 0.7)), d.chance(0.5))
        canvas.image.paste(ramp.image, (round(x), round(y)), mask)
    else:
        canvas.stamp(mask, x, y, style.colour)


def bend(mask: Image.Image, rise: float) -> Image.Image:
    """Lettering on an arc whose middle lies `rise` of its height above (or, negative, below) its ends."""
    flat = np.asarray(mask)
    h, w = flat.shape
    drop = (abs(rise) * h * np.linspace(-1, 1, w) ** 2).astype(int)
    drop = drop if rise > 0 else drop.max() - drop
    bent = np.zeros((h + int(drop.max()), w), np.uint8)
    bent[np.arange(h)[:, None] + drop, np.arange(w)] = flat
    return Image.fromarray(bent)


def stack(d: Draft, canvas: Canvas, box: Box, lines: list[str], style: Style) -> Box:
    """Lines of lettering, each as wide as the box, one under another, as film titles are set."""
    left, top, right, bottom = box
    y, colours = top, [style.colour, d.contrast(d.contrast(style.colour)), style.colour]
    for i, line in enumerate(lines):
        probe = set_text(line, style.but(size=40.0))
        size = min(40 * (right - left) / max(1, probe.width), (bottom - top) / len(lines) * 1.3)
        if bottom - y < 10:
            break
        mask = fit(line, style.but(size=size), right - left, bottom - y).mask
        if y + mask.height > bottom:
            break
        x = (left + right - mask.width) / 2
        paint(d, canvas, mask, x, y, style.but(colour=colours[i % 3], size=size), plain=d.chance(0.5))
        y += mask.height + size * d.real(0.05, 0.25)
    return left, top, right, y


def legible(d: Draft, canvas: Canvas, box: Box) -> Colour:
    """A colour that reads on what lies in `box`."""
    return d.contrast(mean_colour(canvas, box))


def _bands(d: Draft, height: float, number: int) -> list[tuple[float, float]]:
    """`number` stretches of height, in order, apart from one another."""
    weights = np.array([*([0.7, 2.0] * number), 0.7])  # words take three quarters of the height
    cuts = np.cumsum(d.rng.dirichlet(weights))[:-1]
    return [(float(cuts[2 * i]) * height, float(cuts[2 * i + 1]) * height) for i in range(number)]


def poster(d: Draft) -> Canvas:
    """A film, event or advertising poster: words of every size where they fall."""
    canvas = d.sheet(1.35, 0.4, 240_000)
    w, h = canvas.width, canvas.height
    canvas.image.paste(scene(d, w, h))
    if d.chance(0.3):
        _veil(d, canvas)
    faces = [d.display_family(), d.family, d.display_family()]
    for i, (top, bottom) in enumerate(_bands(d, h, d.whole(2, 5))):
        big = i == 0 or d.chance(0.45)
        if not big:
            bottom = min(bottom, top + h * 0.06)
        left = w * d.real(0.02, 0.25) if d.chance(0.4) else w * 0.04
        box = (left, top, w - left, min(bottom, top + h * 0.4))
        text = d.write.title(d.whole(1, 3) if big else d.whole(2, 9))
        style = d.style(
            max(12, (box[3] - box[1]) * d.real(0.5, 1)), faces[i % 3], align=d.pick(["low", "centre", "centre", "high"])
        )
        if d.chance(0.12):
            fill = d.colour()
            canvas.panel((box[0] - 4, box[1] - 2, box[2] + 4, box[3] + 2), fill, d.pick([0, 0, 12]))
        style = style.but(colour=legible(d, canvas, box), tracking=d.pick([0, 0, 0, 0.15]))
        if big and d.chance(0.3):
            stack(d, canvas, box, [d.write.title(1) for _ in range(d.whole(1, 3))], style)
        else:
            lettering(d, canvas, box, text, style)
    if d.chance(0.4):
        small = d.style(h / d.whole(50, 80), align="centre", colour=legible(d, canvas, (0, h * 0.92, w, h)))
        canvas.flow((w * 0.1, h * 0.93, w * 0.9, h * 0.99), d.write.prose(160), small)
    if d.script.vertical and d.chance(0.4):
        box = (w * 0.8, h * 0.06, w * 0.95, h * d.real(0.5, 0.9))
        lettering(
            d,
            canvas,
            box,
            d.write.title(d.whole(1, 3)),
            d.style(w * 0.13, faces[0], vertical=True, colour=legible(d, canvas, box)),
        )
    return canvas


def _veil(d: Draft, canvas: Canvas) -> None:
    """Darkens or lightens one side or a band, as designers do to make room for words: any side."""
    w, h = canvas.width, canvas.height
    edge = d.real(0.25, 0.6)
    box = d.pick(
        [(0, 0, w, h * edge), (0, h * (1 - edge), w, h), (0, 0, w * edge, h), (w * (1 - edge), 0, w, h), (0, 0, w, h)]
    )
    left, top, right, bottom = (int(v) for v in box)
    part = canvas.image.crop((left, top, right, bottom))
    flat = Image.new("RGB", part.size, d.pick([(0, 0, 0), (255, 255, 255), d.colour()]))
    canvas.image.paste(Image.blend(part, flat, d.real(0.3, 0.95)), (left, top))


def cover(d: Draft) -> Canvas:
    """A book's, a game's or a record's cover: title, name, a framed picture."""
    canvas = d.sheet(1.35, 0.35, 240_000)
    w, h = canvas.width, canvas.height
    base = d.colour((0.05, 0.95))
    canvas.panel((0, 0, w, h), base)
    picture_box = None
    if d.chance(0.75):
        full = d.chance(0.4)
        picture_box = (
            (0.0, 0.0, float(w), float(h))
            if full
            else (w * d.real(0, 0.15), h * d.real(0.15, 0.4), w * d.real(0.85, 1), h * d.real(0.6, 0.95))
        )
        x0, y0, x1, y1 = (int(v) for v in picture_box)
        canvas.image.paste(scene(d, x1 - x0, y1 - y0), (x0, y0))
    title_top = h * d.pick([0.04, 0.06, 0.1, 0.35, 0.6])
    box = (w * 0.06, title_top, w * 0.94, title_top + h * d.real(0.12, 0.32))
    style = d.style(h * d.real(0.08, 0.22), d.display_family(), align=d.pick(["low", "centre", "centre", "high"]))
    style = style.but(colour=legible(d, canvas, box))
    if d.chance(0.35):
        ink = stack(d, canvas, box, [d.write.title(d.whole(1, 2)) for _ in range(d.whole(1, 4))], style)
    else:
        ink = lettering(d, canvas, box, d.write.title(d.whole(1, 5)), style)
    small = style.but(family=d.family, size=h * d.real(0.025, 0.05))
    for top in (max(ink[3], box[1]) + h * 0.015, h * d.real(0.86, 0.94), h * 0.015):
        if d.chance(0.65) and (top > box[3] or top < box[1] - h * 0.04):
            line = (w * 0.06, top, w * 0.94, top + small.size * 1.5)
            canvas.line(
                line[0],
                top,
                d.write.title(d.whole(1, 5)),
                small.but(colour=legible(d, canvas, line)),
                line[2] - line[0],
            )
    if d.chance(0.15):
        spine = w * d.real(0.04, 0.1)
        canvas.panel(d.pick([(0, 0, spine, h), (w - spine, 0, w, h), (0, 0, w, spine)]), d.colour())
    return canvas


def sign(d: Draft) -> Canvas:
    """A road, door or warning sign on its own, or in front of something."""
    canvas = d.sheet(0.75, 0.45, 220_000)
    w, h = canvas.width, canvas.height
    canvas.image.paste(scene(d, w, h))
    inset = d.pick([0.0, d.real(0.03, 0.2)])
    box = (
        w * (inset + d.real(0, 0.06)),
        h * (inset + d.real(0, 0.06)),
        w * (1 - inset - d.real(0, 0.06)),
        h * (1 - inset - d.real(0, 0.06)),
    )
    fill = d.pick(
        [
            d.colour((0.2, 0.5), (0.5, 1)),
            (0, 90, 50),
            (0, 60, 150),
            (190, 20, 30),
            (250, 200, 20),
            (255, 255, 255),
            (30, 30, 30),
            d.colour(),
        ]
    )
    ink = d.contrast(fill)
    canvas.panel(box, fill, d.pick([0, 6, 18, 40]))
    if d.chance(0.6):
        rim = min(w, h) * 0.02
        canvas.panel(
            (box[0] + rim, box[1] + rim, box[2] - rim, box[3] - rim),
            None,
            d.pick([0, 6, 18]),
            ink,
            max(1, int(rim * 0.5)),
        )
    pad = min(box[2] - box[0], box[3] - box[1]) * 0.09
    rows, tall = d.whole(1, 4), box[3] - box[1] - 2 * pad
    family, align, y = (
        d.pick([d.family + " Bold", d.display_family()]),
        d.pick(["low", "centre", "centre"]),
        box[1] + pad,
    )
    for share in d.rng.dirichlet(np.ones(rows) * 4):
        area = (box[0] + pad * 1.2, y, box[2] - pad * 1.2, y + tall * share - pad * 0.3)
        text = d.pick(
            [d.write.title(d.whole(1, 3)), d.write.title(d.whole(1, 2)), d.write.title(1) + " " + d.write.number(200)]
        )
        lettering(d, canvas, area, text, d.style(tall * share * 0.8, family, colour=ink, align=align), plain=True)
        y += tall * share
    return canvas


def label(d: Draft) -> Canvas:
    """A product's label: brand, claim, small print, bar code."""
    canvas = d.sheet(1.2, 0.45, 220_000)
    w, h = canvas.width, canvas.height
    canvas.image.paste(scene(d, w, h))
    box = (w * d.real(0, 0.15), h * d.real(0, 0.15), w * d.real(0.85, 1), h * d.real(0.85, 1))
    fill = d.colour((0.1, 0.97))
    canvas.panel(box, fill, d.pick([0, 10, 40]))
    left, top, right, bottom = box
    wide, tall, pad = right - left, bottom - top, (right - left) * 0.06
    if d.chance(0.6):
        band = (left, top + tall * d.real(0.05, 0.5), right, top + tall * d.real(0.55, 0.8))
        canvas.panel(band, d.colour())
    y = top + tall * d.real(0.03, 0.1)
    for share, words in ((d.real(0.15, 0.3), 1), (d.real(0.06, 0.12), 2), (d.real(0.08, 0.16), 2)):
        area = (left + pad, y, right - pad, y + tall * share)
        lettering(
            d,
            canvas,
            area,
            d.write.title(words),
            d.style(tall * share * 0.85, d.display_family(), align="centre", colour=legible(d, canvas, area)),
        )
        y += tall * (share + 0.02)
    small = d.style(max(6.5, wide / d.whole(26, 45)), align=d.pick(["low", "centre"]))
    canvas.flow(
        (left + pad, y, right - pad, bottom - tall * 0.15),
        d.write.prose(d.whole(60, 400)),
        small.but(colour=legible(d, canvas, (left, y, right, bottom))),
    )
    foot = (left + pad, bottom - tall * 0.12, left + wide * 0.4, bottom - tall * 0.02)
    if d.chance(0.4):
        canvas.panel((foot[0] - 4, foot[1] - 4, foot[2] + 4, foot[3] + 4), (255, 255, 255))
        barcode(d, canvas, foot)
    canvas.line(
        left + wide * 0.5,
        foot[1],
        d.pick([d.write.number(900) + " g", d.write.price(), d.write.date()]),
        small.but(size=small.size * 1.5, rtl=False, colour=legible(d, canvas, foot)),
        wide * 0.44,
    )
    return canvas
