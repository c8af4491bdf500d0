"""What happens to a picture, as far as its metadata are concerned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..turns import ExifOrientation, Turn

#: Turns a thumbnail (JPEG) as an orientation shows it, into at most so many bytes; ``None`` where that cannot be done.
Thumbnail = Callable[[bytes, ExifOrientation, int], bytes | None]


@dataclass(frozen=True, slots=True)
class Moved:
    """The leader's orientation before and after, and how the stored pixels move: not at all, where TOP_LEFT.

    ``size`` is their width and height before; (0, 0) where it is not known.
    """

    before: ExifOrientation
    after: ExifOrientation
    pixels: ExifOrientation = ExifOrientation.TOP_LEFT
    thumbnail: Thumbnail | None = None
    size: tuple[int, int] = (0, 0)

    def of(self, known: ExifOrientation) -> ExifOrientation:
        """How something is shown that was shown by ``known`` and moves as the picture does."""
        shown = self.after if self.pixels == ExifOrientation.TOP_LEFT else self.pixels
        turn = next((turn for turn in Turn if self.before.then(turn) == shown), None)
        if turn is not None:
            return known.then(turn)
        turn = next(turn for turn in Turn if self.before.mirror().then(turn) == shown)
        return known.mirror().then(turn)
