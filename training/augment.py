"""Upright squares -> turned, cropped, worn views and what would set each upright; batched, on any device.

The quarter turn is part of the sampling grid: every view is resampled exactly once whatever its turn, so that no trace
of interpolation tells the answer. All that wears a view down (blur, JPEG, ...) comes after the turn, likewise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

# ROTATIONS[k] maps the sampling grid so that the view shows the upright picture after k quarter turns clockwise.
ROTATIONS = torch.tensor(
    [[[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]]], dtype=torch.float32
)


#: Tilts are drawn evenly up to this many degrees either way.
TILT_DEGREES = 20.0


@dataclass(frozen=True)
class Labels:
    """What is true of n views."""

    turns: Tensor  # [n], 0 to 3: quarter turns clockwise that make it upright
    mirrored: Tensor  # [n], bool: left and right exchanged
    tilts: Tensor  # [n], degrees clockwise that straighten it after its turn; NaN where shear leaves no one angle


@dataclass(frozen=True)
class Wear:
    """How far views stray from their picture. Chances are per view."""

    whole: float  # chance of the whole picture rather than a part
    smallest: float  # the smallest part, as a share of the area
    mirrored: float
    inverted: float  # light and dark changed places: dark mode
    worn: float = 0.12  # chance of each of blur, noise, JPEG, lower resolution
    covered: float = 0.08
    skewed: float = 0.35  # a few degrees, with shear
    tilted: float = 0.0  # up to TILT_DEGREES, without
    strips: float = 0.0  # chance of a strip or a column, 3 to 8 times as long as wide: a line of text, a receipt

    def calm(self) -> Wear:
        """Mostly whole pictures: crops enlarge what they show, so a run ends at the sizes that it will meet in use."""
        return replace(self, whole=max(self.whole, 0.75))


PHOTO = Wear(whole=0.3, smallest=0.5, mirrored=0.5, inverted=0.02, tilted=0.25, strips=0.03)
# Part of a page is still a page; mirrored text is rare, and must not be learnt at the price of plain text.
TEXT = Wear(whole=0.45, smallest=0.12, mirrored=0.15, inverted=0.12, tilted=0.1, strips=0.1)

# Windows at reading size hold a few lines as they are: half of one is the least that a person could read.
READ = Wear(whole=0.5, smallest=0.35, mirrored=0.15, inverted=0.12, tilted=0.1, strips=0.1)

# For runs of a minute, which have no time for what is hard.
LIGHT = Wear(whole=0.7, smallest=0.7, mirrored=0, inverted=0, worn=0.05, covered=0, skewed=0.2)


class Augment:
    """Makes views of size_px from pictures [n, 3, s, s] in [0, 255]; seeded, reproducible on one device.

    What is drawn for a view is drawn on the CPU and only used on the device: a GPU that is asked what it drew stands
    still until it has answered.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.random = torch.Generator().manual_seed(seed)
        self.grain = torch.Generator(self.device).manual_seed(seed)

    def __call__(self, pictures: Tensor, size_px: int, wear: Wear) -> tuple[Tensor, Labels]:
        """Views [n, 3, size_px, size_px] float32 in [0, 255], channels last, and what is true of them."""
        return self.worn(pictures, size_px, wear, torch.randint(4, (len(pictures),), generator=self.random))

    def upright(self, pictures: Tensor, size_px: int, wear: Wear) -> tuple[Tensor, Labels]:
        """The same of views that need no turn."""
        return self.worn(pictures, size_px, wear, torch.zeros(len(pictures), dtype=torch.long))

    def worn(self, pictures: Tensor, size_px: int, wear: Wear, turns: Tensor) -> tuple[Tensor, Labels]:
        """Views that need these turns [n]."""
        x, labels = self.placed(self.sent(pictures).float(), size_px, wear, turns)
        x = self.coloured(x, wear)
        for worn_down in (self.blurred, self.coarser, self.noisy, self.compressed):
            rows = torch.nonzero(self.chance(len(x), wear.worn)).flatten()
            if len(rows):
                there = self.sent(rows)
                x[there] = worn_down(x[there])
        x = self.covered(x, wear.covered)
        return x.clamp_(0, 255).contiguous(memory_format=torch.channels_last), labels

    def uniform(self, n: int, low: float, high: float) -> Tensor:
        return torch.rand(n, generator=self.random) * (high - low) + low

    def normal(self, n: int, deviation: float) -> Tensor:
        return torch.randn(n, generator=self.random) * deviation

    def chance(self, n: int, share: float) -> Tensor:
        return torch.rand(n, generator=self.random) < share

    def sent(self, x: Tensor) -> Tensor:
        """The same on the device."""
        return x.to(self.device, non_blocking=True)

    def placed(self, x: Tensor, size_px: int, wear: Wear, turns: Tensor) -> tuple[Tensor, Labels]:
        """A part of each picture, its aspect changed, perhaps mirrored, skewed or tilted, turned away from upright."""
        n = len(x)
        area = torch.where(self.chance(n, wear.whole), 1.0, self.uniform(n, wear.smallest, 1.0))
        tilted = self.chance(n, wear.tilted)
        # Squeezing along one axis changes the angle of a tilt.
        aspect = torch.where(tilted, 1.0, torch.exp(self.uniform(n, -0.35, 0.35)))
        wide, high = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
        strip, lying = self.chance(n, wear.strips), self.chance(n, 0.5)
        thin = 1 / self.uniform(n, 3, 8)
        wide = torch.where(strip, torch.where(lying, 1.0, thin), wide)
        high = torch.where(strip, torch.where(lying, thin, 1.0), high)
        skewed = self.chance(n, wear.skewed)
        tilt = self.uniform(n, -math.radians(TILT_DEGREES), math.radians(TILT_DEGREES))
        # Nothing from beyond the picture: what is reflected at a slanting edge would tell the tilt.
        within = torch.where(tilted & ~strip, tilt.cos() + tilt.sin().abs(), 1.0)
        wide, high = wide.clamp(max=1 / within), high.clamp(max=1 / within)
        x_centre = self.uniform(n, -1, 1) * (1 - wide * within)
        y_centre = self.uniform(n, -1, 1) * (1 - high * within)
        angle = torch.where(tilted, tilt, self.normal(n, math.radians(5)) * skewed)
        shear = self.normal(n, 0.05) * skewed * ~tilted
        mirrored = self.chance(n, wear.mirrored)
        mirror = torch.where(mirrored, -1.0, 1.0)
        cosine, sine = angle.cos(), angle.sin()
        rows = [torch.stack([mirror * wide * cosine, high * (shear * cosine - sine)], 1)]
        rows += [torch.stack([mirror * wide * sine, high * (shear * sine + cosine)], 1)]
        # A view that needs turn t was turned by -t: the turn that undoes k quarter turns is (-k) % 4.
        placing = torch.stack(rows, 1) @ ROTATIONS[-turns % 4]
        theta = self.sent(torch.cat([placing, torch.stack([x_centre, y_centre], 1).unsqueeze(2)], 2))
        if x.shape[2] > 1.5 * size_px:  # grid_sample takes single points: shrink before, or it aliases
            x = F.interpolate(x, size=(size_px * 5 // 4,) * 2, mode="area")
        grid = F.affine_grid(theta, [n, 3, size_px, size_px], align_corners=False)
        # Samples are taken from places turned clockwise by the angle, so what is shown leans the other way.
        tilts = torch.where((shear == 0) & ~strip, torch.rad2deg(angle * mirror), torch.nan)
        view = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        return view, Labels(self.sent(turns), self.sent(mirrored), self.sent(tilts))

    def coloured(self, x: Tensor, wear: Wear) -> Tensor:
        """Saturation down to grey, contrast up, down or inverted, brightness, a tint."""
        n = len(x)
        drawn = torch.where(self.chance(n, 0.5), 1.0, self.uniform(n, 0.3, 1.7))
        saturation = torch.where(self.chance(n, 0.15), 0.0, drawn)
        contrast = torch.where(self.chance(n, 0.4), 1.0, self.uniform(n, 0.55, 1.45))
        contrast = torch.where(self.chance(n, wear.inverted), -contrast, contrast)
        tint = self.normal(3 * n, 8).view(n, 3, 1, 1) * self.chance(n, 0.3).view(-1, 1, 1, 1)
        brightness = self.normal(n, 25) + 127.5 * (1 - contrast)
        kept, greyed = (saturation * contrast).view(-1, 1, 1, 1), ((1 - saturation) * contrast).view(-1, 1, 1, 1)
        shift = brightness.view(-1, 1, 1, 1) + tint
        # One affine map of the colours, in place: as separate steps it took twice the time of the resampling.
        grey = x.mean(1, keepdim=True)
        return x.mul_(self.sent(kept)).addcmul_(grey, self.sent(greyed)).add_(self.sent(shift))

    def blurred(self, x: Tensor) -> Tensor:
        """Gaussian, up to 1.5 px, not the same along both axes (a moving hand blurs one)."""
        n, channels, high, wide = x.shape
        offsets = torch.arange(-4, 5, dtype=torch.float32)
        for axis in (2, 3):
            sigma = self.uniform(n, 0.3, 1.5).view(-1, 1)
            kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
            kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
            shape = (-1, 1, 9, 1) if axis == 2 else (-1, 1, 1, 9)
            padding = (0, 0, 4, 4) if axis == 2 else (4, 4, 0, 0)
            flat = F.pad(x.reshape(1, n * channels, high, wide), padding, mode="reflect")
            x = F.conv2d(flat, self.sent(kernel).view(shape), groups=n * channels).view(n, channels, high, wide)
        return x

    def coarser(self, x: Tensor) -> Tensor:
        """Fewer pixels, by another factor along each axis, and enlarged again."""
        size = x.shape[2]
        high, wide = (size / self.uniform(2, 1.0, 2.2)).int().tolist()
        return F.interpolate(F.interpolate(x, size=(high, wide), mode="area"), size=(size, size), mode="bilinear")

    def noisy(self, x: Tensor) -> Tensor:
        noise = torch.randn(x.shape, generator=self.grain, device=self.device)
        return x + noise * self.sent(self.uniform(len(x), 2, 18)).view(-1, 1, 1, 1)

    def compressed(self, x: Tensor) -> Tensor:
        return jpeg(x, self.sent(self.uniform(len(x), 10, 80)))

    def covered(self, x: Tensor, share: float) -> Tensor:
        """A rectangle of one colour over a tenth to half of each side."""
        rows = torch.nonzero(self.chance(len(x), share)).flatten().tolist()
        size = x.shape[2]
        for row in rows:
            high, wide, top, left, *colour = self.uniform(7, 0, 1).tolist()
            high, wide = 0.1 + 0.4 * high, 0.1 + 0.4 * wide
            y, z = int(top * (1 - high) * size), int(left * (1 - wide) * size)
            patch = self.sent(255 * torch.tensor(colour)).view(3, 1, 1)
            x[row, :, y : y + int(high * size), z : z + int(wide * size)] = patch
        return x


# ITU-T T.81 (JPEG), annex K: the example tables for luminance and chrominance, at quality 50.
LUMINANCE = torch.tensor([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
], dtype=torch.float32)  # fmt: skip
CHROMINANCE = torch.full((8, 8), 99.0)
CHROMINANCE[:4, :4] = torch.tensor([[17.0, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])
# JFIF 1.02: RGB -> luminance, two colour differences.
TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_K = torch.arange(8, dtype=torch.float32)
COSINES = torch.cos((2 * _K[None] + 1) * _K[:, None] * math.pi / 16) * torch.where(_K[:, None] == 0, 8**-0.5, 0.5)


def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """Pictures [n, 3, h, w] in [0, 255] as JPEG of `quality` [n] in 1..100 gives them back, colour halved (4:2:0)."""
    high, wide = x.shape[2:]
    padded = F.pad(x.clamp(0, 255), (0, -wide % 16, 0, -high % 16), mode="replicate")
    ycc = torch.einsum("ij,njhw->nihw", TO_YCC.to(x.device), padded - 128.0)
    # libjpeg's rule: quality 50 takes the tables as they are.
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).view(-1, 1, 1, 1, 1)
    luminance = _quantised(ycc[:, :1], LUMINANCE.to(x.device), scale)
    colour = _quantised(F.avg_pool2d(ycc[:, 1:], 2), CHROMINANCE.to(x.device), scale)
    colour = F.interpolate(colour, scale_factor=2, mode="bilinear")  # libjpeg's "fancy" upsampling
    back = torch.linalg.inv(TO_YCC).to(x.device)
    rgb = torch.einsum("ij,njhw->nihw", back, torch.cat([luminance, colour], 1)) + 128
    return rgb[:, :, :high, :wide].clamp(0, 255)


def _quantised(planes: Tensor, table: Tensor, scale: Tensor) -> Tensor:
    """Planes [n, c, h, w] after the cosine transform of their 8 x 8 blocks, rounding to the table's steps, and back."""
    n, channels, high, wide = planes.shape
    cosines = COSINES.to(planes.device)
    blocks = planes.view(n, channels, high // 8, 8, wide // 8, 8).transpose(3, 4)
    steps = (table * scale.unsqueeze(-1)).round().clamp(1, 255)
    waves = torch.round(cosines @ blocks @ cosines.T / steps) * steps
    return (cosines.T @ waves @ cosines).transpose(3, 4).reshape(n, channels, high, wide)


def turned_away(pictures: Tensor, turns: Tensor) -> Tensor:
    """Pictures [n, 3, s, s] shown so that `turns` sets each upright: what the label means, without wear."""
    theta = F.pad(ROTATIONS.to(pictures.device)[-turns % 4], (0, 1))
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures.float(), grid, align_corners=False)
