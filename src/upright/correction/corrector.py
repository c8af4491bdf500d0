"""Sets the items of a run right: each in its place below a folder, in one named file, or in place."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import atomic
from ..carriers import sidecar
from ..errors import CorrectionError, TooLarge, UsageError
from ..formats import format_of_suffix
from ..results import Correction, Outcome
from ..sources import Item, key_hash
from .opening import Opened, Seen, opened
from .pages import plan_pages
from .planning import with_more
from .request import Request, noted
from .writer import Writer

#: Sets the pages of a file right that have an answer and no error, by one change; answers with what was done to each.
SetRight = Callable[[Sequence[Outcome]], list[Outcome]]


@dataclass(frozen=True)
class Corrector:
    """What is done to every item of a run. Safe to share between threads.

    Attributes:
        request: how; its turn is each item's own, its target too.
        writer: writes it.
        folder: where the corrected pictures go, each at its place below what was named; ``None``: in place, or
            nowhere (dry run).
        single: the key of the one item that becomes the file ``folder`` itself.
    """

    request: Request
    writer: Writer
    folder: str | None = None
    single: str | None = None

    @contextmanager
    def looking_at(self, item: Item, seen: Seen | None = None) -> Iterator[SetRight | None]:
        """Hold an item open while it is decided; what is given corrects it, if it is then still the same file.

        What was ``seen`` before has to be the same, too.
        """
        with self.held(item, looked=seen is None and item.path is not None) as file:
            if seen:
                file.facts, file.content = seen
                if item.path is None:  # files are compared when they are written
                    file.check_unchanged()
            request = replace(self.request, target=self.target(item))

            def set_right(outcomes: Sequence[Outcome]) -> list[Outcome]:
                answers = [each.orientation for each in outcomes if each.orientation and not each.error]
                change, pages = plan_pages(file, request, answers, self.writer.journal)
                if self.writer.journal and self.writer.journal.run:
                    planned = _corrected(outcomes, pages, replace(change.correction, written=True))
                    change = replace(change, rows=[each.to_dict() for each in planned])
                return _corrected(outcomes, pages, self.writer.write(change))

            try:
                yield set_right
            except TooLarge as error:
                raise with_more(error, file, request) from error

    @contextmanager
    def held(self, item: Item, looked: bool) -> Iterator[Opened]:
        """An item open; where it is to be ``looked`` at, its content is recorded."""
        if self.request.in_place and item.path is None:
            raise UsageError("only files can be set right in place", source=item.key, remedy="name a folder for copies")
        with opened(item.open()) as file:
            if looked and not self.writer.dry_run:
                file.look()
            yield file

    def later(self) -> Later:
        """The same for items that are decided first, and corrected when others are decided too."""
        return Later(self)

    def target(self, item: Item) -> str | None:
        """The file that an item becomes. Raises `CorrectionError` for a name that leads out of the folder."""
        if self.folder is None or item.key == self.single:
            return self.folder
        return str(atomic.below(Path(self.folder), item.relative))

    def placed(self, items: Iterable[Item], before: Iterable[int] = (), sources: Iterable[str] = ()) -> Iterator[Item]:
        """The items, with an error for each that would replace another one, or what another one becomes.

        ``before`` are the hashes of targets that earlier parts of the run wrote, ``sources`` what was named.
        """
        taken, is_source = set(before), _IsSource(sources, self.folder)
        for item in items:
            if not (item.skipped or item.error):
                try:
                    self._place(item, taken, is_source)
                except CorrectionError as error:
                    item = replace(item, error=error)
            yield item

    def _place(self, item: Item, taken: set[int], is_source: Callable[[str], bool]) -> None:
        """Reserve the files that an item becomes. Raises `CorrectionError` where one is another item's."""
        target = self.target(item)
        real = os.path.realpath(target) if target is not None else None
        beside = self._sidecar(item, target)
        if target is not None and real is not None and {key_hash(target), key_hash(real)} & taken:
            cause = f"another picture of this run becomes {target} already"
            raise CorrectionError(cause, source=item.key, remedy="correct it into another folder")
        if beside is not None and key_hash(beside) in taken:
            cause = f"{Path(beside).name} is the sidecar of another picture of this run"
            own, there = sidecar.places(item.path or "")["full"].name, target is None and os.path.lexists(beside)
            remedy = f"copy the sidecar to {own}" if there else "use --sidecar=full"
            raise CorrectionError(cause, source=item.key, remedy=remedy)
        itself = real == os.path.realpath(item.path or "")  # which is said when it is planned
        if real is not None and self.writer.overwrite and not itself and os.path.lexists(real) and is_source(real):
            cause = f"it would replace {target}, which is a picture of this run"
            raise CorrectionError(cause, source=item.key, remedy="correct it into another folder")
        taken.update(key_hash(place) for place in (real, beside) if place is not None)

    def _sidecar(self, item: Item, target: str | None) -> str | None:
        """The sidecar that an item has, or gets."""
        if item.path is None or not (sidecar.is_raw(format_of_suffix(item.path)) or self.request.sidecar):
            return None
        there = sidecar.existing(item.path) if target is None else None
        new = sidecar.place(item.path, target or item.path, self.request.sidecar or "full")
        return os.path.realpath(there or new)


class _IsSource:
    """Whether a file that is there is one that the run reads, or has read: named, or in a folder that was named."""

    def __init__(self, names: Iterable[str], output: str | None) -> None:
        self._names, self._output = names, os.path.realpath(output or "")
        self._sources: set[str] | None = None

    def __call__(self, path: str) -> bool:
        if self._sources is None:
            self._sources = {os.path.realpath(name) for name in self._names}
        real = Path(os.path.realpath(path))
        # The folder that is written into is not searched where it is in one that is.
        found = next((str(each) for each in (real, *real.parents) if str(each) in self._sources), None)
        return found is not None and not (_is_in(self._output, found) and _is_in(str(real), self._output))


def _is_in(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def _corrected(outcomes: Sequence[Outcome], pages: Sequence[Correction], file: Correction) -> list[Outcome]:
    """The outcomes of a file with what was done to its pages without an error, and to the file as a whole."""
    corrections = iter([_of_page(page, file) for page in pages] if len(pages) > 1 else [file])
    return [
        each if each.error else replace(each, correction=replace(next(corrections), source=each.source))
        for each in outcomes
    ]


def _of_page(page: Correction, file: Correction) -> Correction:
    return replace(page, target=file.target, written=file.written, note=noted(page.note, file.note))


@dataclass(frozen=True)
class Later:
    """Notes down what items are while they are decided, and corrects them afterwards if they are still that."""

    corrector: Corrector
    #: By key, which two members of a shard may have.
    _noted: dict[str, deque[tuple[Item, Seen]]] = field(default_factory=dict)

    @contextmanager
    def looking_at(self, item: Item) -> Iterator[SetRight | None]:
        """In the place of `Corrector.looking_at`; corrects nothing yet."""
        with self.corrector.held(item, looked=True) as file:
            # A thousand pictures of a shard are fetched once more rather than held in memory.
            self._noted.setdefault(item.key, deque()).append((item.forgotten(), (file.facts, file.content)))
            yield None

    def set_right(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Correct an item that was looked at. Raises as writing does."""
        item, seen = self._noted[outcomes[0].source].popleft()
        with self.corrector.looking_at(item.load(), seen) as set_right:
            assert set_right is not None
            return set_right(outcomes)
