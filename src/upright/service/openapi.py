"""The OpenAPI document: what routes say of their bodies, headers and errors, and what the door adds to each."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from .. import __version__
from ..errors import UprightError
from .access import Access, access_of
from .answers import Problem
from .door import DEADLINE_HEADER
from .kserve_models import InferRequest
from .problems import PROBLEM_TYPE

#: Of the document.
TITLE: dict[str, Any] = {
    "title": "upright",
    "version": __version__,
    "description": "Tells which way up pictures belong and sets them right. *Turn* is the clockwise turn in degrees "
    "that makes the picture upright; `null` means unsure: leave it alone. Errors are "
    f"`{PROBLEM_TYPE}` (RFC 9457). The header `{DEADLINE_HEADER}` gives a request a deadline in milliseconds.",
}
BINARY = {"type": "string", "format": "binary"}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_DEADLINE = {
    "name": DEADLINE_HEADER,
    "in": "header",
    "description": "Milliseconds after which the answer is of no use; it is then 504.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999_999},
}


def header(text: str, **schema: Any) -> dict[str, Any]:
    """A header of an answer."""
    return {"description": text, "schema": {"type": "string", **schema}}


_RETRY = {"Retry-After": header("Seconds after which to come back.", pattern="^[0-9]+$")}
_ERROR_HEADERS = {401: {"WWW-Authenticate": header("Bearer.")}, 429: _RETRY, 503: _RETRY}


def takes(field: str, *kinds: str) -> dict[str, Any]:
    """The request body of a route: a form with a field of files, or one of these kinds."""
    many = {"type": "array", "items": BINARY} if field == "files" else BINARY
    form = {"type": "object", "required": [field], "properties": {field: many}, "additionalProperties": False}
    content = {"multipart/form-data": {"schema": form}} | {kind: {"schema": BINARY} for kind in kinds}
    return {"requestBody": {"required": True, "content": content}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answers with a problem, each with what its status means in the words of the errors that have it."""
    kinds = [UprightError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    problem = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {
            "description": " ".join(str(k.__doc__).partition("\n")[0] for k in kinds if k.http_status == status),
            "headers": _ERROR_HEADERS.get(status, {}),
            "content": problem,
        }
        for status in sorted(statuses)
    }


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once: routes by FastAPI, errors and security by what each route asks."""
    if app.openapi_schema is None:
        schema = get_openapi(**TITLE, routes=app.routes)
        schema["components"]["securitySchemes"] = _SCHEMES
        sent = models_json_schema(
            [(kind, "validation") for kind in (Problem, InferRequest)], ref_template="#/components/schemas/{model}"
        )
        schema["components"]["schemas"] |= sent[1]["$defs"]
        for name in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(name, None)
        for route in app.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                for method in route.methods or ():
                    operation = schema["paths"][route.path_format][method.lower()]
                    _complete(operation, access_of(route), has_keys=app.state.has_keys)
        app.openapi_schema = schema
    return app.openapi_schema


def _complete(operation: dict[str, Any], asked: Access, *, has_keys: bool) -> None:
    """Add to a route's description what the door does before the route runs."""
    statuses = {400, 500}
    if asked.key:
        operation["security"] = [{name: []} for name in _SCHEMES] + ([] if has_keys else [{}])
        statuses |= {401, 429}
    if asked.lane != "free":
        operation.setdefault("parameters", []).append(_DEADLINE)
        statuses |= {503, 504}
    if "requestBody" in operation:
        statuses |= {408, 413, 415, 422}
    responses = operation["responses"]
    responses.pop("422", None)  # the framework's own, of another form
    operation["responses"] = {str(status): error for status, error in errors(*statuses).items()} | responses
    for response in operation["responses"].values():
        for kind in response.get("content", {}).values():
            if {"anyOf", "$ref"} & kind.get("schema", {}).keys():
                kind["schema"].pop("type", None)  # the framework takes every line of an answer for a string
        response["headers"] = response.get("headers", {}) | {"X-Request-Id": header("Names the request in the log.")}
