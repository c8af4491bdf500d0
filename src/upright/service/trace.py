"""What one request was, and where its time went; collected on the way, logged and counted at the end."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from ..results import Orientation


@dataclass(slots=True)
class Trace:
    """Seconds by stage, and facts for the log line, of one request.

    ``client`` is who sent it: the name of a key, or an address. ``until`` is when its time is up, by `time.monotonic`.
    ``model`` is the model of the v2 protocol that it names.
    """

    request_id: str
    client: str = ""
    model: str = ""
    started: float = field(default_factory=time.perf_counter)
    until: float = math.inf
    stages: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, stage: str, seconds: float) -> None:
        """Add to a stage's time; the views and pictures of one request add up."""
        self.stages[stage] = self.stages.get(stage, 0.0) + seconds

    def most(self, fact: str, value: float) -> None:
        """Keep the largest value of a fact."""
        self.facts[fact] = max(value, self.facts.get(fact, value))

    def left_s(self) -> float:
        """Seconds until its time is up."""
        return self.until - time.monotonic()

    def decided(self, orientation: Orientation, size: int) -> None:
        """Take up an answer about a picture of ``size`` bytes; of several pictures the log line shows the last."""
        self.facts |= {
            "pictures": self.facts.get("pictures", 0) + 1,
            "picture_bytes": self.facts.get("picture_bytes", 0) + size,
            "width_px": orientation.width_px,
            "height_px": orientation.height_px,
            "turn": None if orientation.turn is None else int(orientation.turn),
            "confidence": round(orientation.confidence, 4),
            "unsure": orientation.unsure,
        }


def trace_of(request: Request) -> Trace:
    """The trace of the request that a route answers."""
    trace: Trace = request.scope["trace"]
    return trace
