"""Decides and corrects in a bounded pool of threads, whose views the batcher gathers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from starlette.types import Receive

from .. import drive
from ..correction.corrector import Corrector
from ..detector import Detector
from ..engines.batcher import Answer, Batcher
from ..errors import Overloaded, UprightError
from ..pictures import open_picture
from ..results import Orientation, Outcome, Promise
from ..run import outcomes_of
from ..sources import Item
from .metrics import Metrics
from .problems import ClientGone, Refused
from .slots import Slots
from .trace import Trace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A detector for the pages of one picture of a request."""

    orient: Callable[[bytes, int], Orientation]

    def detect(self, source: str | bytes, *, page: int = 0) -> Orientation:
        assert isinstance(source, bytes)
        return self.orient(source, page)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request may choose. ``None`` is the service's default; ``effort`` may be less than that, never more."""

    promise: Promise | None = None
    page: int = 0
    tilt: bool = False
    mirror: bool = False
    effort: int | None = None


class Runner:
    """Decides and corrects for requests and jobs. One for each process."""

    def __init__(self, detector: Detector, batcher: Batcher, metrics: Metrics, threads: int) -> None:
        self.detector, self.batcher, self.metrics = detector, batcher, metrics
        self.threads = threads
        self._slots = Slots(threads)
        self._pool = ThreadPoolExecutor(threads + 1, thread_name_prefix="upright-picture")

    def allowed(self, ask: Ask) -> Ask:
        """What a request asks. Raises `Refused` where it asks for a closer look than the operator's."""
        if ask.effort is not None and ask.effort > self.detector.effort:
            remedy = f"ask for at most {self.detector.effort}; the operator can raise --effort"
            raise Refused(f"effort={ask.effort} is more than this service gives", remedy=remedy)
        return ask

    async def orient(self, data: bytes, name: str, ask: Ask, trace: Trace) -> Orientation:
        """Which way up a picture belongs. Cancelled, it gives everything back after the look that is being taken."""
        gone = threading.Event()
        try:
            answer = await self._in_thread(trace, self._orient, data, ask, trace, gone)
        except UprightError as error:
            self.metrics.errors.labels(type(error).__name__).inc()
            raise
        finally:
            gone.set()
        answer = replace(answer, source=name, timing_s={k: round(v, 6) for k, v in trace.stages.items()})
        self.metrics.decided(answer)
        trace.decided(answer, len(data))
        return answer

    async def outcomes(self, item: Item, ask: Ask, trace: Trace, corrector: Corrector | None = None) -> list[Outcome]:
        """What became of an item, page by page, decided and corrected by `upright.run` as in a run of the command.

        Raises `EngineError`.
        """
        gone = threading.Event()
        try:
            asked = _Asked(lambda data, page: self._orient(data, replace(ask, page=page), trace, gone))
            work = partial(outcomes_of, item, asked, corrector, sure=self.detector.is_sure)
            found = await self._in_thread(trace, work)
        finally:
            gone.set()
        trace.add("write", found[0].timing_s.get("write", 0.0))
        for each in found:
            if each.error:
                self.metrics.errors.labels(type(each.error).__name__).inc()
            if each.orientation:
                self.metrics.decided(each.orientation)
        return found

    async def infer(self, pixels: NDArray[np.uint8], trace: Trace) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` of views ``[n, S, S, 3]``. Raises `Overloaded`, `EngineError`."""
        found = await asyncio.wrap_future(self._submit(pixels, trace))
        return self._noted(pixels, found, trace)

    async def orient_many(
        self, pictures: list[tuple[str, bytes]], ask: Ask, trace: Trace
    ) -> list[Orientation | UprightError]:
        """Each picture's orientation or error, in order; no more of them open at once than there are threads.

        Raises `Overloaded` for all of them where one found no room.
        """
        slots = asyncio.Semaphore(self.threads)

        async def one(name: str, data: bytes) -> Orientation | UprightError:
            async with slots:
                try:
                    return await self.orient(data, name, ask, trace)
                except UprightError as error:
                    error.source = name or None
                    return error

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(name, data)) for name, data in pictures]
        answers = [task.result() for task in tasks]
        for each in answers:
            if isinstance(each, Overloaded):
                raise each
        return answers

    async def call(self, trace: Trace, stage: str, function: Callable[..., T], *args: Any) -> T:
        """Run what takes its time in a thread beside those that decode."""

        def timed() -> T:
            started = time.perf_counter()
            try:
                return function(*args)
            finally:
                trace.add(stage, time.perf_counter() - started)

        return await self._in_thread(trace, timed)

    def close(self) -> None:
        """Let what runs finish, drop what waits."""
        self._pool.shutdown(cancel_futures=True)

    async def _in_thread(self, trace: Trace, function: Callable[..., T], *args: Any) -> T:
        asked = time.perf_counter()

        def run() -> T:
            trace.add("wait", time.perf_counter() - asked)
            return function(*args)

        await self._slots.take(trace.client)
        running = self._pool.submit(run)
        # The slot is free when the thread is: a request that is cancelled may leave it at work.
        loop = asyncio.get_running_loop()
        running.add_done_callback(lambda _: loop.call_soon_threadsafe(self._slots.give, trace.client))
        return await asyncio.wrap_future(running)

    def _orient(self, data: bytes, ask: Ask, trace: Trace, gone: threading.Event) -> Orientation:
        opened, infer_s = time.perf_counter(), 0.0

        def infer(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            nonlocal infer_s
            started = time.perf_counter()
            found = self._submit(pixels, trace).result()
            infer_s += time.perf_counter() - started
            return self._noted(pixels, found, trace)

        try:
            # A little more than is left, so that the request fails for its own deadline, not for the picture.
            within_s = min(self.detector.limits.timeout_s, max(0.0, trace.left_s()) + 0.5)
            limits = replace(self.detector.limits, timeout_s=within_s)
            with open_picture(data, page=ask.page, limits=limits) as picture:
                going = lambda: not gone.is_set()  # noqa: E731
                asked: Any = {"promise": ask.promise, "effort": ask.effort, "tilt": ask.tilt, "mirror": ask.mirror}
                return self.detector.decide(picture, **asked, infer=infer, may_go_on=going)
        finally:
            trace.add("decode", time.perf_counter() - opened - infer_s)

    def _submit(self, pixels: NDArray[np.uint8], trace: Trace) -> Future[Answer]:
        try:
            return self.batcher.submit(pixels, trace.model)
        except Overloaded:
            self.metrics.overloads.labels("batcher").inc()
            raise

    def _noted(self, pixels: NDArray[np.uint8], found: Answer, trace: Trace) -> NDArray[np.float32]:
        """The logits by turn; the trace takes note of how they came about."""
        trace.add("queue", found.queue_s)
        trace.add("infer", found.infer_s)
        trace.most("batch", found.together)
        return drive.by_turn(self.detector.model, pixels, found.logits)


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Do the work unless the client leaves: then it is cancelled, and `ClientGone` raised. The body must be read."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone("the client closed its connection")
        return task.result()
    finally:
        task.cancel()
        watch.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
