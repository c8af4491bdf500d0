"""How much the service takes in at once, decided before a body is read."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import Overloaded


class Gate:
    """Counts requests and the bytes of their bodies; one too many is turned away with `Overloaded`.

    It stands before the body is read, so that turning away costs next to nothing, and what is in memory is bounded.
    """

    def __init__(self, max_requests: int, max_bytes: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_requests, self._max_bytes = max_requests, max_bytes
        self._clock = clock
        self._between_s = 0.05
        self._last_left = clock()
        self.requests = 0
        self.bytes = 0

    def enter(self, size: int) -> None:
        """Let a request in whose body has ``size`` bytes, 0 where that is not known yet."""
        if self.requests >= self._max_requests:
            raise self._overloaded(f"{self.requests} requests are waiting already")
        self.grow(size)
        self.requests += 1

    def grow(self, size: int) -> None:
        """Count more bytes of a body that did not tell its length. Raises `Overloaded`; then they are not counted."""
        if self.bytes + size > self._max_bytes and self.requests:
            raise self._overloaded(f"{self.bytes >> 20} MiB of requests are waiting already")
        self.bytes += size

    def leave(self, size: int) -> None:
        """A request is done; ``size`` is all that was counted for it."""
        self.requests -= 1
        self.bytes -= size
        now = self._clock()
        # The pace of leaving tells how long a full line takes; a pause without requests must not count as slowness.
        self._between_s += 0.1 * (min(now - self._last_left, 1.0) - self._between_s)
        self._last_left = now

    def _overloaded(self, cause: str) -> Overloaded:
        return Overloaded(cause, retry_after_s=self._between_s * self.requests)
