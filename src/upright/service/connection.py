"""uvicorn's HTTP protocol with clocks and a number of connections, which uvicorn itself does not bound."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any, ClassVar, cast
from urllib.parse import unquote

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .admission import Phase, Visit
from .problems import BadFraming, problem_response

#: Of the head of a request.
MAX_HEAD_BYTES = 16 << 10
#: Before the path of a target in absolute form.
_AUTHORITY = re.compile(rb"https?://[^/]*", re.IGNORECASE)


class Connection(H11Protocol):
    """Closes a connection whose next request's head is not there ``head_timeout_s`` after it began to come.

    The same clock runs while the rest of a refused body is thrown away, so neither can be dripped forever; and a
    connection that is to be closed is aborted where the client does not read the end of its answer. One whose client
    still sends is closed in stages.

    There are ``most`` connections at once. One more ends the one that has waited longest for its client: for a request,
    for the rest of a body, for an answer to be read. Requests that are worked on stay.
    """

    head_timeout_s: ClassVar[float] = 10.0
    most: ClassVar[int] = 1000
    #: What the client's request has, while there is one; set by the door.
    visit: Visit | None = None
    _clock: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: a connection that says nothing is a slow head, too."""
        super().connection_made(cast(asyncio.Transport, _InStages(transport, self)))
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {"upright.connection": self}
            # A client that takes this for a proxy names the host, too.
            if host := _AUTHORITY.match(scope["raw_path"]):
                scope["raw_path"] = scope["raw_path"][host.end() :] or b"/"
                scope["path"] = unquote(scope["raw_path"].decode("ascii"))
            await inner(scope, receive, send)

        self.app = app
        self._since = self.loop.time()
        self._start_clock()
        if len(self.connections) > self.most:
            waiting = [each for each in self.connections if isinstance(each, Connection) and each.waits]
            min(waiting, key=lambda each: each.waits_since, default=self).transport.abort()

    @property
    def is_sent_to(self) -> bool:
        """Whether the client has not sent all of its request, or nothing that is one."""
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    @property
    def waits(self) -> bool:
        """Whether the next step is the client's."""
        return self.visit is None or self.visit.phase is not Phase.WORKING

    @property
    def waits_since(self) -> float:
        """Since when, in seconds of the clock of loop and admission."""
        return self._since if self.visit is None else self.visit.since

    def on_response_complete(self) -> None:
        """The connection is idle from now on."""
        self._since = self.loop.time()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Start the clock at the first bytes of a head; throw away what comes after the end."""
        if self.transport.is_closing():
            return
        if self._clock is None and self._between_requests():
            self._start_clock()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        if self._clock is not None:
            self._clock.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused like anything else, and the connection closed."""
        remedy = f"send HTTP/1.1, with a head of at most {MAX_HEAD_BYTES:,} bytes"
        answer = problem_response(BadFraming(msg.rstrip("."), remedy=remedy))
        headers = [*answer.raw_headers, (b"x-content-type-options", b"nosniff")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

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


class _InStages:
    """A transport that is closed for writing first where its client still sends, and wholly when the client closes it.

    Closed at once it would be reset, and the client would lose an answer that it has not read: Python's urllib does,
    and nginx, which calls with HTTP/1.0 (RFC 9112, 9.6).
    """

    def __init__(self, whole: asyncio.Transport, connection: Connection) -> None:
        self._whole, self._connection, self._half_closed = whole, connection, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def is_closing(self) -> bool:
        return self._half_closed or self._whole.is_closing()

    def close(self) -> None:
        if self.is_closing() or not self._connection.is_sent_to or not self._whole.can_write_eof():
            self._whole.close()
            return
        self._half_closed = True
        self._whole.write_eof()
        self._whole.resume_reading()
        self._connection.loop.call_later(self._connection.head_timeout_s, self._whole.abort)


def room_for(connections: int) -> tuple[int, int]:
    """How many connections this process can have, at most those wanted, and how many may come at once.

    Raises the limit of open files to what the system allows. asyncio accepts all that wait, several times before it
    reports them; where files run out meanwhile it stops accepting for a second and writes thousands of tracebacks.
    """
    files = 1 << 20
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        files = files if hard == resource.RLIM_INFINITY else hard
    room = files - 128  # about 85 for libraries and the model, and the jobs file
    most = max(1, min(connections, room // 4))
    # A connection may need a second file: an upload, a page.
    return most, max(1, min(2048, (room - 2 * most) // 5))
