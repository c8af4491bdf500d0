"""The browser's page and its model: files found once, when the service starts, so that no path leads elsewhere."""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse
from starlette.routing import BaseRoute

from ..model import Model
from .access import access
from .transfer import accepted

FOLDER = Path(__file__).parents[1] / "web_static"

# Threads of WebAssembly need shared memory, and that an isolated page: COOP and COEP. All code is our own.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "img-src 'self' blob:; style-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-cache",
}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".gz": "application/gzip",
    ".webmanifest": "application/manifest+json",
}


def routes(model: Model, folder: Path = FOLDER) -> list[BaseRoute]:
    """Routes of the built page, where it is there, and of the model's files."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    files = {name: path for name, path in files.items() if not name.startswith("model/")}
    weights = model.int8_path if model.int8_sha256 else model.onnx_path
    heads = [path for name in ("heads.json", "heads.onnx") if (path := model.folder / name).exists()]
    files |= {f"model/{path.name}": path for path in (weights, model.folder / "model.json", *heads)}
    router = APIRouter(include_in_schema=False)

    @access(key=False, lane="free")
    async def page(request: Request) -> Response:
        name = request.url.path.lstrip("/") or "index.html"
        path = files[name]
        media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers = _PAGE_HEADERS | (_FOREVER if name.startswith("assets/") else {})
        headers["ETag"] = etag = _etag(path)
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if path.suffix != ".gz" and accepted(request.headers.get("accept-encoding", "")) == "gzip":
            # The int8 model becomes 4.2 of 5.5 MB, so that a first visit loads less than 8.
            content = await run_in_threadpool(_packed, path, etag)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            return Response(content, headers=headers, media_type=media_type)
        # No part of a file is for anybody, and wrong ranges are answered by the framework in its own way.
        request.scope["headers"] = [each for each in request.scope["headers"] if each[0] != b"range"]
        return FileResponse(path, headers=headers | {"Accept-Ranges": "none"}, media_type=media_type)

    for name in (*files, *([""] if "index.html" in files else [])):
        router.add_api_route(f"/{name}", page, methods=["GET"])
    return router.routes


@lru_cache(maxsize=64)
def _packed(path: Path, etag: str) -> bytes:
    """A file by gzip; packed again when it has changed."""
    return gzip.compress(path.read_bytes(), 6, mtime=0)


def _etag(path: Path) -> str:
    """Changes with the file: a browser asks each time, and loads the model's megabytes once."""
    known = path.stat()
    return f'"{known.st_mtime_ns:x}-{known.st_size:x}{path.suffix}"'
