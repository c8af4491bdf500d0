"""Syntax of PDF objects (ISO 32000-1, 7.3). Strings are skipped: upright needs none."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..errors import Damaged

_SPACE = re.compile(rb"(?:[\0\t\n\f\r ]|%[^\r\n]*)*")
_TOKEN = re.compile(rb"<<|>>|[\[\](]|/[^\0\t\n\f\r ()<>\[\]{}/%]*|<[\0\t\n\f\r 0-9A-Fa-f]*>|[-+.0-9]+|[A-Za-z]+")
_REFERENCE = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+R(?![A-Za-z])")
_INTEGER = re.compile(rb"[-+]?\d{1,19}")
_MARK = re.compile(rb"\\.|[()]", re.DOTALL)
#: No producer nests deeper; each level is a call.
MOST_DEPTH = 60


class Reference(NamedTuple):
    """An object's number and generation."""

    number: int
    generation: int


class Dictionary(dict[bytes, Any]):
    """A dictionary, the bytes that it was read from, and the position of each value in them."""

    raw: bytes = b""

    def __init__(self) -> None:
        super().__init__()
        self.spans: dict[bytes, tuple[int, int]] = {}

    def text(self, key: bytes) -> bytes:
        """The bytes of a value."""
        start, end = self.spans[key]
        return self.raw[start:end]


def with_values(content: Dictionary, values: dict[bytes, bytes]) -> bytes:
    """The bytes of a dictionary with other values, or more."""
    raw = content.raw
    for key, value in sorted(values.items(), key=lambda each: content.spans.get(each[0], (2, 2)), reverse=True):
        start, end = content.spans.get(key, (2, 2))
        there = end > start
        # A name that touched its value's bracket would become one word with a number.
        gap = b" " if there and raw[start - 1 : start].isalpha() else b""
        raw = raw[:start] + (gap + value if there else b" %s %s" % (key, value)) + raw[end:]
    return raw


def parsed(data: bytes, position: int, depth: int = 0) -> tuple[Any, int]:
    """The value at a position, and where it ends. Names keep their slash. Raises Damaged."""
    if depth > MOST_DEPTH:
        raise Damaged("its objects are nested too deeply")
    position = _after_space(data, position)
    reference = _REFERENCE.match(data, position)
    if reference:
        return Reference(int(reference[1]), int(reference[2])), reference.end()
    token = _TOKEN.match(data, position)
    if not token:
        raise Damaged(f"what is at {position} is no object")
    text, end = token[0], token.end()
    if text == b"<<":
        return _dictionary(data, position, depth)
    if text == b"[":
        items, end = [], _after_space(data, end)
        while data[end : end + 1] != b"]":
            item, end = parsed(data, end, depth + 1)
            items.append(item)
            end = _after_space(data, end)
        return items, end + 1
    if text == b"(":
        return None, _end_of_string(data, end)
    if text[:1] in b"+-.0123456789":
        return _number(text), end
    return text, end


def _number(text: bytes) -> int | float | None:
    try:
        return int(text) if _INTEGER.fullmatch(text) else float(text)
    except ValueError:
        return None


def _dictionary(data: bytes, start: int, depth: int) -> tuple[Dictionary, int]:
    found, position = Dictionary(), _after_space(data, start + 2)
    while data[position : position + 2] != b">>":
        key, position = parsed(data, position, depth + 1)
        if not isinstance(key, bytes) or not key.startswith(b"/"):
            raise Damaged(f"a dictionary at {start} is damaged")
        begins = _after_space(data, position)
        found[key], position = parsed(data, begins, depth + 1)
        found.spans[key] = (begins - start, position - start)
        position = _after_space(data, position)
    found.raw = data[start : position + 2]
    return found, position + 2


def _after_space(data: bytes, position: int) -> int:
    found = _SPACE.match(data, position)
    return found.end() if found else position


def _end_of_string(data: bytes, position: int) -> int:
    depth = 1
    for mark in _MARK.finditer(data, position):
        depth += {b"(": 1, b")": -1}.get(mark[0], 0)
        if not depth:
            return mark.end()
    raise Damaged("a string has no end")
