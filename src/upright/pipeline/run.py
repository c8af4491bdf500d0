"""The stages of a run and the threads that work in them."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from queue import Full, Queue
from typing import TYPE_CHECKING, Any

from ..errors import EngineError, UprightError
from ..machine import processors
from ..results import GROUPS, Outcome
from .batches import Batches
from .results_file import ResultsFile

if TYPE_CHECKING:
    from ..detector import Detector
    from ..results import Correction, Orientation
    from ..sources import Item

log = logging.getLogger("upright")

#: Items that wait between two stages, for each worker: enough that no worker waits, little enough for memory.
WAITING_PER_WORKER = 4
#: Threads that fetch from stores far away, where each request waits on the network.
READERS = 8

Find = Callable[[Callable[[str], bool]], Iterable["Item"]]
Seconds = defaultdict[str, float]
Corrector = Callable[["Item", "Orientation"], "Correction"]


@dataclass
class Summary:
    """What a run did; grows while it runs."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GROUPS, 0))
    #: Pictures that earlier runs had done.
    skipped: int = 0
    #: Seconds that the threads of each stage worked: their sum over ``wall_s`` says how far the stages overlap.
    busy_s: Seconds = field(default_factory=lambda: defaultdict(float))
    wall_s: float = 0.0
    cpu_s: float = 0.0
    stopped: bool = False

    @property
    def rows(self) -> int:
        """Pictures that this run did."""
        return sum(self.counts.values())

    @property
    def overlap(self) -> float:
        """How many stages were at work at a time, on average."""
        return sum(self.busy_s.values()) / self.wall_s if self.wall_s else 0.0


