"""Stand-ins for Immich and PhotoPrism, built from their published API descriptions: anything else is refused."""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image, ImageOps

KEY = "secret"
CLOCKWISE = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
FLIP = {"horizontal": Image.Transpose.FLIP_LEFT_RIGHT, "vertical": Image.Transpose.FLIP_TOP_BOTTOM}


class Refused(Exception):
    """An answer other than 200: status, text, and headers, if any."""


Answer = tuple[bytes | dict[str, Any] | list[Any] | None, dict[str, str]]


@contextmanager
def serving(answer: Callable[[str, str, Any, Any], Answer]) -> Iterator[str]:
    """The address of a server that gives ``answer(method, path with query, body, headers)``."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, headers = 200, {}
            try:
                content, headers = answer(self.command, self.path, body, self.headers)
            except Refused as refused:
                status, content = refused.args[0], {"message": refused.args[1]}
                headers = dict(*refused.args[2:])
            data = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
            self.send_response(status if data or status != 200 else 204)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = handle_any

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class FakeImmich:
    """Assets by id: the original's picture, and the edits."""

    def __init__(self, pictures: dict[str, Image.Image], page_size: int = 2) -> None:
        self.pictures = pictures
        self.edits: dict[str, list[dict[str, Any]]] = {each: [] for each in pictures}
        self.page_size = page_size
        self.writes = 0

    def shown(self, asset: str) -> Image.Image:
        image = self.pictures[asset]
        for edit in sorted(self.edits[asset], key=lambda edit: edit["action"] != "crop"):
            action, parameters = edit["action"], edit["parameters"]
            if action == "crop":
                x, y, width, height = (parameters[name] for name in ("x", "y", "width", "height"))
                image = image.crop((x, y, x + width, y + height))
            elif action == "mirror":
                image = image.transpose(FLIP[parameters["axis"]])
            elif parameters["angle"]:
                image = image.transpose(CLOCKWISE[parameters["angle"]])
        return image

    def __call__(self, method: str, path: str, body: Any, headers: Any) -> Answer:
        if headers["x-api-key"] != KEY:
            raise Refused(401, "Invalid API key")
        if (method, path) == ("POST", "/api/search/metadata"):
            if not set(body) <= {"type", "page", "size"} or body["type"] != "IMAGE" or not 1 <= body["size"] <= 1000:
                raise Refused(400, "property should not exist")
            start, assets = (body["page"] - 1) * self.page_size, list(self.pictures)
            more = start + self.page_size < len(assets)
            items = [{"id": each, "originalFileName": f"{each}.jpg"} for each in assets[start : start + self.page_size]]
            return {"albums": {}, "assets": {"items": items, "nextPage": str(body["page"] + 1) if more else None}}, {}
        parts = urlsplit(path)
        if (
            not (found := re.fullmatch(r"/api/assets/([^/]+)/(thumbnail|edits)", parts.path))
            or found[1] not in self.edits
        ):
            raise Refused(404, f"Cannot {method} {path}")
        asset, what = found.groups()
        if (method, what, parse_qs(parts.query)) == ("GET", "thumbnail", {"size": ["preview"]}):
            return jpeg(self.shown(asset)), {}
        if parts.query or what != "edits":
            raise Refused(404, f"Cannot {method} {path}")
        if method == "PUT":
            self.edits[asset] = checked(body)
            self.writes += 1
        rows = [{"id": f"{asset}-{number}", **edit} for number, edit in enumerate(self.edits[asset])]
        return {"assetId": asset, "edits": rows}, {}


def checked(body: Any) -> list[dict[str, Any]]:
    """The edits of an AssetEditsCreateDto; anything else is refused."""
    edits = body.get("edits") if isinstance(body, dict) and set(body) == {"edits"} else None
    if not isinstance(edits, list) or not edits:
        raise Refused(400, "edits must contain at least 1 element")
    keys = {"crop": {"x", "y", "width", "height"}, "rotate": {"angle"}, "mirror": {"axis"}}
    seen = []
    for edit in edits:
        if set(edit) != {"action", "parameters"} or set(edit["parameters"]) != keys.get(edit["action"]):
            raise Refused(400, "edits.parameters should not exist")
        if edit["action"] == "rotate" and edit["parameters"]["angle"] not in (0, 90, 180, 270):
            raise Refused(400, "angle must be one of the following values: 0, 90, 180, 270")
        if edit["action"] == "mirror" and edit["parameters"]["axis"] not in FLIP:
            raise Refused(400, "axis must be one of the following values: horizontal, vertical")
        seen.append((edit["action"], edit["parameters"].get("axis")))
    if len(set(seen)) != len(seen):
        raise Refused(400, "edits must be unique")
    return edits


class FakePhotoPrism:
    """Files by UID: their bytes; writing an orientation writes the EXIF tag."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.writes = 0

    def shown(self, uid: str) -> Image.Image:
        return ImageOps.exif_transpose(Image.open(io.BytesIO(self.files[uid])))

    def __call__(self, method: str, path: str, body: Any, headers: Any) -> Answer:
        if headers["Authorization"] != f"Bearer {KEY}":
            raise Refused(401, "Please log in to your account")
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if (method, parts.path) == ("GET", "/api/v1/photos"):
            if not set(query) <= {"count", "offset", "merged", "quality", "q"}:
                raise Refused(400, "Unable to do that")
            rows = [(each, file) for each in self.files for file in (self._row(each), {"UID": "f0", "Primary": False})]
            rows = rows[int(query["offset"]) :][: int(query["count"])]
            merged = groupby(rows, lambda row: row[0])
            found = [{"UID": f"p{each}", "Files": [file for _, file in files]} for each, files in merged]
            return found, {"X-Download-Token": "download"}
        if method == "GET" and (found := re.fullmatch(r"/api/v1/dl/(\w+)", parts.path)):
            by_hash = {self._row(each)["Hash"]: data for each, data in self.files.items()}
            if query != {"t": "download"} or found[1] not in by_hash:
                raise Refused(403, "Permission denied")
            return by_hash[found[1]], {}
        place = re.fullmatch(r"/api/v1/photos/p(\w+)/files/(\w+)/orientation", parts.path)
        if method != "PUT" or not place or place[1] != place[2] or place[1] not in self.files:
            raise Refused(404, "Not found")
        if not isinstance(body, dict) or set(body) != {"Orientation"} or body["Orientation"] not in range(1, 9):
            raise Refused(400, "Unable to do that")
        image = Image.open(io.BytesIO(self.files[place[1]]))
        self.files[place[1]] = jpeg(image, body["Orientation"])
        self.writes += 1
        return {"UID": f"p{place[1]}"}, {}

    def _row(self, uid: str) -> dict[str, Any]:
        digest = hashlib.sha1(self.files[uid]).hexdigest()
        return {"UID": uid, "Hash": digest, "Name": f"2026/{uid}.jpg", "Primary": True, "Orientation": 1}


def jpeg(image: Image.Image, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92, exif=exif)
    return out.getvalue()
