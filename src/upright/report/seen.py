"""What a report keeps of a run, whatever its length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..results import Group, Outcome

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_PX = 128
#: In the head of both files: only a report is replaced by a report.
MARK = "upright report"
BINS = 20
COLOURS = {
    Group.TURNED: "#2563eb",
    Group.WOULD_TURN: "#60a5fa",
    Group.CANNOT: "#dc2626",
    Group.UNSURE: "#d97706",
    Group.UPRIGHT: "#16a34a",
}
#: What asks for a person first, then what was done.
ORDER = (Group.UNSURE, Group.CANNOT, Group.FAILED, Group.TURNED, Group.WOULD_TURN, Group.UPRIGHT)


@dataclass(frozen=True, slots=True)
class About:
    """What a run was: the command, the model, the confidence from which an answer was sure, and what can be done now.

    ``undo`` and ``review`` are commands; empty where there is nothing to undo or to review.
    """

    command: str = ""
    model: str = ""
    threshold: float | None = None
    undo: str = ""
    review: str = ""


@dataclass
class Seen:
    """Counts, a histogram, and the thumbnails of the first outcomes of each group, as they were before."""

    shown: int
    counts: dict[Group, int] = field(default_factory=lambda: dict.fromkeys(ORDER, 0))
    skipped: Counter[str] = field(default_factory=Counter)
    bins: dict[Group, list[int]] = field(default_factory=lambda: {group: [0] * BINS for group in COLOURS})
    samples: dict[Group, list[tuple[Outcome, Image.Image | None]]] = field(
        default_factory=lambda: {group: [] for group in ORDER}
    )

    def add(self, outcome: Outcome, thumbnail: Callable[[Outcome], Image.Image | None]) -> None:
        """Count one outcome, and keep it if its group has room."""
        if outcome.skipped:
            self.skipped[outcome.skipped] += 1
            return
        self.counts[outcome.group] += 1
        if outcome.orientation and outcome.group in self.bins:
            share = (outcome.orientation.confidence - 0.25) / 0.75
            self.bins[outcome.group][min(max(int(share * BINS), 0), BINS - 1)] += 1
        if len(self.samples[outcome.group]) < self.shown:
            self.samples[outcome.group].append((outcome, thumbnail(outcome)))
