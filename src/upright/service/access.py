"""Who may call a route, and what place it takes. A route is closed and behind admission unless it says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

Lane = Literal["requests", "uploads", "free"]
F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of a request.

    Attributes:
        key: whether it needs an API key where keys are set, and counts towards the client's rate.
        lane: which `Admission` gives it a place; ``free`` lets it in however busy the service is.
        packed: whether its body may come as gzip or deflate.
        opened_by: the setting that opens it to those without a key.
    """

    key: bool = True
    lane: Lane = "requests"
    packed: bool = False
    opened_by: str = ""


#: What holds for every route that does not say otherwise, and for paths and methods that no route has.
CLOSED = Access()


def access(*, key: bool = True, lane: Lane = "requests", packed: bool = False, opened_by: str = "") -> Callable[[F], F]:
    """Say on an endpoint in what its route differs from `CLOSED`."""

    def mark(endpoint: F) -> F:
        endpoint.__dict__["access"] = Access(key, lane, packed, opened_by)
        return endpoint

    return mark


def access_of(route: BaseRoute | None) -> Access:
    """What a route asks; `CLOSED` for one that does not say, and for none."""
    found = getattr(getattr(route, "endpoint", None), "access", CLOSED)
    return found if isinstance(found, Access) else CLOSED


def route_of(routes: Iterable[BaseRoute], scope: Scope) -> BaseRoute | None:
    """The route that will answer a request, or ``None`` where its path or its method has none."""
    return next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)
