"""What a step of the ladder is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..pictures import Picture
from .view import Looks, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the ladder.

    Attributes:
        name: by which ``model.json`` calibrates it and answers name it.
        effort: the least effort at which it is taken.
        views: what to show next, planned from the picture, whose pixels it may read, and the view's side in pixels;
            none where this step would show nothing that those before did not.
        combine: the log-probabilities ``[4]`` of the picture's turns that all looks so far amount to, by name of their
            step. Calibration divides them by a temperature.
    """

    name: str
    effort: int
    views: Callable[[Picture, int], Sequence[View]]
    combine: Callable[[Mapping[str, Looks]], NDArray[np.float32]]
