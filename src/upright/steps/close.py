"""The last step: windows of text at reading size, wherever there is text and whatever the file's resolution.

The width of strokes measures the size of text, in every script and whichever way the page lies. The whole picture is
squashed, in its own shape, to the size at which strokes are as wide as the model likes them, and windows of the view's
side are cut where most strokes are: one pass through the file to look for strokes, one for all windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..pictures import Box, Picture
from ..turns import Turn
from .quarters import eight_looks
from .step import Step
from .view import Looks, View

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from PIL import Image

    from .view import Logits

#: Longest side at which strokes are looked for: those of 10-point type on A4 are 3 to 5 pixels wide there.
BASE_PX = 2048
#: How many times as large as in the file windows may show it.
MOST_ENLARGED = 1.5
#: At a reading size of this many times a view's side, or less, windows show little that the quarters did not. Those of
#: eval's pictures, between two and three, made 3 of its 12 wrong turns and answered 0.7 % more.
LEAST_VIEWS = 3.0
#: Longest side of a squashed picture that is held in memory; of larger ones just the windows are read.
MOST_PX = 4096
#: How wide strokes are in a window.
STROKE_PX = 3.5
MOST_WINDOWS = 12
#: ``n`` windows together weigh `WEIGHT` times ``n`` to the power `GROWTH` where the eight looks together weigh 1.
WEIGHT, GROWTH = 0.42, 0.5
#: Strokes are counted in cells of this side. A window with text in a smaller share of its cells is passed over.
_CELL_PX, _LEAST_TEXT = 16, 0.12
#: A pixel belongs to a stroke if it differs by this much from the mean of its surroundings.
_CONTRAST, _REACH_PX = 14, 15
#: A cell shows a stroke if at least this many begin in it along rows and columns, and cover this share of it.
_LEAST_STARTS, _LEAST_COVERED = 8, 0.03
#: Strokes of text are as wide as most strokes of the picture, within this factor.
_SPREAD = 1.8


def windows(picture: Picture, size_px: int) -> Sequence[View]:
    """At most `MOST_WINDOWS` windows of text, those with most strokes; none where the picture has no text."""
    grey = picture.grey(BASE_PX)
    stroke_px, strokes = text_strokes(grey)
    if not stroke_px:
        return ()
    # The shorter side holds one window at the least.
    factor = max(STROKE_PX / stroke_px, size_px / min(grey.size))
    factor = min(factor, MOST_ENLARGED / min(1.0, BASE_PX / max(picture.width_px, picture.height_px)))
    width, height = (max(size_px, round(side * factor)) for side in grey.size)
    if max(width, height) <= LEAST_VIEWS * size_px:
        return ()
    corners = _corners(strokes, factor, (width, height), size_px)
    turns = _turns([(2 * left + size_px > width, 2 * top + size_px > height) for left, top in corners])
    if max(width, height) <= MOST_PX:
        return [View(turn=t, squashed=(width, height), corner=c) for t, c in zip(turns, corners, strict=True)]
    boxes = [_box(corner, size_px, picture.width_px / width, picture.height_px / height) for corner in corners]
    picture.expect(boxes)
    return [View(box=box, turn=turn) for box, turn in zip(boxes, turns, strict=True)]


def _box(corner: tuple[int, int], size_px: int, across: float, down: float) -> Box:
    """Where a window lies in the picture's own pixels."""
    left, top = corner
    return int(left * across), int(top * down), int((left + size_px) * across), int((top + size_px) * down)