class Pipeline:
    """Works through items with ``workers`` threads, which decode, shrink and drive each picture's flow.

    Decoders and engines release the GIL, so threads share one engine and scale. Where the engine likes batches, one
    more thread gathers the workers' views. Queues between the stages are bounded: a slow stage holds the others back.

    Args:
        detector: used by all threads.
        results: where rows go; items that it holds already are passed over.
        workers: by default the processors that this process may use, four times as many where the engine batches.
        readers: threads that fetch items that are not local files.
        page: of pictures with several, counted from 0.
        corrector: also sets each picture right; called in a worker.
        progress: called after each row, from the thread that runs `run`.
    """

    def __init__(
        self,
        detector: Detector,
        results: ResultsFile,
        *,
        workers: int | None = None,
        readers: int = READERS,
        page: int = 0,
        corrector: Corrector | None = None,
        progress: Callable[[Summary], None] = lambda summary: None,
    ) -> None:
        self._detector, self._results = detector, results
        self._batches = Batches(detector.engine) if detector.engine.batch_size > 1 else None
        self._workers = workers or processors() * (4 if self._batches else 1)
        self._readers, self._page = readers, page
        self._corrector, self._progress = corrector, progress
        self._items: Queue[Item | None] = Queue(self._workers * WAITING_PER_WORKER)
        self._rows: Queue[Outcome | None] = Queue(self._workers * WAITING_PER_WORKER)
        self._stop = threading.Event()
        self._next, self._counting = threading.Lock(), threading.Lock()
        self._failure: BaseException | None = None
        self.summary = Summary()

    def stop(self) -> None:
        """Take no further picture; those under way are finished and written. May be called from a signal handler."""
        self._stop.set()

    def run(self, find: Find) -> Summary:
        """Work through what ``find(wanted)`` yields; returns when every row is written.

        Raises:
            WriteFailed: the disk is full; what was written is whole, and a new run goes on from there.
            EngineError: the engine failed.
        """
        summary, started, cpu_s = self.summary, time.perf_counter(), time.process_time()
        threads = self._start(iter(find(self._wanted)))
        try:
            self._write_rows()
        except BaseException:
            self._stop.set()
            self._drain()
            raise
        finally:
            for thread in threads:
                thread.join()
            if self._batches:
                self._detector.engine = self._batches.inner
                self._batches.close()
            summary.wall_s = time.perf_counter() - started
            summary.cpu_s = time.process_time() - cpu_s
            summary.stopped = self._stop.is_set()
        if self._failure:
            raise self._failure
        return summary

    def _start(self, items: Iterator[Item]) -> list[threading.Thread]:
        if self._batches:
            self._detector.engine = self._batches
        readers = _Team(self._readers, self._items, self._workers)
        workers = _Team(self._workers, self._rows, 1)
        threads = [threading.Thread(target=self._read, args=(items, readers)) for _ in range(self._readers)]
        threads += [threading.Thread(target=self._work, args=(workers,)) for _ in range(self._workers)]
        for thread in threads:
            thread.start()
        return threads

    def _wanted(self, key: str) -> bool:
        if key in self._results:
            self.summary.skipped += 1
            return False
        return True

    def _read(self, items: Iterator[Item], team: _Team) -> None:
        busy_s = 0.0
        try:
            while not self._stop.is_set():
                started = time.perf_counter()
                with self._next:
                    item = next(items, None)
                if item is None:
                    break
                item = item.load()
                busy_s += time.perf_counter() - started
                self._put_item(item)
        except BaseException as error:
            self._fail(error)
        finally:
            self._add_busy({"fetch": busy_s})
            team.leave()

    def _put_item(self, item: Item) -> None:
        while not self._stop.is_set():
            try:
                self._items.put(item, timeout=0.2)
            except Full:
                continue
            return

    def _work(self, team: _Team) -> None:
        busy_s: Seconds = defaultdict(float)
        while (item := self._items.get()) is not None:
            # After a stop items are still taken, so that no reader waits for room for ever.
            if self._stop.is_set():
                continue
            try:
                self._rows.put(work_on(item, self._detector, busy_s, self._corrector, self._page))
            except BaseException as error:
                self._fail(error)
        self._add_busy(busy_s)
        team.leave()

    def _write_rows(self) -> None:
        while (row := self._rows.get()) is not None:
            started = time.perf_counter()
            self._results.append(row.to_dict())
            self.summary.counts[row.group] += 1
            self._add_busy({"write": time.perf_counter() - started})
            self._progress(self.summary)

    def _drain(self) -> None:
        """Let workers that wait to hand over a row go on to see that it is over."""
        while self._rows.get() is not None:
            pass

    def _add_busy(self, busy_s: Mapping[str, float]) -> None:
        with self._counting:
            for stage, seconds in busy_s.items():
                self.summary.busy_s[stage] += seconds

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._stop.set()


def work_on(
    item: Item, detector: Detector, busy_s: Seconds, corrector: Corrector | None = None, page: int = 0
) -> Outcome:
    """The row of one item; ``busy_s`` grows by what each stage took. Raises `EngineError` only."""
    row = Outcome(item.key, error=item.error)
    if item.error:
        return row
    try:
        orientation = detector.detect(item.source, page=page)
        for stage, seconds in orientation.timing_s.items():
            busy_s[stage] += seconds
        row = replace(row, orientation=replace(orientation, source=item.key))
        if corrector:
            started = time.perf_counter()
            row = replace(row, correction=corrector(item, orientation))
            busy_s["correct"] += time.perf_counter() - started
    except EngineError:
        raise
    except UprightError as error:
        error.source = item.key
        row = replace(row, error=error)
    except Exception as error:
        # A million pictures find what tests do not; the run goes on and the row says what happened.
        log.exception("%s: unexpected error", item.key)
        unexpected = UprightError(f"{type(error).__name__}: {error}", source=item.key, remedy="please report it")
        row = replace(row, error=unexpected)
    return row


class _Team:
    """Threads of one stage; the last one to leave tells the next stage that nothing more comes."""

    def __init__(self, size: int, following: Queue[Any], takers: int) -> None:
        self._left, self._following, self._takers = size, following, takers
        self._lock = threading.Lock()

    def leave(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left:
                return
        for _ in range(self._takers):
            self._following.put(None)
