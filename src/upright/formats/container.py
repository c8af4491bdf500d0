"""What a container is to the rest of upright: the protocol that the modules of this package satisfy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .edits import Edit, Span, Window


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where a container keeps its metadata: an EXIF block, an XMP packet, a JPEG's index of several pictures."""

    tiff: Span | None = None
    xmp: Span | None = None
    mpf: int | None = None


class Container(Protocol):
    """A module that knows the structure of a container whose metadata can be changed.

    Every function raises `upright.errors.Damaged` where the bytes contradict themselves, but `find`, which gives what
    it finds.
    """

    def find(self, window: Window, page: int = 0) -> Blocks:
        """Where the metadata of a page lie."""

    def insert(self, window: Window, blocks: Blocks, block: bytes) -> list[Edit]:
        """The edits that put an EXIF block into a file that has none."""

    def enlarge(self, window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
        """``edits`` inside the EXIF block, and those that put ``addition`` at its end."""

    def seal(self, window: Window, blocks: Blocks, edits: Sequence[Edit]) -> list[Edit]:
        """The edits of check sums that ``edits`` inside the metadata call for."""


def nothing_to_seal(window: Window, blocks: Blocks, edits: Sequence[Edit]) -> list[Edit]:
    """`Container.seal` where there are no check sums."""
    return []
