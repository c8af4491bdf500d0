"""Deny by default: every route, every method and every path without a route, without a key and in a full service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from upright.service.access import CLOSED, Access, access, access_of
from upright.service.app import create_app
from upright.service.page import FOLDER
from upright.service.settings import Settings
from upright.service.state import State

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
KEY = "0123456789abcdef"

#: Who adds a path here says why strangers may have it: probes, and what describes the service or is its page.
OPEN = {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs"}
#: What lies in the page's folder is public by lying there.
PAGE = {f"/{path.relative_to(FOLDER)}" for path in FOLDER.rglob("*")} | {
    "/",
    "/model/model.json",
    "/model/model-int8.onnx",
    "/model/heads.json",
    "/model/heads.onnx",
}
#: Kept from strangers, and answered however busy the service is.
FREE = {"/metrics"}


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[FastAPI]:
    jobs = tmp_path_factory.mktemp("jobs") / "jobs.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPRIGHT_API_KEYS", f"anna:{KEY}")
        app = create_app(Settings(max_queue=1, jobs=str(jobs)))
    yield app
    state: State = app.state.service
    state.batcher.close()
    state.runner.close()


def statuses(app: FastAPI, requests: list[tuple[str, str]], **headers: str) -> dict[tuple[str, str], int]:
    async def all_of_them() -> dict[tuple[str, str], int]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
            return {(method, path): (await client.request(method, path)).status_code for method, path in requests}

    return asyncio.run(all_of_them())


def every_request(app: FastAPI) -> list[tuple[str, str]]:
    """Each method on each route's path, and on paths that no route has."""
    paths = [route.path.format(job="none", name="upright-1", version="1", file="x") for route in app.routes]
    paths += ["/nothing", "/v1", "/v1/", "/v1/nothing", "/v2/health", "/healthz/", "/HEALTHZ", "/docs/oauth2-redirect"]
    paths += ["/redoc", "/assets/../v1/model", "/%761/model", "//v1/model", "/model/README.md"]
    return [(method, path) for path in dict.fromkeys(paths) for method in METHODS]


def is_open(app: FastAPI, method: str, path: str) -> bool:
    """Whether the lists above open it: its path has to be listed, and the route has to take the method."""
    taken = "GET" if method == "HEAD" else method
    return path in OPEN | PAGE and any(route.path == path and taken in route.methods for route in app.routes)


def test_strangers_get_nothing_but_what_is_listed_as_open(app):
    requests = every_request(app)
    found = statuses(app, requests)
    assert len(found) > 300
    wrong = {each: status for each, status in found.items() if (status != 401) != is_open(app, *each)}
    assert wrong == {}
    opened = {path for (method, path), status in found.items() if method == "GET" and status == 200}
    assert opened >= OPEN | {"/", "/model/model.json"}


def test_a_key_opens_what_is_there(app):
    found = statuses(app, [("GET", "/v1/model"), ("GET", "/metrics"), ("GET", "/nothing")], **{"x-api-key": KEY})
    assert list(found.values()) == [200, 200, 404]
    assert set(statuses(app, [("POST", "/healthz"), ("OPTIONS", "/rotate")], **{"x-api-key": KEY}).values()) == {405}


def test_a_full_service_lets_in_nothing_but_what_is_listed(app):
    lane = app.state.service.lanes["requests"]
    visit = lane.enter("somebody", 0, lambda: None)
    lane.work(visit)
    try:
        found = statuses(app, every_request(app), **{"x-api-key": KEY})
    finally:
        lane.leave(visit)
    uploads = {("POST", "/v1/jobs")}  # a lane of its own
    for each, status in found.items():
        free = is_open(app, *each) or (each[1] in FREE and each[0] in ("GET", "HEAD")) or each in uploads
        assert (status != 503) == free, (each, status)


def test_what_does_not_say_that_it_is_open_is_closed():
    async def endpoint(request: Request) -> Response:
        return Response()

    assert access_of(None) == access_of(Mount("/x", routes=[])) == access_of(Route("/x", endpoint)) == CLOSED
    assert access_of(APIRoute("/x", endpoint)) == CLOSED
    marked = access(key=False, lane="free")(endpoint)
    assert access_of(APIRoute("/x", marked)) == Access(key=False, lane="free")
    endpoint.__dict__["access"] = True
    assert access_of(APIRoute("/x", endpoint)) == CLOSED, "only what is meant opens"


def test_a_setting_opens_the_metrics_and_nothing_else(app, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("UPRIGHT_API_KEYS", f"anna:{KEY}")
        opened = create_app(Settings(open_metrics=True))
    try:
        requests = every_request(opened)
        found, closed = statuses(opened, requests), statuses(app, requests)
    finally:
        state: State = opened.state.service
        state.batcher.close()
        state.runner.close()
    assert {each for each, status in found.items() if status != closed[each]} == {
        ("GET", "/metrics"),
        ("HEAD", "/metrics"),
    }
    assert found["GET", "/metrics"] == 200


def test_a_route_that_is_added_later_is_closed(app):
    async def endpoint(request: Request) -> Response:
        return Response("secret")

    routes = [
        Route("/later", endpoint),
        Mount("/mounted", routes=[Route("/later", endpoint)]),
        APIRoute("/api", endpoint),
    ]
    app.router.routes[:0] = routes
    try:
        found = statuses(app, [("GET", "/later"), ("GET", "/mounted/later"), ("GET", "/mounted"), ("GET", "/api")])
    finally:
        del app.router.routes[: len(routes)]
    assert set(found.values()) == {401}
