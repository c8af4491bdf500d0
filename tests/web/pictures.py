"""Pictures drawn for the tests: pages, signs and skies that have a plain up and down."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_TEXT = (  # noqa: SIM905
    "The turn is the clockwise quarter that makes a picture upright. A page that lies on its side is read with "
    "the head tilted, and nobody likes to do that for long. Whoever scans a hundred letters in an afternoon feeds "
    "some of them the wrong way round, and the machine does not mind. Dear reader, please find enclosed the list "
    "of goods, the weights and the prices, with our kind regards."
).split()
_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


def page(width: int, height: int, seed: int) -> Image.Image:
    """A letter: a heading and paragraphs, ragged right."""
    rng = random.Random(seed)
    image = Image.new("RGB", (width, height), (250, 249, 245))
    draw = ImageDraw.Draw(image)
    size = width // 30
    margin, y = width // 10, height // 14
    draw.text((margin, y), f"Letter {seed}", fill=(20, 20, 60), font=ImageFont.load_default(size * 2))
    y += size * 4
    body = ImageFont.load_default(size)
    while y < height - margin - size:
        if rng.random() < 0.12:
            y += size
            continue
        line = ""
        while draw.textlength(line, font=body) < (width - 2.6 * margin) * (1 if rng.random() > 0.03 else 0.4):
            line += rng.choice(_TEXT) + " "
        draw.text((margin, y), line.strip(), fill=(40, 40, 40), font=body)
        y += int(size * 1.5)
    return image


def sign(width: int, height: int, seed: int) -> Image.Image:
    """A road sign before sky and meadow."""
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    for y in range(height):
        shade = y / height
        above = (90 + int(110 * shade), 150 + int(70 * shade), 235)
        colour = above if shade < 0.65 else (70, 130 - int(50 * shade), 50)
        draw.line([(0, y), (width, y)], fill=colour)
    post = width // 40
    draw.rectangle([width // 2 - post, height // 2, width // 2 + post, height], fill=(120, 120, 125))
    box = [width // 8, height // 6, width * 7 // 8, height * 6 // 10]
    draw.rounded_rectangle(box, width // 30, fill=(20, 70, 150), outline="white", width=max(2, width // 120))
    font = ImageFont.load_default(width // 9)
    text = ("STATION", "MUSEUM", "HARBOUR", "AIRPORT")[seed % 4]
    draw.text((width // 2, height * 23 // 60), text, fill="white", font=font, anchor="mm")
    return image


def sky(width: int, height: int, dark: int = 40) -> Image.Image:
    """Bright above, dark below: what tiny_model is sure of."""
    ramp = Image.linear_gradient("L").resize((width, height))
    return ramp.point(lambda value: 235 - value * (235 - dark) // 255).convert("RGB")


def turned(image: Image.Image, needed: int) -> Image.Image:
    """The picture lying so that it needs a clockwise turn of ``needed`` degrees."""
    return image.transpose(_TURNS[needed]) if needed else image


def make_pictures(folder: Path) -> None:
    """Write the set that all tests share; each name tells the clockwise turn that the picture needs."""
    for needed in (0, 90, 180, 270):
        turned(page(900, 1200, needed), needed).save(folder / f"letter-{needed}.jpg", quality=88)
        turned(sign(640, 480, needed // 90), needed).save(folder / f"sign-{needed}.png")
        turned(sky(120, 90), needed).save(folder / f"sky-{needed}.png")
    # Shown turned by its tag already: stored on its side, needing 180 as shown.
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "upright"
    stored = turned(page(1500, 2000, 5), 180).transpose(Image.Transpose.ROTATE_90)
    stored.save(folder / "tagged-180.jpg", quality=90, exif=exif, icc_profile=None)
    turned(page(1800, 2500, 6), 90).save(folder / "large-90.jpg", quality=85)
    turned(page(900, 1200, 7), 270).save(folder / "letter-270.webp", quality=85)
    turned(page(900, 1200, 8), 180).convert("L").save(folder / "grey-180.jpg", progressive=True)
    Image.new("RGB", (500, 400), (235, 235, 230)).save(folder / "blank.png")
