"""Leases, results and deletion, in the store alone."""

from __future__ import annotations

import random
import sqlite3
import threading

import pytest

from upright import UprightError
from upright.service.jobs_store import JobsStore
from upright.service.problems import NotHere, StorageFull


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.sqlite"


@pytest.fixture
def store(path, clock):
    return JobsStore(str(path), max_mb=100, clock=clock, steady=clock)


def add(store: JobsStore, count: int, owner: str = "", **ask) -> str:
    return store.add(owner, ask, [(f"{n}.jpg", b"%d" % n) for n in range(count)])


def test_a_result_is_committed_once_whoever_comes_late(store, clock):
    job = add(store, 1)
    (first,) = store.lease(5, 10)
    assert store.lease(5, 10) == []
    clock.now += 11
    (second,) = store.lease(5, 10)
    assert (second.id, second.fence) == (first.id, first.fence + 1)
    assert not store.finish(first, [{"outcome": "turned"} | {"by": "first"}], None)
    assert store.finish(second, [{"outcome": "turned"} | {"by": "second"}], None)
    assert not store.finish(second, [{"outcome": "turned"} | {"by": "second again"}], None)
    assert list(store.results(job)) == [(0, "0.jpg", {"outcome": "turned", "by": "second"})]
    status = store.status(job, "")
    assert (status["state"], status["outcomes"]) == ("done", {"turned": 1})


def test_a_renewed_lease_is_not_taken_over(store, clock):
    add(store, 2)
    held = store.lease(1, 10)
    clock.now += 9
    store.renew(held, 10)
    clock.now += 9
    assert [each.name for each in store.lease(5, 10)] == ["1.jpg"]
    assert store.finish(held[0], [], None)


def test_what_is_given_back_is_tried_again_and_does_not_count(store):
    add(store, 1)
    for _ in range(50):
        (held,) = store.lease(1, 10)
        assert held.fence == 1
        store.give_back(held)


def test_workers_never_share_a_picture(store):
    job = add(store, 60)
    taken: list[int] = []

    def work() -> None:
        while leased := store.lease(3, 1000):
            for each in leased:
                taken.append(each.id)
                assert store.finish(each, [{"outcome": "turned"} | {"data": each.data.decode()}], None)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(taken) == len(set(taken)) == 60
    assert [result["data"] for _, _, result in store.results(job)] == [str(n) for n in range(60)]


def test_a_job_belongs_to_its_key_and_can_be_deleted(store, path):
    job = add(store, 3, owner="anna")
    for attempt in (
        lambda: store.status(job, "bob"),
        lambda: store.delete(job, "bob"),
        lambda: store.status("none", "anna"),
    ):
        with pytest.raises(NotHere):
            attempt()
    (held, *_) = store.lease(1, 10)
    store.delete(job, "anna")
    assert not store.finish(held, [], None)
    assert store.waiting() == 0
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT (SELECT count(*) FROM pictures) + (SELECT count(*) FROM blobs)").fetchone() == (0,)
    db.close()


def test_finished_jobs_are_kept_for_a_while(store, clock):
    old, running = add(store, 1), add(store, 1)
    (held,) = store.lease(1, 10)
    store.finish(held, [], None)
    clock.now += 3600
    assert store.sweep(3601) == 0
    assert store.sweep(3599) == 1
    with pytest.raises(NotHere):
        store.status(old, "")
    assert store.status(running, "")["state"] == "waiting"


def test_the_time_of_day_moves_no_lease(path):
    day, steady = Clock(), Clock()
    store = JobsStore(str(path), max_mb=100, clock=day, steady=steady)
    add(store, 2)
    (held,) = store.lease(1, 30)
    for jump in (10_000_000, -20_000_000):
        day.now += jump
        steady.now += 10
        assert [each.name for each in store.lease(5, 30)] == (["1.jpg"] if jump > 0 else [])
        store.renew([held], 30)
    steady.now += 31
    assert sorted(each.name for each in store.lease(5, 30)) == ["0.jpg", "1.jpg"]


def test_leases_of_another_boot_have_run_out(path):
    before, after = Clock(), Clock()
    before.now, after.now = 5_000_000.0, 20.0
    add(JobsStore(str(path), max_mb=100, steady=before), 1)
    assert len(JobsStore(str(path), max_mb=100, steady=before).lease(1, 30)) == 1
    assert len(JobsStore(str(path), max_mb=100, steady=after).lease(1, 30)) == 1


def test_no_more_bytes_are_leased_than_may_be_held(store):
    store.add("", {}, [(f"{n}.jpg", bytes(1000)) for n in range(5)])
    assert len(store.lease(5, 10, 2500)) == 2
    assert len(store.lease(5, 10, 10)) == 1, "one always"
    assert len(store.lease(5, 10)) == 2


