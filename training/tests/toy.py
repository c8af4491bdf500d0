"""Pictures whose upright a small network finds in seconds: a sky above, ground below, a tree or two."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def landscape(seed: int, side: int = 64) -> Image.Image:
    random = np.random.default_rng(seed)
    sky, ground = random.integers(140, 255, 3), random.integers(0, 110, 3)
    horizon = int(side * random.uniform(0.35, 0.65))
    image = Image.new("RGB", (side, side), tuple(int(c) for c in sky))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, horizon, side, side), fill=tuple(int(c) for c in ground))
    for x in random.integers(0, side, 3):
        tall = int(random.integers(8, 26))
        draw.rectangle((int(x), horizon - tall, int(x) + 2, horizon), fill=(90, 50, 20))
        draw.ellipse((int(x) - 4, horizon - tall - 6, int(x) + 6, horizon - tall + 4), fill=(20, 120, 30))
    pixels = np.asarray(image).astype(int) + random.integers(-12, 13, (side, side, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def noise(seed: int, side: int = 64) -> Image.Image:
    """Has no upright: nobody can learn it."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8))


def shard(path: Path, members: dict[str, Image.Image]) -> Path:
    """A tar of WebP pictures under these names."""
    with tarfile.open(path, "w") as tar:
        for name, image in members.items():
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=90)
            info = tarfile.TarInfo(name)
            info.size = buffer.tell()
            buffer.seek(0)
            tar.addfile(info, buffer)
    return path
