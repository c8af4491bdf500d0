"""The corrected files of a job as a zip, written while it is sent."""

from __future__ import annotations

import posixpath
import time
import unicodedata
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
    used: dict[str, bool] = {}
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for number, name, pieces in store.files(job):
            safe = free_name(safe_name(name, number), number, used)
            with archive.open(zipfile.ZipInfo(safe, time.gmtime()[:6]), "w") as entry:
                for piece in pieces:
                    entry.write(piece)
                    yield outlet.take()
            yield outlet.take()
    yield outlet.take()


def free_name(name: str, number: int, used: dict[str, bool]) -> str:
    """A name that can be unpacked beside the ``used`` ones, to which it is added.

    ``used`` says of each path whether it is a file; else it is a folder. Systems see different names as one: they
    ignore case, how an accent is written, or a dot at the end.
    """
    free, base, again = name, posixpath.basename(name), 0
    while True:
        key = "/".join(part.rstrip(" .") for part in _folded(free).split("/"))
        folders = [key[:at] for at, c in enumerate(key) if c == "/"]
        if key not in used and not any(used.get(folder) for folder in folders):
            used |= dict.fromkeys(folders, False) | {key: True}
            return free
        free = f"{number}-{again}-{base}" if again else f"{number}-{base}"
        again += 1


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def safe_name(name: str, number: int) -> str:
    """A relative path that stays inside the folder where it is unpacked, on any system."""
    parts = [p for p in name.replace("\\", "/").split("/") if p.strip(" .")]
    clean = ["".join("_" if c in '<>:"|?*' or not c.isprintable() else c for c in part) for part in parts]
    return "/".join(clean).encode("utf-8", "replace").decode() or f"picture-{number}"
