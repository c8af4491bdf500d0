"""Documents of the service: ``/openapi.json``, and ``/docs`` for people."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, JSONResponse

from .access import access
from .openapi import TITLE, describe

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
@access(key=False, lane="free")
async def openapi(request: Request) -> Response:
    """Every route with its parameters, answers and errors."""
    return JSONResponse(describe(request.app))


@router.get("/docs")
@access(key=False, lane="free")
async def docs(request: Request) -> Response:
    """The routes, as a page without a script: the usual pages for OpenAPI load theirs from third parties."""
    described = describe(request.app)
    base = str(request.base_url).rstrip("/")
    routes = [
        (method, path, route) for path, methods in described["paths"].items() for method, route in methods.items()
    ]
    parts = [f"<h1>upright</h1><p>{_marked(TITLE['description'])}</p>", _first_steps(base, request.app.state.has_keys)]
    tag = None
    for method, path, route in routes:
        if route["tags"][0] != tag:
            tag = route["tags"][0]
            parts.append(f"<h2>{escape(tag[0].upper() + tag[1:])}</h2>")
        parts.append(_route(method, path, route, described, try_it=not request.app.state.has_keys))
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>upright: HTTP</title><style>{_STYLE}</style>"
    viewport = '<meta name=viewport content="width=device-width,initial-scale=1">'
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(f"{head}{viewport}<main>{''.join(parts)}</main>", headers={"Content-Security-Policy": policy})


_STYLE = (
    ":root{color-scheme:light dark}body{margin:0;font:16px/1.5 system-ui,sans-serif}main{max-width:860px;margin:auto;"
    "padding:24px}section{border-top:1px solid #8886;padding:8px 0 16px}h3{margin:8px 0;font-size:17px}"
    "pre{overflow:auto;padding:12px;background:#8881;border-radius:8px}table{border-collapse:collapse}"
    "td,th{text-align:left;padding:2px 16px 2px 0;vertical-align:top}"
    "form{margin:8px 0;display:flex;flex-wrap:wrap;gap:12px}"
)
#: Paths whose form a browser can send by itself.
_TRIED = {"/rotate", "/v1/orientation", "/v1/correct"}


def _marked(text: str) -> str:
    """Markdown's code and emphasis, which is all that descriptions have."""
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))


def _first_steps(base: str, has_keys: bool) -> str:
    key = ' -H "Authorization: Bearer KEY"' if has_keys else ""
    lines = [
        f"curl -s{key} --data-binary @picture.jpg {base}/v1/orientation",
        f"curl -s{key} --data-binary @picture.jpg -o upright.jpg {base}/v1/correct",
    ]
    page, document = '<a href="./">the page in the browser</a>', '<a href="openapi.json">openapi.json</a>'
    why = " Routes want a key, which a form cannot send: try them with curl." if has_keys else ""
    text = f"<p>Without a program: {page}. For programs: {document}.{why}</p>"
    return f"<pre>{escape(chr(10).join(lines))}</pre>{text}"


def _route(method: str, path: str, route: dict[str, Any], document: dict[str, Any], *, try_it: bool) -> str:
    text = _marked(route.get("description", ""))
    asked = [parameter for parameter in route.get("parameters", ()) if parameter["in"] == "query"]
    rows = "".join(_parameter(parameter, document) for parameter in asked)
    table = f"<table><tr><th>parameter<th>values<th>default{rows}</table>" if rows else ""
    statuses = ", ".join(sorted(route["responses"]))
    form = _form(path, route, asked, document) if try_it and method == "post" and path in _TRIED else ""
    title = f"<h3><code>{method.upper()} {escape(path)}</code></h3>"
    return f"<section>{title}<p>{text}</p>{table}{form}<p>Answers: {statuses}</p></section>"


def _parameter(parameter: dict[str, Any], document: dict[str, Any]) -> str:
    values = ", ".join(_values(parameter["schema"], document))
    return f"<tr><td><code>{escape(parameter['name'])}</code><td>{escape(values)}<td>{_default(parameter)}"


def _default(parameter: dict[str, Any]) -> str:
    default = parameter["schema"].get("default", "")
    return escape(str(default).lower() if isinstance(default, bool) else str(default))


def _values(schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """What a parameter may be, in words."""
    if "$ref" in schema:
        return _values(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], document)
    if "anyOf" in schema:
        return [value for each in schema["anyOf"] if each.get("type") != "null" for value in _values(each, document)]
    return list(map(str, schema["enum"])) if "enum" in schema else [schema["type"]]


def _form(path: str, route: dict[str, Any], asked: list[dict[str, Any]], document: dict[str, Any]) -> str:
    """A form that a browser sends; parameters are in its address, so only the promise is a choice of buttons."""
    (field,) = route["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    promises = next((_values(p["schema"], document) for p in asked if p["name"] == "promise"), [""])
    buttons = "".join(
        f'<button formaction="{path[1:]}?promise={name}">Try it: {name}</button>'
        if name
        else f'<button formaction="{path[1:]}">Try it</button>'
        for name in promises
    )
    label = f"{escape(path)}: a picture"
    chooser = f'<input type=file name="{field}" required aria-label="{label}">'
    return f'<form method=post enctype="multipart/form-data">{chooser}{buttons}</form>'
