"""What every request passes on its way in: first `Observed` (id, log line, metrics, headers), then `Doors` (limits)."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import UprightError
from . import log
from .problems import BodyTooLarge, BodyTooSlow, ClientGone, DeadlinePassed, Refused, WrongType, problem_response

if TYPE_CHECKING:
    from .gate import Gate
    from .keys import Keys, Rates
    from .metrics import Metrics
    from .settings import Settings

#: Milliseconds that a client gives its request, counted from when its head has arrived.
DEADLINE_HEADER = "x-request-timeout-ms"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_OPEN_PATHS = ("/v2/health/", "/healthz", "/readyz")
_KEPT_PATHS = ("/rotate", "/v1/", "/v2", "/metrics")

logger = logging.getLogger("upright.service")


def needs_key(path: str) -> bool:
    """Whether a path is behind the API keys: all that works or tells, but not health, documents and the page."""
    return path.startswith(_KEPT_PATHS) and not path.startswith(_OPEN_PATHS)


def is_picture_work(scope: Scope) -> bool:
    """Whether a request takes a place in the line: it carries pictures, and its answer waits for the engine."""
    path: str = scope["path"]
    works = path in ("/rotate", "/v1/orientation", "/v1/correct") or (
        path.startswith("/v2/") and path.endswith("/infer")
    )
    return works and bool(scope["method"] == "POST")


async def send_problem(scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    """Answer with a problem; clients of the v2 protocol look for its text under ``error``."""
    more = {"error": str(error)} if scope["path"].startswith("/v2") and isinstance(error, Refused) else {}
    await problem_response(error, scope["trace"].request_id, **more)(scope, receive, send)


class Observed:
    """Gives each request its id, its log line, its metrics and the security headers; catches what nobody caught."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        trace = log.Trace(given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex)
        scope["trace"] = trace
        status = 499

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = trace.request_id
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:
            logger.exception("request failed", extra={"fields": {"request_id": trace.request_id}})
            if status == 499:
                await send_problem(scope, receive, send_marked, RuntimeError())
        finally:
            self._finish(scope, trace, status)

    def _finish(self, scope: Scope, trace: log.Trace, status: int) -> None:
        seconds = time.perf_counter() - trace.started
        route = getattr(scope.get("route"), "path", None) or "none"
        # Clients may make methods up; each would be a series of its own.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.observe(trace, route, method, status, seconds)
        if not log.access.isEnabledFor(logging.INFO):
            return
        client = scope.get("client")
        fields = {
            "request_id": trace.request_id,
            "client": client[0] if client else None,
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "total_ms": round(seconds * 1000, 3),
            "stages_ms": {stage: round(stage_s * 1000, 3) for stage, stage_s in trace.stages.items()},
        }
        log.access.info("request", extra={"fields": fields | trace.facts})


@dataclass(slots=True)
class Doors:
    """Keys, rates, sizes, room in the line, slow bodies and deadlines, before any route runs."""

    app: ASGIApp
    settings: Settings
    gate: Gate
    keys: Keys
    rates: Rates | None
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or answer with a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            if not started:
                started = True
                timeout.reschedule(None)  # an answer that has begun is not cut off
            await send(message)

        timeout = asyncio.timeout(None)
        try:
            async with timeout:
                given_s = self._time_given(scope)
                timeout.reschedule(None if given_s is None else asyncio.get_running_loop().time() + given_s)
                await self._let_in(scope, receive, send_watched)
        except TimeoutError:
            if not started:
                late = DeadlinePassed(
                    "not done in the time given", remedy=f"raise {DEADLINE_HEADER}, or come back later"
                )
                await send_problem(scope, receive, send, late)
        except ClientGone:
            pass
        except UprightError as error:
            await send_problem(scope, receive, send, error)

    def _time_given(self, scope: Scope) -> float | None:
        text = Headers(scope=scope).get(DEADLINE_HEADER)
        # Jobs may be gigabytes on a slow line; the least pace of bodies bounds them.
        longest = None if scope["path"] == "/v1/jobs" else self.settings.request_timeout_s
        given = longest if text is None else _milliseconds(text) / 1000
        return given if longest is None or given is None else min(longest, given)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        client = scope["client"][0] if scope.get("client") else "?"
        if self.keys and needs_key(path):
            client = self.keys.name_of(_given_key(headers))
            scope["trace"].facts["key"] = client
        scope["key_name"] = client if self.keys else ""
        if self.rates is not None and needs_key(path):
            self.rates.take(client)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise WrongType("the body is compressed", remedy="send it as it is: pictures are compressed already")
        is_job = path == "/v1/jobs"
        body = Body(receive, self.settings, self.settings.job_mb if is_job else self.settings.max_body_mb)
        length = _content_length(headers)
        body.check(length or 0)
        if not is_picture_work(scope):
            await self.app(scope, body.receive, send)
            return
        counted = length or 0
        try:
            self.gate.enter(counted)
        except UprightError:
            self.metrics.overloads.labels("door").inc()
            raise

        def grow(size: int) -> None:
            nonlocal counted
            self.gate.grow(size)
            counted += size

        if length is None:
            body.on_bytes = grow
        self._show()
        try:
            await self.app(scope, body.receive, send)
        finally:
            scope["trace"].facts["body_bytes"] = body.size
            self.gate.leave(counted)
            self._show()

    def _show(self) -> None:
        self.metrics.in_flight.set(self.gate.requests)
        self.metrics.in_flight_bytes.set(self.gate.bytes)


class Body:
    """A request's body as it arrives: bounded in size, whatever its head says, and in slowness."""

    def __init__(self, receive: Receive, settings: Settings, max_mb: int) -> None:
        self._receive, self._max_mb = receive, max_mb
        self._patience_s, self._bytes_s = settings.body_timeout_s, settings.body_kb_s * 1024
        self._since = time.perf_counter()
        self._complete = False
        self.size = 0
        self.on_bytes: Callable[[int], None] = lambda size: None

    def check(self, size: int) -> None:
        """Raise `BodyTooLarge` if a body of this size is."""
        if size > self._max_mb << 20:
            raise BodyTooLarge(
                f"the body is over {self._max_mb} MiB", remedy="send less at once, or ask for a higher limit"
            )

    async def receive(self) -> Message:
        """The next message. Raises `BodyTooLarge`, `BodyTooSlow`, `ClientGone`, `Overloaded`."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(
                self._since + self._patience_s + self.size / self._bytes_s - time.perf_counter()
            ):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlow("the body arrives too slowly", remedy="send it faster") from None
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left while it was sending")
        chunk = len(message.get("body", b""))
        self.size += chunk
        self.check(self.size)
        self.on_bytes(chunk)
        self._complete = not message.get("more_body", False)
        return message


def _given_key(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")


def _content_length(headers: Headers) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None if "transfer-encoding" in headers else 0
    if not text.isascii() or not text.isdigit():
        raise Refused("Content-Length is not a number", remedy="send the length of the body in bytes")
    return int(text)


def _milliseconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0):
        raise Refused(f"{DEADLINE_HEADER} is {text[:20]!r}", remedy="give whole milliseconds, at least 1")
    return float(text)
