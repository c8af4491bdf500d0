"""What people decided, a JSON line each: it survives a killed process, and `training.finetune --decisions` takes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..carriers import sidecar
from ..errors import MALFORMED, SourceError, WriteFailed
from ..journal import append_lines, sha256
from ..turns import Turn

#: Every line begins so.
_BEGINNING = b'{"path": '


@dataclass(frozen=True, slots=True)
class Decision:
    """How a person wants one page of a file.

    Attributes:
        path: the file, absolute.
        page: counted from 0.
        turn: clockwise, after any mirroring, to make the picture upright as it was shown; ``None`` takes an earlier
            decision back.
        mirrored: whether left and right were exchanged.
        before: `digest` of the file as it was shown.
        after: that once it was set right; the same as ``before`` where nothing was written.
        best: the likeliest turn for the model, and its ``confidence``.
    """

    path: str
    page: int
    turn: Turn | None
    mirrored: bool
    before: str
    after: str
    best: Turn
    confidence: float

    @property
    def key(self) -> tuple[str, int]:
        """Which picture it is about."""
        return self.path, self.page

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Decision:
        """The inverse of `dataclasses.asdict`. Raises KeyError, TypeError or ValueError."""
        turn = values["turn"]
        if not isinstance(values["path"], str) or not isinstance(values["page"], int):
            raise TypeError("path is text, page a number")
        found = {name: values[name] for name in cls.__dataclass_fields__}
        return cls(**found | {"turn": None if turn is None else Turn(turn), "best": Turn(values["best"])})


def digest(path: str) -> str:
    """The sha256 of a file; of a raw photograph with a sidecar, which says how it is shown, that of both their sha256.

    Raises OSError.
    """
    beside = sidecar.leading(path)
    if beside is None:
        return sha256(path)
    return hashlib.sha256((sha256(path) + sha256(beside)).encode()).hexdigest()


def append(path: Path, decisions: list[Decision]) -> None:
    """Write decisions at the end of a file, on the disk when it returns. Raises `WriteFailed`."""
    lines = "".join(json.dumps(asdict(each)) + "\n" for each in decisions)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        append_lines(path, lines.encode("ascii"))
    except OSError as error:
        raise WriteFailed(f"decisions cannot be written: {error.strerror}", source=path) from error


def read_decisions(path: Path) -> dict[tuple[str, int], Decision]:
    """The last decision about each picture; none where there is no file. Raises `SourceError` for another file."""
    found, remedy = dict[tuple[str, int], Decision](), "name another file with --decisions"
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return found
    except OSError as error:
        raise SourceError(f"decisions cannot be read: {error.strerror}", source=path, remedy=remedy) from error
    if text[: len(_BEGINNING)] != _BEGINNING[: len(text)]:
        raise SourceError("not a file of decisions", source=path, remedy=remedy)
    # A line that a power cut left incomplete has no end.
    for number, line in enumerate(text.split(b"\n")[:-1], 1):
        try:
            decision = Decision.from_dict(json.loads(line))
        except MALFORMED as error:
            raise SourceError(f"line {number} is not a decision", source=path, remedy=remedy) from error
        found.pop(decision.key, None)
        if decision.turn is not None:
            found[decision.key] = decision
    return found


def still_needed(decisions: dict[tuple[str, int], Decision]) -> Iterator[tuple[Decision, Turn, bool]]:
    """Each decision with the turn, and whether mirrored, that its page needs as its file is now.

    A file is as it was decided, page after page, or as it was before; a decision about any other is left out.
    """
    ends: dict[str, tuple[str, str]] = {}
    for each in decisions.values():
        ends[each.path] = (ends.get(each.path, (each.before,))[0], each.after)
    for each in decisions.values():
        before, after = ends[each.path]
        try:
            now = digest(each.path)
        except OSError:
            continue
        assert each.turn is not None, "a decision that was taken back is not read"
        if now == after and each.after != each.before:
            yield each, Turn.NONE, False
        elif now in (before, after):
            yield each, each.turn, each.mirrored
