"""Large upright pages whose text is too small for one view of 224 pixels: posters, newspapers, plans, long receipts
and long screenshots, 1,500 to 6,000 pixels, drawn from a seed.

    python bench/large_pages.py [--seed 5] [--each 8] [--folder bench/out/large_pages]

Words are frequent ones of ten languages (training/synth/lexicon.py), letters those that come with matplotlib, so that
a seed gives the same pages everywhere. Files: `<kind>-<number>.jpg` and `.png`.
"""

from __future__ import annotations

import argparse
import runpy
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
# By its path: the package around it wants what only training installs.
FREQUENT: dict[str, str] = runpy.run_path(str(HERE.parent / "training" / "synth" / "lexicon.py"))["FREQUENT"]
LANGUAGES = ("en", "de", "fr", "es", "it", "pl", "cs", "tr", "ru", "el")
SERIF, SANS, MONO = ("DejaVuSerif", "DejaVuSans", "DejaVuSansMono")


@cache
def font(name: str, size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    import matplotlib

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return ImageFont.truetype(str(folder / f"{name}{'-Bold' if bold else ''}.ttf"), size_px)


class Sheet:
    """A page that is being drawn, in one language."""

    def __init__(self, seed: int, size: tuple[int, int], paper: tuple[int, int, int] = (255, 255, 255)) -> None:
        self.rng = np.random.default_rng(seed)
        self.words = FREQUENT[LANGUAGES[self.rng.integers(len(LANGUAGES))]].split()
        self.image = Image.new("RGB", size, paper)
        self.draw = ImageDraw.Draw(self.image)

    def some(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def prose(self, words: int) -> str:
        text = [self.words[i] for i in self.rng.integers(len(self.words), size=words)]
        for start in np.flatnonzero(self.rng.random(words) < 0.1):
            text[start] = text[start].capitalize()
            text[start - 1] += "."
        return " ".join(text)

    def line(self, x: int, y: int, width: int, face: ImageFont.FreeTypeFont, fill: object = (25, 25, 25)) -> None:
        """One line of words that ends inside the width."""
        text = self.prose(max(2, int(width / face.size / 3)))
        while face.getlength(text) > width and " " in text:
            text = text.rsplit(" ", 1)[0]
        self.draw.text((x, y), text, font=face, fill=fill)

    def column(self, x: int, y: int, width: int, bottom: int, face: ImageFont.FreeTypeFont) -> None:
        """Paragraphs down to the bottom."""
        step = round(face.size * 1.35)
        while y + step < bottom:
            short = self.rng.random() < 0.12
            self.line(x, y, int(width * (self.rng.uniform(0.2, 0.8) if short else 1)), face)
            y += step * (2 if short else 1)

    def picture(self, box: tuple[int, int, int, int]) -> None:
        """A picture without an up: soft noise."""
        width, height = box[2] - box[0], box[3] - box[1]
        cells = self.rng.integers(40, 230, (6, 8, 3)).astype(np.uint8)
        self.image.paste(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC), box[:2])


def newspaper(seed: int) -> Image.Image:
    size = np.random.default_rng(seed).integers((2600, 3600), (4000, 5600))
    s = Sheet(seed, (int(size[0]), int(size[1])), (246, 243, 234))
    columns, gap, margin = s.some(5, 8), 40, 120
    width = (s.image.width - 2 * margin - (columns - 1) * gap) // columns
    body = font(SERIF, s.some(18, 24))
    for column in range(columns):
        x, y = margin + column * (width + gap), margin
        while y < s.image.height - margin - 200:
            s.line(x, y, width, font(SERIF, s.some(30, 52), bold=True))
            bottom = min(y + s.some(500, 1600), s.image.height - margin)
            if s.rng.random() < 0.25:
                s.picture((x, y + 80, x + width, min(y + 80 + width * 3 // 4, bottom)))
                s.column(x, min(y + 100 + width * 3 // 4, bottom), width, bottom, body)
            else:
                s.column(x, y + 80, width, bottom, body)
            y = bottom + 60
    return s.image


def poster(seed: int) -> Image.Image:
    """A conference poster: boxes of small text and figures under a title."""
    s = Sheet(seed, (3300, 4600) if seed % 2 else (4600, 3300), (235, 240, 248))
    columns, gap, body = s.some(3, 5), 60, font(SANS, s.some(24, 34))
    s.line(150, 90, s.image.width - 300, font(SANS, s.some(60, 90), bold=True), (20, 40, 110))
    width = (s.image.width - 200 - (columns - 1) * gap) // columns
    for column in range(columns):
        x, y = 100 + column * (width + gap), 260
        while y < s.image.height - 300:
            bottom = min(y + s.some(500, 1200), s.image.height - 80)
            s.draw.rectangle((x, y, x + width, bottom), fill=(255, 255, 255), outline=(120, 130, 160), width=4)
            s.line(x + 30, y + 20, width - 60, font(SANS, s.some(34, 46), bold=True), (20, 40, 110))
            if s.rng.random() < 0.35:
                s.picture((x + 30, y + 90, x + width - 30, bottom - 90))
                s.line(x + 30, bottom - 70, width - 60, body)
            else:
                s.column(x + 30, y + 90, width - 60, bottom - 20, body)
            y = bottom + gap
    return s.image


def plan(seed: int) -> Image.Image:
    """A drawing of walls and measures; labels are small, some of the measures are turned, one title block."""
    w = 4200 + 200 * (seed % 9)
    h = w * 5 // 7
    s = Sheet(seed, (w, h))
    s.draw.rectangle((60, 60, w - 60, h - 60), outline="black", width=8)
    xs, ys = (np.sort(s.rng.integers(200, end - 200, s.some(7, 12))) for end in (w, h))
    for x in xs:
        s.draw.line((x, s.some(100, h // 3), x, s.some(h // 2, h - 100)), fill="black", width=s.some(3, 14))
    for y in ys:
        s.draw.line((s.some(100, w // 3), y, s.some(w // 2, w - 100), y), fill="black", width=s.some(3, 14))
    face = font(SANS, s.some(22, 32))
    for _ in range(s.some(90, 180)):
        x, y = s.some(150, w - 500), s.some(150, h - 200)
        if s.rng.random() < 0.25:
            note = Image.new("L", (140, 40), 0)
            ImageDraw.Draw(note).text((4, 2), str(s.some(100, 9999)), font=face, fill=255)
            s.image.paste((20, 20, 20), (x, y), note.transpose(Image.Transpose.ROTATE_90))
            continue
        for row in range(s.some(1, 3)):
            s.line(x, y + row * 40, s.some(120, 400), face)
    s.draw.rectangle((w - 900, h - 560, w - 60, h - 60), fill="white", outline="black", width=6)
    s.column(w - 870, h - 540, 780, h - 80, face)
    return s.image


def receipt(seed: int) -> Image.Image:
    s = Sheet(seed, (700 + 50 * (seed % 7), 3600 + 300 * (seed % 9)), (250, 250, 247))
    face, y, w = font(MONO, s.some(24, 30)), 80, s.image.width
    while y < s.image.height - 120:
        if s.rng.random() < 0.06:
            s.draw.line((50, y + 18, w - 50, y + 18), fill=(60, 60, 60), width=2)
        elif s.rng.random() < 0.1:
            s.line(s.some(50, w // 3), y, w // 2, face)
        else:
            s.line(50, y, w - 330, face)
            price = f"{s.some(0, 99)},{s.some(10, 99)}"
            s.draw.text((w - 50 - face.getlength(price), y), price, font=face, fill=(25, 25, 25))
        y += round(face.size * 1.5)
    return s.image


def screenshot(seed: int) -> Image.Image:
    """A long web page or chat, dark or light."""
    dark = seed % 2 == 0
    s = Sheet(seed, (1100 + 100 * (seed % 6), 4800 + 150 * (seed % 9)), (24, 26, 30) if dark else (250, 250, 252))
    ink, face, y, w = (220, 222, 226) if dark else (30, 32, 36), font(SANS, s.some(17, 22)), 40, s.image.width
    while y < s.image.height - 200:
        lines, left = s.some(1, 7), s.some(40, w // 3)
        width, height = s.some(w // 3, w - left - 40), lines * 30 + 30
        if s.rng.random() < 0.6:
            fill = (44, 48, 56) if dark else (226, 232, 242)
            s.draw.rounded_rectangle((left, y, left + width, y + height), 18, fill=fill)
        for row in range(lines):
            last = row == lines - 1
            s.line(left + 20, y + 14 + row * 30, int((width - 40) * (s.rng.uniform(0.2, 1) if last else 1)), face, ink)
        y += height + s.some(14, 90)
    return s.image


KINDS: dict[str, Callable[[int], Image.Image]] = {
    draw.__name__: draw for draw in (poster, newspaper, plan, receipt, screenshot)
}


def made(folder: Path, seed: int, each: int) -> Iterator[tuple[str, Path]]:
    """The kind and file of each page; drawn where it is not there yet. Prints and photographs are JPEG, else PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for nth, (kind, draw) in enumerate(KINDS.items()):
        for number in range(each):
            lossy = kind in ("poster", "newspaper", "receipt") and number % 2 == 0
            path = folder / f"{kind}-{seed}-{number}.{'jpg' if lossy else 'png'}"
            if not path.exists():
                options = {"quality": 85} if lossy else {"compress_level": 1}
                draw(1000 * seed + 100 * nth + number).save(path, **options)
            yield kind, path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--each", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=HERE / "out" / "large_pages")
    arguments = parser.parse_args()
    for kind, path in made(arguments.folder, arguments.seed, arguments.each):
        print(f"{kind:<12}{path}")


if __name__ == "__main__":
    main()
