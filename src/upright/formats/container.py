"""The protocol that every container module of this package implements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import Damaged
from .edits import Edit, Span, Window


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where a container keeps its metadata: an EXIF block, an XMP packet, a JPEG's index of several pictures.

    ``extended`` are the pieces of what an XMP packet had no room for, each behind its digest, length and place;
    ``resources`` those of Photoshop, ``jfif`` the bodies of a JPEG's header segments.
    """

    tiff: Span | None = None
    xmp: Span | None = None
    mpf: int | None = None
    extended: tuple[Span, ...] = ()
    resources: tuple[Span, ...] = ()
    jfif: tuple[Span, ...] = ()


def blocks_of(
    window: Window, chunks: Iterable[tuple[bytes, int, int]], exif: bytes, xmp: bytes, prefix: bytes = b""
) -> Blocks:
    """The first EXIF and the first XMP among ``(type, start, length of data)`` of chunks with heads of 8 bytes."""
    tiff = packet = None
    for kind, start, length in chunks:
        body, end = start + 8, min(start + 8 + length, window.size)
        if kind == exif and tiff is None:
            # Some writers put the JPEG prefix in front.
            tiff = Span(body + 6 * (window.at(body, 6) == b"Exif\0\0"), end)
        elif kind == xmp and packet is None and window.at(body, len(prefix)) == prefix:
            packet = Span(body + len(prefix), end)
    return Blocks(tiff, packet)


def chunk_of(chunks: Iterable[tuple[bytes, int, int]], span: Span) -> int:
    """Where the chunk starts whose data ends with ``span``. Raises Damaged."""
    for _, start, length in chunks:
        if start + 8 <= span.start and start + 8 + length == span.end:
            return start
    raise Damaged("a metadata chunk is cut short")


class Container(Protocol):
    """The structure of a file. The defaults are those of a format with one picture and no metadata to change.

    Reading returns what it finds; `pages`, `size_px` and edits raise `Damaged` where the bytes contradict themselves.
    Edits are values (`Edit`), so that `upright.formats.inverse` takes back whatever is done.
    """

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """Width and height of the stored pixels, from the header; (0, 0) where it does not say."""
        return 0, 0

    def pixel_bytes(self, window: Window, page: int = 0) -> float:
        """Bytes of a pixel as a decoder gives it; of a JPEG coded in several scans, its samples."""
        return 4

    def pages(self, window: Window) -> int:
        """How many pages or frames there are."""
        return 1

    def end(self, window: Window) -> int:
        """Where the structure ends: what follows is of something else. The file's end where that is not known."""
        return window.size

    def foreign(self, window: Window) -> str:
        """What in the structure is not known, so that who writes the file anew would lose it; "" where all is."""
        return ""

    def find(self, window: Window, page: int = 0) -> Blocks:
        """Where the metadata of a page lie."""
        return Blocks()

    def insert(self, window: Window, blocks: Blocks, block: bytes) -> list[Edit]:
        """The edits that put an EXIF block into a file that has none."""
        raise Damaged("there is no place for an EXIF block")

    def enlarge(self, window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
        """``edits`` inside the EXIF block, and those that put ``addition`` at its end."""
        raise Damaged("there is no EXIF block to enlarge")

    def swap_sides(self, window: Window) -> list[Edit]:
        """The edits that exchange what the container itself says of the density across and down."""
        return []

    def seal(self, window: Window, blocks: Blocks, edits: Sequence[Edit]) -> list[Edit]:
        """The edits of checksums that ``edits`` inside the metadata require."""
        return []
