"""The corrected files of a job as a zip, written while it is sent."""

from __future__ import annotations

import posixpath
import time
import zipfile
from collections.abc import Iterator

from .jobs_store import JobsStore


class _Outlet:
    """A file that cannot seek, whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None: ...

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


def zip_stream(store: JobsStore, job: str) -> Iterator[bytes]:
    """A zip of a job's files, a piece of one at a time in memory; stored, because pictures are compressed already."""
    outlet = _Outlet()
    used: set[str] = set()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for number, name, pieces in store.files(job):
            safe = safe_name(name, number)
            safe = f"{number}-{posixpath.basename(safe)}" if safe.lower() in used else safe
            used.add(safe.lower())
            with archive.open(zipfile.ZipInfo(safe, time.gmtime()[:6]), "w") as entry:
                for piece in pieces:
                    entry.write(piece)
                    yield outlet.take()
            yield outlet.take()
    yield outlet.take()


def safe_name(name: str, number: int) -> str:
    """A relative path that stays inside the folder where it is unpacked, on any system."""
    kept = [p for p in name.replace("\\", "/").split("/") if p.strip(" .")]
    clean = ["".join("_" if c in '<>:"|?*' or not c.isprintable() else c for c in part) for part in kept]
    return "/".join(clean).encode("utf-8", "replace").decode() or f"picture-{number}"