def text_strokes(grey: Image.Image) -> tuple[float, NDArray[Any]]:
    """The width in pixels of strokes of text, 0 without text, and how many begin in each cell ``[h / 16, w / 16]``.

    A stroke is a run along a row or a column of pixels darker, or lighter, than their surroundings; in each cell those
    of the two that cover less of it.
    """
    import numpy as np
    from PIL import ImageFilter

    if min(grey.size) < _CELL_PX:
        return 0.0, np.zeros((0, 0), np.int32)
    away = np.asarray(grey, np.int16) - np.asarray(grey.filter(ImageFilter.BoxBlur(_REACH_PX)), np.int16)
    (starts, covered), (starts_light, covered_light) = (_runs(ink) for ink in (away < -_CONTRAST, away > _CONTRAST))
    light = covered_light < covered
    starts, covered = np.where(light, starts_light, starts), np.where(light, covered_light, covered)
    shown = (starts >= _LEAST_STARTS) & (covered >= _LEAST_COVERED * _CELL_PX**2)
    if shown.sum() < 4:
        return 0.0, np.zeros_like(starts)
    # Each pixel of a stroke lies in a run along its row and in one along its column.
    widths = np.log(np.maximum(2 * covered, 1) / np.maximum(starts, 1))
    counts, edges = np.histogram(widths[shown], bins=np.arange(-0.2, 4, 0.1), weights=starts[shown])
    most = edges[np.convolve(counts, (1, 2, 3, 2, 1), "same").argmax()] + 0.05
    return float(np.exp(most)), starts * (shown & (np.abs(widths - most) < np.log(_SPREAD)))


def _runs(ink: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """How many runs of ink begin in each cell, along rows and columns, and how many pixels are ink."""
    import numpy as np

    starts = np.zeros(ink.shape, np.uint8)
    starts[:, 1:] += ink[:, 1:] > ink[:, :-1]
    starts[1:] += ink[1:] > ink[:-1]
    return _per_cell(starts), _per_cell(ink)


def _per_cell(values: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    rows, columns = (side // _CELL_PX for side in values.shape)
    whole = values[: rows * _CELL_PX, : columns * _CELL_PX].reshape(rows, _CELL_PX, -1).sum(axis=1, dtype=np.int32)
    per_cell: NDArray[Any] = whole.reshape(rows, columns, _CELL_PX).sum(axis=2)
    return per_cell


def _corners(strokes: NDArray[Any], factor: float, size: tuple[int, int], size_px: int) -> list[tuple[int, int]]:
    """Left upper corners of windows in the picture of that size, most strokes first, hardly overlapping."""
    import numpy as np

    cells = max(1, min(round(size_px / factor / _CELL_PX), *strokes.shape))
    counts = _windowed(strokes, cells)
    counts[_windowed(strokes > 0, cells) < _LEAST_TEXT * cells**2] = 0
    apart = max(1, round(0.8 * cells))
    corners: list[tuple[int, int]] = []
    while len(corners) < MOST_WINDOWS and counts.any():
        row, column = (int(i) for i in np.unravel_index(counts.argmax(), counts.shape))
        middle = ((place + cells / 2) * _CELL_PX * factor for place in (column, row))
        left, top = (min(max(0, round(m - size_px / 2)), side - size_px) for m, side in zip(middle, size, strict=True))
        corners.append((left, top))
        counts[max(0, row - apart + 1) : row + apart, max(0, column - apart + 1) : column + apart] = 0
    return corners


def _windowed(values: NDArray[Any], cells: int) -> NDArray[Any]:
    """Sums over every square of ``side`` cells."""
    import numpy as np

    total = np.pad(values.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums: NDArray[Any] = (
        total[cells:, cells:] - total[:-cells, cells:] - total[cells:, :-cells] + total[:-cells, :-cells]
    )
    return sums


def _turns(places: Sequence[tuple[bool, bool]]) -> list[Turn]:
    """The turn of each window, from whether it lies to the right of the middle and below it: each quarter has its own
    first turn, and its windows change turns, so that the model's bias towards one output cancels out."""
    seen = [0, 0, 0, 0]
    turns = []
    for right, below in places:
        quarter = (2 if right else 3) if below else int(right)  # clockwise from the upper left
        turns.append(Turn.from_index((3 - quarter + seen[quarter]) % 4))
        seen[quarter] += 1
    return turns


def evidence(looks: Mapping[str, Looks]) -> Logits:
    """What all looks amount to: unlike the turns of one view, windows of different text are evidence that adds up.

    They are not independent, so that ``n`` of them count less than ``n`` times one.
    """
    said = looks[CLOSE.name].log_probabilities
    total: Logits = eight_looks(looks) + WEIGHT * len(said) ** GROWTH * said.mean(axis=0)
    return total


CLOSE = Step("close", 3, windows, evidence)
