"""What libvips reads a picture from: its bytes, its file, or its file with one page of a TIFF as the only one."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

from ..errors import Damaged
from ..formats import Window
from ..formats.tiff import with_page_first
from ..machine import libvips
from .source import OpenSource


def stream_of(source: OpenSource, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """libvips' source, and its loader's options for it.

    libvips walks through all pages of a TIFF each time that it opens one: a thousand took two minutes.
    """
    sources = libvips()
    if source.format == "TIFF" and source.page and options.get("page") == source.page:
        with suppress(Damaged):  # it may know what to do
            window = with_page_first(Window(source.file), source.page)
            return _stream(window), {name: value for name, value in options.items() if name != "page"}
    if isinstance(source.file, io.BytesIO):
        return sources.Source.new_from_memory(source.file.getvalue()), options
    return sources.Source.new_from_descriptor(source.file.fileno()), options


def _stream(window: Window) -> Any:
    at = 0

    def read(size: int) -> bytes:
        nonlocal at
        data = b""
        with suppress(OSError):  # libvips says that the file ends too soon
            data = window.at(at, size)
        at += len(data)
        return data

    def seek(offset: int, whence: int) -> int:
        nonlocal at
        at = offset + (0, at, window.size)[whence]
        return at

    stream = libvips().SourceCustom()
    stream.on_read(read)
    stream.on_seek(seek)
    return stream
