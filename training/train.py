"""Trains the network: pools in memory, views made on the device, a time budget instead of epochs.

    python -m training.train --recipe recipes/small-cpu.toml --data FOLDER --run RUN [--minutes M] [--resume]

The run folder gets `checkpoint.pt` (everything a later sitting needs), `best.safetensors` (the averaged weights that
judged best on the tune part), `log.txt` and `judgements.jsonl`. The same command runs on a CPU and on a GPU. SIGTERM
ends a run as the clock would, without the last judgement; --resume takes it up where it stood.
"""

from __future__ import annotations

import argparse
import copy
import json
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training import augment, convolution, data, network
from training.measures import Floats, turned
from training.network import Lite
from training.pictures import Pictures
from training.recipe import Group, Recipe

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # views [n, 3, s, s], logits [n, 4], turns [n] -> a number
WEAR = {"photo": augment.PHOTO, "text": augment.TEXT, "read": augment.READ, "light": augment.LIGHT}


class Trainer:
    """One run. `loss` may be exchanged (distillation does); everything else is the recipe's."""

    def __init__(
        self, recipe: Recipe, pictures: Pictures, run: Path, device: torch.device, loss: Loss | None = None
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.pictures, self.run_folder, self.device = recipe, pictures, run, device
        run.mkdir(parents=True, exist_ok=True)
        net, facts = network.start(recipe.start, recipe.variant, drop_path=recipe.drop_path, dropout=recipe.dropout)
        # "memory_format" alone makes mypy look for another overload.
        self.net: Lite = net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.net).eval()
        self.loss = loss or self.cross_entropy
        self.augment = augment.Augment(recipe.seed, device)
        self.optimiser = self._optimiser()
        self.views, self.step, self.spent_s, self.best = int(facts["views"]), 0, 0.0, -1.0
        self.stopped = False
        self.minutes = recipe.minutes
        self.frozen = 0
        # bfloat16 gives 1.7 times the views a second where the processor has it; the weights themselves stay float32.
        self.half = convolution.half_pays(device)
        self._freeze(recipe.frozen_blocks if recipe.unfreeze_at > 0 else 0)

    def _optimiser(self) -> torch.optim.AdamW:
        """Three groups: weights decay, vectors do not, the heads learn faster."""
        head = [p for name, p in self.net.named_parameters() if name.startswith(network.HEADS)]
        body = [p for name, p in self.net.named_parameters() if not name.startswith(network.HEADS)]
        groups = [
            {"params": [p for p in body if p.ndim > 1], "base": self.recipe.rate},
            {"params": [p for p in body if p.ndim <= 1], "base": self.recipe.rate, "weight_decay": 0.0},
            {"params": head, "base": self.recipe.head_rate},
        ]
        return torch.optim.AdamW(groups, weight_decay=self.recipe.weight_decay, betas=(0.9, 0.99))

    def _freeze(self, blocks: int) -> None:
        self.frozen = blocks
        self.net.requires_grad_(True)
        for parameter in self.net.front_parameters(blocks) if blocks else []:
            parameter.requires_grad_(False)
            parameter.grad = None

    def cross_entropy(self, views: Tensor, logits: Tensor, turns: Tensor) -> Tensor:
        return F.cross_entropy(logits, turns, label_smoothing=self.recipe.label_smoothing)

    def forward(self, views: Tensor) -> network.Heads:
        """Logits for training, float32; the frozen part without gradients."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            with torch.set_grad_enabled(not self.frozen):
                x = self.net.front(views, self.frozen)
            heads = self.net.heads(self.net.features(x, self.frozen))
        return network.Heads(*(logits.float() for logits in heads))

    def progress(self) -> float:
        """How much of the run is done, 0 to 1: of its time, or of its steps where the recipe counts them."""
        of_steps = self.step / self.recipe.steps if self.recipe.steps else 0.0
        return max(self.spent_s / (60 * self.minutes), of_steps)

    def rate_factor(self, progress: float) -> float:
        """A warm-up, then held, then falling to nothing: a rate that falls all the way beats one that is held."""
        falling = (1 - progress) / self.recipe.falling if self.recipe.falling else 1.0
        return min(1.0, (self.step + 1) / self.recipe.warm_up_steps) * min(1.0, max(0.005, falling))

    def size(self, size_px: int, progress: float) -> int:
        """Progressive and jittered, a multiple of 16, at least 64 px."""
        grown = min(1.0, progress / self.recipe.grown_at) if self.recipe.grown_at else 1.0
        grown = self.recipe.first_size + (1 - self.recipe.first_size) * grown
        pick = int(torch.randint(4, (1,)))
        jitter = (-self.recipe.jitter_px, 0, 0, self.recipe.jitter_px)[pick]
        return max(64, round((size_px * grown + jitter) / 16) * 16)

    def train_step(self, progress: float) -> dict[str, Tensor]:
        """One step over all groups; the share of right answers by group, under augmentation, still on the device."""
        for parameters in self.optimiser.param_groups:
            parameters["lr"] = parameters["base"] * self.rate_factor(progress)
        self.optimiser.zero_grad(set_to_none=True)
        self.net.train()
        right: dict[str, Tensor] = {}
        for group in self.recipe.group:
            pictures = self.pictures.draw(group, self.augment.random)
            if pictures is None:
                continue
            size_px = self.size(group.size_px, progress)
            loss, right[group.wear] = self.group_loss(group, pictures, size_px, progress >= self.recipe.calm_at)
            (loss * group.weight).backward()  # type: ignore[no-untyped-call]
            self.views += len(pictures)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 3.0)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return right

    def group_loss(self, group: Group, pictures: Tensor, size_px: int, calm: bool) -> tuple[Tensor, Tensor]:
        """The loss of upright pictures [n, 3, s, s] seen as views of size_px, and the share of right answers."""
        wear = WEAR[group.wear].calm() if calm else WEAR[group.wear]
        views, labels = self.augment(pictures, size_px, wear)
        turns = self.forward(views).turn
        return self.loss(views, turns, labels.turns), (turns.detach().argmax(1) == labels.turns).float().mean()

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(self.recipe.ema, (1 + self.step) / (20 + self.step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.net.parameters()), 1 - keep)

    def judge(self, limit: int) -> dict[str, Any]:
        """Accuracy of the averaged weights on the tune part, by kind: one look, and four turned looks together."""
        judgement: dict[str, Any] = {}
        for kind, pixels in self.pictures.tune.items():
            rows = np.linspace(0, len(pixels) - 1, min(limit, len(pixels))).astype(int)
            sizes = [group.judge_px for group in self.recipe.group if kind in group.kinds]
            logits_px = sizes[0] if sizes else self.recipe.group[-1].judge_px
            logits = look(self.average, pixels[rows], logits_px)
            judgement[kind] = {"pictures": len(rows), "one": accuracy(logits), "four": accuracy(turned(logits))}
        one = [figures["one"] for figures in judgement.values()]
        judgement["mean"] = sum(one) / len(one) if one else 0.0
        return judgement

    def run(self) -> dict[str, Any]:
        """Trains until the budget is spent; the last judgement, over the whole tune part."""
        began = time.monotonic() - self.spent_s
        judged = saved = logged = time.monotonic()
        right: list[dict[str, Tensor]] = []
        views = self.views
        while (progress := self.progress()) < 1 and not self.stopped:
            if self.frozen and progress >= self.recipe.unfreeze_at:
                self._freeze(0)
                self.log("unfrozen: every block learns from here")
            right.append(self.train_step(progress))
            now = time.monotonic()
            if self.step % 100 == 0:
                seen = " ".join(
                    f"{name} {torch.stack([r[name] for r in right if name in r]).mean():.3f}" for name in right[-1]
                )
                speed = (self.views - views) / (now - logged)
                self.log(f"step {self.step} {self.spent_s:.0f} s views {self.views} {seen} {speed:.0f} views/s")
                right, views, logged = [], self.views, now
            if now - judged > 60 * self.recipe.judge_min:
                self.record(self.judge(self.recipe.judged))
                judged = time.monotonic()
            if now - saved > 60 * self.recipe.checkpoint_min:
                self.checkpoint()
                saved = time.monotonic()
            self.spent_s = time.monotonic() - began
        self.checkpoint()
        if self.stopped:
            self.log("stopped by a signal; --resume takes it up again")
            return {}
        final = self.judge(10**6)
        self.record(final)
        return final

    def record(self, judgement: dict[str, Any]) -> None:
        """A judgement as a JSON line; the averaged weights are kept where it is the best so far."""
        line = {"step": self.step, "views": self.views, "spent_s": round(self.spent_s), **judgement}
        with (self.run_folder / "judgements.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.log(f"judged {json.dumps(line)}")
        if judgement["mean"] >= self.best:
            self.best = judgement["mean"]
            network.save(self.run_folder / "best.safetensors", self.average, {"views": self.views, "tune": self.best})

    def log(self, line: str) -> None:
        print(line, flush=True)
        with (self.run_folder / "log.txt").open("a") as file:
            file.write(line + "\n")

    def checkpoint(self) -> None:
        """Everything needed to go on, in one file that is replaced whole."""
        path = self.run_folder / "checkpoint.pt"
        torch.save(
            {
                "net": self.net.state_dict(), "ema": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(), "random": self.augment.random.get_state(),
                "grain": self.augment.grain.get_state(),
                "seen": self.views, "step": self.step, "spent_s": self.spent_s, "best": self.best,
                "recipe": asdict(self.recipe),
            },
            path.with_suffix(".unfinished"),
        )  # fmt: skip
        path.with_suffix(".unfinished").replace(path)

    def resume(self) -> None:
        """Takes up `checkpoint.pt`; ValueError where another network wrote it."""
        path = self.run_folder / "checkpoint.pt"
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if stored["recipe"]["variant"] != self.recipe.variant:
            raise ValueError(f"{path}: of a {stored['recipe']['variant']} run; give another --run")
        self.net.load_state_dict(stored["net"])
        self.average.load_state_dict(stored["ema"])
        self.optimiser.load_state_dict(stored["optimiser"])
        self.augment.random.set_state(stored["random"])
        self.augment.grain.set_state(stored["grain"])
        self.views, self.step = stored["seen"], stored["step"]
        self.spent_s, self.best = stored["spent_s"], stored["best"]

    def stop(self, *_: object) -> None:
        self.stopped = True


def look(net: Lite, pictures: data.Pixels, size_px: int) -> Floats:
    """Logits [n, 4, 4] of upright pictures shown all four ways: `[i, t]` where turn t sets picture i upright."""
    shown = [np.rot90(pictures, turn, (1, 2)) for turn in range(4)]  # numpy turns counterclockwise, away from upright
    return np.stack([network.logits_of(net, view, size_px) for view in shown], axis=1)


def accuracy(logits: Floats) -> float:
    """Share of right answers among [n, 4, 4], every picture shown all four ways."""
    return float((logits.argmax(-1) == np.arange(4)).mean())


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that training and distillation share."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--recipe", required=True, type=Path)
    options.add_argument("--run", required=True, type=Path, help="folder of this run")
    options.add_argument("--data", type=Path, action="append", default=[], help="shard or folder of train-*.tar")
    options.add_argument("--synth", type=Path, help=".npy that training.synth wrote")
    options.add_argument("--synth-read", type=Path, help=".npy that training.synth --windows wrote")
    options.add_argument("--drop", type=Path, help="names of pictures to leave out, from training.data doubt")
    options.add_argument("--start", help="instead of the recipe's: imagenet, nothing or a file of weights")
    options.add_argument("--minutes", type=float, help="instead of the recipe's")
    options.add_argument("--resume", action="store_true")
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--threads", type=int, help="CPU threads")
    return options


def prepare(options: argparse.Namespace) -> tuple[Recipe, Pictures, torch.device]:
    """Recipe, pictures in memory and device, as the options say."""
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    torch.backends.cudnn.benchmark = False  # sizes change from step to step
    recipe = Recipe.read(options.recipe, start=options.start, minutes=options.minutes)
    pools = data.read_shards(options.data, recipe.photo_px, recipe.text_px) if options.data else {}
    drop = data.read_drop(options.drop)
    splits = {kind: data.Split.by_rule(pool, drop) for kind, pool in pools.items()}
    pictures = Pictures(pools, splits, device)
    if options.synth:
        pictures.add_synthetic(np.load(options.synth, mmap_mode="c"), device)
    if options.synth_read:
        pictures.add_synthetic(np.load(options.synth_read, mmap_mode="c"), device, data.SYNTH_READ)
    if not pictures.train:
        raise SystemExit("nothing to train with; give --data with train-*.tar, or --synth, or both")
    return recipe, pictures, device


def run(trainer: Trainer, resume: bool) -> dict[str, Any]:
    """Resumes where asked, stops cleanly at SIGTERM, trains."""
    if resume and (trainer.run_folder / "checkpoint.pt").exists():
        trainer.resume()
    signal.signal(signal.SIGTERM, trainer.stop)
    numbers = {kind: len(rows) for kind, (_, rows) in trainer.pictures.train.items()}
    trainer.log(f"{trainer.recipe.variant} on {trainer.device}, pictures {numbers}, {trainer.recipe.minutes} minutes")
    return trainer.run()


def main() -> None:
    options = parser(__doc__).parse_args()
    recipe, pictures, device = prepare(options)
    run(Trainer(recipe, pictures, options.run, device), options.resume)


if __name__ == "__main__":
    main()
