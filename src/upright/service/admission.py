"""How many requests are let in at once, and how many bytes of theirs are held."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from ..errors import Overloaded

#: One client may take all but this share of the places and bytes; the rest is for clients that hold less than it.
_RESERVED = 1 / 8
#: Seconds that a place is kept for a request whose body is still arriving.
_PATIENCE_S = 2.0


class Phase(Enum):
    """What a request waits for: its own client, the service, its own client again."""

    RECEIVING = auto()
    WORKING = auto()
    ANSWERING = auto()


@dataclass(slots=True, eq=False)
class Visit:
    """A request that was let in. ``drop`` ends it, where others need the bytes that a slow client holds."""

    client: str
    drop: Callable[[], None]
    since: float
    phase: Phase = Phase.RECEIVING
    bytes: int = 0


class Admission:
    """Counts places and bytes; a request that finds none is turned away with `Overloaded`, best before its body.

    A request that is worked on has a place, and one whose body is coming has it for `_PATIENCE_S`: slow clients hold
    bytes, not places, and are dropped when others need the bytes. Bytes count from when they are there, not from when
    they are declared. One request over ``max_bytes`` is let in where it is alone.
    """

    def __init__(
        self,
        max_requests: int | None,
        max_bytes: int,
        *,
        on_refusal: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_requests, self._max_bytes = max_requests, max_bytes
        self._on_refusal, self._clock = on_refusal, clock
        self._visits: dict[Visit, None] = {}
        self._between_s = 0.05
        self._last_left = clock()
        self.bytes = 0

    @property
    def requests(self) -> int:
        """Places that are taken."""
        return self._places().total()

    def enter(self, client: str, size: int, drop: Callable[[], None]) -> Visit:
        """Let a request in whose head declares a body of ``size`` bytes, 0 where it does not. Raises `Overloaded`."""
        self._check_place(client)
        if self._visits and self.bytes + size > self._max_bytes and not self._room(size):
            raise self._overloaded(f"{self.bytes >> 20} MiB of requests are held already")
        visit = Visit(client, drop, self._clock())
        self._visits[visit] = None
        return visit

    def grow(self, visit: Visit, size: int) -> None:
        """Count bytes of a body that have come. Raises `Overloaded`; then they are not counted."""
        if len(self._visits) > 1:
            if self.bytes + size > self._max_bytes and not self._room(size, but=visit):
                raise self._overloaded(f"{self.bytes >> 20} MiB of requests are held already")
            if self._is_scarce(self.bytes + size, self._max_bytes):
                mine = size + sum(each.bytes for each in self._visits if each.client == visit.client)
                if mine > self._max_bytes * _RESERVED:
                    raise self._overloaded(f"{mine >> 20} MiB of this client's requests are held already")
        visit.bytes += size
        self.bytes += size

    def work(self, visit: Visit) -> None:
        """The body is there. Raises `Overloaded` where it came so slowly that its place has gone to another."""
        if not self._has_place(visit):
            self._check_place(visit.client)
        visit.phase = Phase.WORKING

    def answer(self, visit: Visit, size: int) -> None:
        """The answer is there, of which ``size`` bytes are held until they are sent: the place is free."""
        if visit.phase is not Phase.ANSWERING:
            visit.phase, visit.since = Phase.ANSWERING, self._clock()
        self.bytes += size - visit.bytes
        visit.bytes = size

    def leave(self, visit: Visit) -> None:
        """A request is done."""
        del self._visits[visit]
        self.bytes -= visit.bytes
        now = self._clock()
        # The rate of leaving gives the waiting time of a full line; a pause without requests is not slowness.
        self._between_s += 0.1 * (min(now - self._last_left, 1.0) - self._between_s)
        self._last_left = now

    def _places(self) -> Counter[str]:
        return Counter(visit.client for visit in self._visits if self._has_place(visit))

    def _has_place(self, visit: Visit) -> bool:
        waits_s = self._clock() - visit.since
        return visit.phase is Phase.WORKING or (visit.phase is Phase.RECEIVING and waits_s < _PATIENCE_S)

    def _check_place(self, client: str) -> None:
        if self._max_requests is None:
            return
        places = self._places()
        if places.total() >= self._max_requests:
            raise self._overloaded(f"{places.total()} requests are waiting already")
        if self._is_scarce(places.total() + 1, self._max_requests) and places[client] >= self._max_requests * _RESERVED:
            raise self._overloaded(f"{places[client]} requests of this client are waiting already")

    def _room(self, size: int, but: Visit | None = None) -> bool:
        """Drop clients that dawdle, those that hold most first, until ``size`` more bytes fit; whether they do.

        Nobody is dropped where it would not be enough.
        """
        old, over = self._clock() - _PATIENCE_S, self.bytes + size - self._max_bytes
        slow = [v for v in self._visits if v is not but and v.phase is not Phase.WORKING and v.since <= old]
        if sum(visit.bytes for visit in slow) < over:
            return False
        for visit in sorted(slow, key=lambda each: -each.bytes):
            if over <= 0:
                break
            over -= visit.bytes
            self.bytes -= visit.bytes
            visit.bytes = 0
            visit.drop()
        return True

    @staticmethod
    def _is_scarce(used: int, most: int) -> bool:
        return used > most - int(most * _RESERVED)  # of fewer than eight places none is reserved

    def _overloaded(self, cause: str) -> Overloaded:
        self._on_refusal()
        return Overloaded(cause, retry_after_s=self._between_s * self.requests)
