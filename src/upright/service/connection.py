"""uvicorn's HTTP protocol with clocks on a connection that uvicorn itself does not have."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """Closes a connection whose next request's head is not there ``head_timeout_s`` after it began to come.

    The same clock runs while the rest of a refused body is thrown away, so neither can be dripped forever; and a
    connection that is to be closed is aborted where the client does not read the end of its answer.
    """

    head_timeout_s = 10.0
    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: a connection that says nothing is a slow head, too."""
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {"upright.abort": transport.abort}
            await inner(scope, receive, send)

        self.app = app
        self._start_clock()

    def data_received(self, data: bytes) -> None:
        """Start the clock at the first bytes of a head."""
        if self._clock is None and self._between_requests():
            self._start_clock()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        if self._clock is not None:
            self._clock.cancel()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, at once where the client has left the end of its answer unread."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Close the connection when its answer is sent; wait ``head_timeout_s`` for a client that does not read it."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(self.head_timeout_s, self.transport.abort)

    def _between_requests(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _start_clock(self) -> None:
        self._clock = self.loop.call_later(self.head_timeout_s, self._ring, self.cycle)

    def _ring(self, cycle: Any) -> None:
        self._clock = None
        if self.cycle is cycle and self._between_requests() and not self.transport.is_closing():
            self.transport.abort()
        elif self._between_requests() and self.timeout_keep_alive_task is None:
            self._start_clock()
