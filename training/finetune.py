"""Adapts a model to a user's own upright pictures, and refuses what is not better.

    python -m training.finetune --pictures FOLDER --model WEIGHTS --out OUT [--kind photo|doc|screen|scene]
    python -m training.finetune --decisions decisions.jsonl …     # those of `upright review`

A fifth of the pictures, by group, judges; another tenth calibrates; neither is trained on. Better means: by a sign test
over the judging pictures the model that was there would have done as well in less than one case of twenty.
On success OUT has `best.safetensors` and `model/`, a model folder for `upright`; else the exit status is 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import torch

from training import data, looks, network
from training.calibrate import calibrate, rows
from training.export import PicturesIn, export_onnx
from training.heldout import Picture
from training.measures import Floats, wilson
from training.modelfolder import Facts, write_model_folder
from training.pictures import Pictures
from training.recipe import Recipe
from training.script import run
from training.train import Trainer, accuracy, look
from upright.errors import UprightError
from upright.pictures import open_picture
from upright.review import read_decisions, still_needed
from upright.turns import ExifOrientation, show_pillow

MOST_CHANCE = 0.05
LEAST_PICTURES = 30


class NotBetter(Exception):
    """The adapted weights are not shown to be better; nothing was exported."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Before and after on the judging pictures, each shown all four ways."""

    pictures: int
    before: float  # share of right answers, one look
    after: float
    more_right: int  # pictures of which more of the four showings are right than before
    fewer_right: int
    spoilt_before: int  # upright pictures that would be turned
    spoilt_after: int

    @classmethod
    def of(cls, before: Floats, after: Floats) -> Comparison:
        right = [(logits.argmax(-1) == np.arange(4)) for logits in (before, after)]
        change = right[1].sum(1) - right[0].sum(1)
        spoilt = [int((~each[:, 0]).sum()) for each in right]
        better, worse = int((change > 0).sum()), int((change < 0).sum())
        return cls(len(before), accuracy(before), accuracy(after), better, worse, spoilt[0], spoilt[1])

    @property
    def chance(self) -> float:
        """One-sided sign test over pictures: the chance of so many gains if gains and losses were equally likely."""
        changed = self.more_right + self.fewer_right
        at_least = sum(math.comb(changed, k) for k in range(self.more_right, changed + 1))
        return float(at_least / 2**changed)

    @property
    def better(self) -> bool:
        return self.chance < MOST_CHANCE and self.after > self.before and self.spoilt_after <= self.spoilt_before

    def __str__(self) -> str:
        lines = []
        for name, share, spoilt in (
            ("before", self.before, self.spoilt_before),
            ("after ", self.after, self.spoilt_after),
        ):
            low, high = (100 * edge for edge in wilson(share * self.pictures, self.pictures))
            lines.append(
                f"{name}: {100 * share:.1f} % right (95 %: {low:.1f} to {high:.1f}), {spoilt} upright ones spoilt"
            )
        changes = f"{self.more_right} pictures better, {self.fewer_right} worse, by chance {self.chance:.2g}"
        return "\n".join([f"{self.pictures} held-out pictures, each shown four ways", *lines, changes])


def decided(path: Path, side_px: int) -> data.Pool:
    """The pictures of a file of decisions, upright as a person decided, but none whose file has changed since.

    Raises FileNotFoundError where none is left, and what reading the decisions raises.
    """
    rows = []
    for decision, turn, mirrored in still_needed(read_decisions(path)):
        try:
            with open_picture(decision.path, page=decision.page) as picture:
                shown = picture.image(2 * side_px)
        except (OSError, UprightError):
            continue
        tag = ExifOrientation.compose(mirrored, turn)
        upright = show_pillow(shown, tag)
        name = f"{decision.path.lstrip('/')} p{decision.page + 1}"
        rows.append((name, data.squash(upright, side_px), data.difference_hash(upright)))
    if not rows:
        raise FileNotFoundError(f"{path}: no picture is as it was decided; review some with `upright review`")
    names, pixels, hashes = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    return data.Pool(np.stack(pixels), list(names), np.array(hashes, np.uint64))


