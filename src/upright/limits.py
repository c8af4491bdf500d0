"""Resource limits for opening pictures, each of which can be raised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import Remedy, TooLarge, UsageError

#: What is asked for at once after the first piece of a stream.
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits against hostile and absurd pictures; every one can be raised.

    Attributes:
        max_memory_mb: memory for one picture, in MiB. What it needs is estimated from its header, before a decoder is
            opened (`upright.formats.cost`). What streams needs little of it, whatever its size.
        max_pages: pages or frames that a file may claim.
        max_metadata_bytes: bytes before the pixels (EXIF, XMP, ICC profiles, comments) that are looked through.
        max_stream_bytes: bytes taken from a stream that is not a file, which are all held in memory.
        timeout_s: seconds that decoding one view of one picture may take; what streams has no other bound.
    """

    max_memory_mb: float = 512.0
    max_pages: int = 10_000
    max_metadata_bytes: int = 64 << 20
    max_stream_bytes: int = 1 << 30
    timeout_s: float = 300.0

    def check_held(self, size_bytes: int, source: str | None, remedy: str) -> None:
        """Raise `TooLarge` if what is no file here, and so is held in memory whole, has more bytes than is allowed."""
        if size_bytes > self.max_stream_bytes:
            cause = f"too large to hold in memory: over the limit max_stream_bytes of {self.max_stream_bytes:,}"
            raise TooLarge(cause, source=source, remedy=remedy)

    def read_whole(self, stream: Any, source: str | None, remedy: str) -> bytes:
        """All that a stream still has. Raises `TooLarge` over the limit, `UsageError` for what is no bytes."""
        most, pieces, size = self.max_stream_bytes, list[bytes](), 0
        # A pipe or a socket gives less than it is asked for, long before its end; only b"" says that it has ended.
        while piece := _bytes(stream.read(most + 1 if not pieces else min(most + 1 - size, _PIECE_BYTES)), source):
            pieces.append(piece)
            size += len(piece)
            self.check_held(size, source, remedy)
        return b"".join(pieces)

    def too_long(self, source: str | None) -> TooLarge:
        """The error that says that decoding was stopped."""
        return TooLarge(
            f"decoding took longer than the limit timeout_s of {self.timeout_s:g} s",
            source=source,
            remedy="raise timeout_s if you trust the file",
        )

    def check_memory(
        self, size: tuple[int, int], needed_bytes: float, source: str | None = None, instead: Remedy | None = None
    ) -> None:
        """Raise `TooLarge` if a picture of this size needs more memory. ``instead``: the other remedy."""
        needed_mb = needed_bytes / (1 << 20)
        raising = f"raise it with --max-memory-mb {needed_mb + 1:.0f} if you trust the file"
        if needed_mb > self.max_memory_mb:
            error = TooLarge(
                f"{size[0]} x {size[1]} needs about {needed_mb:,.0f} MB of memory; the limit max_memory_mb is"
                f" {self.max_memory_mb:g}",
                source=source,
                remedy=instead.or_else(raising) if instead else raising,
            )
            error.needed_mb = needed_mb
            raise error


#: For whoever names none.
DEFAULT_LIMITS = Limits()


def text_stream(source: str | None) -> UsageError:
    """The error that says that a stream gives text."""
    remedy = "open it in binary mode, as by open(path, 'rb')"
    return UsageError("a stream of text is not a picture", source=source, remedy=remedy)


def _bytes(piece: Any, source: str | None) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, str):
        raise text_stream(source)
    if piece is None:
        cause = "the stream does not wait for its next bytes"
        raise UsageError(cause, source=source, remedy="make it a blocking one")
    try:
        return bytes(memoryview(piece))
    except TypeError:
        cause = f"the stream gives {type(piece).__name__}, not bytes"
        raise UsageError(cause, source=source, remedy="open it in binary mode") from None
