"""Places and bytes: who is let in, who is dropped, and when to come back."""

from __future__ import annotations

import asyncio

import pytest

from upright import Overloaded
from upright.service.admission import Admission
from upright.service.door import Door
from upright.service.keys import Keys
from upright.service.metrics import Metrics
from upright.service.problems import DeadlinePassed
from upright.service.settings import Settings
from upright.service.trace import Trace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Guest:
    """A visit that is not moved by being dropped, as a request is not before its task runs again."""

    def __init__(self, admission: Admission, client: str, size: int = 0, declared: int | None = None) -> None:
        self.dropped = 0
        self.visit = admission.enter(client, size if declared is None else declared, self.drop)
        if size:
            admission.grow(self.visit, size)

    def drop(self) -> None:
        self.dropped += 1


@pytest.fixture
def clock():
    return Clock()


def test_requests_and_bytes_are_counted(clock):
    admission = Admission(3, 1000, clock=clock)
    first = Guest(admission, "a", 500)
    with pytest.raises(Overloaded, match="MiB"):
        Guest(admission, "b", declared=501)
    second, third = Guest(admission, "b", 300), Guest(admission, "c")
    with pytest.raises(Overloaded, match="3 requests"):
        Guest(admission, "d")
    with pytest.raises(Overloaded):
        admission.grow(third.visit, 201)
    admission.leave(first.visit)
    admission.grow(third.visit, 201)
    assert (admission.requests, admission.bytes) == (2, 501)
    admission.leave(second.visit)
    admission.leave(third.visit)
    assert (admission.requests, admission.bytes) == (0, 0)


def test_one_request_over_the_bytes_is_let_in_alone(clock):
    admission = Admission(2, 1000, clock=clock)
    large = Guest(admission, "a", 5000)
    with pytest.raises(Overloaded):
        Guest(admission, "b", declared=1)
    admission.leave(large.visit)
    assert admission.bytes == 0


def test_bytes_that_are_declared_but_not_sent_take_nothing(clock):
    admission = Admission(8, 1000, clock=clock)
    for client in "abcd":
        Guest(admission, client, declared=1000)
    assert Guest(admission, "e", 800).visit.bytes == 800


def test_a_body_that_comes_slowly_does_not_keep_its_place(clock):
    admission = Admission(2, 1000, clock=clock)
    slow = [Guest(admission, "a"), Guest(admission, "b")]
    with pytest.raises(Overloaded):
        Guest(admission, "c")
    clock.now += 2
    quick = [Guest(admission, "c"), Guest(admission, "d")]
    with pytest.raises(Overloaded):
        admission.work(slow[0].visit)
    admission.leave(quick[0].visit)
    admission.work(slow[0].visit)
    assert admission.requests == 2
    clock.now += 100
    assert admission.requests == 1, "what is worked on keeps its place"


def test_an_answer_that_is_not_read_holds_bytes_but_no_place(clock):
    admission = Admission(1, 1000, clock=clock)
    reader = Guest(admission, "a", 100)
    admission.work(reader.visit)
    admission.answer(reader.visit, 600)
    assert (admission.requests, admission.bytes) == (0, 600)
    other = Guest(admission, "b", 200)
    assert other.visit.bytes == 200


@pytest.mark.parametrize("answering", [False, True])
def test_who_dawdles_is_dropped_when_others_need_the_bytes(clock, answering):
    admission = Admission(8, 1000, clock=clock)
    small, large, busy = Guest(admission, "a", 100), Guest(admission, "b", 500), Guest(admission, "c", 200)
    admission.work(busy.visit)
    if answering:
        admission.answer(large.visit, 500)
    with pytest.raises(Overloaded):
        Guest(admission, "d", declared=300)
    clock.now += 2
    Guest(admission, "d", 400)
    assert (small.dropped, large.dropped, busy.dropped) == (0, 1, 0), "the one that holds most goes"
    assert admission.bytes == 700
    with pytest.raises(Overloaded):
        Guest(admission, "e", declared=401)
    assert (small.dropped, busy.dropped) == (0, 0), "without the small one there would be no room either"
    Guest(admission, "e", declared=400)
    assert (small.dropped, busy.dropped) == (1, 0)
    admission.leave(large.visit)
    admission.leave(small.visit)
    assert admission.bytes == 600


