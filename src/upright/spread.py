"""Work spread over threads, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def spread(
    given: Iterable[T],
    do: Callable[[T], list[R]],
    threads: int,
    most: int,
    *,
    ordered: bool = True,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Generator[R, None, None]:
    """``do`` what is given, and hand on what it makes: in the order given, or as soon as it is there.

    What one thing makes comes without another's in between. Of what is given ``most`` are taken and not handed on yet,
    and no more once ``may_go_on()`` is false. What ``given`` and ``do`` raise is raised here.
    """
    remaining, under_way = iter(given), 0
    futures: SimpleQueue[Future[list[R]]] = SimpleQueue()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="upright")
    try:
        while True:
            while under_way < most and may_go_on():
                try:
                    each = next(remaining)
                except StopIteration:
                    break
                under_way += 1
                future = pool.submit(do, each)
                if ordered:
                    futures.put(future)
                else:
                    future.add_done_callback(futures.put)
            if not under_way:
                return
            found = futures.get().result()
            under_way -= 1
            yield from found
    finally:
        pool.shutdown(cancel_futures=True)
