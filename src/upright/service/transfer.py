"""Transfer of request bodies and answers: bounded in size, whatever a head declares, and in slowness."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.types import Message, Receive, Send

from .problems import BodyTooLarge, ClientGone, Refused, TooSlow

T = TypeVar("T")

#: Answers are written in pieces of this size, each when the one before it has gone: what a client does not read is
#: held once, in the answer, and not again in the socket's buffer.
PIECE = 64 << 10

#: How a body may be packed (RFC 9110, 8.4.1); ``deflate`` is the zlib format.
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


def accepted(header: str) -> str | None:
    """The first of `ENCODINGS` that an Accept-Encoding header takes."""
    takes = {}
    for each in header.lower().split(","):
        name, _, weight = each.replace(" ", "").partition(";q=")
        takes[name] = weight.strip("0.") != "" or not weight
    return next((name for name in ENCODINGS if takes.get(name, takes.get("*", False))), None)


class Unpacker:
    """What a packed body holds, by pieces of `PIECE` bytes at most, so that no body is larger than it may be."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # the stream's head shows its format
        self._packed = b""
        #: Whether there may be more without another packed byte.
        self.full = False

    def unpack(self, packed: bytes) -> bytes:
        """The next piece. Raises `Refused`."""
        try:
            piece = self._inflate.decompress(self._packed + packed, PIECE)
        except zlib.error as error:
            remedy = "pack it as its Content-Encoding says"
            raise Refused("the body cannot be unpacked", remedy=remedy) from error
        self._packed, self.full = self._inflate.unconsumed_tail, len(piece) == PIECE
        if self._inflate.unused_data:
            raise Refused("something follows the packed body", remedy="pack all of it at once")
        return piece

    def close(self) -> None:
        """All packed bytes are there. Raises `Refused` where they end too early."""
        if not self._inflate.eof:
            raise Refused("the packed body ends too early", remedy="send all of it")


class Pace:
    """How long a client may keep the service waiting: ``patience_s`` behind a pace of ``bytes_s``.

    A client that is ahead of the pace saves nothing up: no pause may be longer than ``patience_s``.
    """

    def __init__(self, patience_s: float, bytes_s: float) -> None:
        self._patience_s, self._bytes_s = patience_s, bytes_s
        self._left_s = patience_s

    async def wait(self, step: Awaitable[T]) -> T:
        """Wait for the client's next step. Raises `TooSlow`."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._left_s):
                return await step
        except TimeoutError:
            remedy = f"send and read at least {self._bytes_s / 1024:g} KiB a second"
            raise TooSlow("the client is too slow", remedy=remedy) from None
        finally:
            self._left_s -= time.perf_counter() - started

    def moved(self, size: int) -> None:
        """Count bytes that were received or sent."""
        self._left_s = min(self._patience_s, self._left_s + size / self._bytes_s)


class Incoming:
    """A request's body, unpacked by ``unpacker``: it is the unpacked size that is bounded and counted.

    ``on_bytes`` is called with the size of each piece, ``on_end`` when all is there.
    """

    def __init__(
        self,
        receive: Receive,
        pace: Pace,
        max_mb: int,
        option: str,
        on_bytes: Callable[[int], None],
        on_end: Callable[[], None],
        unpacker: Unpacker | None = None,
    ) -> None:
        self._receive, self._pace, self._max_mb, self._option = receive, pace, max_mb, option
        self._on_bytes, self._on_end = on_bytes, on_end
        self._unpacker = unpacker
        self._more, self._ended = True, False
        self.size = self._sent = 0

    def check(self, size: int) -> None:
        """Raise `BodyTooLarge` if a body of this size is."""
        if size > self._max_mb << 20:
            remedy = f"send less at once; the operator can raise {self._option}"
            raise BodyTooLarge(f"the body is over {self._max_mb} MiB", remedy=remedy)

    async def receive(self) -> Message:
        """The next message. Raises `BodyTooLarge`, `TooSlow`, `ClientGone`, `Overloaded`."""
        if self._ended:
            return await self._receive()
        if self._unpacker is None:
            body, more = await self._next(), self._more
        else:
            full = self._unpacker.full
            await asyncio.sleep(0)  # a megabyte takes 3 ms to unpack: others have their turn in between
            body = self._unpacker.unpack(b"" if full else await self._next())
            more = self._more or self._unpacker.full
            if not more:
                self._unpacker.close()
        self.size += len(body)
        self.check(self.size)
        self._on_bytes(len(body))
        if not more:
            self._ended = True
            self._on_end()
        return {"type": "http.request", "body": body, "more_body": more}

    async def _next(self) -> bytes:
        """The next bytes that the client sends."""
        message = await self._pace.wait(self._receive())
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left while it was sending")
        body: bytes = message.get("body", b"")
        self._pace.moved(len(body))
        self._sent += len(body)
        self.check(self._sent)
        self._more = message.get("more_body", False)
        return body


class Outgoing:
    """An answer. ``on_answer`` is called with the size of each of its messages before that is sent."""

    def __init__(self, send: Send, pace: Pace, on_answer: Callable[[int], None]) -> None:
        self._send, self._pace, self._on_answer = send, pace, on_answer

    async def send(self, message: Message) -> None:
        """Send a message, piece by piece. Raises `TooSlow`."""
        body = memoryview(message.get("body", b""))
        self._on_answer(len(body))
        while len(body) > PIECE:
            piece = {"type": "http.response.body", "body": bytes(body[:PIECE]), "more_body": True}
            await self._pace.wait(self._send(piece))
            self._pace.moved(PIECE)
            body = body[PIECE:]
        if message["type"] == "http.response.body":
            message["body"] = bytes(body)
        await self._pace.wait(self._send(message))
        self._pace.moved(len(body))
