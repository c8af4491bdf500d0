"""The one way through for many pictures: each item is fetched, decided, and corrected if that is asked for.

`outcomes_of` does one item, `work` many of them in bounded memory. The commands, jobs and the cluster all use these.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from .errors import EngineError, UprightError
from .formats import pages_in
from .machine import processors
from .results import Group, Orientation, Outcome
from .spread import spread
from .together import decided_together, taken_by_key

if TYPE_CHECKING:
    from .correction.corrector import Corrector, Later, SetRight
    from .sources import Item

log = logging.getLogger("upright")

#: Says whether the confidence of an answer keeps its promise.
Sure: TypeAlias = Callable[[Orientation], bool]

#: Items on their way for each worker: enough that none waits for the next, little enough for memory.
WAITING_PER_WORKER = 4
#: Threads more than workers that fetch from stores far away, where each request waits for the network.
READERS = 8
#: What is timed: opening the detector; getting bytes from elsewhere; decoding and shrinking; the engine; correcting.
STAGES = ("load", "fetch", "read", "infer", "write")


class Decides(Protocol):
    """What `outcomes_of` wants of a `Detector`."""

    def detect(self, source: str | bytes, *, page: int = 0) -> Orientation:
        """Which way up a picture belongs. Raises `UprightError`."""
        ...


class DecidesMany(Decides, Protocol):
    """What `work` wants of a `Detector`."""

    @property
    def likes_batches(self) -> bool:
        """Whether it is faster with several pictures at once."""
        ...

    def is_sure(self, answer: Orientation) -> bool:
        """Whether its confidence keeps its promise."""
        ...


def outcomes_of(
    item: Item,
    detector: Decides,
    corrector: Corrector | Later | None = None,
    *,
    pages: Sequence[int] | None = None,
    sure: Sure | None = None,
) -> list[Outcome]:
    """The outcome of one item: of each of these pages (from 0), or of all that a document has; one file, one change.

    With ``sure``, which says whether an answer keeps its promise, pages of one file are decided together. Frames of an
    animation are one picture. Raises `EngineError` only: any other error is the outcome.
    """
    started = time.perf_counter()
    item = item.load()
    fetched = Outcome(item.key, error=item.error, skipped=item.skipped)
    fetched.timing_s["fetch"] = time.perf_counter() - started
    if item.error or item.skipped:
        return [fetched]
    found: list[Outcome] = []
    try:
        with corrector.looking_at(item) if corrector else nullcontext() as set_right:
            found = _decided(item, detector, pages)
            if sure:
                found = list(decided_together(found, sure, files=False))
            if set_right:
                found = _corrected(found, set_right)
    except EngineError:
        raise
    except Exception as error:
        found = _failed(found or [fetched], error)
    found[0].timing_s.update(fetched.timing_s)
    return found


def _decided(item: Item, detector: Decides, pages: Sequence[int] | None) -> list[Outcome]:
    """Of each page; what keeps the first from being read is raised, of the others it is their outcome."""
    source, wanted, found = item.open(), list(pages or (0,)), list[Outcome]()
    there = 1
    for page in wanted:
        if found and page >= there:
            break
        try:
            answer = detector.detect(source, page=page)
            found.append(Outcome(item.key, replace(answer, source=item.key), timing_s=dict(answer.timing_s)))
        except EngineError:
            raise
        except Exception as error:
            if not found:
                raise
            failed = _error_of(item.key, error)
            failed.cause = f"page {page + 1}: {failed.cause}"
            found.append(Outcome(item.key, error=failed))
            continue
        there = answer.pages
        if pages is None and page == 0:
            wanted += range(1, pages_in(answer.format, there))
    return [replace(each, last=index == len(found) - 1) for index, each in enumerate(found)]


def _corrected(outcomes: Sequence[Outcome], set_right: SetRight) -> list[Outcome]:
    """The same with what was done; errors keep their pages from it. Raises what writing raises."""
    if not any(each.orientation and not each.error for each in outcomes):
        return list(outcomes)
    started = time.perf_counter()
    found = set_right(outcomes)
    found[0].timing_s["write"] = time.perf_counter() - started
    return found


def _failed(outcomes: list[Outcome], error: Exception) -> list[Outcome]:
    """The same, each with this error that has none of its own."""
    failed = _error_of(outcomes[0].source, error)
    return [each if each.error else replace(each, error=failed) for each in outcomes]


def _error_of(key: str, error: Exception) -> UprightError:
    if isinstance(error, UprightError):
        error.source = key
        return error
    # Among a million pictures some raise what no test did: the run continues and the outcome names the error.
    log.error("%s: unexpected error", key, exc_info=error)
    return UprightError(f"{type(error).__name__}: {error}", source=key, remedy="please report it")


def work(
    items: Iterable[Item],
    detector: DecidesMany,
    corrector: Corrector | None = None,
    *,
    workers: int | None = None,
    pages: Sequence[int] | None = None,
    ordered: bool = True,
    together: bool | None = None,
    stop: threading.Event | None = None,
    looked: Callable[[], object] = lambda: None,
) -> Generator[Outcome, None, None]:
    """The outcome of every item, as soon as it is known, or in the order of the items.

    Decoders and engines release the GIL, so threads share one engine and scale. At most ``READERS`` items more than
    `WAITING_PER_WORKER` for each worker are under way: a slow consumer holds the readers back.

    Args:
        items: taken one by one from this thread.
        detector: used by all threads.
        corrector: also sets each picture right.
        workers: pictures decoded side by side; by default one for each processor, four where the engine likes batches,
            for which they wait together.
        pages: of files with several, counted from 0; ``None``: all pages of documents, and of other pictures the first.
        ordered: in the order of the items.
        together: pages of one file are decided together (`upright.together`). If true, files with running numbers are,
            too; they are corrected after that, and come in order. If false, nothing is.
        stop: once it is set, no further item is begun; those under way are finished.
        looked: called by the threads for each item that was looked at; its outcome may come much later.

    Raises:
        EngineError: the engine failed. What ``items`` raises is raised here too.
    """
    workers = workers or processors() * (4 if detector.likes_batches else 1)
    deciding, ended = threading.Semaphore(workers), threading.Event()
    later = corrector.later() if together and corrector else None
    sure = detector.is_sure if together is None else None

    def may_go_on() -> bool:
        return stop is None or not stop.is_set()

    def one(item: Item) -> list[Outcome]:
        started = time.perf_counter()
        item = item.load()
        fetch_s = time.perf_counter() - started
        with deciding:
            if ended.is_set() or not may_go_on():
                return []
            found = outcomes_of(item, detector, later or corrector, pages=pages, sure=sure)
        found[0].timing_s["fetch"] = fetch_s
        looked()
        return found

    def correct(found: list[Outcome]) -> list[Outcome]:
        assert later is not None
        try:
            return _corrected(found, later.set_right)
        except Exception as error:
            return _failed(found, error)

    threads, most = workers + READERS, WAITING_PER_WORKER * workers + READERS
    outcomes = spread(items, one, threads, most, ordered=ordered or bool(together), may_go_on=may_go_on)
    try:
        if not together:
            yield from outcomes
        else:
            settled = decided_together(outcomes, detector.is_sure, taken=taken_by_key)
            yield from spread(_files(settled), correct, threads, most) if later else settled
    finally:
        ended.set()
        outcomes.close()


def _files(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """The outcomes of each file together."""
    pages: list[Outcome] = []
    for outcome in outcomes:
        pages.append(outcome)
        if outcome.last:
            yield pages
            pages = []


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


@dataclass
class Tally:
    """Counts what a run did and the seconds of its stages, for the lines at its end and the exit code."""

    counts: Counter[Group] = field(default_factory=Counter)
    #: What was skipped, by reason.
    skipped: Counter[str] = field(default_factory=Counter)
    #: Pictures that earlier runs had done, and what became of them.
    done_before: int = 0
    before: Counter[Group] = field(default_factory=Counter)
    stopped: bool = False
    #: Seconds that all threads spent in each stage: their sum over ``wall_s`` says how far the stages overlap.
    timing_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    _started: tuple[float, float] = field(default_factory=_clocks)
    _ended: tuple[float, float] | None = None

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if outcome.skipped:
            self.skipped[outcome.skipped] += 1
        else:
            self.counts[outcome.group] += 1
        for stage, seconds in outcome.timing_s.items():
            self.timing_s[stage] = self.timing_s.get(stage, 0.0) + seconds

    @property
    def done(self) -> int:
        """Pictures that this run did."""
        return self.counts.total()

    @property
    def wall_s(self) -> float:
        """Seconds from its beginning to its end, or until now."""
        return (self._ended or _clocks())[0] - self._started[0]

    @property
    def cpu_s(self) -> float:
        """Seconds of all processors in that time."""
        return (self._ended or _clocks())[1] - self._started[1]

    @property
    def overlap(self) -> float:
        """How many stages were at work at a time, on average."""
        return (sum(self.timing_s.values()) - self.timing_s["load"]) / self.wall_s

    def end(self) -> None:
        """The run is over."""
        self._ended = _clocks()

    def summary(self, counts: Counter[Group] | None = None) -> str:
        """One line: how many were what, and what was skipped; groups without a picture only where that is good news."""
        counts = self.counts if counts is None else counts
        said = [group for group in Group if counts[group] or group in (Group.UNSURE, Group.FAILED)]
        return ", ".join(f"{counts[group]:,} {group}" for group in said) + self.skips()

    def skips(self) -> str:
        """How many files were skipped, by reason."""
        reasons = ", ".join(f"{count:,} {why}" for why, count in self.skipped.most_common())
        return f"; {Group.SKIPPED}: {reasons}" if reasons else ""

    @property
    def exit_code(self) -> int:
        """130 stopped, 1 some pictures failed, 3 some that need a turn cannot be turned, 0 all is well.

        What failed in earlier parts of a run counts, too.
        """
        failed, left = ((self.counts + self.before)[group] for group in (Group.FAILED, Group.CANNOT))
        return 130 if self.stopped else 1 if failed else 3 if left else 0

    def timing(self) -> str:
        """The seconds of each stage, of all threads together."""
        lines = [f"{stage:<8}{seconds:>10.4f}" for stage, seconds in self.timing_s.items()]
        return "\n".join([f"{'stage':<8}{'seconds':>10}", *lines, f"{'total':<8}{sum(self.timing_s.values()):>10.4f}"])
