"""The batcher: grouping, bounds, cancelling, errors; and engines whose memory runs out."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from upright import EngineError, Overloaded, UsageError
from upright.engines.batcher import Batcher, infer


class Slow:
    """An engine whose logits tell the first pixel of each view; each call waits until it is let go."""

    name, device = "slow", "here"

    def __init__(self, batch_size: int = 1) -> None:
        self.batch_size = batch_size
        self.batches: list[int] = []
        self.go = threading.Semaphore(0)
        self.fail: Exception | None = None

    def infer(self, pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        self.batches.append(len(pixels))
        self.go.acquire()
        if self.fail:
            raise self.fail
        logits = np.zeros((len(pixels), 4), np.float32)
        logits[:, 0] = pixels[:, 0, 0, 0]
        return logits

    def close(self) -> None:
        pass


def views(*values: int, side: int = 4) -> np.ndarray:  # type: ignore[type-arg]
    return np.stack([np.full((side, side, 3), value, np.uint8) for value in values])


@pytest.fixture
def make() -> Iterator[Callable[..., tuple[Batcher, Slow]]]:
    opened: list[tuple[Batcher, Slow]] = []

    def made(batch_size: int = 1, **options: Any) -> tuple[Batcher, Slow]:
        engine = Slow(batch_size)
        opened.append((Batcher(engine, **options), engine))
        return opened[-1]

    yield made
    for batcher, engine in opened:
        engine.go.release(1000)
        batcher.close()


def wait_for(what: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not what():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.001)


Make = Callable[..., tuple[Batcher, Slow]]


def test_an_idle_batcher_answers_at_once_and_a_busy_one_groups(make: Make) -> None:
    batcher, engine = make(4)
    first = batcher.submit(views(1))
    wait_for(lambda: engine.batches == [1])
    rest = [batcher.submit(views(n)) for n in (2, 3, 4, 5, 6)]
    assert batcher.views == 5
    engine.go.release(10)
    answers = [each.result(20) for each in (first, *rest)]
    assert [int(answer.logits[0, 0]) for answer in answers] == [1, 2, 3, 4, 5, 6]
    assert engine.batches == [1, 4, 1]
    assert [answer.together for answer in answers] == [1, 4, 4, 4, 4, 1]
    assert all(answer.queue_s >= 0 and answer.infer_s > 0 for answer in answers)
    assert (batcher.views, batcher.bytes) == (0, 0)


def test_more_views_than_a_batch_are_split_and_come_back_in_order(make: Make) -> None:
    batcher, engine = make(3)
    engine.go.release(10)
    answer = batcher.submit(views(*range(7))).result(20)
    assert answer.logits[:, 0].tolist() == list(range(7))
    assert engine.batches == [3, 3, 1] and answer.together == 3


def test_batches_are_full_though_requests_do_not_divide_them(make: Make) -> None:
    batcher, engine = make(4)
    first = batcher.submit(views(0))
    wait_for(lambda: engine.batches == [1])
    asked = [batcher.submit(views(*range(n, n + 3))) for n in (10, 20, 30, 40)]
    engine.go.release(10)
    assert [each.result(20).logits[:, 0].tolist() for each in asked] == [[n, n + 1, n + 2] for n in (10, 20, 30, 40)]
    assert first.result(20).logits[0, 0] == 0 and engine.batches == [1, 4, 4, 4]


def test_workers_run_side_by_side(make: Make) -> None:
    batcher, engine = make(1, workers=2)
    asked = batcher.submit(views(1, 2, 3))
    wait_for(lambda: engine.batches == [1, 1])
    engine.go.release(10)
    assert asked.result(20).logits[:, 0].tolist() == [1, 2, 3]


def test_many_threads_get_their_own_answers(make: Make) -> None:
    batcher, engine = make(8, workers=3)
    engine.go.release(10_000)
    with ThreadPoolExecutor(16) as pool:
        asked = [views(*range(n % 250, n % 250 + 1 + n % 5)) for n in range(300)]
        answers = list(pool.map(batcher.infer, asked))
    for pixels, logits in zip(asked, answers, strict=True):
        assert logits[:, 0].tolist() == pixels[:, 0, 0, 0].tolist()
    assert sum(engine.batches) == sum(map(len, asked)) and max(engine.batches) <= 8
    assert (batcher.views, batcher.bytes) == (0, 0)


@pytest.mark.parametrize("bound", [{"max_views": 3}, {"max_bytes": 3 * 48}])
def test_a_full_queue_is_overloaded_and_says_when_to_come_back(make: Make, bound: dict[str, int]) -> None:
    batcher, engine = make(1, **bound)
    asked = [batcher.submit(views(0))]
    wait_for(lambda: engine.batches == [1])
    asked += [batcher.submit(views(n)) for n in (1, 2, 3)]
    with pytest.raises(Overloaded) as caught:
        batcher.submit(views(9))
    assert caught.value.retry_after_s > 0
    engine.go.release(10)
    assert [each.result(20).logits[0, 0] for each in asked] == [0, 1, 2, 3]
    assert batcher.infer(views(7))[0, 0] == 7


def test_a_cancelled_request_leaves_the_queue_and_costs_nothing(make: Make) -> None:
    batcher, engine = make()
    first = batcher.submit(views(1))
    wait_for(lambda: engine.batches == [1])
    gone, last = batcher.submit(views(2, 2)), batcher.submit(views(3))
    assert gone.cancel() and batcher.views == 1
    engine.go.release(10)
    assert first.result(20).logits[0, 0] == 1 and last.result(20).logits[0, 0] == 3
    assert engine.batches == [1, 1]
    with pytest.raises(CancelledError):
        gone.result()


def test_a_request_may_be_cancelled_while_a_part_of_it_runs(make: Make) -> None:
    batcher, engine = make()
    gone = batcher.submit(views(1, 2, 3))
    wait_for(lambda: engine.batches == [1])
    assert gone.cancel() and batcher.views == 0
    engine.go.release(10)
    assert batcher.infer(views(4))[0, 0] == 4
    assert engine.batches == [1, 1]


def test_a_task_that_is_cancelled_cancels_what_it_waits_for(make: Make) -> None:
    batcher, engine = make()

    async def test() -> None:
        first = asyncio.wrap_future(batcher.submit(views(1)))
        wait_for(lambda: engine.batches == [1])
        gone = asyncio.ensure_future(asyncio.wait_for(asyncio.wrap_future(batcher.submit(views(2))), 20))
        await asyncio.sleep(0)  # until it waits
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert batcher.views == 0
        engine.go.release(10)
        assert (await first).logits[0, 0] == 1

    asyncio.run(test())
    assert engine.batches == [1]


def test_an_engine_error_reaches_its_batch_and_the_worker_lives_on(make: Make) -> None:
    batcher, engine = make(8)
    first = batcher.submit(views(1))
    wait_for(lambda: engine.batches == [1])
    pair = [batcher.submit(views(n)) for n in (2, 3)]
    engine.go.release()
    assert first.result(20).logits[0, 0] == 1
    engine.fail = RuntimeError("broken engine")
    engine.go.release()
    errors = [each.exception(20) for each in pair]
    assert all(isinstance(each, EngineError) and "broken engine" in str(each) for each in errors)
    assert errors[0] is not errors[1], "a shared error would gather the tracebacks of all callers"
    engine.fail = None
    engine.go.release()
    assert batcher.infer(views(4))[0, 0] == 4


def test_a_request_of_which_one_part_fails_fails_once(make: Make) -> None:
    batcher, engine = make(1, workers=2)
    engine.fail = RuntimeError("broken engine")
    asked = batcher.submit(views(*range(6)))
    engine.go.release(10)
    with pytest.raises(EngineError, match="slow failed on 1 views: broken engine"):
        asked.result(20)
    wait_for(lambda: batcher.views == 0)
    engine.fail = None
    assert batcher.infer(views(4))[0, 0] == 4


def test_views_of_another_shape_do_not_spoil_a_batch(make: Make) -> None:
    batcher, engine = make(8)
    first = batcher.submit(views(1))
    wait_for(lambda: engine.batches == [1])
    mixed = [batcher.submit(views(n, side=side)) for n, side in ((2, 4), (3, 8), (4, 8))]
    engine.go.release(10)
    assert [int(each.result(20).logits[0, 0]) for each in (first, *mixed)] == [1, 2, 3, 4]
    assert engine.batches == [1, 1, 2]


def test_what_are_no_views_is_refused(make: Make) -> None:
    batcher, _ = make()
    for pixels in (np.zeros((0, 4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)):
        with pytest.raises(UsageError, match="views of shape"):
            batcher.submit(pixels)


def test_closing_turns_away_what_waits(make: Make) -> None:
    batcher, engine = make()
    runs = batcher.submit(views(1))
    wait_for(lambda: engine.batches == [1])
    waits = batcher.submit(views(2))
    threading.Timer(0.1, engine.go.release).start()
    batcher.close()
    assert isinstance(waits.exception(), Overloaded)
    assert runs.result().logits[0, 0] == 1
    with pytest.raises(Overloaded):
        batcher.submit(views(3))


def test_views_are_freed_when_they_are_answered(make: Make) -> None:
    batcher, engine = make()
    engine.go.release(10)
    pixels = views(1)
    watched = weakref.ref(pixels)
    batcher.infer(pixels)
    del pixels
    wait_for(lambda: gc.collect() >= 0 and watched() is None)


def test_runs_and_the_queue_are_told(make: Make) -> None:
    runs: list[tuple[int, set[str]]] = []
    queue: list[int] = []
    batcher, engine = make(2, on_run=lambda *run: runs.append(run), on_queue=queue.append)
    engine.go.release(10)
    batcher.infer(views(1, 2, 3))
    assert runs == [(2, {""}), (1, {""})] and queue == [3, 1, 0]


def test_a_run_is_told_with_the_models_of_all_its_requests(make: Make) -> None:
    runs: list[tuple[int, set[str]]] = []
    batcher, engine = make(4, on_run=lambda *run: runs.append(run))
    asked = [batcher.submit(views(0), "a")]
    wait_for(lambda: engine.batches == [1])
    asked += [batcher.submit(views(number), model) for number, model in enumerate("abc")]
    engine.go.release(10)
    assert all(each.result(20) for each in asked)
    assert runs == [(1, {"a"}), (3, {"a", "b", "c"})]


class Small:
    """An engine with memory for ``room`` views at once."""

    name, device, batch_size = "small", "here", 256

    def __init__(self, room: int) -> None:
        self.room, self.sizes = room, list[int]()

    def infer(self, pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        self.sizes.append(len(pixels))
        if len(pixels) > self.room:
            raise MemoryError("out of memory")
        return pixels[:, 0, 0, :1].astype(np.float32).repeat(4, 1)

    def is_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError)

    def close(self) -> None:
        pass


def test_memory_that_runs_out_halves_the_batch_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    engine = Small(2)
    assert infer(engine, views(1, 2, 3, 4, 5))[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert engine.sizes == [5, 2, 2, 1] and engine.batch_size == 2
    assert "out of memory with 5 views at once; going on with 2" in caplog.text
    batcher = Batcher(Small(3))
    assert batcher.infer(views(*range(9)))[:, 0].tolist() == list(range(9))
    assert batcher.batch_size == 2
    batcher.close()


def test_an_engine_that_cannot_go_on_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="memory is too small for one view"):
        infer(Small(0), views(1, 2))
    engine = Slow(8)
    engine.fail, engine.go = ValueError("boom"), threading.Semaphore(9)
    with pytest.raises(EngineError, match="slow failed on 5 views: boom"):
        infer(engine, views(1, 2, 3, 4, 5))
    engine.infer = lambda pixels: np.zeros((1, 3), np.float32)  # type: ignore[method-assign]
    with pytest.raises(EngineError, match=r"answered \[1, 3\] for 2 views"):
        infer(engine, views(1, 2))