def adapt(pool: data.Pool, split: data.Split, kind: str, recipe: Recipe, out: Path, extra: Pictures) -> Trainer:
    """Trains on the training part (and on shards, where given); the recipe says from which weights and how long."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    own = Pictures({kind: pool}, {kind: split}, device)
    # The user's pictures take the place of the shards' pictures of that kind; the other kinds keep what was learnt.
    extra.train.update(own.train)
    extra.tune = own.tune
    trainer = Trainer(recipe, extra, out, device)
    trainer.run()
    return trainer


def finetune(options: argparse.Namespace) -> Comparison:
    """Adapts, compares, exports. Raises NotBetter, ValueError (too few pictures), FileNotFoundError."""
    if options.threads:
        torch.set_num_threads(options.threads)
    given = options.pictures or options.decisions
    pool = decided(given, options.size) if options.decisions else data.read_folder(given, options.size)
    split = data.Split.by_share(pool, tune=0.2, calibrate=0.1)
    if len(split.tune) < LEAST_PICTURES or not len(split.train):
        raise ValueError(
            f"{given}: {len(pool)} pictures leave {len(split.tune)} to judge with, and a judgement needs "
            f"{LEAST_PICTURES}; give more pictures, of more than one group"
        )
    first, facts = network.load(options.model)
    recipe = Recipe.read(options.recipe, start=str(options.model), variant=first.variant, minutes=options.minutes)
    shards = data.read_shards(options.data, recipe.photo_px, recipe.text_px) if options.data else {}
    splits = {kind: data.Split.by_rule(shard) for kind, shard in shards.items()}
    extra = Pictures(shards, splits, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    print(f"{len(split.train)} pictures train, {len(split.tune)} judge, {len(split.calibrate)} calibrate", flush=True)
    trainer = adapt(pool, split, options.kind, recipe, options.out, extra)

    judging = pool.pixels[split.tune]
    before = look(first.to(trainer.device), judging, options.size)
    comparison = Comparison.of(before, look(trainer.average, judging, options.size))
    print(comparison, flush=True)
    if not comparison.better:
        (options.out / "best.safetensors").unlink(missing_ok=True)
        raise NotBetter(
            f"{given}: the adapted model is not shown to be better than {options.model}, so nothing was "
            "exported; give more pictures or more --minutes, or keep the model that you have"
        )
    adapted = {"variant": first.variant, "views": trainer.views, "adapted from": str(facts.get("name", options.model))}
    network.save(options.out / "best.safetensors", trainer.average, adapted)
    export(trainer.average.cpu(), pool.pixels[split.calibrate], options, comparison)
    return comparison


def export(net: network.Lite, pictures: data.Pixels, options: argparse.Namespace, comparison: Comparison) -> None:
    """The model folder: ONNX, calibrated with pictures that neither trained nor judged."""
    onnx = options.out / "model.onnx"
    export_onnx(PicturesIn(net), onnx, options.size)
    model = looks.Model.open(onnx)
    held_out = [Picture(options.kind, "-", "-", pixels) for pixels in pictures]
    said = looks.says(model, held_out)
    calibration = calibrate(*rows(said, [options.kind] * len(pictures)))
    facts = Facts(
        options.name, "1.0.0", options.size, f"{options.model}, adapted to {comparison.pictures} held-out", ""
    )
    measured = {"held_out_pictures": comparison.pictures, "before": comparison.before, "after": comparison.after}
    write_model_folder(options.out / "model", onnx, facts, calibration, measured, [f"```\n{comparison}\n```"])
    onnx.unlink()
    print(
        f"{options.out / 'model'}: calibrated with {len(pictures)} pictures; "
        f"eight looks {accuracy(said['quarters']):.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pictures", type=Path, help="folder of upright pictures")
    source.add_argument("--decisions", type=Path, help="decisions.jsonl of `upright review`")
    parser.add_argument("--model", required=True, type=Path, help="weights to adapt (.safetensors)")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--kind", choices=data.KINDS, default="photo", help="photo may be mirrored, text may not")
    parser.add_argument("--size", type=int, default=224, help="input size of the model in px")
    parser.add_argument("--name", default="adapted", help="of the model folder")
    parser.add_argument("--data", type=Path, action="append", default=[], help="shards to mix in, so as to forget less")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/finetune.toml"))
    parser.add_argument("--minutes", type=float, help="instead of the recipe's")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    try:
        finetune(options)
    except (NotBetter, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    run(main)
