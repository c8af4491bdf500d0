"""The pictures of a run on its device: those that train, drawn in the shares of a recipe, and those that judge."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training import data
from training.recipe import Group


class Pictures:
    """The training pictures of all kinds on the device, and those that judge."""

    def __init__(self, pools: Mapping[str, data.Pool], splits: Mapping[str, data.Split], device: torch.device) -> None:
        self.train = {kind: (torch.from_numpy(pool.pixels).to(device), torch.from_numpy(splits[kind].train).to(device))
                      for kind, pool in pools.items() if len(splits[kind].train)}  # fmt: skip
        self.tune = {kind: pool.pixels[splits[kind].tune] for kind, pool in pools.items() if len(splits[kind].tune)}

    def add_synthetic(self, pixels: data.Pixels, device: torch.device, pool: str = data.SYNTH) -> None:
        """Rendered pictures, uint8 [n, s, s, 3], as a separate pool; the last tenth (at most 400) judges."""
        judged = min(400, max(1, len(pixels) // 10))
        self.train[pool] = (torch.from_numpy(pixels).to(device), torch.arange(len(pixels) - judged, device=device))
        self.tune[pool] = pixels[-judged:]

    def draw(self, group: Group, random: torch.Generator) -> Tensor | None:
        """Upright pictures [n, 3, s, s] for one step of the group, or None where it has no picture to draw from."""
        synthetic = group.synth_share if group.synth in self.train else 0.0
        shares = {kind: share * (1 - synthetic) for kind, share in group.kinds.items() if kind in self.train}
        if group.synth in self.train and group.wear != "photo":
            shares[group.synth] = synthetic if shares else 1.0
        parts: list[Tensor] = []
        for kind, number in _numbers(shares, group.views).items():
            pixels, rows = self.train[kind]
            drawn = pixels[rows[torch.randint(len(rows), (number,), generator=random).to(rows.device)]]
            part = drawn.permute(0, 3, 1, 2).float()
            if parts and part.shape != parts[0].shape and part.shape[2] != parts[0].shape[2]:
                part = F.interpolate(part, size=parts[0].shape[2:], mode="bilinear", antialias=True)
            parts.append(part)
        return torch.cat(parts) if parts else None


def _numbers(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers in these shares that add up to the total."""
    edges = np.round(np.cumsum([0.0, *shares.values()]) / max(sum(shares.values()), 1e-9) * total).astype(int)
    return {kind: int(n) for kind, n in zip(shares, np.diff(edges), strict=True) if n}
