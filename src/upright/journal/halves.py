"""What a kill left of a change of two files: a sidecar takes its new name right before its picture does."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ..errors import MALFORMED, JournalError, UsageError, printable
from .intents import Intent, sha256
from .runs import journals
from .writing import Journal, backups_of

#: A run that is killed has noted down a few changes after the one that it has not made: those of its other threads.
_TAIL_BYTES = 1 << 18
_SIDECAR = re.compile(rb'"path": ("(?:[^"\\]|\\.)*[.](?i:xmp)")')


def bytes_before(companion: str, picture: str, journal: Journal | None) -> bytes | None:
    """What the companion of a picture was before it was changed along, where the picture is still as before that.

    By ``journal``, and by those in the state folder; ``None`` where none tells of such a change. Raises `JournalError`
    where the old bytes are gone.
    """
    places = [os.path.realpath(path) for path in (picture, companion)]
    for path in _journals(journal, json.dumps(places[1]).encode()):
        first, second = (_last_intents(path, places).get(place) for place in places)
        if first is None or second is None or second.before is None:
            continue
        if sha256(places[1]) == second.after and sha256(places[0]) == first.before != first.after:
            return _backup(path, second)
    return None


def _journals(journal: Journal | None, companion: bytes) -> Iterator[Path]:
    """Those that may tell of a companion, given as JSON has it."""
    if journal:
        yield journal.path
    with suppress(JournalError, OSError, UsageError):  # without a home folder there are none
        for path in journals():
            facts = path.stat()
            if companion in _companions(path, facts.st_mtime_ns, facts.st_size):
                yield path


@lru_cache(maxsize=1 << 14)
def _companions(journal: Path, _mtime_ns: int, _size: int) -> frozenset[bytes]:
    """The sidecars at the end of a journal: each picture of a run would read all journals of a thousand runs again."""
    return frozenset(_SIDECAR.findall(_tail(journal)))


def _tail(journal: Path) -> bytes:
    with suppress(OSError), journal.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        return file.read()
    return b""


def _last_intents(journal: Path, places: list[str]) -> dict[str, Intent]:
    """The last intent of each place, where they are at the end of a journal."""
    tail, found = _tail(journal), dict[str, Intent]()
    if not all(json.dumps(place).encode() in tail for place in places):
        return {}
    for text in tail.splitlines():
        with suppress(*MALFORMED):
            if (line := json.loads(text))["step"] == "intent" and line["path"] in places:
                found[line["path"]] = Intent.from_line(line)
    return found


def _backup(journal: Path, intent: Intent) -> bytes:
    with suppress(OSError):
        backup = backups_of(journal) / str(intent.before)
        if sha256(backup) == intent.before:
            return backup.read_bytes()
    cause = f"a run that was killed changed {printable(Path(intent.path).name)} and not its picture"
    raise JournalError(
        f"{cause}, and the old bytes are gone from {journal}", remedy="remove the sidecar, or restore it"
    )
