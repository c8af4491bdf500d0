"""What is around every answer: `Observe` (id, log line, metrics, headers) and, inside CORS, `Problems` (errors)."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Overloaded
from .log import access_log
from .metrics import Metrics
from .problems import ClientGone, Refused, problem_response
from .trace import Trace

_GIVEN_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

logger = logging.getLogger("upright.service")


@dataclass(frozen=True, slots=True)
class Observe:
    """Gives each request its id, its log line, its metrics and the security headers."""

    app: ASGIApp
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        trace = scope["trace"] = Trace(given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex)
        status, method = ClientGone.http_status, scope["method"]
        if method == "HEAD":
            # A GET whose body the web server leaves out (RFC 9110, 9.3.2): what watches a service asks so.
            scope = {**scope, "method": "GET"}

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = trace.request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, send_marked)
        finally:
            self._finish({**scope, "method": method}, trace, status)

    def _finish(self, scope: Scope, trace: Trace, status: int) -> None:
        seconds = time.perf_counter() - trace.started
        route = getattr(scope.get("route"), "path", None) or "none"
        # Clients may invent methods; each would become a series.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.metrics.observe(trace, route, method, status, seconds)
        if not access_log.isEnabledFor(logging.INFO):
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
        access_log.info("request", extra={"fields": fields | trace.facts})


@dataclass(frozen=True, slots=True)
class Problems:
    """Answers every error with a problem; an answer that has begun is cut off."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_watched)
        except (Exception, asyncio.CancelledError) as error:
            trace: Trace = scope["trace"]
            trace.facts["error"] = type(error).__name__
            answer = problem_response(_plain(error), trace.request_id, v2=scope["path"].startswith("/v2"))
            if answer.status_code == 500:
                logger.exception("request failed", extra={"fields": {"request_id": trace.request_id}})
            if started:
                if connection := scope.get("extensions", {}).get("upright.connection"):
                    connection.transport.abort()
            elif not isinstance(error, ClientGone):
                await answer(scope, receive, send)


class Cors(CORSMiddleware):
    """CORS whose refusals are errors like any other."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser asks before it sends. Raises `Refused`."""
        answer = super().preflight_response(request_headers)
        if answer.status_code != 200:
            remedy = (
                f"the operator can name the page with --cors-origin; known methods: {', '.join(self.allow_methods)}"
            )
            raise Refused(bytes(answer.body).decode(), remedy=remedy)
        return answer


def _plain(error: Exception | asyncio.CancelledError) -> Exception:
    """What the framework found wrong with parameters is a bad request like any other; only stopping cancels one."""
    if isinstance(error, asyncio.CancelledError):
        return Overloaded("the service is stopping, and could not wait for this request", retry_after_s=1)
    if isinstance(error, RequestValidationError):
        found = error.errors()[0]
        where, name = found["loc"][0], ".".join(str(part) for part in found["loc"][1:])
        return Refused(f"{where} parameter {name!r}: {found['msg']}", remedy="see /docs")
    return error


async def fail(_request: object, error: Exception) -> Response:
    """Instead of the framework's own answer to an error: leave it to `Problems`."""
    raise error
