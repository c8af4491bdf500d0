"""API keys."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import Headers

from ..errors import UsageError, printable
from .problems import Unauthorized
from .settings import KEYS_VARIABLE

_COMMENT = re.compile(r"(^|\s)#.*")


class Keys:
    """Known keys. None at all means that the service is open."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._names: dict[bytes, str] = {}
        for entry in entries:
            name, colon, key = (part.strip() for part in entry.partition(":"))
            if not colon:
                key = name
                # Not its place in the list, which changes when a line is deleted: jobs belong to names.
                name = f"key-{_digest(key).hex()[:12]}"
            shown = f"the API key {printable(name)!r}" if colon else "an API key without a name"
            if not name:
                raise UsageError("an API key has an empty name", remedy="give it as name:key, or the key alone")
            if not key.isascii() or not key.isprintable() or " " in key:
                remedy = "give it ASCII letters, digits and signs alone: no header can hold others"
                raise UsageError(f"{shown} has spaces, or characters that are not ASCII", remedy=remedy)
            if len(key) < 16:
                raise UsageError(f"{shown} has {len(key)} characters", remedy="give it at least 16")
            self._names[_digest(key)] = name

    @classmethod
    def read(cls, path: str | None, variable: str) -> Keys:
        """Keys of a file (one a line, ``name:key`` or ``key``) and of an environment variable.

        # begins a comment, at the beginning of a line or after a space. Raises `UsageError`, also where there is to be
        a key and none is found: the service would be open.
        """
        try:
            text = "" if path is None else Path(path).read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the keys cannot be read: {error}", source=path, remedy="give a text file") from error
        lines = [_COMMENT.sub("", line) for line in (text + "\n" + variable.replace(",", "\n")).splitlines()]
        keys = cls(line for line in lines if line.strip())
        if not keys and (path is not None or variable):
            remedy = "write a line name:key, or leave the option and the variable out to open the service"
            raise UsageError("there is no API key in it", source=path or KEYS_VARIABLE, remedy=remedy)
        return keys

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
        digest, found = _digest(key), None
        for known, name in self._names.items():
            if hmac.compare_digest(known, digest):
                found = name
        if found is None:
            raise Unauthorized("this API key is not known", remedy="ask the operator of this service for one")
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
