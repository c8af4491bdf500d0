"""Prints, folds, lights, photographs, compresses. Every direction is drawn evenly: nothing here shows what is up."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from training.synth.draft import Draft

SIZE_PX = 288


def ramp(width: int, height: int, angle: float) -> np.ndarray:
    """float32 [height, width] rising from -1 to 1 along `angle` (radians) across the picture."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    along = x * np.cos(angle) + y * np.sin(angle)
    return np.asarray(along / (abs(np.cos(angle)) + abs(np.sin(angle))))


def cloud(d: Draft, width: int, height: int, cells: int) -> np.ndarray:
    """float32 [height, width] of smooth noise in about [-1, 1], `cells` bumps across."""
    coarse = d.rng.normal(0, 0.5, (max(2, cells), max(2, cells))).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def light(d: Draft, x: np.ndarray) -> np.ndarray:
    """Lighting that falls off to one side, soft shadows, the edge of a shadow."""
    h, w = x.shape[:2]
    shade = np.ones((h, w), np.float32)
    if d.chance(0.6):
        shade += d.real(0.03, 0.28) * ramp(w, h, d.real(0, 2 * np.pi))
    if d.chance(0.4):
        shade += d.real(0.02, 0.14) * cloud(d, w, h, d.whole(2, 5))
    if d.chance(0.15):
        edge = (ramp(w, h, d.real(0, 2 * np.pi)) - d.real(-0.6, 0.6)) * d.real(3, 40)
        shade *= 1 - d.real(0.1, 0.45) / (1 + np.exp(-edge))
    if d.chance(0.12):
        spot = ramp(w, h, 0) - d.real(-1, 1), ramp(w, h, np.pi / 2) - d.real(-1, 1)
        shade += d.real(0.1, 0.5) * np.exp(-(spot[0] ** 2 + spot[1] ** 2) * d.real(1.5, 9))
    return np.asarray(x * shade[..., None])


def fold(d: Draft, x: np.ndarray) -> np.ndarray:
    """One or two creases: a thin line, and paper that is lighter on one of its sides."""
    h, w = x.shape[:2]
    for _ in range(d.whole(1, 2)):
        angle = d.pick([0.0, np.pi / 2, np.pi, -np.pi / 2]) + d.rng.normal(0, 0.03)
        along = ramp(w, h, angle) - d.real(-0.6, 0.6)
        crease = np.exp(-np.abs(along) * d.real(60, 250)) * d.real(-0.3, 0.15)
        x = x * (1 + crease + d.real(0, 0.09) * np.sign(along) * np.exp(-np.abs(along) * d.real(1, 8)))[..., None]
    return x


def speckle(d: Draft, x: np.ndarray) -> np.ndarray:
    """Scanner dust, toner that missed, ink that bled."""
    h, w = x.shape[:2]
    dots = d.rng.random((h, w), dtype=np.float32)
    x = np.where((dots < d.real(0, 0.004))[..., None], d.real(0, 90), x)
    return np.asarray(np.where((dots > 1 - d.real(0, 0.01))[..., None], d.real(200, 255), x))


def onto_desk(d: Draft, image: Image.Image) -> Image.Image:
    """A photograph of the picture lying on something: small perspective, up to 5 degrees of skew, a background."""
    w, h = image.size
    margins = [d.real(-0.03, 0.16) for _ in range(4)] if d.chance(0.7) else [d.real(-0.05, 0.02) for _ in range(4)]
    left, top, right, bottom = -margins[0] * w, -margins[1] * h, w * (1 + margins[2]), h * (1 + margins[3])
    skew, bend = np.deg2rad(np.clip(d.rng.normal(0, 1.8), -5, 5)), 0.03
    quad = []
    for x, y in ((left, top), (left, bottom), (right, bottom), (right, top)):
        cx, cy = x - w / 2, y - h / 2
        quad += [
            w / 2 + cx * np.cos(skew) - cy * np.sin(skew) + d.rng.normal(0, bend * w * 0.5),
            h / 2 + cx * np.sin(skew) + cy * np.cos(skew) + d.rng.normal(0, bend * h * 0.5),
        ]
    desk = d.photo(w, h) if d.chance(0.35) else None
    if desk is None:
        base = np.array(d.colour((0.1, 0.9), (0, 0.5)), np.float32)
        grain = cloud(d, w, h, d.whole(2, 40)) * d.real(0, 30) + d.rng.normal(0, d.real(0, 10), (h, w))
        desk = Image.fromarray(np.clip(base + grain[..., None], 0, 255).astype(np.uint8))
    else:
        desk = desk.rotate(d.pick([0, 90, 180, 270])).resize((w, h))
    place = perspective(quad, w, h)
    paper = image.transform((w, h), Image.Transform.PERSPECTIVE, place, Image.Resampling.BILINEAR)
    mask = Image.new("L", (w, h), 255).transform((w, h), Image.Transform.PERSPECTIVE, place, Image.Resampling.BILINEAR)
    if d.chance(0.6):
        shadow = mask.filter(ImageFilter.BoxBlur(d.real(2, 9)))
        offset = (d.whole(-7, 7), d.whole(-7, 7))
        dark = Image.new("L", (w, h), 0)
        dark.paste(shadow.point(lambda v: int(v * 0.55)), offset)
        desk.paste((0, 0, 0), (0, 0), dark)
    desk.paste(paper, (0, 0), mask)
    return desk


