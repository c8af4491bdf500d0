"""Requests to a program that keeps photographs, with errors in one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from upright import SourceError, SourceMissing, UsageError
from upright.errors import MALFORMED

#: A preview is rendered on demand by some servers.
_TIMEOUT_S = 60
#: An original of a hundred megapixels is smaller than this.
_MOST_BYTES = 512 << 20


class _NoRedirect(HTTPRedirectHandler):
    """A key is sent to the server that it belongs to, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Api:
    """A program's HTTP interface under one address, with the headers that authenticate.

    Args:
        address: of the server, as in the browser.
        program: its name, for errors.
        headers: sent with each request; they hold the key.
        key_remedy: what to do when the key is refused.
    """

    def __init__(self, address: str, program: str, headers: dict[str, str], key_remedy: str) -> None:
        try:
            parts = urlsplit(address)
            _ = parts.port  # is only looked at when it is asked for
            right = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
            right = right and re.fullmatch(r"[^\s\x00-\x1f\x7f]+", address) and parts.path.isascii()
        except ValueError:  # a bracket that is not closed, a port that is no number
            right = False
        if not right:
            raise UsageError(f"{address!r} is no address of a server", remedy="write it as http://photos.example:2283")
        # A key that was read from a file ends with its line; what is in its midst no header can hold.
        headers = {name: value.strip() for name, value in headers.items()}
        if not all(re.fullmatch(r"[ -~]+", value) for value in headers.values()):
            raise UsageError(f"the key for {program} has characters that no key has", remedy="copy it once more")
        self._base = address.rstrip("/")
        self._program = program
        self._headers = headers
        self._key_remedy = key_remedy
        self._opener = build_opener(_NoRedirect)

    def bytes(self, method: str, path: str, body: Any = None) -> tuple[bytes, HTTPMessage]:
        """The answer's content and headers. Raises SourceError."""
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({} if data is None else {"Content-Type": "application/json"})
        url = f"{self._base}{path}"
        try:
            with self._opener.open(Request(url, data, headers, method=method), timeout=_TIMEOUT_S) as answer:
                content = answer.read(_MOST_BYTES + 1)
        except HTTPError as error:
            with error:
                raise self._refused(error, url) from None
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", error)
            raise SourceError(
                f"{self._program} cannot be reached: {why}", source=url, remedy="check the address"
            ) from None
        if len(content) > _MOST_BYTES:
            raise SourceError(f"{self._program} sent more than {_MOST_BYTES >> 20} MB", source=url)
        return content, answer.headers

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON; ``None`` where it has no content. Raises SourceError."""
        return self.json_and_headers(method, path, body)[0]

    def json_and_headers(self, method: str, path: str, body: Any = None) -> tuple[Any, HTTPMessage]:
        """The answer's JSON, ``None`` where it has no content, and its headers. Raises SourceError."""
        content, headers = self.bytes(method, path, body)
        try:
            return (json.loads(content) if content else None), headers
        except MALFORMED:
            url = f"{self._base}{path}"
            raise SourceError(
                f"this is not {self._program}'s interface", source=url, remedy="check the address"
            ) from None

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Raise SourceError where what is read from an answer is not in it."""
        try:
            yield
        except MALFORMED as error:
            cause = f"{self._program} answered in a form that upright does not know ({error!r})"
            raise SourceError(cause, source=self._base, remedy="check the address and the version") from error

    def _refused(self, error: HTTPError, url: str) -> SourceError:
        if error.code == 401:
            return SourceError(f"{self._program} refused the key", source=url, remedy=self._key_remedy)
        if error.code == 403:
            return SourceError(f"the key may not do this in {self._program}", source=url, remedy=self._key_remedy)
        if error.code == 404:
            return SourceMissing(f"{self._program} does not have this", source=url)
        said = error.read(300).decode("utf-8", "replace").strip()
        return SourceError(f"{self._program} answered {error.code}: {said}", source=url)
