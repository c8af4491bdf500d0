"""Trains the second network of a model: what it says of pictures that are upright already, mirrored and tilt.

    python -m training.upright_heads --recipe recipes/heads-cpu.toml --start training/weights/upright-1.safetensors \
        --data FOLDER --synth synth.npy --synth-read windows.npy --run RUN [--minutes M] [--resume]

Its trunk is that of the first network as far as `frozen_blocks`. A picture of text is mirrored where its mirror image
reads better: the network learns to score a view above its mirror image, shown both at once, in pairs, so that what the
two have in common teaches nothing. One label a view (mirrored or not, in any turn) stayed at chance over 1.2 million
views (LOG.md): whether strokes face right means nothing until it is known which way is up. Photographs without text
train towards equal scores, and towards the tilt that they were given.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training import augment, data, network
from training.recipe import Group
from training.train import Trainer, parser, prepare, run

#: Share of pairs in which the mirror image is upside down, too: what its own likeliest turn may make of it.
UPSIDE_DOWN = 0.1
#: What the tilt counts beside the pairs, and how far a tilt may be off and be nearly right, in degrees.
TILT_SHARE, TILT_BLUR = 1.0, 1.0
WEAR = {
    "text": augment.Wear(
        whole=0.6, smallest=0.5, mirrored=0, inverted=0.06, worn=0.08, covered=0.02, skewed=0.1, tilted=0.4
    ),
    "photo": augment.Wear(whole=0.5, smallest=0.5, mirrored=0.5, inverted=0.0, tilted=1.0, skewed=0.0),
}
#: Views as in use, but tilted.
_PLAIN = augment.Wear(whole=1, smallest=1, mirrored=0, inverted=0, worn=0, covered=0, skewed=0, tilted=1)
_LEVEL = augment.Wear(whole=1, smallest=1, mirrored=0, inverted=0, worn=0, covered=0, skewed=0)


def mirror_images(views: Tensor, upside_down: Tensor) -> Tensor:
    """The mirror images of views [n, 3, s, s]; of those marked in [n] turned upside down as well."""
    flipped = views.flip(3)
    return torch.where(upside_down.view(-1, 1, 1, 1).to(views.device), flipped.flip(2, 3), flipped)


class HeadsTrainer(Trainer):
    """Pairs of a view and its mirror image; views of one group are of text or are photographs."""

    def group_loss(self, group: Group, pictures: Tensor, size_px: int, calm: bool) -> tuple[Tensor, Tensor]:
        wear = WEAR[group.wear]
        views, labels = self.augment.upright(pictures, size_px, wear.calm() if calm else wear)
        upside_down = self.augment.chance(len(views), UPSIDE_DOWN if group.wear == "text" else 0.0)
        pairs = torch.cat([views, mirror_images(views, upside_down)]).contiguous(memory_format=torch.channels_last)
        heads = self.forward(pairs)
        leads = heads.mirror[len(views) :] - heads.mirror[: len(views)]  # of the mirror image, to be positive
        wanted = torch.full_like(leads, 0.5 if group.wear == "photo" else 1.0)
        loss = F.binary_cross_entropy_with_logits(leads, wanted)
        tilts = torch.cat([labels.tilts, torch.where(upside_down.to(views.device), 1, -1) * labels.tilts])
        tilts[len(views) :][upside_down] = torch.nan  # upside down is no tilt to be learnt
        return loss + TILT_SHARE * tilt_loss(heads.tilt, tilts), (leads > 0).float().mean()

    def judge(self, limit: int) -> dict[str, object]:
        """By kind: share of pairs in the right order, and the median error of the tilt in degrees, up to 20.

        Their `mean`, by which weights are kept, is of the kinds that train: nobody can read whole pages in one view.
        """
        text = [group for group in self.recipe.group if group.wear == "text"]
        reads = {kind for group in text for kind in (*group.kinds, group.synth)}
        judgement: dict[str, object] = {}
        mirror = []
        for kind, pixels in self.pictures.tune.items():
            figures = accuracy(self.average, pixels[: min(limit, len(pixels))], self.recipe.group[0].judge_px)
            judgement[kind] = figures
            mirror += [figures["mirror"]] * (kind in reads)
        judgement["mean"] = sum(mirror) / max(1, len(mirror))
        return judgement


def tilt_loss(logits: Tensor, tilts: Tensor) -> Tensor:
    """Cross-entropy of logits [n, 41] with tilts in degrees [n], blurred; where they are not NaN."""
    known = tilts.isfinite()
    away = (torch.tensor(network.TILTS, device=tilts.device) - tilts.nan_to_num()[:, None]) / TILT_BLUR
    losses = F.cross_entropy(logits, torch.softmax(-0.5 * away**2, 1), reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1)


@torch.inference_mode()
def accuracy(net: network.Lite, pictures: data.Pixels, size_px: int) -> dict[str, float]:
    """`mirror`: share of level views scored above their mirror images; `tilt`: median error of tilted ones."""
    source = augment.Augment(0, next(net.parameters()).device)
    right, errors = [], []
    for first in range(0, len(pictures), 32):
        chunk = torch.tensor(pictures[first : first + 32]).permute(0, 3, 1, 2)
        level, _ = source.upright(chunk, size_px, _LEVEL)
        right.append(scores(net, level) > scores(net, level.flip(3)))
        views, labels = source.upright(chunk, size_px, _PLAIN)
        errors.append((tilts(net, views) - labels.tilts).abs())
    return {"mirror": torch.cat(right).float().mean().item(), "tilt": torch.cat(errors).nanmedian().item()}


def scores(net: network.Lite, views: Tensor) -> Tensor:
    """How well each view [n, 3, s, s] reads, [n]."""
    return -net.said(views).mirror


def tilts(net: network.Lite, views: Tensor) -> Tensor:
    """Degrees clockwise that straighten each view [n, 3, s, s], [n]: the mean of what the head takes for possible."""
    shares = net.said(views).tilt.softmax(1)
    return shares @ torch.tensor(network.TILTS, dtype=torch.float32, device=shares.device)


def main() -> None:
    options = parser(__doc__).parse_args()
    recipe, pictures, device = prepare(options)
    run(HeadsTrainer(recipe, pictures, options.run, device), options.resume)


if __name__ == "__main__":
    main()
