"""Threads are shared out among clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from upright.service.slots import Slots


def run(test: Callable[[Slots], Awaitable[None]], count: int = 2) -> None:
    asyncio.run(asyncio.wait_for(test(Slots(count)), 20))


async def waiting(slots: Slots, client: str) -> asyncio.Task[None]:
    task = asyncio.create_task(slots.take(client))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


def test_one_slot_more_is_there_for_a_client_that_has_none():
    async def test(slots):
        for _ in range(2):
            await slots.take("greedy")
        third = await waiting(slots, "greedy")
        assert not third.done()
        await slots.take("other")
        fourth = await waiting(slots, "other")
        assert not fourth.done() and not third.done()
        slots.give("greedy")
        await asyncio.sleep(0)
        assert not third.done() and not fourth.done(), "two are at work, and both clients are among them"
        slots.give("other")
        await asyncio.sleep(0)
        assert fourth.done() and not third.done(), "the one with nothing at work"

    run(test)


def test_the_client_with_the_least_at_work_comes_next_then_who_waits_longest():
    async def test(slots):
        await slots.take("a")
        await slots.take("b")
        order = []

        async def work(client: str) -> None:
            await slots.take(client)
            order.append(client)
            slots.give(client)

        tasks = [asyncio.create_task(work(client)) for client in "aaabcb"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        slots.give("b")
        await asyncio.gather(*tasks)
        assert order[0] == "c", "it had nothing at work, and a slot of its own"
        assert order.index("b") < 4
        assert sorted(order) == sorted("aaabcb")

    run(test)


@pytest.mark.parametrize("given", [False, True])
def test_who_is_cancelled_takes_no_slot(given):
    async def test(slots):
        await slots.take("a")
        await slots.take("a")
        gone = await waiting(slots, "a")
        last = await waiting(slots, "a")
        if given:
            slots.give("a")  # it has its turn, and does not know yet
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        if not given:
            slots.give("a")
        await asyncio.wait_for(last, 5)

    run(test)


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_a_slot_that_is_given_while_its_waiter_is_cancelled_is_not_lost(cancelled_first):
    """Both in one turn of the loop: the waiter's task has not run yet when the slot goes on."""

    async def test(slots):
        await slots.take("a")
        gone = await waiting(slots, "a")
        last = await waiting(slots, "a")
        steps = [gone.cancel, lambda: slots.give("a")]
        for step in steps if cancelled_first else steps[::-1]:
            step()
        with pytest.raises(asyncio.CancelledError):
            await gone
        await asyncio.wait_for(last, 5)
        slots.give("a")
        await asyncio.wait_for(slots.take("a"), 5)
        late = await waiting(slots, "a")
        assert not late.done(), "and none was made up"
        late.cancel()

    run(test, count=1)


def test_all_slots_serve_one_client_that_is_alone():
    async def test(slots):
        await asyncio.gather(*(slots.take("a") for _ in range(3)))
        late = await waiting(slots, "a")
        assert not late.done()
        late.cancel()

    run(test, count=3)