def perspective(quad: list[float], width: int, height: int) -> list[float]:
    """Pillow's eight coefficients that map the output's corners (top left, then counterclockwise) to `quad`."""
    corners = ((0, 0), (0, height), (width, height), (width, 0))
    rows, values = [], []
    for i, (x, y) in enumerate(corners):
        u, v = quad[2 * i], quad[2 * i + 1]
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(c) for c in np.linalg.solve(np.array(rows, float), np.array(values))]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def tint(d: Draft, x: np.ndarray) -> np.ndarray:
    """Colour cast, gamma, contrast, fading, grey."""
    if d.chance(0.45):
        x = x * (1 + d.rng.normal(0, 0.06, 3)).astype(np.float32)
    if d.chance(0.4):
        x = 255 * np.clip(x / 255, 0, 1) ** np.exp(d.rng.normal(0, 0.3))
    if d.chance(0.4):
        x = (x - 128) * d.real(0.45, 1.1) + 128 + d.rng.normal(0, 18)
    if d.chance(0.15):
        x = np.repeat(x.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(x)


def finish(d: Draft, image: Image.Image, harm: float) -> np.ndarray:
    """Squashes to uint8 [288, 288, 3], with blur, noise and JPEG in proportion to `harm` (0 to 1)."""
    if d.chance(0.12 * harm + 0.03):
        image = jpeg(image, d.whole(20, 80))
    if d.chance(0.3 * harm):
        low = [int(SIZE_PX / d.real(1, 1 + 0.7 * harm)) for _ in range(2)]
        image = image.resize((low[0], low[1]), Image.Resampling.BOX)
    image = image.resize(
        (SIZE_PX, SIZE_PX), Image.Resampling.BOX if min(image.size) > SIZE_PX else Image.Resampling.BICUBIC
    )
    if d.chance(0.35 * harm):
        image = image.filter(ImageFilter.GaussianBlur((d.real(0, 0.9), d.real(0, 0.9))))
    x = tint(d, np.asarray(image, np.float32)) if d.chance(0.4 + 0.6 * harm) else np.asarray(image, np.float32)
    if d.chance(0.5 * harm):
        x = x + d.rng.normal(0, d.real(1, 14), (SIZE_PX, SIZE_PX, d.pick([1, 3]))).astype(np.float32)
    image = Image.fromarray(np.clip(x, 0, 255).astype(np.uint8))
    if d.chance(0.25 + 0.5 * harm):
        image = jpeg(image, d.whole(25, 92))
    return np.asarray(image)


def scan(d: Draft, image: Image.Image) -> np.ndarray:
    """A page from a scanner: skew, speckle, some shading, sometimes two tones."""
    if d.chance(0.4):
        skew = float(np.clip(d.rng.normal(0, 1.3), -5, 5))
        image = image.rotate(
            skew, Image.Resampling.BILINEAR, fillcolor=d.pick([(255, 255, 255), (20, 20, 20), (200, 200, 200)])
        )
    x = np.asarray(image, np.float32)
    x = speckle(d, x) if d.chance(0.5) else x
    x = fold(d, x) if d.chance(0.2) else x
    x = light(d, x) if d.chance(0.3) else x
    if d.chance(0.15):
        x = np.where(x.mean(axis=2, keepdims=True) > d.real(90, 170), 255.0, 0.0) * np.ones(3, np.float32)
    return finish(d, to_image(x), d.real(0, 0.8))


def photograph(d: Draft, image: Image.Image) -> np.ndarray:
    """A page or an object in front of a camera."""
    x = np.asarray(image, np.float32)
    x = fold(d, x) if d.chance(0.2) else x
    image = onto_desk(d, to_image(x))
    return finish(d, to_image(light(d, np.asarray(image, np.float32))), d.real(0.2, 1))


def photographed_screen(d: Draft, image: Image.Image) -> np.ndarray:
    """A display in front of a camera: moire, glare, perspective."""
    x = np.asarray(image, np.float32)
    h, w = x.shape[:2]
    waves = np.sin(ramp(w, h, d.real(0, 2 * np.pi)) * d.real(60, 400)) * d.real(1, 12)
    image = onto_desk(d, to_image(x + waves[..., None]))
    return finish(d, to_image(light(d, np.asarray(image, np.float32))), d.real(0.2, 0.8))


def plain(d: Draft, image: Image.Image) -> np.ndarray:
    """The file as it is: only squashed, at most compressed."""
    return finish(d, image, d.real(0, 0.25) if d.chance(0.7) else d.real(0.2, 0.9))


def to_image(x: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(x, 0, 255).astype(np.uint8))
