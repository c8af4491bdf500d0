"""User interfaces, light and dark: applications, chats, terminals, settings, pages of the web, editors of code."""

from __future__ import annotations

import inspect
import re
import string

from training.synth.canvas import Canvas, Colour, Style
from training.synth.draft import Draft
from training.synth.figures import block, chart
from training.synth.papers import grid

MODULES = (inspect, re, string)


class Theme:
    """The colours of one interface."""

    def __init__(self, d: Draft) -> None:
        self.dark = d.chance(0.45)
        grey = d.whole(12, 45) if self.dark else d.whole(240, 255)
        self.ground: Colour = (grey, grey, min(255, grey + d.whole(0, 10)))
        lift = grey + d.whole(10, 24) if self.dark else max(215, grey - d.whole(6, 22))
        self.raised: Colour = (lift, lift, lift)
        self.ink: Colour = (235, 235, 240) if self.dark else (28, 28, 32)
        self.faint: Colour = (150, 150, 158) if self.dark else (115, 115, 122)
        self.accent = d.colour((0.4, 0.6), (0.5, 1))


def _open(d: Draft, tall: float) -> tuple[Canvas, Theme, Style]:
    theme = Theme(d)
    canvas = d.sheet(tall, 0.3, paper=theme.ground)
    per_row = d.whole(34, 90) if canvas.width > canvas.height else d.whole(22, 48)
    size = max(7.5, canvas.width / per_row * 1.5)
    return canvas, theme, d.style(size, colour=theme.ink, vertical=False)


