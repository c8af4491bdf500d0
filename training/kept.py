"""The last blocks learn from looks that are kept: what the first ones say of a view is worked out once.

    python -m training.kept look --recipe recipes/kept-on-cpu.toml --data FOLDER --synth synth.npy --run KEPT --seed 1
    python -m training.kept train --recipe recipes/kept-on-cpu.toml --data FOLDER --kept KEPT --run RUN [--resume]

`look` adds to KEPT until SIGTERM; several at once need folders and seeds of their own. `train` is training's loop on
the looks of one or more folders. Numbers are in LOG.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training import network
from training.augment import Augment
from training.export import export_onnx
from training.pictures import Pictures
from training.recipe import Group, Recipe
from training.train import WEAR, Trainer, parser, prepare, run

FACTS = "kept.json"
#: Steps whose largest values set the scale of each channel, and how much larger a value may be and be kept whole.
SCALED_BY, ROOM = 6, 1.1
#: The share of the steps in which most views show whole pictures, as in use: such looks are for the end of a run.
CALM = 0.6


class Front(nn.Module):
    """Views, uint8 NHWC -> what the first blocks say, int8 NHWC, each channel on its own scale [c]."""

    def __init__(self, net: network.Lite, blocks: int, scale: Tensor) -> None:
        super().__init__()
        self.net, self.blocks = net.eval(), blocks
        self.register_buffer("scale", scale.view(1, -1, 1, 1))

    def forward(self, views: Tensor) -> Tensor:
        """The nearest whole number of steps, at most 127 either way."""
        said = self.net.front(views.permute(0, 3, 1, 2).float(), self.blocks) / self.scale
        return said.round().clamp(-127, 127).to(torch.int8).permute(0, 2, 3, 1)


def digest(net: network.Lite, blocks: int) -> str:
    """Of the weights that `front` uses: looks of others are of no use."""
    found = hashlib.sha256()
    for module in net.front_modules(blocks):
        for value in module.state_dict().values():
            found.update(value.detach().cpu().numpy().tobytes())
    return found.hexdigest()


class Looking:
    """Draws, wears down and looks as training does, and adds to a folder what the first blocks say."""

    def __init__(self, recipe: Recipe, pictures: Pictures, folder: Path, seed: int, calm: float = CALM) -> None:
        self.recipe, self.pictures, self.folder, self.calm = recipe, pictures, folder, calm
        self.augment, self.stopped = Augment(seed), False
        folder.mkdir(parents=True, exist_ok=True)
        net, _ = network.start(recipe.start, recipe.variant)
        facts = folder / FACTS
        if facts.exists() and all(path.stat().st_size for n in range(len(recipe.group)) for path in _files(folder, n)):
            there = Kept(folder, net, recipe)
            there.cut()
            self.facts, self.augment = there.facts, Augment(seed + len(there.turns[0]))  # other views than those
        else:
            self.facts = {
                "digest": digest(net, recipe.frozen_blocks), "sizes": [group.size_px for group in recipe.group],
                "scale": self._scale(net).tolist(),
            }  # fmt: skip
            for number in range(len(recipe.group)):
                for path in _files(folder, number):
                    path.write_bytes(b"")
            facts.write_text(json.dumps(self.facts))
        front = Front(net, recipe.frozen_blocks, torch.tensor(self.facts["scale"]))
        self.sessions = {size_px: _session(front, size_px) for size_px in set(self.facts["sizes"])}

    def views(self, group: Group) -> tuple[Tensor, Tensor]:
        """Views [n, 3, s, s] of a step, and the turns [n] that they need."""
        pictures = self.pictures.draw(group, self.augment.random)
        assert pictures is not None, f"no pictures for the group {group.wear}"
        wear, calm = WEAR[group.wear], bool(self.augment.chance(1, self.calm))
        views, labels = self.augment(pictures, group.size_px, wear.calm() if calm else wear)
        return views, labels.turns

    @torch.inference_mode()
    def _scale(self, net: network.Lite) -> Tensor:
        most = [
            net.eval().front(self.views(group)[0], self.recipe.frozen_blocks).abs().amax((0, 2, 3))
            for _ in range(SCALED_BY)
            for group in self.recipe.group
        ]
        return torch.stack(most).amax(0) * ROOM / 127

    def run(self, steps: int | None = None) -> None:
        """Looks until it is stopped, or for so many steps."""
        step = 0
        while not self.stopped and step != steps:
            for number, group in enumerate(self.recipe.group):
                views, turns = self.views(group)
                pixels = views.round().byte().permute(0, 2, 3, 1).contiguous().numpy()
                (said,) = self.sessions[group.size_px].run(None, {"pictures": pixels})
                looks, labels = _files(self.folder, number)
                with looks.open("ab") as file:
                    file.write(said.tobytes())
                with labels.open("ab") as file:
                    file.write(turns.byte().numpy().tobytes())
            step += 1
            if step % 200 == 0:
                print(f"{step * sum(group.views for group in self.recipe.group)} views", flush=True)

    def stop(self, *_: object) -> None:
        self.stopped = True


def _session(front: Front, size_px: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "front.onnx"
        export_onnx(front, path, size_px)
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _files(folder: Path, number: int) -> tuple[Path, Path]:
    """Of a group: the looks, and the turns."""
    return folder / f"group-{number}.int8", folder / f"group-{number}.turns"


def check(facts: dict[str, Any], net: network.Lite, recipe: Recipe, folder: Path) -> None:
    """ValueError where looks were kept of other first blocks, or at other sizes."""
    if facts["digest"] != digest(net, recipe.frozen_blocks):
        raise ValueError(f"{folder}: holds looks by other weights than those of {recipe.start}; look again")
    if facts["sizes"] != [group.size_px for group in recipe.group]:
        raise ValueError(f"{folder}: holds looks at {facts['sizes']} px; look again, or use the recipe of then")


class Kept:
    """The looks of one folder: of each group int8 [n, s, s, c] on the disk, and the turns [n]."""

    def __init__(self, folder: Path, net: network.Lite, recipe: Recipe) -> None:
        self.folder, self.facts = folder, json.loads((folder / FACTS).read_text())
        check(self.facts, net, recipe, folder)
        self.scale = torch.tensor(self.facts["scale"]).view(1, -1, 1, 1)
        self.looks: list[NDArray[np.int8]] = []
        self.turns: list[NDArray[np.uint8]] = []
        for number, size_px in enumerate(self.facts["sizes"]):
            with torch.inference_mode():
                shape = net.front(torch.zeros(1, 3, size_px, size_px), recipe.frozen_blocks).permute(0, 2, 3, 1).shape
            looks, labels = _files(folder, number)
            turns = np.fromfile(labels, np.uint8)
            whole = min(len(turns), looks.stat().st_size // shape.numel())
            if not whole:
                raise ValueError(f"{folder}: holds no look of group {number} yet")
            self.looks.append(np.memmap(looks, np.int8, "r", shape=(whole, *shape[1:])))
            self.turns.append(turns[:whole])

    def cut(self) -> None:
        """Cut off what is not whole: what is added behind it would have the turns of others."""
        for number, looks in enumerate(self.looks):
            for path, size in zip(_files(self.folder, number), (looks.nbytes, len(looks)), strict=True):
                os.truncate(path, size)

    def some(self, number: int, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """What the first blocks said of these views of a group, float [n, c, s, s], and the turns."""
        said = torch.from_numpy(self.looks[number][rows]).permute(0, 3, 1, 2)
        return said * self.scale, torch.from_numpy(self.turns[number][rows]).long()


class KeptTrainer(Trainer):
    """Trains what comes after the frozen blocks; `pictures` only judge."""

    def __init__(
        self, recipe: Recipe, pictures: Pictures, run: Path, device: torch.device, folders: Sequence[Path]
    ) -> None:
        super().__init__(recipe, pictures, run, device)
        self.kept = [Kept(folder, self.average, recipe) for folder in folders]

    def group_step(self, group: Group, progress: float) -> tuple[Tensor, Tensor]:
        number = self.recipe.group.index(group)
        ends = np.cumsum([len(kept.turns[number]) for kept in self.kept])
        rows = torch.randint(int(ends[-1]), (group.views,), generator=self.augment.random).sort().values.numpy()
        parts, first = [], 0
        for kept, end in zip(self.kept, ends, strict=True):
            parts.append(kept.some(number, rows[(rows >= first) & (rows < end)] - first))
            first = int(end)
        said, turns = (torch.cat(each).to(self.device) for each in zip(*parts, strict=True))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            logits = self.net.heads(self.net.features(said, self.frozen)).turn.float()
        return self.loss(said, logits, turns), (logits.detach().argmax(1) == turns).float().mean()


def main() -> None:
    options = parser(__doc__)
    options.add_argument("what", choices=["look", "train"])
    options.add_argument("--kept", type=Path, action="append", default=[], help="of `train`: looks; may be given again")
    options.add_argument("--seed", type=int, default=1, help="of `look`: another for each folder")
    options.add_argument(
        "--calm", type=float, default=CALM, help="of `look`: share of steps with mostly whole pictures"
    )
    chosen = options.parse_args()
    if chosen.what == "train" and not chosen.kept:
        options.error("name the looks to train with: --kept FOLDER")
    recipe, pictures, device = prepare(chosen)
    if chosen.what == "train":
        run(KeptTrainer(recipe, pictures, chosen.run, device, chosen.kept), chosen.resume)
        return
    looking = Looking(recipe, pictures, chosen.run, chosen.seed, chosen.calm)
    signal.signal(signal.SIGTERM, looking.stop)
    looking.run()


if __name__ == "__main__":
    main()
