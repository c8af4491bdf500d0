"""Documents of the service: ``/openapi.json``, and ``/docs`` for people."""

from __future__ import annotations

import html

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
    rows = []
    for path, methods in describe(request.app)["paths"].items():
        for method, route in methods.items():
            text = html.escape(route.get("description", ""))
            parameters = ", ".join(p["name"] for p in route.get("parameters", ()) if p["in"] == "query")
            rows.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{text}</p>")
            rows.append(f"<p>Parameters: <code>{html.escape(parameters)}</code></p>" if parameters else "")
    intro = html.escape(TITLE["description"])
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>upright</title><h1>upright</h1><p>{intro}</p>"
    return HTMLResponse(f'{text}<p><a href="openapi.json">openapi.json</a></p>{"".join(rows)}')
