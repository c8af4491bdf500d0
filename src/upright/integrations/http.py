"""Requests to a program that keeps photographs, with errors in one sentence."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage
from typing import Any, TypeAlias
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from upright import SourceError, SourceMissing, UsageError
from upright.errors import MALFORMED
from upright.sources.stores import PASSING, RETRY_AFTER_S, pause_s

#: A preview is rendered on demand by some servers.
_TIMEOUT_S = 60
#: An original of a hundred megapixels is smaller than this.
_MOST_BYTES = 512 << 20
#: Content and headers.
_Answer: TypeAlias = tuple[bytes, HTTPMessage]


class _NoRedirect(HTTPRedirectHandler):
    """A key is sent to the server that it belongs to, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Api:
    """A program's HTTP interface under one address, with the headers that authenticate.

    What fails for now is asked for again, as the server says: requests are such that are done twice as once.

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
        self._has_answered = False

    def bytes(self, method: str, path: str, body: Any = None) -> tuple[bytes, HTTPMessage]:
        """The answer's content and headers. Raises SourceError."""
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({} if data is None else {"Content-Type": "application/json"})
        request = Request(url := f"{self._base}{path}", data, headers, method=method)
        content, answered = self._asked(request)
        if len(content) > _MOST_BYTES:
            raise SourceError(f"{self._program} sent more than {_MOST_BYTES >> 20} MB", source=url)
        return content, answered

    def _asked(self, request: Request) -> _Answer:
        """The answer to a request, which may be sent more than once. Raises SourceError."""
        url = request.full_url
        for least_s in (*RETRY_AFTER_S, math.inf):
            try:
                with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                    self._has_answered = True
                    return answer.read(_MOST_BYTES + 1), answer.headers
            except HTTPError as error:
                with error:
                    wait_s = pause_s(least_s, error.headers["Retry-After"]) if error.code in PASSING else math.inf
                    if wait_s == math.inf:
                        raise self._refused(error, url) from None
            except (OSError, HTTPException) as error:
                # One that never answered is elsewhere; one that did may be starting again.
                wait_s = least_s if self._has_answered else math.inf
                if wait_s == math.inf:
                    cause = f"{self._program} cannot be reached: {getattr(error, 'reason', error)}"
                    raise SourceError(cause, source=url, remedy="check the address") from None
            time.sleep(wait_s)
        raise AssertionError("unreachable")

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
        if error.code in PASSING:
            asked = error.headers["Retry-After"] or ""
            when = f"in {asked} s" if asked.isdecimal() else "later"
            return SourceError(f"{self._program} answered {error.code}", source=url, remedy=f"run it again {when}")
        said = error.read(300).decode("utf-8", "replace").strip()
        return SourceError(f"{self._program} answered {error.code}: {said}", source=url)
