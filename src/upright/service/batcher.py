"""Groups the views of different requests into runs of the engine.

There is no timer and no sleep: a free worker takes what waits, at once. An idle service therefore answers without
delay, and a loaded one fills its batches by itself, because views gather while the workers are busy.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import EngineError, Overloaded, UprightError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Run:
    """How a group of views fared: seconds in the queue, seconds in the engine, views that ran together."""

    queue_s: float
    infer_s: float
    views: int


@dataclass(slots=True, eq=False)
class Waiting:
    """Views ``[n, S, S, 3]`` of one request, with the future of their logits ``[n, 4]``."""

    pixels: Pixels
    answer: asyncio.Future[Logits]
    since: float
    run: Run | None = None


class Batcher:
    """Bounded by count and by bytes. Lives in one event loop; only the engine runs in threads.

    On a CPU ``max_batch=1`` with one worker for each core is best: a batch of 8 costs 17 % more for each picture.
    """

    def __init__(
        self,
        infer: Callable[[Pixels], Logits],
        *,
        max_batch: int = 1,
        workers: int = 1,
        max_views: int = 512,
        max_bytes: int = 256 << 20,
        on_run: Callable[[int], None] = lambda views: None,
        on_line: Callable[[int], None] = lambda views: None,
    ) -> None:
        self._infer = infer
        self._max_batch, self._max_views, self._max_bytes = max_batch, max_views, max_bytes
        self._on_run, self._on_line = on_run, on_line
        self._line: deque[Waiting] = deque()
        self._free = self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="upright-engine")
        self._closed = False
        self._view_s = 0.01
        self.views = 0
        self.bytes = 0

    async def infer(self, pixels: Pixels, *, on_done: Callable[[Run], None] = lambda run: None) -> Logits:
        """Logits ``[n, 4]`` of views ``[n, S, S, 3]``. Raises `Overloaded` when they find no room, `EngineError`."""
        if pixels.ndim != 4 or not len(pixels):
            raise UsageError(f"views of shape {list(pixels.shape)}", remedy="send [n, S, S, 3] with n of at least 1")
        if self._closed:
            raise Overloaded("the service is stopping")
        if self.views + len(pixels) > self._max_views or self.bytes + pixels.nbytes > self._max_bytes:
            wait_s = self._view_s * self.views / self._workers
            raise Overloaded(f"{self.views} views wait already", retry_after_s=wait_s)
        now = time.perf_counter()
        loop = asyncio.get_running_loop()
        parts = [
            Waiting(pixels[at : at + self._max_batch], loop.create_future(), now)
            for at in range(0, len(pixels), self._max_batch)
        ]
        for part in parts:
            self._line.append(part)
            self.views += len(part.pixels)
            self.bytes += part.pixels.nbytes
        self._start()
        self._on_line(self.views)
        try:
            answers = [await part.answer for part in parts]
        finally:
            for part in parts:
                self._withdraw(part)
        for part in parts:
            if part.run is not None:
                on_done(part.run)
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def _withdraw(self, part: Waiting) -> None:
        """Take a part whose request has gone out of the line, where it is still there."""
        if not part.answer.done():
            part.answer.cancel()
        if part in self._line:
            self._line.remove(part)
            self._leave(part)
        if not part.answer.cancelled():
            part.answer.exception()  # seen: a failing sibling has told the caller already

    def _leave(self, part: Waiting) -> None:
        self.views -= len(part.pixels)
        self.bytes -= part.pixels.nbytes

    def _start(self) -> None:
        while self._free and self._line:
            batch: list[Waiting] = []
            room = self._max_batch
            # Only views of one shape stack; another shape waits for the next free worker.
            while self._line and len(self._line[0].pixels) <= room:
                if batch and self._line[0].pixels.shape[1:] != batch[0].pixels.shape[1:]:
                    break
                part = self._line.popleft()
                self._leave(part)
                room -= len(part.pixels)
                batch.append(part)
            self._free -= 1
            loop = asyncio.get_running_loop()
            run = self._pool.submit(self._timed, [part.pixels for part in batch])
            finish = functools.partial(self._finish, batch, time.perf_counter())
            run.add_done_callback(functools.partial(loop.call_soon_threadsafe, finish))

    def _timed(self, groups: Sequence[Pixels]) -> tuple[Logits, float]:
        started = time.perf_counter()
        pixels = groups[0] if len(groups) == 1 else np.concatenate(groups)
        logits = np.asarray(self._infer(pixels), np.float32)
        if logits.shape != (len(pixels), 4):
            raise EngineError(f"the engine answered {list(logits.shape)} for {len(pixels)} views")
        return logits, time.perf_counter() - started

    def _finish(self, batch: list[Waiting], started: float, run: Future[tuple[Logits, float]]) -> None:
        self._free += 1
        self._on_line(self.views)
        error = run.exception()
        if error is None:
            logits, infer_s = run.result()
            self._view_s += 0.1 * (infer_s / len(logits) - self._view_s)
            self._on_run(len(logits))
            at = 0
            for part in batch:
                if not part.answer.done():
                    part.run = Run(started - part.since, infer_s, len(logits))
                    part.answer.set_result(logits[at : at + len(part.pixels)])
                at += len(part.pixels)
        else:
            for part in batch:
                if not part.answer.done():
                    part.answer.set_exception(_as_upright(error))
        self._start()

    def close(self) -> None:
        """Turn away what waits, let what runs finish."""
        self._closed = True
        while self._line:
            part = self._line.popleft()
            self._leave(part)
            if not part.answer.done():
                part.answer.set_exception(Overloaded("the service is stopping"))
        self._pool.shutdown(wait=True)


def _as_upright(error: BaseException) -> UprightError:
    """An error of its own for each caller: a shared one would gather the tracebacks of all of them."""
    if isinstance(error, UprightError):
        return type(error)(error.cause, remedy=error.remedy)
    told = EngineError(f"the engine failed: {error!r}", remedy="run `upright doctor`")
    told.__cause__ = error
    return told
