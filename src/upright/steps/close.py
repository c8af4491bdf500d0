"""The last step: tiles of a large picture at a size at which its text can be read, planned from the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..pictures import Box, Picture
from ..turns import Turn
from .quarters import eight_looks
from .step import Step
from .view import Looks, View

if TYPE_CHECKING:
    from .view import Logits

#: Side of a tile in shown pixels. Letters of 20 pixels are 4 high in it, as on the pages that the model learnt from;
#: in 512 they are larger than it knows: of 35 drawn pages, tiles of 512 alone had 74 % right, of 1,024 94 %.
TILE_PX = 1024
#: At most so many tiles, each seen twice.
MOST_TILES = 16
#: Greatest weight of all tiles together; the eight looks together weigh 1.
MOST_WEIGHT = 6
#: Side of the small view in which detail is looked for, where none is kept already.
_SMALL_PX = 256
#: Values nearer to each other are paper noise.
_BLANK_RANGE = 10


def tiles_twice(picture: Picture, size_px: int) -> Sequence[View]:
    """The tiles of `plan_tiles`, each as it is and turned by half."""
    tiles = plan_tiles(picture)
    return [replace(view, turn=turn) for turn in (Turn.NONE, Turn.HALF) for view in tiles]


def tile_vote(looks: Mapping[str, Looks]) -> Logits:
    """Tiles vote by confidence and weight, against the mean of the eight looks.

    Together they count up to six times what the eight looks do, by how sure they are together: unsure tiles (sky, skin,
    a blank margin) change nothing. Of 60 drawn pages too small for one view the eight looks had 97 % right, with the
    tiles 98 %.
    """
    import numpy as np

    seen, before = looks[CLOSE.name], eight_looks(looks)
    count = len(seen.views) // 2
    votes = seen.log_probabilities.reshape(2, count, 4).mean(axis=0)
    power = np.exp(votes.max(axis=1)) * [view.weight for view in seen.views[:count]]
    together = (votes * power[:, None]).sum(axis=0) / power.sum()
    chances = np.exp(together.astype(np.float64) - together.max())
    certainty = float((chances.max() / chances.sum() - 0.25) / 0.75)
    weight = MOST_WEIGHT * certainty
    mean: Logits = (before + weight * together) / (1 + weight)
    return mean


CLOSE = Step("close", tiles_twice, tile_vote)


def plan_tiles(picture: Picture, *, tile_px: int = TILE_PX, budget: int = MOST_TILES) -> list[View]:
    """The tiles that are most worth a closer look: at most ``budget``, in the order in which the file holds them.

    A grid of ``tile_px`` squares in shown pixels. Left out are tiles at the right and lower edge with less than half
    the area, and tiles that the small view shows to be blank; of the rest those with the most detail are taken. None
    where the picture is a single tile: the whole view shows it as well. Detail and nearness to the centre make the
    weight of a tile's vote, 0.25 to 1.

    The picture is told which regions will come, so that rendering reads its file once for all of them.
    """
    boxes = _grid(picture.width_px, picture.height_px, tile_px)
    if len(boxes) < 2 or budget < 1:
        return []
    details = _details(picture, boxes)
    shown = [(detail, box) for detail, box in zip(details, boxes, strict=True) if detail > 0]
    chosen = sorted(shown, key=lambda pair: (-pair[0], pair[1]))[:budget]
    if not chosen:
        return []
    most = chosen[0][0]
    views = [View(box, Turn.NONE, _weight(picture, box, detail / most)) for detail, box in chosen]
    picture.expect([box for _, box in chosen])
    return sorted(views, key=lambda view: view.box[1::-1] if view.box else (0, 0))


def _grid(width_px: int, height_px: int, tile_px: int) -> list[Box]:
    boxes = []
    for top in range(0, height_px, tile_px):
        for left in range(0, width_px, tile_px):
            right, bottom = min(left + tile_px, width_px), min(top + tile_px, height_px)
            if 2 * (right - left) * (bottom - top) >= tile_px * tile_px:
                boxes.append((left, top, right, bottom))
    return boxes


def _details(picture: Picture, boxes: list[Box]) -> list[float]:
    """How much each box shows: the mean step between neighbouring pixels of the small view, 0 where it is blank."""
    import numpy as np

    small = picture.small(_SMALL_PX).astype(np.int16).mean(axis=2)
    steps = np.zeros(small.shape)
    steps[:, 1:] += np.abs(np.diff(small, axis=1))
    steps[1:] += np.abs(np.diff(small, axis=0))
    across, down = small.shape[1] / picture.width_px, small.shape[0] / picture.height_px
    details = []
    for left, top, right, bottom in boxes:
        part = np.s_[_inside(top * down, bottom * down), _inside(left * across, right * across)]
        blank = np.ptp(small[part]) < _BLANK_RANGE
        details.append(0.0 if blank else float(steps[part].mean()) + 1e-6)
    return details


def _inside(start: float, end: float) -> slice:
    """Pixels from start to end without the outermost, into which neighbours blur; one pixel at the least."""
    margin = 2 if end - start >= 6 else 0
    first = int(start) + margin
    return slice(first, max(first + 1, int(end) + 1 - margin))


def _weight(picture: Picture, box: Box, detail: float) -> float:
    """From 1 for the centre tile with the most detail to 0.25 for a corner with next to none."""
    x = abs((box[0] + box[2]) / picture.width_px - 1)
    y = abs((box[1] + box[3]) / picture.height_px - 1)
    return (1 - max(x, y) / 2) * (0.5 + detail / 2)
