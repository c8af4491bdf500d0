"""Decisions that a killed review has not written: they are in its journal before the pictures change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import MALFORMED, JournalError
from ..journal import Intent, journals_of, read_intended, sha256
from .decisions import Decision, digest

#: Names the intents of reviews in journals.
RUN = "review"


def rows_of(decision: Decision) -> list[dict[str, Any]]:
    """A decision as the rows that a journal has with the change of its picture."""
    return [asdict(decision)]


def owed(known: Iterable[Decision], journal: Path) -> list[Decision]:
    """The decisions in this journal and those of the state folder that the files follow and ``known`` has not."""
    written = {(each.path, each.after) for each in known}
    changes: dict[str, list[tuple[Intent, Decision]]] = {}
    for each in dict.fromkeys((*journals_of(RUN), journal)):
        # A line that is damaged ends what its journal tells.
        with suppress(JournalError, *MALFORMED):
            for intent, rows in read_intended(each, RUN):
                decision = Decision.from_dict(rows[0])
                of_file = changes.setdefault(decision.path, [])
                if not of_file or of_file[0][0].path == intent.path:  # the sidecar of a picture follows it
                    of_file.append((intent, decision))
    return [each for path, one in changes.items() for each in [*_followed(path, one, written)][::-1]]


def _followed(path: str, changes: list[tuple[Intent, Decision]], written: set[tuple[str, str]]) -> Iterator[Decision]:
    """Of one file, the last decision first."""
    try:
        now: str | None = sha256(changes[0][0].path)
        after = digest(path)
    except OSError:
        return
    for intent, decision in reversed(changes):
        if (path, after) in written:
            return
        if intent.after == now:
            yield replace(decision, after=after)
            now, after = intent.before, decision.before
