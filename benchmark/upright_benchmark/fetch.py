"""Gets the pictures of the manifest into a folder: from where they are published, or from a mirror. Nothing else.

Each file goes on where it was cut off, and counts only once its length and sha256 are those of the manifest."""

from __future__ import annotations

import hashlib
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from upright_benchmark.manifest import ADDRESS, Entry, Manifest, Source
from upright_benchmark.pictures import Picture, sha256_of, write_list

TRIES, WAIT_S, TIMEOUT_S, CHUNK = 3, 1.0, 30.0, 1 << 16
PART = ".part"


class NotFetched(Exception):
    """A picture that could not be fetched; the message says why."""


@dataclass(frozen=True)
class Fetched:
    """What is there now, and why the others are not."""

    pictures: list[Picture]
    failures: dict[str, str]


def sample(entries: Sequence[Entry], number: int) -> list[Entry]:
    """At most `number` entries, the same everywhere: in the order of the hashes of their ids, groups in turn."""
    ordered = sorted(entries, key=lambda entry: hashlib.sha256(entry.id.encode()).digest())
    ranks: dict[tuple[str, bool], int] = {}
    keyed = []
    for entry in ordered:
        cell = (entry.group, entry.hardness == "plain")
        ranks[cell] = ranks.get(cell, 0) + 1
        keyed.append((ranks[cell], entry))
    keyed.sort(key=lambda pair: pair[0])
    return sorted((entry for _, entry in keyed[:number]), key=lambda entry: entry.id)


def fetch(
    manifest: Manifest,
    entries: Sequence[Entry],
    folder: Path,
    base: str = ADDRESS,
    workers: int = 4,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Fetched:
    """Fetches what is not there yet and writes the folder's list. `base`: an address or a folder to take it from."""
    folder.mkdir(parents=True, exist_ok=True)
    failures: dict[str, str] = {}
    pictures: list[Picture] = []

    def one(entry: Entry) -> str:
        try:
            _have(entry, manifest.sources[entry.source], folder / entry.file_name, base)
        except NotFetched as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(workers) as pool:
        for number, (entry, failure) in enumerate(zip(entries, pool.map(one, entries), strict=True), 1):
            if failure:
                failures[entry.id] = failure
            else:
                pictures.append(entry.picture(manifest.sources[entry.source]))
            progress(number, len(entries))
    write_list(pictures, folder)
    return Fetched(pictures, failures)


def _have(entry: Entry, source: Source, target: Path, base: str) -> None:
    """Makes sure that the picture lies at `target`. Raises NotFetched."""
    if target.exists() and sha256_of(target) == entry.sha256:
        return
    address = entry.address(source, base)
    part = target.with_name(target.name + PART)
    for attempt in range(TRIES):
        try:
            if "://" in base:
                _download(address, part, entry.bytes)
            else:
                shutil.copyfile(Path(base) / source.repository / source.commit / entry.path, part)
        except (OSError, NotFetched) as error:
            failure = f"{address}: {error}"
            if isinstance(error, urllib.error.HTTPError) and error.code in (403, 404, 410):
                break
            time.sleep(WAIT_S * attempt)
            continue
        size = part.stat().st_size
        if size < entry.bytes:
            failure = f"{address}: cut off after {size} of {entry.bytes} bytes"
            continue  # the next try goes on where this one stopped
        if size == entry.bytes and sha256_of(part) == entry.sha256:
            part.replace(target)
            return
        failure = f"{address}: not the picture of the manifest (sha256 or length differs)"
        part.unlink()
    raise NotFetched(failure)


def _download(address: str, part: Path, most: int) -> None:
    """Appends to `part` what is missing of it; starts again where the server cannot go on in the middle.

    Raises OSError, and NotFetched where more comes than the manifest says."""
    start = part.stat().st_size if part.exists() else 0
    if start >= most:
        return
    request = urllib.request.Request(address, headers={"Range": f"bytes={start}-"} if start else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        goes_on = answer.status == 206
        with part.open("ab" if goes_on else "wb") as file:
            room = most - (start if goes_on else 0)
            while chunk := answer.read(CHUNK):
                room -= len(chunk)
                if room < 0:
                    file.close()
                    part.unlink()
                    raise NotFetched(f"more than the {most} bytes of the manifest")
                file.write(chunk)
