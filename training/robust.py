"""The robustness table: the same pictures worn in known ways, at several strengths, shown all four ways.

    python -m training.robust --model models/small --eval eval.tar --each 40 --json robust.json > robust.md

Every condition is done to the upright picture; sizes in px are for a long side of 448 px and scale with it.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from training.data import Pixels
from training.evaluate import percent
from training.heldout import Picture, read, sample
from training.looks import STEPS, Looker, Model, says
from training.measures import decided, masks, promise_row
from training.script import run

Random = np.random.Generator
Wear = Callable[[Image.Image, Random], Image.Image]

NOMINAL_PX = 448


def blur(sigma_px: float) -> Wear:
    return lambda image, _: image.filter(ImageFilter.GaussianBlur(sigma_px * max(image.size) / NOMINAL_PX))


def noise(deviation: float) -> Wear:
    def wear(image: Image.Image, random: Random) -> Image.Image:
        pixels = np.asarray(image) + random.normal(0, deviation, (image.height, image.width, 3))
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    return wear


def jpeg(quality: int) -> Wear:
    def wear(image: Image.Image, _: Random) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return wear


def small(long_side_px: int) -> Wear:
    def wear(image: Image.Image, _: Random) -> Image.Image:
        image = image.copy()
        image.thumbnail((long_side_px, long_side_px), Image.Resampling.BOX, reducing_gap=None)
        return image

    return wear


def occluded(share: float) -> Wear:
    """A grey rectangle of the picture's own shape over that share of its area, anywhere."""

    def wear(image: Image.Image, random: Random) -> Image.Image:
        width, height = (round(side * share**0.5) for side in image.size)
        left, top = (int(random.integers(0, space + 1)) for space in (image.width - width, image.height - height))
        covered = image.copy()
        covered.paste((128, 128, 128), (left, top, left + width, top + height))
        return covered

    return wear


def skewed(degrees: float) -> Wear:
    """Tilted either way; the corners take the mean colour of the border."""

    def wear(image: Image.Image, random: Random) -> Image.Image:
        pixels = np.asarray(image)
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).mean(0)
        colour = (int(border[0]), int(border[1]), int(border[2]))
        angle = degrees if random.random() < 0.5 else -degrees
        return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=colour)

    return wear


def cut(aspect: float) -> Wear:
    """The middle of the picture, as wide or as high as it can be with this width to height."""

    def wear(image: Image.Image, _: Random) -> Image.Image:
        width = min(image.width, max(1, round(image.height * aspect)))
        height = min(image.height, max(1, round(image.width / aspect)))
        left, top = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((left, top, left + width, top + height))

    return wear


CONDITIONS: dict[str, Wear] = {
    "plain": lambda image, _: image,
    **{f"blur {sigma} px": blur(sigma) for sigma in (1, 2, 4)},
    **{f"noise {deviation}": noise(deviation) for deviation in (10, 25, 50)},
    **{f"JPEG {quality}": jpeg(quality) for quality in (30, 20, 10)},
    **{f"{side} px": small(side) for side in (128, 96, 64)},
    **{f"occluded {share} %": occluded(share / 100) for share in (10, 30, 50)},
    **{f"skew {degrees}°": skewed(degrees) for degrees in (5, 10, 15)},
    "strip 6:1": cut(6),
    "column 1:8": cut(1 / 8),
    "mirrored": lambda image, _: ImageOps.mirror(image),
    "dark mode": lambda image, _: ImageOps.invert(image),
}


def worn(picture: Picture, condition: str, seed: int = 0) -> Picture:
    """The picture under a condition; the same seed gives the same pixels."""
    pixels: Pixels = np.asarray(CONDITIONS[condition](Image.fromarray(picture.pixels), np.random.default_rng(seed)))
    return replace(picture, pixels=pixels)


def robustness(model: Looker, pictures: Sequence[Picture], conditions: Sequence[str]) -> dict[str, Any]:
    """By condition, step and kind: the `promise_row` in which every answer counts."""
    kinds = [picture.kind for picture in pictures]
    table: dict[str, Any] = {}
    for condition in conditions:
        seen = [worn(picture, condition, seed) for seed, picture in enumerate(pictures)]
        for step, values in says(model, seen).items():
            answer, sure = decided(values, 1.0, 0.0)
            rows = {kind: promise_row(answer[mask], sure[mask]) for kind, mask in masks(kinds).items()}
            table.setdefault(condition, {})[step] = rows
    return table


def markdown(table: dict[str, Any], step: str) -> str:
    """Right answers of a step in per cent, and upright pictures spoilt, by kind."""
    kinds = list(next(iter(table.values()))[step])
    lines = [f"| `{step}`: right (spoilt) | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for condition, steps in table.items():
        cells = [f"{percent(row['accuracy'])} ({percent(row['spoilt'])})" for row in steps[step].values()]
        lines.append(f"| {condition} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path, help="model folder or .onnx")
    parser.add_argument("--eval", required=True, type=Path, help="tar or folder of upright pictures")
    parser.add_argument("--each", type=int, default=60, help="pictures of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--conditions", default=",".join(CONDITIONS))
    parser.add_argument("--step", default="quarters", choices=STEPS, help="which one is printed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pictures = sample(read(options.eval), options.each, options.seed)
    table = robustness(Model.open(options.model, options.threads), pictures, options.conditions.split(","))
    print(f"{options.each} pictures of each kind (seed {options.seed}), shown all four ways, no threshold.\n")
    print(markdown(table, options.step))
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    run(main)
