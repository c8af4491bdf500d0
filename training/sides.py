"""Trains the layers behind the features alone: each picture is looked at once, and its features are kept.

    python -m training.sides look --weights W --data SHARDS --pictures 8000 --seed 1 --out looks-1.npz
    python -m training.sides train --weights W --looks looks-1.npz looks-2.npz --out NEW.safetensors

A step of the whole network costs a CPU 45 to 90 ms a view; a look that is kept costs 20 ms once, and then trains as
often as is wanted, at 6,000 a second. What `look` shows is what the product shows: the whole picture and its quarters,
each in all four turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training import augment, data, network
from upright.pictures import open_picture
from upright.steps import View, render
from upright.steps.quarters import QUARTERS
from upright.turns import Turn

SIZE_PX, PICTURE_PX = 224, 288
#: Share of the pictures and how they are worn: less than where the whole network learns, as in use most are whole.
WORN = {
    "photo": (0.40, replace(augment.PHOTO, whole=0.75, tilted=0.0, strips=0.0, mirrored=0.3)),
    "doc": (0.17, replace(augment.TEXT, whole=0.75, smallest=0.3, mirrored=0.05, tilted=0.0, strips=0.0)),
    "screen": (0.13, replace(augment.TEXT, whole=0.75, smallest=0.3, mirrored=0.05, tilted=0.0, strips=0.0)),
    "scene": (0.15, replace(augment.TEXT, whole=0.75, smallest=0.3, mirrored=0.05, tilted=0.0, strips=0.0)),
    data.READ: (0.15, replace(augment.READ, whole=0.6, mirrored=0.05, strips=0.0)),
}
#: Directions of most variance that the layers learn from; they keep 64 sums of these.
DIRECTIONS = 512
BATCH = 256


class Looks(NamedTuple):
    """What the network saw of n pictures: whole, needing 0 to 3 quarter turns, then the quarters that need as many."""

    features: NDArray[np.float16]  # [n, 8, 3 x 1280]
    logits: NDArray[np.float32]  # [n, 8, 4]


def upright(
    pools: dict[str, data.Pool], drop: set[str], pictures: int, seed: int, worn: dict[str, tuple[float, augment.Wear]]
) -> Iterator[NDArray[np.uint8]]:
    """Upright pictures [288, 288, 3] of the training parts, in random order, each worn in another way."""
    random, wear = np.random.default_rng(seed), augment.Augment(seed)
    rows: list[tuple[str, int]] = []
    for kind, (share, _) in worn.items():
        if kind in pools and len(train := data.Split.by_rule(pools[kind], drop).train):
            rows += [(kind, int(row)) for row in np.resize(random.permutation(train), round(pictures * share))]
    for index in random.permutation(len(rows)):
        kind, row = rows[index]
        stored = torch.from_numpy(pools[kind].pixels[row][None]).permute(0, 3, 1, 2)
        views, _ = wear.upright(stored, PICTURE_PX, worn[kind][1])
        yield views[0].round().byte().permute(1, 2, 0).contiguous().numpy()


def views_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The eight views [8, 224, 224, 3] of an upright picture, in the order of `Looks`."""
    with open_picture(pixels) as picture:
        views = [View(turn=Turn.from_index(-needed % 4)) for needed in range(4)]
        views += sorted(QUARTERS.views(picture, SIZE_PX), key=lambda view: -view.turn.index % 4)
        return np.stack([render(picture, view, SIZE_PX) for view in views])


@torch.inference_mode()
def look(net: network.Lite, pictures: Iterator[NDArray[np.uint8]]) -> Looks:
    """All features and logits."""
    net.eval()
    features, logits = [], []
    for pixels in pictures:
        views = torch.from_numpy(views_of(pixels)).permute(0, 3, 1, 2).float()
        seen = net.features(net.front(views.contiguous(memory_format=torch.channels_last), 0), 0)
        features.append(seen.numpy().astype(np.float16))
        logits.append(net.turn(seen).numpy())
    return Looks(np.stack(features), np.stack(logits))