def test_one_client_cannot_take_all_places_and_bytes(clock):
    admission = Admission(16, 1600, clock=clock)
    greedy = [Guest(admission, "a", 50) for _ in range(14)]
    with pytest.raises(Overloaded, match="of this client"):
        Guest(admission, "a")
    Guest(admission, "b"), Guest(admission, "c")
    with pytest.raises(Overloaded, match="16 requests"):
        Guest(admission, "b")
    admission.grow(greedy[0].visit, 700)
    with pytest.raises(Overloaded, match="of this client"):
        admission.grow(greedy[0].visit, 100)


def test_without_a_bound_on_requests_bytes_alone_count():
    admission = Admission(None, 1000)
    for _ in range(100):
        Guest(admission, "a")
    Guest(admission, "b", 800)
    with pytest.raises(Overloaded):
        Guest(admission, "c", declared=201)


def test_retry_after_follows_the_pace(clock):
    admission = Admission(10, 1000, clock=clock)
    for _ in range(60):
        guest = Guest(admission, "a", 1)
        clock.now += 0.5
        admission.leave(guest.visit)
    for client in "abcdefghij":
        Guest(admission, client, 1)
    with pytest.raises(Overloaded) as caught:
        Guest(admission, "k", 1)
    assert caught.value.retry_after_s == pytest.approx(5, rel=0.05)


def test_refusals_are_told():
    told: list[int] = []
    admission = Admission(1, 10, on_refusal=lambda: told.append(1))
    Guest(admission, "a", 5)
    for declared in (0, 10):
        with pytest.raises(Overloaded):
            Guest(admission, "b", declared=declared)
    assert told == [1, 1]


def door_of(app, lane):
    return Door(app, list, Settings(), Keys([]), None, dict.fromkeys(("requests", "uploads", "free"), lane), Metrics())


def scope_of(headers):
    head = [(name.encode(), value) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/", "headers": head, "query_string": b"", "trace": Trace("")}


def test_time_that_runs_out_within_is_not_the_deadline_of_the_request():
    async def app(scope, receive, send):
        raise TimeoutError("a store that does not answer")

    lane = Admission(8, 1000)
    with pytest.raises(TimeoutError, match="a store"):
        asyncio.run(door_of(app, lane)(scope_of({}), None, None))
    assert lane.requests == 0


@pytest.mark.parametrize("deadline", [b"50", b"60000"])
def test_who_is_ending_already_fails_nobody_else(clock, deadline):
    """A slow request that is late, or was dropped, and has not ended yet, when others need its bytes, and again."""
    lane = Admission(8, 1000, clock=clock)
    ending = asyncio.Event()

    async def app(scope, receive, send):
        try:
            await receive()
            await receive()
        finally:
            ending.set()
            await asyncio.sleep(0.2)

    door = door_of(app, lane)

    def visit(size, **headers):
        sent = iter([{"type": "http.request", "body": bytes(size), "more_body": True}])

        async def receive():
            return next(sent, None) or await asyncio.sleep(60)

        return asyncio.create_task(door(scope_of(headers | {"transfer-encoding": b"chunked"}), receive, None))

    async def main():
        slow = visit(900, **{"x-request-timeout-ms": deadline})
        await asyncio.sleep(0.01)
        clock.now += 2
        others = []
        if deadline == b"50":
            await ending.wait()
        for size in (500, 300):
            others.append(visit(size))
            await asyncio.sleep(0.01)
        assert lane.bytes == 800 and not any(each.done() for each in others)
        clock.now += 2
        others.append(visit(850))  # more than is there without the one that ends
        await asyncio.sleep(0.01)
        assert not others[-1].done() and lane.bytes == 850
        with pytest.raises(DeadlinePassed if deadline == b"50" else Overloaded):
            await slow
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        assert (lane.bytes, lane.requests) == (0, 0)

    asyncio.run(main())
