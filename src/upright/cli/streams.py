"""Standard output and standard error whose trouble is told from that of every other file."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

from ..errors import WriteFailed


class OutputClosed(BaseException):
    """Nobody reads our output any more (`upright detect … | head`), which ends the program as Ctrl-C does.

    No `BrokenPipeError`: click itself answers that with exit code 1.
    """


class _Output(io.FileIO):
    """Raises `OutputClosed` or `WriteFailed` once; what is written after that is lost."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """All of it: a file alone may take a part."""
        rest = memoryview(data).cast("B")
        try:
            while rest:
                rest = rest[super().write(rest) or 0 :]
        except OSError as error:
            # What buffers still hold would be tried, and fail, again as the program ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if error.errno == errno.EPIPE:
                raise OutputClosed from None
            name = {1: "standard output", 2: "standard error"}.get(self.fileno(), "output")
            cause = f"{name} cannot be written ({error.strerror})"
            raise WriteFailed(cause, remedy="make room where it goes, or send it elsewhere") from None
        return len(data)


def guard() -> None:
    """Put such streams in the place of the program's own, with letters escaped that a terminal does not have."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        # A terminal of another encoding than a name: the run goes on.
        stream.reconfigure(errors="backslashreplace")
        if stream is getattr(sys, f"__{name}__") and type(getattr(stream.buffer, "raw", stream.buffer)) is io.FileIO:
            setattr(sys, name, _guarded(stream))


def _guarded(stream: io.TextIOWrapper) -> TextIO:
    raw = _Output(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),  # type: ignore[type-var, unused-ignore]
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
