"""What the model is shown: the whole picture or a part of it, turned, squashed to a square; and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..pictures import Box, Picture, squash
from ..turns import Turn, turn_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class View:
    """A request for what the model should see: the whole picture, unless ``box`` or ``squashed`` say otherwise.

    Attributes:
        box: a part of the picture as shown: left, top, right, bottom in pixels.
        turn: a clockwise turn done to it before the model sees it.
        squashed, corner: a window of the view's side in the whole picture squashed to this width and height, with its
            left upper corner there; all windows of one squashed picture cost one pass through the file.
    """

    box: Box | None = None
    turn: Turn = Turn.NONE
    squashed: tuple[int, int] | None = None
    corner: tuple[int, int] = (0, 0)


def render(picture: Picture, view: View, size_px: int) -> NDArray[np.uint8]:
    """The pixels of a view, ``[S, S, 3]`` uint8 sRGB.

    Squashed by Pillow's 8-bit ``BILINEAR`` (antialiased), then turned. The picture is decoded once for each size that
    it is squashed to.

    Raises:
        BrokenPicture, TooLarge: the picture cannot be decoded.
    """
    if view.box is not None:
        from PIL import Image

        pixels = squash(Image.fromarray(picture.region(view.box, size_px)), size_px)
    else:
        left, top = view.corner
        pixels = picture.squashed(view.squashed or size_px)[top : top + size_px, left : left + size_px]
    return turn_array(pixels, view.turn)


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Views of one step, and the model's log-probabilities ``[n, 4]`` for each, by turns of the picture."""

    views: Sequence[View]
    log_probabilities: Logits

    @classmethod
    def of(cls, views: Sequence[View], logits: Logits) -> Looks:
        """From logits ``[n, 4]`` by turns of the views.

        A view that was turned clockwise by ``t`` and still needs ``u`` means that the picture needs ``t + u``.
        """
        import numpy as np

        rows = log_softmax(logits)
        return cls(views, np.stack([np.roll(row, view.turn.index) for row, view in zip(rows, views, strict=True)]))


def log_softmax(logits: Logits) -> Logits:
    """Log-probabilities ``[n, 4]`` of logits ``[n, 4]``."""
    import numpy as np

    shifted = logits.astype(np.float32) - logits.max(axis=1, keepdims=True)
    result: Logits = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result
