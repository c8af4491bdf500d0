"""The page of a review: HTTP on this machine only, for whoever has the token, and for no page of another origin."""

from __future__ import annotations

import hmac
import json
import secrets
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..errors import MALFORMED, UprightError, UsageError, printable
from ..turns import Turn
from .session import Choice, Session

HERE = Path(__file__).parent
_FILES = {
    "": (HERE / "page.html", "text/html; charset=utf-8"),
    "page.css": (HERE / "page.css", "text/css; charset=utf-8"),
    "page.js": (HERE / "page.js", "text/javascript; charset=utf-8"),
    "icon.svg": (HERE.parent / "web_static" / "icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: Ten thousand decisions at once are 600 kB.
_MOST_BYTES = 4 << 20


class Server(ThreadingHTTPServer):
    """Serves one session on 127.0.0.1. ``port`` 0 takes a free one."""

    daemon_threads = True

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(24)
        #: Set once the person has said that it is done.
        self.finished = threading.Event()
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            cause = f"cannot listen there: {error.strerror}"
            raise UsageError(cause, source=f"127.0.0.1:{port}", remedy="choose another --port") from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle of an answer is no error; anything else is printed with its stack."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where the page is, token included."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.token}/"

    @property
    def hosts(self) -> tuple[str, str]:
        """What a browser may call this server; any other name was pointed here by somebody else's DNS."""
        port = self.server_address[1]
        return f"127.0.0.1:{port}", f"localhost:{port}"


class _Refused(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        self._answered(self._get)

    def do_POST(self) -> None:
        self._answered(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal shows the run."""

    def _answered(self, answer: Any) -> None:
        try:
            answer(self._path())
        except _Refused as refused:
            # A body that was not read would be taken for the next request.
            self.close_connection = True
            self._send(str(refused).encode(), "text/plain", refused.status)
        except UprightError as error:
            self._json({"error": printable(error)}, HTTPStatus.CONFLICT)

    def _path(self) -> str:
        """The path below the token. Everything else is refused: another host or origin, and every other path."""
        if self.headers.get("Host") not in self.server.hosts:
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST)
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            raise _Refused(HTTPStatus.FORBIDDEN)
        token, _, path = self.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.NOT_FOUND)
        return path

    def _get(self, path: str) -> None:
        found = urlsplit(path)
        asked = {name: values[-1] for name, values in parse_qs(found.query).items()}
        if found.path in _FILES:
            file, kind = _FILES[found.path]
            self._send(file.read_bytes(), kind)
        elif found.path == "state":
            self._json(self.server.session.state(_number(asked.get("since", "0"))))
        elif found.path == "picture":
            number, version = _number(asked.get("id", "")), _number(asked.get("version", ""))
            if number >= len(self.server.session.entries):
                raise _Refused(HTTPStatus.NOT_FOUND)
            picture = self.server.session.jpeg(number, version, "large" in asked)
            self._send(picture, "image/jpeg", cache="private, max-age=86400, immutable")
        else:
            raise _Refused(HTTPStatus.NOT_FOUND)

    def _post(self, path: str) -> None:
        # A form of another origin can send no JSON without being asked for, and is then refused.
        if self.headers.get("Content-Type") != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        length = _number(self.headers.get("Content-Length", ""))
        if length > _MOST_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body, session = self.rfile.read(length), self.server.session
        if path == "decide":
            session.decide(_choices(body))
            self._json({})
        elif path == "undo":
            self._json({"ids": session.undo()})
        elif path == "finish":
            self._json({})
            self.server.finished.set()
        else:
            raise _Refused(HTTPStatus.NOT_FOUND)

    def _json(self, values: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(values).encode("ascii"), "application/json", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, *, cache: str = "no-store") -> None:
        self.send_response(status)
        headers = _HEADERS | {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": cache}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise _Refused(HTTPStatus.BAD_REQUEST)
    return int(text)


def _choices(body: bytes) -> list[Choice]:
    try:
        rows = json.loads(body)["choices"]
        return [Choice(int(r["id"]), int(r["version"]), Turn(r["turn"]), r.get("mirrored") is True) for r in rows]
    except MALFORMED:
        raise _Refused(HTTPStatus.BAD_REQUEST) from None
