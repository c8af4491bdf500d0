"""The routes of pictures, health, metrics and documents."""

from __future__ import annotations

import html
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse

from ..correct import Edge
from ..errors import UprightError
from ..results import Method, Orientation, Promise
from ..turns import Turn
from .bodies import is_form, read_form, read_pictures
from .log import Trace
from .problems import Refused, problem
from .runner import Ask, while_connected

if TYPE_CHECKING:
    from .app import Service

router = APIRouter()

Flow = Literal["cascade", "whole", "turned", "tiles"]


class BinaryResponse(StreamingResponse):
    """A file's bytes."""

    media_type = "application/octet-stream"


class MetricsResponse(Response):
    """Prometheus' text format."""

    media_type = "text/plain; version=0.0.4"


_CHUNK = 256 << 10

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def body(field: str = "files", raw: bool = True) -> dict[str, Any]:
    """The request body of a route that takes pictures, for the OpenAPI document."""
    form = {"type": "object", "required": [field], "properties": {field: _BINARY["schema"]}}
    content = {"multipart/form-data": {"schema": form}} | ({"application/octet-stream": _BINARY} if raw else {})
    return {"requestBody": {"required": True, "content": content}}


def service_of(request: Request) -> Service:
    """What the routes of this process share."""
    service: Service = request.app.state.service
    return service


def trace_of(request: Request) -> Trace:
    """The request's trace."""
    trace: Trace = request.scope["trace"]
    return trace


def note(trace: Trace, orientation: Orientation, size: int) -> None:
    """Put an answer into the request's log line; of several pictures the last."""
    trace.facts |= {
        "pictures": trace.facts.get("pictures", 0) + 1,
        "picture_bytes": trace.facts.get("picture_bytes", 0) + size,
        "width_px": orientation.width_px,
        "height_px": orientation.height_px,
        "turn": None if orientation.turn is None else int(orientation.turn),
        "confidence": round(orientation.confidence, 4),
        "unsure": orientation.unsure,
    }


def told(orientation: Orientation) -> dict[str, str]:
    """The headers that tell an orientation beside other content."""
    headers = {"X-Upright-Turn": str(int(orientation.best)), "X-Upright-Confidence": f"{orientation.confidence:.4f}"}
    return headers | ({"X-Upright-Unsure": "1"} if orientation.unsure else {})


@router.post("/rotate", openapi_extra=body("image", raw=False), tags=["pictures"])
async def rotate(request: Request) -> Response:
    """`suggested_angle` is the clockwise turn that makes the picture upright; when unsure, the best guess."""
    service, trace = service_of(request), trace_of(request)
    found = [part for part in await read_form(request, service.settings.max_pictures) if part.name == "image"]
    if len(found) != 1:
        raise Refused(f"the form has {len(found)} fields 'image'", remedy="send one picture as the field 'image'")
    data, name = found[0].data, found[0].filename or ""
    orientation = await while_connected(request.receive, service.runner.orient(data, name, Ask(), trace))
    note(trace, orientation, len(data))
    return JSONResponse({"suggested_angle": int(orientation.best)}, headers=told(orientation))


