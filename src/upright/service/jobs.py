"""Works on jobs: takes pictures out of the store, decides them beside the requests, and commits what came out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any, TypeVar

from ..correction import Request, method_named
from ..correction.corrector import Corrector
from ..correction.writer import BytesWriter
from ..errors import EngineError, Overloaded, UprightError
from ..results import Group, Outcome, Promise
from ..sources import Item
from .jobs_store import MAX_TRIES, JobsStore, Leased
from .metrics import Metrics
from .problems import Refused, StorageFull, by_request, problem
from .runner import Ask, Runner
from .settings import Settings
from .trace import Trace

T = TypeVar("T")
logger = logging.getLogger("upright.service")

#: How often a worker looks whether another process left something to do; its own jobs wake it at once.
_LOOK_S = 1.0
_SWEEP_S = 60.0
#: All jobs are one client beside those of requests; no name of a key begins with a space.
_JOBS = " all jobs"


class Jobs:
    """The jobs of one process: an async context manager that works while it is open."""

    def __init__(self, settings: Settings, runner: Runner, metrics: Metrics) -> None:
        assert settings.jobs is not None
        self.store = JobsStore(settings.jobs, max_mb=settings.jobs_mb)
        self._settings, self._runner, self._metrics = settings, runner, metrics
        self._held: set[Leased] = set()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="upright-jobs")
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._reported = ""

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run something of the store in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *args))

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    async def __aenter__(self) -> Jobs:
        """Begin to work."""
        self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._keep())]
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop, and leave what is not done to others."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for leased in self._held.copy():
            with suppress(UprightError):  # its lease ends by itself
                await self.call(self.store.give_back, leased)
        self._threads.shutdown()

    async def _work(self) -> None:
        """Hold at most as many pictures as there are threads that decode, so that requests find room beside them."""
        busy: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._wake.clear()
                busy |= {asyncio.create_task(self._one(each)) for each in await self._lease(len(busy))}
                wake = asyncio.create_task(self._wake.wait())
                await asyncio.wait(busy | {wake}, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                wake.cancel()
                busy = {task for task in busy if not task.done()}
        finally:
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)

    async def _lease(self, busy: int) -> list[Leased]:
        if busy >= self._runner.threads:
            return []
        count, lease_s, most = self._runner.threads - busy, self._settings.job_lease_s, self._settings.max_queue_mb
        try:
            leased = await self.call(self.store.lease, count, lease_s, most << 20)
        except UprightError as error:
            self._report(error)
            return []
        self._held.update(leased)
        return leased

    async def _one(self, leased: Leased) -> None:
        """Work on one picture. What fails here is not held any longer: its lease ends and it is tried again."""
        try:
            await self._finish(leased)
        except UprightError as error:
            self._report(error)
        except Exception:
            logger.exception("a picture of a job is left for later", extra={"fields": {"job": leased.job}})
        self._held.discard(leased)  # not where it is cancelled: then it is given back

    async def _finish(self, leased: Leased) -> None:
        try:
            results, corrected = await self._decide(leased)
        except Overloaded:
            await asyncio.sleep(_LOOK_S)
            await self.call(self.store.give_back, leased)
            return
        while not await self._committed(leased, results, corrected):
            await asyncio.sleep(_LOOK_S)

    async def _committed(self, leased: Leased, results: list[dict[str, Any]], corrected: bytes | None) -> bool:
        try:
            fresh = await self.call(self.store.finish, leased, results, corrected)
        except StorageFull:
            # The picture stays leased by us and its result in memory until there is room: nothing is lost.
            logger.warning("no room for a result; waiting", extra={"fields": {"job": leased.job}})
            return False
        if fresh:
            failed = any("status" in each for each in results)
            self._metrics.job_pictures.labels("error" if failed else "done").inc()
        return True

    async def _decide(self, leased: Leased) -> tuple[list[dict[str, Any]], bytes | None]:
        """The result of each page, and the corrected file."""
        if leased.fence > MAX_TRIES:
            refused = Refused(f"the service died {MAX_TRIES} times while it was at work on this picture")
            return [problem(refused) | {"outcome": Group.FAILED.value}], None
        ask, corrected, corrector = leased.ask, list[bytes](), None
        if ask.get("correct"):
            request = Request(
                method=method_named(ask.get("method")),
                edge=ask["edge"],
                pixels=ask.get("pixels", False),
                straighten=ask.get("straighten"),
                limits=self._runner.detector.limits,
            )
            corrector = Corrector(request, BytesWriter(take=corrected.append))
        item = Item(leased.name, PurePosixPath(leased.name), data=leased.data)
        promise = Promise(ask["promise"]) if ask.get("promise") else None
        tilt, mirror = bool(ask.get("tilt")), bool(ask.get("mirror"))
        asked = Ask(promise, tilt=tilt, mirror=mirror, effort=ask.get("effort"))
        try:
            found = await self._runner.outcomes(item, asked, Trace(leased.job, client=_JOBS), corrector)
        except EngineError as failed:
            found = [Outcome(leased.name, error=failed)]
        for each in found:
            if isinstance(each.error, Overloaded):
                raise each.error
        return [_result(each) for each in found], corrected[0] if corrected else None

    async def _keep(self) -> None:
        """Renew leases, delete what was kept for long enough, and show how much waits."""
        every_s = min(self._settings.job_lease_s / 3, 10.0)
        swept = 0.0
        while True:
            try:
                await self.call(self.store.renew, self._held.copy(), self._settings.job_lease_s)
                if swept <= 0:
                    swept = _SWEEP_S
                    await self.call(self.store.sweep, self._settings.job_keep_h * 3600)
                self._metrics.jobs_waiting.set(await self.call(self.store.waiting))
                await self.call(self.store.check)
                self._reported = ""
            except UprightError as error:
                self._report(error)
            await asyncio.sleep(every_s)
            swept -= every_s

    def _report(self, error: UprightError) -> None:
        """Log what is wrong with the jobs file, once until it is well again."""
        if self._reported != (text := str(error)):
            self._reported = text
            logger.error("the jobs file is in trouble; trying again", extra={"fields": {"error": text}})


def _result(outcome: Outcome) -> dict[str, Any]:
    """What a job says of a page: the answer, or a problem."""
    group = {"outcome": outcome.group.value}
    if outcome.error or not outcome.orientation:
        # What only `UprightError` itself says was not foreseen: it is in the log, and no client's business.
        error = None if type(outcome.error) is UprightError else outcome.error
        return problem(error or RuntimeError()) | {"source": outcome.source} | group
    result = outcome.orientation.to_dict() | group
    done = outcome.correction
    return result | ({"correction": replace(done, remedy=by_request(done.remedy)).to_dict()} if done else {})
