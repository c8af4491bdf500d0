"""The batcher: grouping, bounds, cancelling, errors."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from upright import EngineError, Overloaded, UsageError
from upright.service.batcher import Batcher, Run


class Slow:
    """Logits that tell the first pixel of each view; each call waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = threading.Semaphore(0)
        self.fail = False

    def __call__(self, pixels):
        self.batches.append(len(pixels))
        self.go.acquire()
        if self.fail:
            raise RuntimeError("broken engine")
        logits = np.zeros((len(pixels), 4), np.float32)
        logits[:, 0] = pixels[:, 0, 0, 0]
        return logits


def views(*values: int, side: int = 4):
    return np.stack([np.full((side, side, 3), value, np.uint8) for value in values])


def run(test: Callable[[Batcher, Slow], Awaitable[None]], **options) -> None:
    async def body() -> None:
        engine = Slow()
        batcher = Batcher(engine, **options)
        try:
            await asyncio.wait_for(test(batcher, engine), 20)
        finally:
            engine.go.release(1000)
            batcher.close()
            await asyncio.sleep(0)

    asyncio.run(body())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0.01)


def test_an_idle_batcher_answers_at_once_and_a_busy_one_groups():
    async def test(batcher, engine):
        first = asyncio.create_task(batcher.infer(views(1)))
        await settle()
        assert engine.batches == [1]
        rest = [asyncio.create_task(batcher.infer(views(n))) for n in (2, 3, 4, 5, 6)]
        await settle()
        assert batcher.views == 5
        engine.go.release(10)
        answers = [await each for each in (first, *rest)]
        assert [int(a[0, 0]) for a in answers] == [1, 2, 3, 4, 5, 6]
        assert engine.batches == [1, 4, 1]
        assert (batcher.views, batcher.bytes) == (0, 0)

    run(test, max_batch=4)


def test_more_views_than_a_batch_are_split_and_come_back_in_order():
    async def test(batcher, engine):
        engine.go.release(10)
        runs: list[Run] = []
        logits = await batcher.infer(views(*range(7)), on_done=runs.append)
        assert logits[:, 0].tolist() == list(range(7))
        assert [each.views for each in runs] == [3, 3, 1]
        assert all(each.queue_s >= 0 and each.infer_s > 0 for each in runs)

    run(test, max_batch=3)


def test_workers_run_side_by_side():
    async def test(batcher, engine):
        task = asyncio.create_task(batcher.infer(views(1, 2, 3)))
        await settle()
        assert engine.batches == [1, 1]
        engine.go.release(10)
        assert len(await task) == 3

    run(test, max_batch=1, workers=2)


@pytest.mark.parametrize("bound", [{"max_views": 3}, {"max_bytes": 3 * 48}])
def test_a_full_line_is_overloaded_and_says_when_to_come_back(bound):
    async def test(batcher, engine):
        tasks = [asyncio.create_task(batcher.infer(views(n))) for n in range(4)]  # one runs, three wait
        await settle()
        with pytest.raises(Overloaded) as caught:
            await batcher.infer(views(9))
        assert caught.value.retry_after_s > 0
        engine.go.release(10)
        assert len(await asyncio.gather(*tasks)) == 4
        assert (await batcher.infer(views(7)))[0, 0] == 7

    run(test, **bound)


def test_a_cancelled_request_leaves_the_line_and_costs_nothing():
    async def test(batcher, engine):
        first = asyncio.create_task(batcher.infer(views(1)))
        gone = asyncio.create_task(batcher.infer(views(2)))
        last = asyncio.create_task(batcher.infer(views(3)))
        await settle()
        gone.cancel()
        await settle()
        assert batcher.views == 1
        engine.go.release(10)
        assert (await first)[0, 0] == 1
        assert (await last)[0, 0] == 3
        assert engine.batches == [1, 1]

    run(test)


def test_an_engine_error_reaches_its_batch_and_the_worker_lives_on():
    async def test(batcher, engine):
        first = asyncio.create_task(batcher.infer(views(1)))
        await settle()
        pair = [asyncio.create_task(batcher.infer(views(n))) for n in (2, 3)]
        await settle()
        engine.go.release()
        assert (await first)[0, 0] == 1
        engine.fail = True
        engine.go.release()
        errors = await asyncio.gather(*pair, return_exceptions=True)
        assert all(isinstance(each, EngineError) and "broken engine" in str(each) for each in errors)
        assert errors[0] is not errors[1]
        engine.fail = False
        engine.go.release()
        assert (await batcher.infer(views(4)))[0, 0] == 4

    run(test, max_batch=8)


def test_views_of_another_shape_do_not_spoil_a_batch():
    async def test(batcher, engine):
        first = asyncio.create_task(batcher.infer(views(1)))
        await settle()
        mixed = [asyncio.create_task(batcher.infer(views(n, side=side))) for n, side in ((2, 4), (3, 8), (4, 8))]
        engine.go.release(10)
        assert [int((await each)[0, 0]) for each in (first, *mixed)] == [1, 2, 3, 4]
        assert engine.batches == [1, 1, 2]

    run(test, max_batch=8)


def test_a_wrong_engine_and_wrong_views_are_told():
    async def test(batcher, engine):
        with pytest.raises(UsageError):
            await batcher.infer(np.zeros((0, 4, 4, 3), np.uint8))

    run(test)

    async def wrong() -> None:
        batcher = Batcher(lambda pixels: np.zeros((1, 3), np.float32))
        with pytest.raises(EngineError, match=r"\[1, 3\]"):
            await batcher.infer(views(1))
        batcher.close()

    asyncio.run(wrong())


def test_closing_turns_away_what_waits():
    async def test(batcher, engine):
        runs = asyncio.create_task(batcher.infer(views(1)))
        waits = asyncio.create_task(batcher.infer(views(2)))
        await settle()
        threading.Timer(0.1, engine.go.release).start()
        batcher.close()
        with pytest.raises(Overloaded):
            await waits
        assert (await runs)[0, 0] == 1
        with pytest.raises(Overloaded):
            await batcher.infer(views(3))

    run(test)


def test_views_are_freed_when_they_are_answered():
    async def test(batcher, engine):
        engine.go.release(10)
        pixels = views(1)
        watched = weakref.ref(pixels)
        await batcher.infer(pixels)
        del pixels
        await settle()
        gc.collect()
        assert watched() is None

    run(test)
