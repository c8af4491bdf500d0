"""One picture to work on, wherever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TypeAlias

from ..errors import SourceError, UprightError

#: Says of a key whether its picture is to be worked on.
Wanted: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a source, or the reason why a file there is not one.

    Attributes:
        key: its permanent name, so that a run can be resumed and split: the path, ``shard.tar/member.jpg``,
            ``table.parquet#row`` or a URL.
        relative: its place below the folder, shard or store that was named; its own name where it was named itself.
        path: of a file on this machine, which is opened where it is.
        fetch: gives the bytes of anything else, also once more.
        data: those bytes, once they are here.
        error: why it cannot be worked on.
        skipped: why it is passed over: not a picture, or not wanted.
    """

    key: str
    relative: PurePosixPath
    path: str | None = None
    fetch: Callable[[], bytes] | None = None
    data: bytes | None = None
    error: UprightError | None = None
    skipped: str = ""

    def load(self) -> Item:
        """The item with its bytes, or with the error that kept them away; a file on this machine stays where it is."""
        if self.fetch is None or self.data is not None:
            return self
        try:
            return replace(self, data=self.fetch())
        except UprightError as error:
            return replace(self, error=error, fetch=None)
        except Exception as error:
            # Stores raise what their client libraries raise, a damaged shard whatever tarfile and pyarrow do.
            broken = SourceError(f"cannot be read ({type(error).__name__}: {error})", source=self.key)
            return replace(self, error=broken, fetch=None)

    def forgotten(self) -> Item:
        """The item without its bytes, where they can be fetched again."""
        return replace(self, data=None) if self.fetch else self

    def open(self) -> str | bytes:
        """What `Detector.detect` and `correct` take. Raises what kept the picture away."""
        item = self.load()
        if item.error:
            raise item.error
        source = item.data if item.path is None else item.path
        assert source is not None, "an item is a file, has its bytes or can fetch them"
        return source
