"""What the model is shown: the whole picture or a part of it, turned, squashed to a square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .pictures import Box, Picture, Policy, squash
from .turns import Turn, turn_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Side of a tile in shown pixels. Letters of 20 pixels are 4 high in it, as on the pages that the model learnt from;
#: in 512 they are larger than it knows: of 35 drawn pages, tiles of 512 alone had 74 % right, of 1,024 94 %.
TILE_PX = 1024
#: Side of the small view in which detail is looked for, where none is kept already.
_SMALL_PX = 256
#: Values nearer to each other are paper noise.
_BLANK_RANGE = 10


@dataclass(frozen=True, slots=True)
class View:
    """A request for what the model should see.

    ``box`` is a part of the picture as shown (left, top, right, bottom; ``None``: all of it), ``turn`` a clockwise
    turn done to it before the model sees it, ``weight`` what its vote counts. ``quarter``, 0 to 3, is one of the four
    parts of the whole picture that `quarter_of` cuts.
    """

    box: Box | None = None
    turn: Turn = Turn.NONE
    weight: float = 1.0
    quarter: int | None = None


#: The four quarters, each in another turn, such that a turned picture gives the same four views: what is seen does not
#: depend on how the file lies.
QUARTERS = tuple(View(turn=Turn.from_index(3 - quarter), quarter=quarter) for quarter in range(4))
#: Which of four windows along a wide and along a high picture each quarter is, counted from the left or the top.
_ACROSS, _DOWN = (2, 3, 1, 0), (0, 2, 3, 1)


def render(picture: Picture, view: View, size_px: int, policy: Policy = "lean") -> NDArray[np.uint8]:
    """The pixels of a view, ``[S, S, 3]`` uint8 sRGB.

    Squashed by Pillow's 8-bit ``BILINEAR`` (antialiased), then turned. The whole view is decoded once for a picture,
    its quarters once more, together.

    Raises:
        BrokenPicture, TooLarge: the picture cannot be decoded.
    """
    if view.quarter is not None:
        size = quartered_size(picture.width_px, picture.height_px, size_px)
        pixels = quarter_of(picture.squashed(size, policy), view.quarter)
    elif view.box is None:
        pixels = picture.squashed(size_px, policy)
    else:
        from PIL import Image

        pixels = squash(Image.fromarray(picture.region(view.box, size_px)), size_px)
    return turn_array(pixels, view.turn)


def quartered_size(width_px: int, height_px: int, size_px: int) -> tuple[int, int]:
    """Width and height to which a picture is squashed for its quarters, each a view of ``size_px``.

    Twice the view's side both ways; one view high or wide, and up to four long, where one side is at least twice the
    other: so cut, no window of a strip or column is squashed more than it has to be. Of pictures of 2:1 and 1:2 four
    looks had 86 % right, with quarters two by two 85 %, in a row 89 %; of 1.5:1 and 1:1.5 93 and 92 %.
    """
    longer, shorter = max(width_px, height_px), min(width_px, height_px)
    if longer < 2 * shorter:
        return 2 * size_px, 2 * size_px
    stretched = min(4 * size_px, (2 * size_px * longer + shorter) // (2 * shorter))
    return (stretched, size_px) if width_px > height_px else (size_px, stretched)


def quarter_of(pixels: NDArray[np.uint8], quarter: int) -> NDArray[np.uint8]:
    """A quarter ``[S, S, 3]`` of a picture squashed to `quartered_size`.

    Clockwise from the upper left; of strips and columns one of four windows, evenly spaced from end to end.
    """
    height, width = pixels.shape[:2]
    if width == height:
        half = width // 2
        left, top = half * (quarter in (1, 2)), half * (quarter in (2, 3))
        return pixels[top : top + half, left : left + half]
    size, space = min(width, height), abs(width - height)
    step = (2 * space + 3) // 6
    start = (0, step, space - step, space)[(_ACROSS if width > height else _DOWN)[quarter]]
    return pixels[:, start : start + size] if width > height else pixels[start : start + size]


def plan_tiles(picture: Picture, *, tile_px: int = TILE_PX, budget: int = 16) -> list[View]:
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
