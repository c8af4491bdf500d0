"""The tilt of text: the small angle that is left after the quarter turn, from the lines of the picture itself.

Along a line of text ink adds up, and between two lines there is none: sums along lines of the right slope differ most
from one to the next (Postl 1986). All slopes within ±20° are summed at once by halves (Götz and Druckmüller 1996), so
there is no first guess that could be wrong; once along rows and once along columns, since a tilt is the same whichever
way the page lies, and whether its lines run across or down.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from .pictures import Picture
from .results import Orientation

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Floats = NDArray[np.float64]

#: Tilts are looked for within this many degrees to either side.
MOST = 20
#: Longest side in pixels: lines of 8-point type in a newspaper are 9 pixels apart there.
SIDE_PX = 1024
#: Degrees between two tilts that are compared; the peak is fitted between them.
_STEP = 0.05
#: Ink differs by this much from its surroundings, and counts as this much at most: sums of 1,024 fit into 16 bits.
_LEAST_INK, _MOST_INK, _REACH_PX = 6, 24, 12
#: Pixels along a line that are added up before any slope is.
_STRIP_PX = 4
#: Parts of the picture, along rows and along columns each, that are left out one by one to see how far they agree.
_PARTS = 8
#: Whether there are lines of text at all: how many times their tilt has to stand out from those more than 2° away,
#: more where they are in fewer parts, or paler, than these (pages have 8 to 20); in how many parts they are at the
#: least, and how far the parts may disagree, in degrees. 3 of 400 pages fail; of 502 photographs 7 % pass, and 3 say
#: more than half a degree.
_LEAST_RATIO, _PARTS_OF_TEXT, _DARK, _LEAST_PARTS = 2.0, 3.0, 2.0, 1.5
#: Lines of text tell a tilt with a standard error of so many degrees at most.
MOST_ERROR = 0.36
#: Parts of a page are alike, so that they agree better than they are right; what no part shows is the second. Of 125
#: pages 77 % are then within one standard error, 99 % within two.
_ALIKE, _UNSEEN = 1.5, 0.02


class Tilt(NamedTuple):
    """Degrees clockwise that straighten a picture, and their standard error."""

    degrees: float
    error: float


def tilted(picture: Picture, answer: Orientation) -> Orientation:
    """The answer with the tilt of an open picture. Raises what decoding raises."""
    found = measured(picture)
    if not found:
        return answer
    return replace(answer, tilt=-found.degrees if answer.mirrored else found.degrees, tilt_error=found.error)


def measured(picture: Picture) -> Tilt | None:
    """The tilt of a picture as shown; ``None`` where no lines of text tell it. Raises what decoding raises."""
    return tilt_of(picture.grey(SIDE_PX))


def tilt_of(grey: Image.Image) -> Tilt | None:
    """The tilt of a grey picture (mode L) of at most `SIDE_PX` a side."""
    import numpy as np

    if min(grey.size) < 2 * _REACH_PX:
        return None
    ink = _ink(grey)
    tilts = np.arange(-MOST, MOST + _STEP / 2, _STEP)
    across, down = _contrasts(ink, tilts), _contrasts(np.ascontiguousarray(ink.T), -tilts)
    parts = np.concatenate([across, down])
    total = parts.sum(axis=0)
    if not _has_lines(parts, tilts, ink.size):
        return None
    others = np.array([_peak(tilts, total - part) for part in parts])
    spread = math.sqrt((len(others) - 1) / len(others) * float(((others - others.mean()) ** 2).sum()))
    error = math.hypot(_ALIKE * spread, _UNSEEN)
    return Tilt(_peak(tilts, total), error) if error <= MOST_ERROR else None


def _has_lines(parts: Floats, tilts: Floats, area: int) -> bool:
    """Whether lines of text make the peak of all parts together."""
    import numpy as np

    total = parts.sum(axis=0)
    top = int(total.argmax())
    here = np.maximum(parts[:, top], 0)
    if not here.any():
        return False
    count, dark = float(here.sum() ** 2 / (here**2).sum()), float(total[top]) / area**0.75
    wanted = _LEAST_RATIO / min(1.0, count / _PARTS_OF_TEXT) / math.sqrt(min(1.0, max(dark, 1e-9) / _DARK))
    return count >= _LEAST_PARTS and bool(total[top] > wanted * total[np.abs(tilts - tilts[top]) > 2].max())


def _ink(grey: Image.Image) -> NDArray[np.int16]:
    """How much each pixel is darker or lighter than its surroundings, so that neither light nor photographs count."""
    import numpy as np
    from PIL import ImageFilter

    away = np.asarray(grey, np.int16) - np.asarray(grey.filter(ImageFilter.BoxBlur(_REACH_PX)), np.int16)
    away[np.abs(away) < _LEAST_INK] = 0
    return np.clip(away, -_MOST_INK, _MOST_INK, out=away)


def _contrasts(ink: NDArray[np.int16], tilts: Floats) -> Floats:
    """``[parts, tilts]``: how much sums along rows, tilted by so much, differ from one to the next."""
    import numpy as np

    height, width = ink.shape
    strips = -(-width // _STRIP_PX)
    padded = 1 << (strips - 1).bit_length()
    slope = math.tan(math.radians(MOST + _STEP))
    # Lines that leave the picture come back in what is added below it.
    columns = np.zeros((padded, height + math.ceil(slope * width)), np.int16)
    whole = np.pad(ink, ((0, 0), (0, strips * _STRIP_PX - width)))
    for first in range(_STRIP_PX):
        columns[:strips, :height] += whole[:, first::_STRIP_PX].T
    length = (padded - 1) * _STRIP_PX
    sums = _line_sums(columns, math.ceil(slope * length))
    steps = np.subtract(sums[:, 1:], sums[:, :-1], dtype=np.float32)
    rows = steps.shape[1] // _PARTS
    energy = np.square(steps[:, : rows * _PARTS]).reshape(len(sums), _PARTS, rows).sum(axis=2)
    # A ruled line is no more than a few lines of text: its sum is compared by its size, not by its square.
    energy = np.sqrt(energy).T
    # A line that falls to the right is straightened counterclockwise.
    falls = -np.degrees(np.arctan((np.arange(len(sums)) - len(sums) // 2) / length))[::-1]
    curves = np.stack([np.interp(tilts, falls, curve[::-1]) for curve in energy])
    contrasts: Floats = curves - np.median(curves, axis=1, keepdims=True)
    return contrasts


def _line_sums(columns: NDArray[np.int16], most: int) -> NDArray[np.int16]:
    """Sums along lines through ``[columns, rows]`` that fall by -most to most rows from the first column to the last.

    Of ``[falls, rows]``, by the row where a line begins; rows go round. The number of columns is a power of two. A line
    is one through the left half and one through the right half, which begins where the first ends.
    """
    import numpy as np

    sums, reach = columns[None], 0
    blocks = len(columns)
    while blocks > 1:
        blocks //= 2
        before, reach, halves = reach, -(-most // blocks), sums
        sums = np.empty((2 * reach + 1, blocks, columns.shape[1]), np.int16)
        for fall in range(-reach, reach + 1):
            half = min(abs(fall) // 2, before) * (1 if fall > 0 else -1)
            left, right = halves[before + half, 0::2], halves[before + half, 1::2]
            place = (abs(fall) - abs(fall) // 2) * (1 if fall > 0 else -1)
            _add_shifted(left, right, place, sums[reach + fall])
    return sums[:, 0]


def _add_shifted(left: NDArray[Any], right: NDArray[Any], by: int, out: NDArray[Any]) -> None:
    """``left`` and what is ``by`` rows further down in ``right``, which goes round."""
    import numpy as np

    by %= left.shape[1]
    np.add(left[:, : left.shape[1] - by], right[:, by:], out=out[:, : left.shape[1] - by])
    np.add(left[:, left.shape[1] - by :], right[:, :by], out=out[:, left.shape[1] - by :])


def _peak(tilts: Floats, curve: Floats) -> float:
    """Where a curve is highest, by a parabola through the nine values around it."""
    import numpy as np

    top = int(curve.argmax())
    near = slice(max(0, top - 4), top + 5)
    away = tilts[near] - tilts[top]
    bent, slope, _ = np.polyfit(away, curve[near], 2)
    moved = -slope / (2 * bent) if bent < 0 else 0.0
    return float(tilts[top] + np.clip(moved, away[0], away[-1]))