def _icon(d: Draft, canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    box = (x, y, x + size, y + size)
    sort = d.whole(0, 3)
    if sort < 2:
        canvas.panel(box, colour if sort else None, size * 0.25, colour, 2)
    else:
        canvas.draw.ellipse(box, colour if sort == 2 else None, colour, 2)


def _status_bar(d: Draft, canvas: Canvas, theme: Theme, style: Style) -> float:
    small = style.but(size=style.size * 0.8, rtl=False)
    canvas.line(style.size, style.size * 0.2, f"{d.whole(0, 23)}:{d.whole(0, 59):02d}", small)
    canvas.line(
        canvas.width * 0.7, style.size * 0.2, f"{d.whole(1, 100)}%", small.but(align="high"), canvas.width * 0.22
    )
    canvas.panel((canvas.width * 0.93, style.size * 0.45, canvas.width * 0.98, style.size * 1.1), None, 2, theme.ink)
    return style.size * 1.7


def _title_bar(d: Draft, canvas: Canvas, theme: Theme, style: Style, y: float) -> float:
    height = style.size * d.real(2, 3)
    fill = d.pick([theme.raised, theme.accent, theme.ground])
    canvas.panel((0, y, canvas.width, y + height), fill)
    canvas.line(
        style.size * 2.5,
        y + height / 2 - style.size * 0.8,
        d.write.title(d.whole(1, 4)),
        style.but(colour=d.contrast(fill), align=d.pick(["low", "centre"])),
        canvas.width - style.size * 5,
    )
    for i in range(d.whole(0, 3)):
        _icon(
            d,
            canvas,
            canvas.width - style.size * (1.8 + 1.8 * i),
            y + height / 2 - style.size * 0.5,
            style.size,
            d.contrast(fill),
        )
    return y + height


def settings(d: Draft) -> Canvas:
    canvas, theme, style = _open(d, 1.6)
    y = _status_bar(d, canvas, theme, style) if d.chance(0.6) else 0
    y = _title_bar(d, canvas, theme, style, y)
    row, side = style.size * d.real(2.6, 4.2), style.size * 1.2
    while y < canvas.height - row * 0.5:
        if d.chance(0.15):
            canvas.line(
                side,
                y + style.size,
                d.write.title(2),
                style.but(size=style.size * 0.85, colour=theme.accent),
                canvas.width - 2 * side,
            )
            y += style.size * 2.6
        left = side
        if d.chance(0.6):
            _icon(d, canvas, side, y + row * 0.28, row * 0.44, d.colour((0.4, 0.6)))
            left = side + row * 0.7
        room = canvas.width - left - side - row
        two = d.chance(0.5)
        canvas.line(left, y + row * (0.12 if two else 0.3), d.write.title(d.whole(1, 4)), style, room)
        if two:
            canvas.line(
                left,
                y + row * 0.5,
                d.write.words(d.whole(2, 6)),
                style.but(size=style.size * 0.75, colour=theme.faint),
                room,
            )
        x, on = canvas.width - side - style.size * 2, d.chance(0.5)
        if d.chance(0.5):
            canvas.panel(
                (x, y + row * 0.35, x + style.size * 2, y + row * 0.35 + style.size * 1.05),
                theme.accent if on else theme.faint,
                style.size,
            )
            knob = x + (style.size if on else 0)
            canvas.draw.ellipse((knob, y + row * 0.35, knob + style.size, y + row * 0.35 + style.size), (255, 255, 255))
        else:
            canvas.line(
                x - style.size,
                y + row * 0.3,
                d.pick(["›", d.write.number(99), ">"]),
                style.but(colour=theme.faint, align="high", rtl=False),
                style.size * 3,
            )
        y += row
        canvas.draw.line((left, y, canvas.width - side * d.pick([0, 1]), y), theme.raised, 1)
    return canvas


def chat(d: Draft) -> Canvas:
    canvas, theme, style = _open(d, 1.7)
    if d.chance(0.25):
        canvas.panel((0, 0, canvas.width, canvas.height), d.colour((0.1, 0.2) if theme.dark else (0.8, 0.95)))
    y = _status_bar(d, canvas, theme, style) if d.chance(0.5) else 0
    y = _title_bar(d, canvas, theme, style, y) + style.size
    bottom = canvas.height - style.size * 3.4
    while y < bottom - style.size * 2:
        mine, width = d.chance(0.5), canvas.width * d.real(0.3, 0.74)
        fill = theme.accent if mine else theme.raised
        text = d.write.prose(d.whole(8, 130)) if d.chance(0.7) else d.write.words(d.whole(1, 4))
        left = canvas.width - width - style.size if mine else style.size * d.pick([1, 3.2])
        pad = style.size * 0.7
        probe = Canvas(int(width), int(max(20, bottom - y)), fill)
        body = style.but(colour=d.contrast(fill))
        end = probe.flow((pad, pad * 0.6, width - pad, bottom - y), text, body) + pad
        if y + end > bottom:
            break
        canvas.panel((left, y, left + width, y + end), fill, style.size * d.real(0.4, 1))
        canvas.image.paste(
            probe.image.crop((int(pad), int(pad * 0.5), int(width - pad * 0.5), int(end - pad * 0.4))),
            (int(left + pad), int(y + pad * 0.5)),
        )
        if left > style.size * 2 and not mine:
            canvas.draw.ellipse((style.size * 0.6, y, style.size * 2.6, y + style.size * 2), d.colour((0.3, 0.7)))
        y += end + style.size * d.real(0.4, 1.2)
        if d.chance(0.25):
            stamp = f"{d.whole(0, 23)}:{d.whole(0, 59):02d}"
            canvas.line(
                style.size,
                y,
                stamp,
                style.but(size=style.size * 0.7, colour=theme.faint, align="centre", rtl=False),
                canvas.width - style.size * 2,
            )
            y += style.size * 1.4
    canvas.panel(
        (style.size, canvas.height - style.size * 2.8, canvas.width - style.size * 3, canvas.height - style.size * 0.7),
        theme.raised,
        style.size,
    )
    canvas.line(
        style.size * 2,
        canvas.height - style.size * 2.4,
        d.write.words(2),
        style.but(colour=theme.faint),
        canvas.width * 0.6,
    )
    return canvas


def source_lines(d: Draft, number: int) -> list[str]:
    """Lines of Python's own library."""
    lines = inspect.getsource(d.pick(MODULES)).splitlines()
    start = d.whole(0, max(0, len(lines) - number))
    return lines[start : start + number]


def terminal(d: Draft) -> Canvas:
    canvas, theme, style = _open(d, 0.7)
    ground = d.pick(
        [(0, 0, 0), (30, 30, 36), (0, 43, 54), (48, 10, 36), (253, 246, 227), (255, 255, 255), d.colour((0.03, 0.15))]
    )
    canvas.panel((0, 0, canvas.width, canvas.height), ground)
    mono = style.but(
        family=d.pick(["DejaVu Sans Mono", "Hack", "JetBrains Mono", "Liberation Mono", "Noto Sans Mono"]), rtl=False
    )
    mono = mono.but(colour=d.contrast(ground), size=max(7.0, canvas.height / d.whole(20, 48) * 0.72))
    y = _title_bar(d, canvas, theme, style, 0) if d.chance(0.5) else mono.size * 0.4
    prompt = f"{d.write.made_up() if d.script.joint == ' ' else 'root'}@host:~$ "
    while y < canvas.height - mono.size * 1.5:
        u = d.rng.random()
        if u < 0.18:
            text = prompt + d.pick(
                ["ls -la", "git status", "make test", "cat notes.txt", "python -m pytest -q", "cd ../src && vim main.c"]
            )
        elif u < 0.45:
            text = (
                f"-rw-r--r-- 1 user user {d.whole(1, 99999):>6} {d.write.word()}.{d.pick(['txt', 'py', 'md', 'log'])}"
            )
        elif u < 0.75:
            text = f"[{d.whole(0, 23):02d}:{d.whole(0, 59):02d}] {d.write.words(d.whole(2, 9))}"
        else:
            text = d.pick(source_lines(d, 8)) or prompt
        colour = mono.colour if d.chance(0.75) else d.contrast(ground)
        canvas.line(mono.size, y, text[: int(canvas.width / mono.size / 0.55)], mono.but(colour=colour))
        y += mono.size * 1.3
        if d.chance(0.03):
            y += mono.size * 4
    return canvas


def editor(d: Draft) -> Canvas:
    """Code with line numbers, in colours."""
    canvas, theme, style = _open(d, 0.75)
    mono = style.but(
        family=d.pick(["DejaVu Sans Mono", "Hack", "JetBrains Mono", "Liberation Mono"]),
        rtl=False,
        size=max(7.0, canvas.height / d.whole(20, 44) * 0.7),
    )
    hues = [theme.ink, *(d.contrast(theme.ground) for _ in range(3)), theme.faint]
    y, left = _title_bar(d, canvas, theme, style, 0), mono.size * 1.0
    if d.chance(0.5):
        left = canvas.width * d.real(0.15, 0.28)
        canvas.panel((0, y, left, canvas.height), theme.raised)
        for i in range(d.whole(4, 16)):
            canvas.line(
                mono.size * d.pick([0.6, 1.4]),
                y + mono.size * (0.6 + 1.7 * i),
                d.write.word() + ".py",
                mono.but(colour=theme.faint),
                left - mono.size * 2,
            )
    for i, text in enumerate(source_lines(d, 60)):
        if y > canvas.height - mono.size * 1.4:
            break
        canvas.line(left + mono.size * 0.3, y, str(i + 1), mono.but(colour=theme.faint, align="high"), mono.size * 2)
        words = text.strip()[:80]
        indent = len(text) - len(text.lstrip())
        colour = theme.faint if words.startswith("#") else d.pick(hues)
        if words:
            canvas.line(left + mono.size * (3 + 0.6 * indent), y, words, mono.but(colour=colour))
        y += mono.size * 1.35
    return canvas


def web(d: Draft) -> Canvas:
    """A page of the web: bar, columns of cards, text, pictures."""
    canvas, theme, style = _open(d, 0.8)
    w, h = canvas.width, canvas.height
    y = _title_bar(d, canvas, theme, style, 0)
    if d.chance(0.5):
        hero = h * d.real(0.15, 0.35)
        block(d, canvas, (0, y, w, y + hero))
        canvas.line(
            w * 0.1,
            y + hero * 0.3,
            d.write.title(d.whole(2, 5)),
            style.but(size=style.size * 2.4, family=d.display_family(), align="centre", colour=(255, 255, 255)),
            w * 0.8,
        )
        y += hero
    across, gap = min(d.whole(1, 4), max(1, int(w / style.size / 9))), style.size
    wide = (w - gap * (across + 1)) / across
    while y < h - style.size * 4:
        tall = style.size * d.real(6, 16)
        for i in range(across):
            x, top = gap + i * (wide + gap), y + gap
            if d.chance(0.6):
                canvas.panel((x, top, x + wide, top + tall), theme.raised, d.pick([0, 6]))
            if d.chance(0.4):
                block(d, canvas, (x, top, x + wide, top + tall * 0.45))
                top += tall * 0.48
            inside = (x + gap * 0.6, top + gap * 0.3, x + wide - gap * 0.6, y + gap + tall)
            end = canvas.flow(
                inside, d.write.title(d.whole(1, 5)), style.but(family=f"{d.family} Bold", size=style.size * 1.15)
            )
            canvas.flow(
                (inside[0], end + gap * 0.3, inside[2], inside[3]),
                d.write.prose(d.whole(20, 300)),
                style.but(colour=theme.faint),
            )
        y += tall + gap
    return canvas


def application(d: Draft) -> Canvas:
    """A window: menus, a side bar, a table or a chart, buttons."""
    canvas, theme, style = _open(d, 0.7)
    w, h = canvas.width, canvas.height
    y = _title_bar(d, canvas, theme, style, 0)
    x = style.size
    for _ in range(d.whole(3, 8)):
        x += canvas.line(x, y + style.size * 0.2, d.write.title(1), style.but(rtl=False)) + style.size * 1.2
    y += style.size * 2
    bar = w * d.real(0.15, 0.3)
    left, right = (bar, w) if d.chance(0.7) else (0.0, w - bar)
    canvas.panel((0 if left else right, y, left or w, h), theme.raised)
    row = y + style.size
    while row < h - style.size * 2:
        base = style.size if left else right + style.size
        _icon(d, canvas, base, row + style.size * 0.2, style.size, theme.faint)
        canvas.line(base + style.size * 1.6, row, d.write.title(d.whole(1, 2)), style, bar - style.size * 3)
        row += style.size * d.real(1.8, 2.6)
    inner = (left + style.size, y + style.size, right - style.size, h - style.size * 3.5)
    if d.chance(0.5):
        grid(d, canvas, inner, style, d.whole(6, 24), d.whole(2, 6))
    elif d.chance(0.5):
        chart(d, canvas, inner, theme.ink)
    else:
        canvas.flow(inner, d.write.prose(900), style)
    for i in range(d.whole(1, 3)):
        fill = theme.accent if i == 0 else theme.faint
        end = right - style.size * (1 + 7 * i)
        canvas.panel((end - style.size * 6, h - style.size * 2.6, end, h - style.size * 0.6), fill, d.pick([0, 4, 14]))
        canvas.line(
            end - style.size * 5.8,
            h - style.size * 2.4,
            d.write.title(1),
            style.but(align="centre", colour=d.contrast(fill)),
            style.size * 5.6,
        )
    return canvas