def whitened(features: NDArray[np.float16], directions: int) -> tuple[Tensor, Tensor]:
    """Weight [directions, 3840] and bias that give features the same variance in their first directions."""
    sample = features[:: max(1, len(features) // 4000)].reshape(-1, features.shape[-1]).astype(np.float32)
    mean, deviation = sample.mean(0), sample.std(0) + 0.05  # of many features nearly always 0
    scaled = (sample - mean) / deviation
    variances, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    chosen = axes[:, ::-1][:, :directions] / np.sqrt(np.maximum(variances[::-1][:directions], 1e-4))
    return torch.from_numpy((chosen.T / deviation).astype(np.float32)), torch.from_numpy(-(mean / deviation) @ chosen)


def learn(net: network.Lite, looks: Sequence[Looks], steps: int, rate: float, dropout: float, seed: int = 0) -> float:
    """Trains `net.sides` and the weight of the head beside it, in place. The last hundredth of the steps' mean loss."""
    torch.manual_seed(seed)
    features = np.concatenate([part.features.reshape(-1, 4, part.features.shape[-1]) for part in looks])
    logits = torch.from_numpy(np.concatenate([part.logits.reshape(-1, 4, 4) for part in looks]))
    weight, bias = whitened(features, min(DIRECTIONS, features.shape[-1]))
    seen = torch.cat(
        [torch.from_numpy(part.astype(np.float32)) @ weight.T + bias for part in np.array_split(features, 64)]
    )
    sides, head = network.Sides(), nn.Parameter(torch.ones(()))
    sides.project = nn.Linear(seen.shape[-1], network.SEEN)
    drop = nn.Dropout(dropout)
    optimiser = torch.optim.AdamW([*sides.parameters(), head], rate, weight_decay=0.3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    losses = []
    for _ in range(steps):
        rows, turns = torch.randint(len(seen), (BATCH,)), torch.randint(4, (BATCH,))
        said = head * logits[rows, turns] + sides(drop(seen[rows, turns]), drop)
        loss = F.cross_entropy(said, turns, label_smoothing=0.02)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        bias = sides.project.bias + sides.project.weight @ bias
        weight = sides.project.weight @ weight
        net.head.weight *= head
        net.head.bias *= head
        sides.project = nn.Linear(*weight.shape[::-1])
        sides.project.weight.copy_(weight)
        sides.project.bias.copy_(bias)
        net.sides.load_state_dict(sides.state_dict())
    return float(np.mean(losses[-max(1, steps // 100) :]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    first, second = commands.add_parser("look"), commands.add_parser("train")
    for command in (first, second):
        command.add_argument("--weights", required=True, type=Path, help="that nothing else of is changed")
        command.add_argument("--out", required=True, type=Path)
        command.add_argument("--threads", type=int, default=1)
        command.add_argument("--seed", type=int, default=0)
    first.add_argument("--data", required=True, type=Path, action="append", help="shards, or a folder of them")
    first.add_argument("--drop", type=Path, action="append", default=[], help="names that do not train, one a line")
    first.add_argument("--pictures", type=int, default=8000)
    second.add_argument("--looks", required=True, type=Path, nargs="+", help="what `look` wrote")
    second.add_argument("--steps", type=int, default=2500)
    second.add_argument("--rate", type=float, default=2e-3)
    second.add_argument("--dropout", type=float, default=0.3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    net, facts = network.load(options.weights)
    if options.command == "look":
        pools = data.read_shards(options.data, 160, PICTURE_PX)
        drop = set[str]().union(*(data.read_drop(path) for path in options.drop))
        np.savez(options.out, **look(net, upright(pools, drop, options.pictures, options.seed, WORN))._asdict())
    else:
        looks = [Looks(*(np.load(path)[name] for name in Looks._fields)) for path in options.looks]
        loss = learn(net, looks, options.steps, options.rate, options.dropout, options.seed)
        network.save(options.out, net, facts)
        print(f"{options.out}: {sum(len(part.logits) for part in looks)} pictures, loss {loss:.4f}")


if __name__ == "__main__":
    main()
