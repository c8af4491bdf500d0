"""How often a client may call."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from .problems import TooOften

#: Clients that are remembered; the least recently seen one is evicted and starts again with a full bucket.
MOST_CLIENTS = 10_000


class Rates:
    """A token bucket for each client: ``per_s`` requests a second, and a second's worth (at least one) at once."""

    def __init__(self, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._room, self._clock = per_s, max(1.0, per_s), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Count one request. Raises `TooOften` when the bucket is empty."""
        now = self._clock()
        left, since = self._buckets.pop(client, (self._room, now))
        left = min(self._room, left + (now - since) * self._per_s)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        if left < 1:
            raise TooOften(f"more than {self._per_s:g} requests a second", retry_after_s=(1 - left) / self._per_s)
