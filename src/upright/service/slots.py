"""Who works next: threads are shared out among clients, however much each of them sends."""

from __future__ import annotations

import asyncio
from collections import Counter, deque


class Slots:
    """``count`` pieces of work at once, and one more for a client that has none at work. Lives in one event loop.

    A free slot goes to the client with the least at work, among equals to the one that waits longest: two files that
    take seconds each do not hold up what others send.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._busy: Counter[str] = Counter()
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    async def take(self, client: str) -> None:
        """Wait for a slot. Cancelled, it takes none."""
        if self._may_start(client) and not self._waiting:
            self._busy[client] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((client, turn))
        self._start()
        try:
            await turn
        except asyncio.CancelledError:
            if (client, turn) in self._waiting:
                self._waiting.remove((client, turn))
            elif not turn.cancelled():
                self.give(client)
            raise

    def give(self, client: str) -> None:
        """A piece of work is done."""
        self._busy[client] -= 1
        if not self._busy[client]:
            del self._busy[client]
        self._start()

    def _may_start(self, client: str) -> bool:
        return self._busy.total() < self.count + (client not in self._busy)

    def _start(self) -> None:
        while self._waiting:
            client, turn = min(self._waiting, key=lambda each: self._busy[each[0]])
            if not self._may_start(client):
                return
            self._waiting.remove((client, turn))
            if not turn.done():  # it is where its waiter is cancelled, and has not run since
                self._busy[client] += 1
                turn.set_result(None)
