"""Sets the items of a run right: each in its place below a folder, in one named file, or in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import atomic
from ..errors import CorrectionError, UsageError
from ..results import Correction, Orientation
from ..sources import STANDARD_STREAM, Item, item_of, key_hash
from .opening import Seen, opened
from .pages import plan_pages
from .request import Request
from .writer import Writer

#: Sets the pages of a file right that have these answers, by one change.
SetRight = Callable[[Sequence[Orientation]], list[Correction]]


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
        if self.request.in_place and item.path is None:
            raise UsageError("only files can be set right in place", source=item.key, remedy="name a folder for copies")
        with opened(item.open()) as file:
            if seen:
                file.facts, file.content = seen
            elif not self.writer.dry_run:
                file.look()
            request = replace(self.request, target=self.target(item))

            def set_right(answers: Sequence[Orientation]) -> list[Correction]:
                change, pages = plan_pages(file, request, answers)
                done = self.writer.write(change)
                if len(pages) == 1:
                    return [replace(done, source=item.key)]
                file_done = replace(done, source=item.key)
                return [_of_page(page, file_done) for page in pages]

            yield set_right

    def later(self) -> Later:
        """The same for items that are decided first, and corrected when others are decided too."""
        return Later(self)

    def target(self, item: Item) -> str | None:
        """The file that an item becomes. Raises `CorrectionError` for a name that leads out of the folder."""
        if self.folder is None or item.key == self.single:
            return self.folder
        return str(atomic.below(Path(self.folder), item.relative))

    def placed(self, items: Iterable[Item], before: Iterable[int] = ()) -> Iterator[Item]:
        """The items, with an error for each whose target is that of one before it: no item replaces another.

        ``before`` are the hashes of targets that earlier parts of the run wrote.
        """
        taken = set(before)
        for item in items:
            if self.folder is None or item.skipped or item.error:
                yield item
                continue
            try:
                target = self.target(item) or ""
                if (place := key_hash(target)) in taken:
                    cause = f"another picture of this run becomes {target} already"
                    raise CorrectionError(cause, source=item.key, remedy="correct it into another folder")
                taken.add(place)
            except CorrectionError as error:
                item = replace(item, error=error)
            yield item


def _of_page(page: Correction, file: Correction) -> Correction:
    said = "; ".join(filter(None, (page.note, file.note)))
    return replace(page, source=file.source, target=file.target, written=file.written, note=said)


@dataclass(frozen=True)
class Later:
    """Notes down what items are while they are decided, and corrects them afterwards if they are still that."""

    corrector: Corrector
    _noted: dict[str, tuple[Item, Seen]] = field(default_factory=dict)

    @contextmanager
    def looking_at(self, item: Item) -> Iterator[SetRight | None]:
        """In the place of `Corrector.looking_at`; corrects nothing yet."""
        if self.corrector.request.in_place and item.path is None:
            raise UsageError("only files can be set right in place", source=item.key, remedy="name a folder for copies")
        with opened(item.open()) as file:
            if not self.corrector.writer.dry_run:
                file.look()
            # A thousand pictures of a shard are fetched once more rather than held in memory.
            forgotten = (
                item if item.path or item.key == STANDARD_STREAM else replace(item_of(item.key), relative=item.relative)
            )
            self._noted[item.key] = forgotten, (file.facts, file.content)
            yield None

    def set_right(self, key: str, answers: Sequence[Orientation]) -> list[Correction]:
        """Correct an item that was looked at. Raises as writing does."""
        item, seen = self._noted.pop(key)
        with self.corrector.looking_at(item.load(), seen) as set_right:
            assert set_right is not None
            return set_right(answers)
