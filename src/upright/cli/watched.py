"""What `upright watch` remembers: the pictures that it set right, and the files that it wrote."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from .. import atomic
from ..correction import Writer
from ..correction.request import Change, Target
from ..errors import MALFORMED, UsageError
from ..journal import sha256
from ..machine import state_folder
from ..results import Correction
from ..sources import Item

#: What a file is: size in bytes, times of modification (which copying programs set to the original's) and of change.
Facts: TypeAlias = tuple[int, ...]


class Record:
    """What the pictures were that were set right, and what was written, by path; a later watch reads it again."""

    def __init__(self, path: Path) -> None:
        self._file, self._known, self._intended = path.open("ab", buffering=0), dict[str, Facts](), dict[str, str]()
        for line in path.read_bytes().split(b"\n"):
            # A line that a full disk or a crash cut short is nothing known.
            with suppress(*MALFORMED):
                name, *facts = json.loads(line)
                self._take(str(name), facts)

    def _take(self, name: str, facts: list[Any]) -> None:
        if len(facts) == 1:
            self._intended[name] = str(facts[0])
        else:
            self._known[name] = tuple(facts)
            self._intended.pop(name, None)

    def has(self, item: Item, found: dict[str, Facts], target: str | None) -> bool:
        """Whether an item was set right as it is now, and its target is still there."""
        noted = item.path is not None and self.get(item.path) == found[item.key]
        return noted and target is not None and os.path.lexists(target)

    def get(self, path: str) -> Facts | None:
        """What a file was when it was noted."""
        return self._known.get(os.path.abspath(path))  # noqa: PTH100 -- a link is not followed

    def wrote(self, path: str, facts: Facts) -> bool:
        """Whether a file, which is this now, was written by a watch and is as that left it."""
        if self.get(path) == facts:
            return True
        intended = self._intended.get(os.path.abspath(path))  # noqa: PTH100
        with suppress(OSError):
            return intended is not None and sha256(path) == intended
        return False

    def note(self, path: str, facts: Facts) -> None:
        """Note what a file is."""
        self._add(path, *facts)

    def intend(self, path: str, digest: str) -> None:
        """Note the sha256 of a file that will have this path: by it a watch that is killed meanwhile knows the file."""
        self._add(path, digest)

    def _add(self, path: str, *facts: int | str) -> None:
        name = os.path.abspath(path)  # noqa: PTH100
        if self._known.get(name) != facts or name in self._intended:
            self._take(name, list(facts))
            # Without its line a picture is only looked at once more. It begins with the end of one that was cut short.
            with suppress(OSError):
                self._file.write(b"\n" + json.dumps([name, *facts]).encode())

    def close(self) -> None:
        """Close its file."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class OwnWriter(Writer):
    """Replaces files that this watch wrote itself and that are unchanged since: their source was not whole yet."""

    record: Record = field(kw_only=True)

    def write(self, change: Change) -> Correction:
        """As `Writer.write`; what was written is noted, also where another file could not be."""
        paths = [target.path for target in change.targets if target.path is not None]
        before = {path: facts_of(path) for path in paths}
        there = [path for path in paths if os.path.lexists(path)]
        own = bool(there) and all(self.record.wrote(path, before[path]) for path in there)
        written = dict[str | None, os.stat_result]()
        check = partial(_seen, self.record, written)
        targets = tuple(replace(target, check=partial(check, target)) for target in change.targets)
        try:
            return Writer(None, self.overwrite or own, self.keep_times).write(replace(change, targets=targets))
        finally:
            for path in paths:
                # Somebody else may have written it again by now: that is not ours to replace.
                if path in written and (facts := facts_of(path)) and _is(path, written[path]):
                    self.record.note(path, facts)


def _seen(record: Record, written: dict[str | None, os.stat_result], target: Target, file: BinaryIO) -> None:
    """Note what a new file is, before it has its name."""
    if target.check is not None:
        target.check(file)
    written[target.path] = os.fstat(file.fileno())
    if target.path is not None:
        record.intend(target.path, sha256(file.name))


def _is(path: str, facts: os.stat_result) -> bool:
    try:
        now = Path(path).stat()
    except OSError:
        return False
    return (now.st_ino, now.st_size, now.st_mtime_ns) == (facts.st_ino, facts.st_size, facts.st_mtime_ns)


def facts_of(path: str) -> Facts:
    """What a file is; nothing where it has gone."""
    try:
        facts = os.stat(path)  # noqa: PTH116 -- of a hundred thousand files each second
    except OSError:
        return ()
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


@contextmanager
def alone(folder: Path, output: Path) -> Iterator[Record]:
    """Hold a folder against a second watch, with the record of what went into ``output``. Raises `UsageError`."""
    place = state_folder() / "watched"
    try:
        place.mkdir(parents=True, exist_ok=True)
        file = (place / _short(folder)).open("wb")
        record = Record(place / f"{_short(folder)}-{_short(output)}.jsonl")
    except OSError as error:
        cause = f"the state folder cannot be written ({error.strerror})"
        raise UsageError(cause, source=place, remedy="set XDG_STATE_HOME to a folder that can be") from None
    with file, closing(record):
        if atomic.lock(file.fileno()) is False:
            raise UsageError("it is being watched already", source=folder, remedy="end the other `upright watch` first")
        yield record


def _short(folder: Path) -> str:
    return hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()