def test_a_job_that_is_being_written_is_not_seen_and_lets_others_write(store):
    seen = []

    def pictures():
        for number in range(4):
            yield f"{number}.jpg", bytes(16 << 20)
            store.add("", {}, [(f"other{number}", b"1")])
            seen.append([each.name for each in store.lease(5, 10)])

    job = store.add("", {}, pictures())
    assert seen == [["other0"], ["other1"], ["other2"], ["other3"]]
    assert store.status(job, "")["pictures"] == 4
    assert [each.name for each in store.lease(5, 10)] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]


def test_of_two_that_ask_by_one_key_the_first_to_end_is_accepted(store):
    def slow():
        yield "a.jpg", bytes(17 << 20)
        assert store.known("anna", {"key": "k"}) is None, "it is not accepted yet"
        first.append(store.add("anna", {"key": "k"}, [("b.jpg", b"1")]))
        yield "c.jpg", bytes(17 << 20)

    first: list[str] = []
    assert store.add("anna", {"key": "k"}, slow()) == first[0] == store.known("anna", {"key": "k"})
    assert store.status(first[0], "anna")["pictures"] == store.waiting() == 1
    assert store.known("bob", {"key": "k"}) is None and add(store, 1) != add(store, 1)


def test_what_a_service_left_that_died_while_it_took_a_job_in_is_swept(store, clock, path):
    def pictures():
        yield "0.jpg", bytes(16 << 20)
        yield "1.jpg", bytes(16 << 20)
        yield "2.jpg", b"1"
        raise KeyboardInterrupt

    job = add(store, 1)
    with pytest.raises(KeyboardInterrupt):
        store.add("", {}, pictures())
    assert store.waiting() == 1
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM jobs").fetchone() == (1,), "nothing is left of a job that fails"
        db.execute("INSERT INTO jobs VALUES ('dead', '', '{}', ?, NULL)", (clock.now,))
        db.execute("INSERT INTO pictures (job, number, name) VALUES ('dead', 0, 'x')")
    clock.now += 3599
    assert store.sweep(1e9) == 0
    clock.now += 2
    store.sweep(1e9)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT id FROM jobs").fetchall() == [(job,)]


def test_files_are_read_in_pieces(store):
    data = random.Random(1).randbytes(9_000_000)
    job = store.add("", {"correct": True}, [("a.jpg", b"1"), ("b.jpg", b"2")])
    for held, corrected in zip(store.lease(2, 10), (data, b""), strict=True):
        store.finish(held, [], corrected)
    found = [(number, name, list(pieces)) for number, name, pieces in store.files(job)]
    assert [(number, name) for number, name, _ in found] == [(0, "a.jpg"), (1, "b.jpg")]
    assert b"".join(found[0][2]) == data and b"".join(found[1][2]) == b""
    assert max(map(len, found[0][2])) <= 4 << 20
    _, _, pieces = next(store.files(job))
    next(pieces)
    store.delete(job, "")
    with pytest.raises(UprightError):
        list(pieces)


def test_a_full_disk_takes_no_job_and_loses_none(tmp_path):
    store = JobsStore(str(tmp_path / "jobs.sqlite"), max_mb=1)
    job = store.add("", {}, [("a.jpg", bytes(300_000))])
    with pytest.raises(StorageFull, match="no room"):
        store.add("", {}, [(f"{n}", bytes(200_000)) for n in range(10)])
    assert store.waiting() == 1
    (held,) = store.lease(5, 10)
    assert held.data == bytes(300_000)
    with pytest.raises(StorageFull):
        store.finish(held, [], bytes(2_000_000))
    assert store.finish(held, [{"outcome": "turned"} | {"turn": 90}], None)
    assert list(store.results(job)) == [(0, "a.jpg", {"outcome": "turned", "turn": 90})]


def finished(store: JobsStore, count: int, size: int = 1) -> str:
    job = add(store, count, correct=True)
    for each in store.lease(count, 10):
        assert store.finish(each, [{"outcome": "turned"}], bytes(size))
    return job


def test_what_is_read_of_a_job_that_is_deleted_meanwhile_ends_with_an_error_and_no_trouble(store):
    job = finished(store, 501)
    lines = store.results(job)
    next(lines)
    store.delete(job, "")
    with pytest.raises(NotHere, match="deleted meanwhile"):
        list(lines)
    job = finished(store, 2, 9 << 20)
    _, _, pieces = next(store.files(job))
    next(pieces)
    store.delete(job, "")
    with pytest.raises(NotHere, match="deleted meanwhile"):
        next(pieces)
    assert store.trouble is None


def test_what_is_wrong_with_one_picture_is_no_trouble_of_the_file(store):
    with store.reading() as db:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)  # in place of 1,000,000,000
    with pytest.raises(UprightError):
        store.add("", {}, [("a", bytes(200_000))])
    assert store.trouble is None
