"""The views of many threads or requests in common runs of an engine, each no larger than the engine likes.

There is no timer and no sleep: a free worker takes what waits, at once. An idle engine therefore answers without
delay, and a loaded one fills its batches by itself, because views gather while it is busy.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .. import forks
from ..errors import EngineError, Overloaded, TooLarge, UprightError, UsageError
from . import Engine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Logits = NDArray[np.float32]

log = logging.getLogger("upright")


class Answer(NamedTuple):
    """Logits ``[n, 4]`` of one request; seconds in the queue and in the engine; the most views that ran together."""

    logits: Logits
    queue_s: float
    infer_s: float
    together: int


@dataclass(eq=False, slots=True)
class _Asked:
    """Views ``[n, S, S, 3]`` of one request; ``taken`` of them have left the queue."""

    pixels: Pixels
    since: float
    model: str
    future: Future[Answer] = field(default_factory=Future)
    taken: int = 0
    over: bool = False
    parts: list[tuple[int, Logits]] = field(default_factory=list)
    queue_s: float = 0.0
    infer_s: float = 0.0
    together: int = 0


class Batcher:
    """An `Engine` around another, for any number of threads; closing it leaves the other open.

    Args:
        engine: what runs the batches, of at most its ``batch_size``.
        workers: runs side by side. On a CPU a batch of 1 with one worker for each processor is best: a batch of 8
            costs 17 % more for each picture.
        max_views, max_bytes: what may wait; more is `Overloaded`.
        on_run: called with the views of each run, and the models that its requests named.
        on_queue: called with the views that wait whenever that changes.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        workers: int = 1,
        max_views: int | None = None,
        max_bytes: int | None = None,
        on_run: Callable[[int, set[str]], object] = lambda views, models: None,
        on_queue: Callable[[int], object] = lambda views: None,
    ) -> None:
        self.engine, self.name, self.device = engine, engine.name, engine.device
        self._max_views, self._max_bytes = max_views, max_bytes
        self._on_run, self._on_queue = on_run, on_queue
        self._closed = False
        self._view_s = 0.01
        self._workers = workers
        self.begin_anew()
        forks.watch(self)

    def begin_anew(self) -> None:
        """With nothing that waits, and no thread yet."""
        self._queue: deque[_Asked] = deque()
        self._changed = threading.Condition()
        #: What waits.
        self.views = self.bytes = 0
        self._threads: list[threading.Thread] = []

    @property
    def batch_size(self) -> int:
        """That of the wrapped engine, which is lowered when memory runs out."""
        return self.engine.batch_size

    @batch_size.setter
    def batch_size(self, views: int) -> None:
        self.engine.batch_size = views

    def infer(self, pixels: Pixels) -> Logits:
        """Logits ``[n, 4]`` for views ``[n, S, S, 3]``; waits for the runs that they become part of."""
        return self.submit(pixels).result().logits

    def submit(self, pixels: Pixels, model: str = "") -> Future[Answer]:
        """Queue views ``[n, S, S, 3]``; a cancelled future takes those that still wait out of the queue.

        ``model`` is what the request calls the engine, for ``on_run``.

        Raises:
            UsageError: they are no views.
            TooLarge: there will never be room for so many.
            Overloaded: there is no room for them, or the batcher is closed.
        """
        if pixels.ndim != 4 or not len(pixels):
            raise UsageError(f"views of shape {list(pixels.shape)}", remedy="send [n, S, S, 3] with n of at least 1")
        most = min(self._max_views or len(pixels), (self._max_bytes or pixels.nbytes) // pixels[0].nbytes)
        if len(pixels) > most:
            raise TooLarge(f"{len(pixels):,} views in one request", remedy=f"send at most {most:,}")
        asked = _Asked(pixels, time.perf_counter(), model)
        with self._changed:
            if self._closed:
                raise Overloaded("the engine is being closed")
            self._start()
            views, size = self.views + len(pixels), self.bytes + pixels.nbytes
            if (self._max_views and views > self._max_views) or (self._max_bytes and size > self._max_bytes):
                wait_s = self._view_s * self.views / len(self._threads)
                raise Overloaded(f"{self.views} views wait already", retry_after_s=wait_s)
            self._queue.append(asked)
            self._count(asked, len(pixels))
            self._changed.notify(len(pixels))
        asked.future.add_done_callback(lambda _: self._withdraw(asked))
        return asked.future

    def _start(self) -> None:
        while len(self._threads) < self._workers:
            thread = threading.Thread(target=self._work, name="upright-engine", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Turn away what waits, let what runs finish."""
        with self._changed:
            self._closed = True
            for asked in list(self._queue):
                self._finish(asked, Overloaded("the engine is being closed"))
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """One run of the engine, as soon as views wait; False when the batcher is closed."""
        import numpy as np

        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                return False
            batch = self._take()
        started = time.perf_counter()
        parts = [asked.pixels[start:stop] for asked, start, stop in batch]
        error: Exception | None = None
        try:
            logits = infer(self.engine, parts[0] if len(parts) == 1 else np.concatenate(parts))
        except Exception as caught:
            error = caught
        infer_s, views = time.perf_counter() - started, sum(map(len, parts))
        if not error:
            self._view_s += 0.1 * (infer_s / views - self._view_s)
            self._on_run(views, {asked.model for asked, _, _ in batch})
        with self._changed:
            for asked, start, stop in batch:
                if error:
                    self._finish(asked, error)
                    continue
                asked.queue_s = asked.queue_s or started - asked.since
                asked.infer_s, asked.together = asked.infer_s + infer_s, max(asked.together, views)
                asked.parts.append((start, logits[: stop - start]))
                logits = logits[stop - start :]
                if sum(len(part) for _, part in asked.parts) == len(asked.pixels):
                    self._finish(asked)
        return True

    def _take(self) -> list[tuple[_Asked, int, int]]:
        """What runs next, as request, first and last view, the latter outside. Only views of one shape stack."""
        batch, room, shape = [], max(1, self.batch_size), self._queue[0].pixels.shape[1:]
        while room and self._queue and self._queue[0].pixels.shape[1:] == shape:
            asked = self._queue[0]
            start, asked.taken = asked.taken, min(len(asked.pixels), asked.taken + room)
            batch.append((asked, start, asked.taken))
            room -= asked.taken - start
            self._count(asked, start - asked.taken)
            if asked.taken == len(asked.pixels):
                self._queue.popleft()
        return batch

    def _finish(self, asked: _Asked, error: Exception | None = None) -> None:
        # A request that was cancelled meanwhile takes no result, and one of which a part failed has its error already.
        if asked.over or not asked.future.set_running_or_notify_cancel():
            return
        asked.over = True
        if error:
            asked.future.set_exception(_own(error))
            return
        import numpy as np

        parts = [part for _, part in sorted(asked.parts, key=lambda part: part[0])]
        logits = parts[0] if len(parts) == 1 else np.concatenate(parts)
        asked.future.set_result(Answer(logits, asked.queue_s, asked.infer_s, asked.together))

    def _withdraw(self, asked: _Asked) -> None:
        """Take what still waits of a request that is over out of the queue."""
        with self._changed:
            asked.over = True
            if asked.taken < len(asked.pixels) and asked in self._queue:
                self._queue.remove(asked)
                self._count(asked, asked.taken - len(asked.pixels))

    def _count(self, asked: _Asked, views: int) -> None:
        self.views += views
        self.bytes += views * (asked.pixels.nbytes // len(asked.pixels))
        self._on_queue(self.views)


def infer(engine: Engine, pixels: Pixels) -> Logits:
    """Logits ``[n, 4]`` in the model's order for any number of views, at most ``engine.batch_size`` at once.

    Where a GPU's memory runs out, half as many are run at once from then on, and a warning says so.

    Raises:
        EngineError: one view alone does not fit, or the engine failed for another reason.
    """
    import numpy as np

    if isinstance(engine, Batcher):
        return engine.infer(pixels)
    done: list[Logits] = []
    while len(pixels):
        part = pixels[: engine.batch_size]
        try:
            logits = np.asarray(engine.infer(part), np.float32)
        except UprightError:
            raise
        except Exception as error:
            engine.batch_size = _fewer(engine, len(part), error)
            continue
        if logits.shape != (len(part), 4):
            raise EngineError(f"the engine answered {list(logits.shape)} for {len(part)} views")
        done.append(logits)
        pixels = pixels[len(part) :]
    return done[0] if len(done) == 1 else np.concatenate(done)


def _fewer(engine: Engine, views: int, error: Exception) -> int:
    """How many views to try next after a run of ``views`` failed. Raises `EngineError` if fewer would not help."""
    is_out_of_memory = getattr(engine, "is_out_of_memory", lambda error: False)
    if not is_out_of_memory(error):
        raise EngineError(f"{engine.name} failed on {views} views: {error}", remedy="run `upright doctor`") from error
    if views == 1:
        raise EngineError(
            f"{engine.name}: memory is too small for one view: {error}",
            remedy="end other programs that use the GPU, or use --engine onnx:cpu",
        ) from error
    log.warning("%s: out of memory with %d views at once; going on with %d", engine.name, views, views // 2)
    return views // 2


def _own(error: Exception) -> UprightError:
    """An error for each caller: a shared one would gather the tracebacks of all of them."""
    if isinstance(error, UprightError):
        return copy(error)
    failed = EngineError(f"the engine failed: {error!r}", remedy="run `upright doctor`")
    failed.__cause__ = error
    return failed
