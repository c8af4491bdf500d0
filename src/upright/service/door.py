"""What a request passes before its route runs: key, rate, parameters, a place, and the time that it is given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import parse_qsl

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Overloaded
from .access import Access, Lane, access_of, route_of
from .admission import Admission
from .keys import Keys
from .metrics import Metrics
from .problems import BadFraming, DeadlinePassed, Refused, WrongType
from .rates import Rates
from .settings import Settings
from .transfer import ENCODINGS, Incoming, Outgoing, Pace, Unpacker

#: Milliseconds that a client gives its request, counted from when its head has arrived.
DEADLINE_HEADER = "X-Request-Timeout-Ms"


@dataclass(frozen=True, slots=True)
class Door:
    """Lets requests in, to the routes that ``routes()`` lists, or raises what is to be answered instead."""

    app: ASGIApp
    routes: Callable[[], Sequence[BaseRoute]]
    settings: Settings
    keys: Keys
    rates: Rates | None
    lanes: Mapping[Lane, Admission]
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises `UprightError`."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, route = Headers(scope=scope), route_of(self.routes(), scope)
        scope["route"] = route  # for the metrics of what is refused here
        access = access_of(route)
        if access.opened_by and getattr(self.settings, access.opened_by):
            access = replace(access, key=False)
        client = scope["trace"].client = self._client(access, headers, scope)
        _check_parameters(route, scope)
        packed = _packed(access, headers)
        size, given_s = _declared(headers), self._given_s(access, headers)
        if given_s is not None:
            scope["trace"].until = time.monotonic() + given_s
        lane, dropped = self.lanes[access.lane], False

        def drop() -> None:
            nonlocal dropped
            if not deadline.expired():  # it ends already, and a deadline that has passed cannot be moved
                dropped = True
                deadline.reschedule(0)

        def answer(held: int) -> None:
            if deadline.expired():
                # A task of the request that streams is told a step later: nothing may be sent till then.
                raise asyncio.CancelledError
            if not dropped:
                deadline.reschedule(None)  # from here on the pace alone bounds it: an answer that has begun is whole
            lane.answer(visit, held)

        visit = lane.enter(client, size or 0, drop)
        connection = scope.get("extensions", {}).get("upright.connection")
        if connection is not None:
            connection.visit = visit
        incoming = self._incoming(receive, access, packed, partial(lane.grow, visit), partial(lane.work, visit))
        try:
            async with asyncio.timeout(given_s) as deadline:
                self._show()
                incoming.check(size or 0)
                if size == 0:
                    lane.work(visit)
                await self.app(scope, incoming.receive, Outgoing(send, self._pace(), answer).send)
        except TimeoutError:
            if dropped:
                raise Overloaded("the room that this slow request took was needed for others") from None
            if not deadline.expired():
                raise
            remedy = f"raise {DEADLINE_HEADER}, or come back later; the operator can raise --request-timeout-s"
            raise DeadlinePassed("not done in the time given", remedy=remedy) from None
        finally:
            scope["trace"].facts["body_bytes"] = incoming.size
            lane.leave(visit)
            if connection is not None:
                connection.visit = None
            self._show()

    def _client(self, access: Access, headers: Headers, scope: Scope) -> str:
        """Who calls: the name of its key, or its address. Raises `Unauthorized`, `TooOften`."""
        client: str = scope["client"][0] if scope.get("client") else "?"
        scope["key_name"] = ""
        if self.keys and access.key:
            scope["key_name"] = scope["trace"].facts["key"] = client = self.keys.owner_of(headers)
        if self.rates is not None and access.key:
            self.rates.take(client)
        return client

    def _given_s(self, access: Access, headers: Headers) -> float | None:
        text = headers.get(DEADLINE_HEADER)
        # Jobs may be gigabytes on a slow line; the least pace of bodies bounds them.
        longest = None if access.lane == "uploads" else self.settings.request_timeout_s
        given = longest if text is None else _milliseconds(text) / 1000
        return given if longest is None or given is None else min(longest, given)

    def _pace(self) -> Pace:
        return Pace(self.settings.body_timeout_s, self.settings.body_kb_s * 1024)

    def _incoming(
        self, receive: Receive, access: Access, packed: bool, grow: Callable[[int], None], work: Callable[[], None]
    ) -> Incoming:
        most = self.settings.max_body_mb, "--max-body-mb"
        if access.lane == "uploads":
            most = self.settings.job_mb, "--job-mb"
        return Incoming(receive, self._pace(), *most, grow, work, Unpacker() if packed else None)

    def _show(self) -> None:
        lane = self.lanes["requests"]
        self.metrics.in_flight.set(lane.requests)
        self.metrics.in_flight_bytes.set(lane.bytes)


def _check_parameters(route: BaseRoute | None, scope: Scope) -> None:
    """Raise `Refused` for a query parameter that the route does not know, or that is there twice."""
    if not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    known = [parameter.alias for parameter in route.dependant.query_params]
    given = [name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)]
    for name in given:
        if name not in known:
            remedy = f"known here: {', '.join(known)}" if known else "leave it out: there are none here"
            raise Refused(f"the query parameter {name[:40]!r} is not known", remedy=remedy)
        if given.count(name) > 1:
            raise Refused(f"the query parameter {name!r} is there {given.count(name)} times", remedy="give it once")


def _packed(access: Access, headers: Headers) -> bool:
    """Whether the body is to be unpacked. Raises `WrongType` where the route, or this service, cannot."""
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return False
    if not access.packed:
        raise WrongType("the body is compressed", remedy="send it as it is: pictures are compressed already")
    if encoding not in ENCODINGS:
        raise WrongType(f"the body is packed as {encoding[:20]!r}", remedy=f"send it as {' or '.join(ENCODINGS)}")
    return True


def _declared(headers: Headers) -> int | None:
    """The size of the body that a head declares, ``None`` where it is chunked. Raises `BadFraming`."""
    text = headers.get("content-length")
    if text is None:
        return None if "transfer-encoding" in headers else 0
    if "transfer-encoding" in headers:
        raise BadFraming("the head has both Content-Length and Transfer-Encoding", remedy="send one of them")
    if not text.isascii() or not text.isdigit():
        raise BadFraming("Content-Length is not a number", remedy="send the length of the body in bytes")
    return int(text)


def _milliseconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0):
        raise Refused(f"{DEADLINE_HEADER} is {text[:20]!r}", remedy="give whole milliseconds, at least 1")
    return float(text)
