"""A turn that a person names, in the place of a detector."""

from __future__ import annotations

from dataclasses import dataclass

from ..drive import about
from ..pictures import Limits, Source, open_picture
from ..results import Orientation, Promise, Reason, Scores
from ..tilt import tilted
from ..turns import Turn


@dataclass(frozen=True, slots=True)
class ByHand:
    """Answers one and the same turn for every picture that can be opened."""

    turn: Turn
    limits: Limits
    tilt: bool = False
    load_s: float = 0.0
    likes_batches: bool = False

    def detect(self, source: Source, *, page: int = 0) -> Orientation:
        """The named turn. Raises `UprightError` where the picture cannot be opened."""
        scores = [0.0] * 4
        scores[self.turn.index] = 1.0
        certain = Scores((scores[0], scores[1], scores[2], scores[3]))
        answer = Orientation(self.turn, self.turn, 1.0, certain, Reason.BY_HAND, Promise.BEST, step="", views=0)
        with open_picture(source, page=page, limits=self.limits) as picture:
            answer = about(picture, answer)
            return tilted(picture, answer) if self.tilt else answer

    def is_sure(self, answer: Orientation) -> bool:
        """A person is."""
        return True

    def __enter__(self) -> ByHand:
        return self

    def __exit__(self, *exc: object) -> None:
        pass
