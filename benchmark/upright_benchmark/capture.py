"""How a sheet became a picture: flatbed, telephone, fax, thermal printer.

Directions are drawn evenly, so that no shadow, light or edge tells what is up; what lies along lines (a fax, a print
head) tells the axis, as it does in life."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageFilter

Rng = np.random.Generator
SMALL = 48  # light and clouds are drawn so small and enlarged


def uneven_light(rng: Rng, size: tuple[int, int], low: float, high: float) -> Image.Image:
    """A smooth light from `low` to `high` (0 to 1) that falls off towards one side, with soft clouds; L."""
    y, x = np.mgrid[-1 : 1 : SMALL * 1j, -1 : 1 : SMALL * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = (x * np.cos(angle) + y * np.sin(angle)) / (abs(np.cos(angle)) + abs(np.sin(angle)))
    clouds = np.asarray(Image.fromarray(rng.normal(0, 1, (5, 5)).astype(np.float32)).resize((SMALL, SMALL), 3))
    light = low + (high - low) * np.clip(0.5 + 0.4 * slope + 0.12 * clouds, 0, 1)
    return Image.fromarray((light * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)


def lit(image: Image.Image, light: Image.Image) -> Image.Image:
    return ImageChops.multiply(image, Image.merge("RGB", [light] * 3))


def noisy(rng: Rng, image: Image.Image, strength: float) -> Image.Image:
    """Grain of one size for the three colours: a tile of 512, laid with a random offset, so that 300 dpi stay cheap."""
    grain = np.clip(128 + rng.normal(0, strength, (512, 512)), 0, 255).astype(np.uint8)
    rows, columns = -(-image.height // 512), -(-image.width // 512)
    layer = Image.fromarray(np.tile(grain, (rows, columns))[: image.height, : image.width])
    return ImageChops.add(image, Image.merge("RGB", [layer] * 3), 1, -128)


def compressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def digital(rng: Rng, image: Image.Image, dpi: int) -> tuple[Image.Image, float]:
    """As the program drew it."""
    return image, 0.0


def flatbed(rng: Rng, image: Image.Image, dpi: int) -> tuple[Image.Image, float]:
    """A page on the glass: a little askew, the lid's edge, uneven lamp, dust, what a scanner's JPEG leaves."""
    skew = float(np.clip(rng.normal(0, 0.9), -3, 3))
    lid = tuple(int(v) for v in np.full(3, rng.choice([255, 225, 30])))
    image = image.rotate(skew, Image.Resampling.BICUBIC, fillcolor=lid)
    image = image.filter(ImageFilter.GaussianBlur(dpi / 300 * rng.uniform(0.3, 1.0)))
    image = lit(image, uneven_light(rng, image.size, rng.uniform(0.86, 0.96), 1.0))
    dust = Image.fromarray((rng.random((image.height // 4, image.width // 4)) < 3e-5).astype(np.uint8) * 255)
    image.paste((90, 85, 80), (0, 0), dust.resize(image.size, Image.Resampling.BILINEAR))
    if rng.random() < 0.35:
        image = image.convert("L").convert("RGB")
    return compressed(noisy(rng, image, rng.uniform(2, 6)), int(rng.integers(60, 92))), skew


def phone(rng: Rng, image: Image.Image, dpi: int) -> tuple[Image.Image, float]:
    """Held in front of a camera: perspective, a table or wall around it, light from one side, blur, noise, JPEG."""
    w, h = image.size
    skew = float(np.clip(rng.normal(0, 2), -5, 5))
    margin = rng.uniform(0.01, 0.12, 4)
    # The corners of the picture as places on the page: top left, bottom left, bottom right, top right.
    left, top, right, bottom = -margin[0] * w, -margin[1] * h, w * (1 + margin[2]), h * (1 + margin[3])
    angle = np.deg2rad(skew)
    quad = []
    for x, y in ((left, top), (left, bottom), (right, bottom), (right, top)):
        dx, dy = x - w / 2, y - h / 2
        quad += [w / 2 + dx * np.cos(angle) - dy * np.sin(angle) + rng.normal(0, 0.014 * w),
                 h / 2 + dx * np.sin(angle) + dy * np.cos(angle) + rng.normal(0, 0.014 * h)]  # fmt: skip
    place = _perspective(quad, w, h)
    page = image.transform((w, h), Image.Transform.PERSPECTIVE, place, Image.Resampling.BICUBIC)
    mask = Image.new("L", (w, h), 255).transform((w, h), Image.Transform.PERSPECTIVE, place)
    tone = np.clip(rng.integers(50, 205) + rng.integers(-22, 23, 3), 0, 255)
    desk = noisy(rng, Image.new("RGB", (w, h), tuple(int(v) for v in tone)), rng.uniform(3, 14))
    desk = lit(desk, uneven_light(rng, (w, h), rng.uniform(0.6, 0.9), 1.0))
    desk.paste(page, (0, 0), mask)
    desk = lit(desk, uneven_light(rng, (w, h), rng.uniform(0.45, 0.85), 1.0))
    desk = desk.filter(ImageFilter.GaussianBlur(dpi / 150 * rng.uniform(0.2, 1.1)))
    warm = [Image.new("L", (1, 1), int(v)).resize((w, h)) for v in rng.integers(225, 256, 3)]
    desk = ImageChops.multiply(desk, Image.merge("RGB", warm))
    return compressed(noisy(rng, desk, rng.uniform(3, 10)), int(rng.integers(55, 92))), skew


def _perspective(quad: list[float], w: int, h: int) -> list[float]:
    """Pillow's eight coefficients that take the picture's corners to `quad` on the page."""
    rows, values = [], []
    for i, (x, y) in enumerate(((0, 0), (0, h), (w, h), (w, 0))):
        u, v = quad[2 * i], quad[2 * i + 1]
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows, float), np.array(values))]


def fax(rng: Rng, image: Image.Image, dpi: int) -> tuple[Image.Image, float]:
    """204 dots an inch across, 98 or 196 down, two tones, lines that were lost."""
    skew = float(np.clip(rng.normal(0, 0.8), -2, 2))
    page = image.convert("L").rotate(skew, Image.Resampling.BICUBIC, fillcolor=255)
    across, down = round(page.width * 204 / dpi), round(page.height * rng.choice([98, 196]) / dpi)
    grey = np.asarray(page.resize((across, down), Image.Resampling.BOX), np.int16)
    dots = np.where(grey + rng.normal(0, 10, grey.shape) > rng.uniform(120, 175), 255, 0).astype(np.uint8)
    for row in rng.integers(0, down, int(rng.integers(0, 6))):
        dots[row] = dots[max(0, row - 1)] if rng.random() < 0.6 else 0
    dots[rng.random(dots.shape) < 4e-4] = 0
    return Image.fromarray(dots).resize(image.size, Image.Resampling.NEAREST).convert("RGB"), skew


def thermal(rng: Rng, image: Image.Image, dpi: int) -> tuple[Image.Image, float]:
    """Eight dots a millimetre, ink that faded, dead dots of the print head, then a telephone or a scanner."""
    dots = image.convert("L").resize([round(side * 203 / dpi) for side in image.size], Image.Resampling.BOX)
    grey = np.asarray(dots.point(lambda v: 255 if v > 150 else 0), np.float32) / 255
    fading = np.asarray(uneven_light(rng, dots.size, rng.uniform(0.35, 0.7), 1.0), np.float32) / 255
    dark = (1 - grey) * fading
    for column in rng.integers(0, dots.width, int(rng.integers(0, 4))):
        dark[:, column : column + 2] = 0
    colour = np.array(((46, 44, 60), (60, 60, 60), (70, 52, 92))[rng.integers(3)], np.float32)
    paper = np.array((247, 246, 243), np.float32)
    printed = Image.fromarray((paper + dark[..., None] * (colour - paper)).astype(np.uint8)).resize(image.size)
    return (phone if rng.random() < 0.6 else flatbed)(rng, printed, dpi)


CAPTURES: dict[str, Callable[[Rng, Image.Image, int], tuple[Image.Image, float]]] = {
    "digital": digital,
    "flatbed": flatbed,
    "phone": phone,
    "fax": fax,
    "thermal": thermal,
}
"""Each takes the upright sheet and returns the picture and its tilt: the degrees clockwise that straighten it."""