@router.post("/v1/orientation", openapi_extra=body(), tags=["pictures"])
async def orientation(
    request: Request,
    promise: Promise | None = None,
    flow: Flow | None = None,
    page: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """The whole answer: an object for a raw body; for a form `{"results": […]}`, one object or problem a file."""
    service, trace = service_of(request), trace_of(request)
    pictures = await read_pictures(request, service.settings.max_pictures)
    ask = Ask(promise, flow, page)
    if not is_form(request):
        name, data = pictures[0]
        answer = await while_connected(request.receive, service.runner.orient(data, name, ask, trace))
        note(trace, answer, len(data))
        return JSONResponse(answer.to_dict(), headers=told(answer))
    answers = await while_connected(request.receive, service.runner.orient_many(pictures, ask, trace))
    for each, (_, data) in zip(answers, pictures, strict=True):
        if isinstance(each, Orientation):
            note(trace, each, len(data))
    return JSONResponse({"results": [problem(e) if isinstance(e, UprightError) else e.to_dict() for e in answers]})


@router.post("/v1/correct", openapi_extra=body(), response_class=BinaryResponse, tags=["pictures"])
async def correct(
    request: Request,
    promise: Promise | None = None,
    flow: Flow | None = None,
    method: Method | None = None,
    turn: Annotated[Literal["0", "90", "180", "270"] | None, Query()] = None,
    edge: Edge = "tag",
) -> Response:
    """The corrected file. With `turn` nothing is decided; when unsure the file comes back as it was."""
    service, trace = service_of(request), trace_of(request)
    pictures = await read_pictures(request, service.settings.max_pictures)
    if len(pictures) != 1:
        raise Refused(f"the form has {len(pictures)} files", remedy="send one; /v1/jobs takes many")
    name, data = pictures[0]
    headers: dict[str, str] = {}

    async def work() -> bytes:
        wanted = Turn.NONE if turn is None else Turn(int(turn))
        if turn is None:
            answer = await service.runner.orient(data, name, Ask(promise, flow), trace)
            note(trace, answer, len(data))
            headers.update(told(answer))
            wanted = answer.turn or Turn.NONE
        new, done = await service.runner.correct(data, wanted, method, edge, trace)
        headers["X-Upright-Method"] = done.method.value
        headers["X-Upright-Lossless"] = "1" if done.lossless else "0"
        return new

    new = await while_connected(request.receive, work())
    headers["Content-Length"] = str(len(new))
    return BinaryResponse(_chunks(new), headers=headers)


async def _chunks(data: bytes) -> AsyncIterator[memoryview]:
    view = memoryview(data)
    for at in range(0, len(view), _CHUNK):
        yield view[at : at + _CHUNK]


@router.get("/v1/model", tags=["service"])
async def model(request: Request) -> Response:
    """The facts of the model, and the engine that runs it."""
    detector = service_of(request).detector
    engine = {"name": detector.engine.name, "device": detector.engine.device}
    return JSONResponse(detector.model.to_dict() | {"engine": engine})


@router.get("/healthz", tags=["service"])
async def healthz() -> Response:
    """Whether the process lives."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", tags=["service"])
async def readyz(request: Request) -> Response:
    """Whether new requests should come here; turns to 503 first when the service is told to stop."""
    ready = service_of(request).ready
    return JSONResponse({"status": "ready" if ready else "stopping"}, 200 if ready else 503)


@router.get("/metrics", response_class=MetricsResponse, tags=["service"])
async def metrics(request: Request) -> Response:
    """Prometheus metrics of all worker processes."""
    return MetricsResponse(service_of(request).metrics.exposition())


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The routes, as a page without a script: the usual pages for OpenAPI load theirs from third parties."""
    schema = request.app.openapi()
    rows = []
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            text = html.escape(route.get("description", ""))
            parameters = ", ".join(p["name"] for p in route.get("parameters", ()) if p["in"] == "query")
            rows.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{text}</p>")
            rows.append(f"<p>Parameters: <code>{html.escape(parameters)}</code></p>" if parameters else "")
    intro = html.escape(schema["info"]["description"])
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>upright</title><h1>upright</h1><p>{intro}</p>"
    return HTMLResponse(f'{text}<p><a href="openapi.json">openapi.json</a></p>{"".join(rows)}')


def add_problem_to_schema(schema: dict[str, Any]) -> None:
    """Tell in the OpenAPI document that every error is a problem."""
    members = {name: {"type": "string"} for name in ("type", "title", "detail", "remedy", "source", "request_id")}
    problem_schema = {"type": "object", "properties": members | {"status": {"type": "integer"}}}
    schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = problem_schema
    for methods in schema["paths"].values():
        for route in methods.values():
            route["responses"].pop("422", None)
            route["responses"]["default"] = {"description": "A problem (RFC 9457)"} | _PROBLEM


def json_line(value: object) -> bytes:
    """A value as one line of JSON."""
    return json.dumps(value, ensure_ascii=True).encode() + b"\n"
