"""Drives a decision through the service: pixels in a bounded thread pool, views through the batcher."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.types import Receive

from ..correction import Edge, corrected_bytes
from ..errors import Overloaded, UprightError
from ..pictures import Picture, open_picture
from ..results import Correction, Method, Orientation, Promise
from ..turns import Turn
from .batcher import Batcher, Run
from .problems import ClientGone
from .trace import Trace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..decide import Flow
    from ..detector import Detector
    from .metrics import Metrics

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request may choose. ``None`` is the service's default."""

    promise: Promise | None = None
    page: int = 0


@dataclass(slots=True)
class Opened:
    """A picture whose flow waits for the logits of ``pixels``, or is done and has its ``answer``."""

    picture: Picture
    flow: Flow
    pixels: NDArray[np.uint8] | None = None
    answer: Orientation | None = None


class Runner:
    """Decides and corrects for requests and jobs. One for each process."""

    def __init__(self, detector: Detector, batcher: Batcher, metrics: Metrics, threads: int) -> None:
        self.detector, self.batcher, self.metrics = detector, batcher, metrics
        self.threads = threads
        self._decode = ThreadPoolExecutor(threads, thread_name_prefix="upright-decode")
        # A decision that is under way must not stand in line behind pictures that have not begun: it would keep its
        # memory for longer, and take twice as long under load.
        self._go_on = ThreadPoolExecutor(threads, thread_name_prefix="upright-go-on")

    async def orient(self, data: bytes, name: str, ask: Ask, trace: Trace) -> Orientation:
        """Which way up a picture belongs. Cancelled, it gives everything back at the end of the stage that runs."""
        opened: list[Opened] = []
        running = self._decode.submit(self._timed, trace, time.perf_counter(), self._open, opened, data, ask)
        try:
            await asyncio.wrap_future(running)
            now = opened[0]
            while now.answer is None:
                assert now.pixels is not None
                logits = await self.infer(now.pixels, trace)
                running = self._go_on.submit(self._timed, trace, time.perf_counter(), self._advance, now, logits)
                await asyncio.wrap_future(running)
        except UprightError as error:
            self.metrics.errors.labels(type(error).__name__).inc()
            raise
        finally:
            # The thread may still read the picture when a cancelled request comes by here.
            running.add_done_callback(lambda _: _close(opened))
        answer = replace(now.answer, source=name, timing_s={k: round(v, 6) for k, v in trace.stages.items()})
        self.metrics.decided(answer)
        return answer

    async def infer(self, pixels: NDArray[np.uint8], trace: Trace) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` of views ``[n, S, S, 3]``. Raises `Overloaded`, `EngineError`."""
        try:
            return await self.batcher.infer(pixels, on_done=lambda run: _note(trace, run))
        except Overloaded:
            self.metrics.overloads.labels("batcher").inc()
            raise

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

    async def correct(
        self, data: bytes, turn: Turn, method: Method | None, edge: Edge, trace: Trace
    ) -> tuple[bytes, Correction]:
        """The file's bytes set right, and what was done."""
        return await self.call(trace, "write", corrected_bytes, data, turn, method, edge)

    async def call(self, trace: Trace, stage: str, function: Callable[..., T], *args: Any) -> T:
        """Run what takes its time in a thread beside those that decode."""
        running = self._decode.submit(self._timed, trace, time.perf_counter(), function, *args, stage=stage)
        return await asyncio.wrap_future(running)

    def close(self) -> None:
        """Let what runs finish, drop what waits."""
        self._decode.shutdown(cancel_futures=True)
        self._go_on.shutdown(cancel_futures=True)

    def _open(self, opened: list[Opened], data: bytes, ask: Ask) -> None:
        picture = open_picture(data, page=ask.page, limits=self.detector.limits)
        opened.append(now := Opened(picture, self.detector.start(picture, promise=ask.promise)))
        self._advance(now, None)

    def _advance(self, now: Opened, logits: NDArray[np.float32] | None) -> None:
        try:
            # The first value sent to a fresh generator is None by the language's rule.
            views = now.flow.send(logits)  # type: ignore[arg-type]
        except StopIteration as stop:
            now.answer = stop.value
        else:
            now.pixels = self.detector.render(now.picture, views)

    @staticmethod
    def _timed(trace: Trace, asked: float, call: Callable[..., T], *args: Any, stage: str = "decode") -> T:
        started = time.perf_counter()
        try:
            return call(*args)
        finally:
            trace.add("wait", started - asked)
            trace.add(stage, time.perf_counter() - started)


def _close(opened: list[Opened]) -> None:
    for each in opened:
        each.picture.close()


def _note(trace: Trace, run: Run) -> None:
    trace.add("queue", run.queue_s)
    trace.add("infer", run.infer_s)
    trace.most("batch", run.views)


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
