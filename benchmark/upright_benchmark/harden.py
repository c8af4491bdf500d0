"""Hard forms of an upright picture, and pictures that have no up. All from a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from upright_benchmark.pictures import PLAIN, Picture, open_upright, sha256_of

QUALITY = 93
Rng = np.random.Generator
Hardened = tuple[Image.Image, float | None]  # the picture, and the clockwise degrees that straighten it if that changed


def mirrored(rng: Rng, image: Image.Image) -> Hardened:
    """Left and right exchanged, as a film scanned from behind. Its up stays where it was."""
    return ImageOps.mirror(image), None


def tilted(rng: Rng, image: Image.Image) -> Hardened:
    """Askew by 4 to 15 degrees either way, cropped so that no corner shows it."""
    tilt = float(rng.uniform(4, 15) * rng.choice([-1, 1]))
    turned = image.rotate(tilt, Image.Resampling.BICUBIC)
    share = _kept(tilt, image.width / image.height)
    w, h = image.width * share, image.height * share
    left, top = (image.width - w) / 2, (image.height - h) / 2
    return turned.crop((round(left), round(top), round(left + w), round(top + h))), tilt


def _kept(tilt: float, aspect: float) -> float:
    """The largest share of both sides that a picture turned by `tilt` degrees fills without its corners."""
    sine, cosine = np.sin(np.deg2rad(abs(tilt))), np.cos(np.deg2rad(tilt))
    longest = max(aspect, 1 / aspect)
    return float(1 / (cosine + longest * sine))


def strip(rng: Rng, image: Image.Image) -> Hardened:
    """A strip of it, six to eight times as long as wide, along one side or the other; of five drawn, the fullest."""
    long = float(rng.uniform(6, 8))
    across = rng.random() < 0.5
    width, height = image.size
    if across:
        height = max(24, min(height, round(width / long)))
    else:
        width = max(24, min(width, round(height / long)))
    room = image.width - width, image.height - height
    corners = [(int(rng.integers(0, room[0] + 1)), int(rng.integers(0, room[1] + 1))) for _ in range(5)]
    strips = [image.crop((left, top, left + width, top + height)) for left, top in corners]
    return max(strips, key=lambda part: float(np.asarray(part.convert("L")).std())), None


def blurred(rng: Rng, image: Image.Image) -> Hardened:
    """Out of focus by 0.3 to 0.6 % of its long side: words can be seen, hardly read."""
    radius = max(image.size) * float(rng.uniform(0.003, 0.006))
    return image.filter(ImageFilter.GaussianBlur(radius)), None


def small(rng: Rng, image: Image.Image) -> Hardened:
    """A thumbnail of 160 to 320 pixels."""
    side = int(rng.integers(160, 321))
    small_one = image.copy()
    small_one.thumbnail((side, side), Image.Resampling.BOX)
    return small_one, None


HARD: dict[str, Callable[[Rng, Image.Image], Hardened]] = {
    "mirrored": mirrored,
    "tilted": tilted,
    "strip": strip,
    "blurred": blurred,
    "small": small,
}


def hardened(pictures: Sequence[Picture], folder: Path, each: int) -> list[Picture]:
    """Writes `each` hard forms of every sort from the plain pictures of a folder, beside them, the same everywhere.

    Every form is made of other pictures, drawn by the hash of their ids. What cannot be read is passed over."""
    plain = sorted((p for p in pictures if p.hardness == PLAIN), key=lambda p: hashlib.sha256(p.id.encode()).digest())
    made = []
    for number, (name, form) in enumerate(HARD.items()):
        for picture in plain[number * each : (number + 1) * each]:
            seed = int.from_bytes(hashlib.sha256(f"{name} {picture.id}".encode()).digest()[:8], "big")
            try:
                upright = open_upright(folder / picture.file, picture.turn)
            except (OSError, ValueError):
                continue
            image, tilt = form(np.random.default_rng(seed), upright)
            path = folder / f"{picture.id}-{name}.jpg"
            image.save(path, "JPEG", quality=QUALITY)
            made.append(
                replace(
                    picture,
                    id=f"{picture.id}-{name}",
                    file=path.name,
                    hardness=name,
                    turn=0,
                    tilt="" if tilt is None else f"{tilt:.2f}",
                    mirrored=int(name == "mirrored"),
                    sha256=sha256_of(path),
                )
            )
    return made


def no_up(rng: Rng) -> Image.Image:
    """A picture of which nobody can say what is up: blank paper, grain, clouds, rings, tiles."""
    side = (int(rng.integers(500, 1200)), int(rng.integers(500, 1200)))
    kind = int(rng.integers(5))
    tone = rng.integers(40, 250, 3).astype(float)
    y, x = np.mgrid[-1 : 1 : side[1] * 1j, -1 : 1 : side[0] * 1j]
    if kind == 0:
        values = np.zeros(side[::-1])
    elif kind == 1:
        values = rng.normal(0, 30, side[::-1])
    elif kind == 2:
        cells = rng.normal(0, 60, (int(rng.integers(4, 20)),) * 2).astype(np.float32)
        values = np.asarray(Image.fromarray(cells).resize(side, Image.Resampling.BICUBIC))
    elif kind == 3:
        values = 50 * np.sin(np.hypot(x, y) * rng.uniform(8, 60))
    else:
        values = 45 * np.sign(np.sin(x * rng.uniform(10, 60)) * np.sin(y * rng.uniform(10, 60)))
    pixels = tone + values[..., None] + rng.normal(0, 3, (*side[::-1], 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
