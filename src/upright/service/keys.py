"""API keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import Headers

from ..errors import UsageError
from .problems import Unauthorized


class Keys:
    """Known keys. None at all means that the service is open."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._names: dict[bytes, str] = {}
        for entry in entries:
            name, colon, key = entry.partition(":")
            if not colon:
                name, key = f"key{len(self._names) + 1}", name
            if len(key) < 16:
                raise UsageError(f"the API key {name!r} has {len(key)} characters", remedy="give it at least 16")
            self._names[_digest(key)] = name

    @classmethod
    def read(cls, path: str | None, variable: str) -> Keys:
        """Keys of a file (one a line, ``name:key`` or ``key``, # begins a comment) and of an environment variable."""
        try:
            text = Path(path).read_text() if path else ""
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the keys cannot be read: {error}", source=path, remedy="give a text file") from error
        lines = [line.split("#")[0].strip() for line in text.splitlines() + variable.replace(",", "\n").splitlines()]
        return cls(line for line in lines if line)

    def __bool__(self) -> bool:
        return bool(self._names)

    def owner_of(self, headers: Headers) -> str:
        """The name of the key that a request's headers hold. Raises `Unauthorized`."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return self.name_of(key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key"))

    def name_of(self, key: str | None) -> str:
        """The name of a key. Takes the same time whichever key it is and however much of it is right."""
        if not key:
            raise Unauthorized("no API key", remedy="send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
        digest, found = _digest(key), ""
        for known, name in self._names.items():
            if hmac.compare_digest(known, digest):
                found = name
        if not found:
            raise Unauthorized("this API key is not known", remedy="ask the operator of this service for one")
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
