"""Multipart forms, and the pictures of a request: the files of a form, or the body itself."""

from __future__ import annotations

from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from .problems import BodyTooLarge, Refused, WrongType

#: Takes the bytes of one part; they are the parser's own, and gone when it returns.
Sink = Callable[[memoryview], object]


class Form:
    """A multipart body that is read while it arrives. ``begin(field, filename)`` gives the sink of each part."""

    def __init__(
        self, content_type: str, begin: Callable[[str, str | None], Sink], max_parts: int, option: str
    ) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise WrongType(f"the content type is {content_type!r}", remedy="send multipart/form-data with a boundary")
        self._begin, self._max_parts, self._option, self._parts = begin, max_parts, option, 0
        self._sink: Sink = len
        self._name, self._value, self._head = b"", b"", dict[bytes, bytes]()
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._head_ends,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise Refused(f"the boundary is not valid: {error}", remedy="send a boundary of RFC 2046") from error

    def feed(self, data: bytes) -> None:
        """Take some more of the body. Raises `Refused` where it is not a form, `BodyTooLarge` for too many parts."""
        if self._ended:
            return  # RFC 2046: what follows the last boundary is to be ignored
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise Refused(f"the form cannot be read: {error}", remedy="send multipart/form-data of RFC 7578") from error

    def close(self) -> None:
        """The body has ended. Raises `Refused` where the form has not."""
        if not self._ended:
            raise Refused("the form ends before its last boundary", remedy="send all of it")

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > self._max_parts:
            remedy = f"send several requests; the operator can raise {self._option}"
            raise BodyTooLarge(f"more than {self._max_parts} parts in one form", remedy=remedy)
        self._head = {}

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        self._head[self._name.lower()] = self._value
        self._name = self._value = b""

    def _head_ends(self) -> None:
        kind, options = parse_options_header(self._head.get(b"content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise Refused("a part has no name", remedy='send Content-Disposition: form-data; name="…"')
        filename = options.get(b"filename")
        self._sink = self._begin(_text(options[b"name"]), None if filename is None else _text(filename))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._sink(memoryview(data)[start:end])

    def _end(self) -> None:
        self._ended = True


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def is_form(request: Request) -> bool:
    """Whether the body is a multipart form."""
    return request.headers.get("content-type", "").lower().startswith("multipart/")


def check_field(name: str, known: str) -> None:
    """Raise `Refused` for a form field of another name than a route's one."""
    if name != known:
        remedy = f"send files as {known!r}, and parameters in the query"
        raise Refused(f"the form field {name[:40]!r} is not known", remedy=remedy)


async def read_form(request: Request, field: str, max_parts: int) -> list[tuple[str | None, bytes]]:
    """File name, ``None`` for a plain field, and bytes of each part; all of them are called ``field``."""
    parts: list[tuple[str | None, list[bytes]]] = []

    def begin(name: str, filename: str | None) -> Sink:
        check_field(name, field)
        chunks: list[bytes] = []
        parts.append((filename, chunks))
        return lambda data: chunks.append(bytes(data))

    form = Form(request.headers.get("content-type", ""), begin, max_parts, "--max-pictures")
    async for chunk in request.stream():
        form.feed(chunk)
    form.close()
    return [(filename, b"".join(chunks)) for filename, chunks in parts]


async def read_pictures(request: Request, max_pictures: int) -> list[tuple[str, bytes]]:
    """The pictures of a request with their names: the files of a form, or the body itself under an empty name."""
    if not is_form(request):
        return [("", await request.body())]
    parts = await read_form(request, "files", max_pictures)
    pictures = [(filename, data) for filename, data in parts if filename is not None]
    if not pictures or len(pictures) < len(parts):
        raise Refused("the form has a field that is not a file", remedy="send each picture as a file, with a filename")
    return pictures
