"""The jobs file when it is full, locked, damaged, read-only or gone."""

from __future__ import annotations

import contextlib
import io
import random
import sqlite3
import subprocess
import threading
import time

import pytest
from PIL import Image

from upright import Overloaded, UsageError
from upright.service import jobs_file, jobs_store
from upright.service.jobs_store import JobsStore
from upright.service.problems import BodyTooLarge, JobsUnusable, NotHere, StorageFull

from .conftest import Served, jpeg, problem_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.sqlite"


@pytest.fixture
def store(path):
    return JobsStore(str(path), max_mb=100)


def test_a_file_that_is_no_database_is_told(path):
    path.write_text("something else, and rather longer than a header would be" * 100)
    with pytest.raises(UsageError, match="cannot be used"):
        JobsStore(str(path), max_mb=1)


def test_space_is_given_back(store, path):
    job = store.add("", {}, [(f"{n}", random.Random(n).randbytes(5_000_000)) for n in range(6)])
    assert path.stat().st_size > 30_000_000
    store.delete(job, "")
    assert path.stat().st_size < 1_000_000
    assert path.with_name("jobs.sqlite-wal").stat().st_size <= 16 << 20


def test_a_full_file_takes_no_job_and_takes_some_again_when_one_is_deleted(path):
    store = JobsStore(str(path), max_mb=8)
    jobs = [store.add("", {}, [("a", bytes(3_500_000))]) for _ in range(2)]
    with pytest.raises(StorageFull, match="no room"):
        store.add("", {}, [("a", bytes(3_500_000))])
    assert isinstance(store.trouble, StorageFull)
    store.delete(jobs[0], "")
    store.check()
    assert store.trouble is None
    store.add("", {}, [("a", bytes(3_500_000))])
    store.add("", {}, [("a", bytes(1_200_000))])
    store.check()
    assert isinstance(store.trouble, StorageFull), "it is as good as full"


def test_a_locked_file_is_overloaded_and_recovers(path, monkeypatch):
    monkeypatch.setattr(jobs_file, "_WAIT_S", 0.2)
    store = JobsStore(str(path), max_mb=100)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Overloaded, match="locked"):
        store.add("", {}, [("a", b"1")])
    store.check()
    assert isinstance(store.trouble, Overloaded)
    other.execute("ROLLBACK")
    other.close()
    store.check()
    assert store.trouble is None
    assert store.add("", {}, [("a", b"1")])


@pytest.mark.parametrize("instead", [None, b"", b"another file"])
def test_a_file_that_is_deleted_or_replaced_takes_nothing(store, path, instead):
    store.add("", {}, [("a", b"1")])
    path.unlink()
    if instead is not None:
        path.write_bytes(instead)
    with pytest.raises(JobsUnusable, match="moved or deleted"):
        store.add("", {}, [("a", b"1")])
    store.check()
    assert isinstance(store.trouble, JobsUnusable)


def test_a_damaged_file_is_told(store, path):
    job = store.add("", {}, [(f"{n}", bytes(100_000)) for n in range(20)])
    store.shrink()  # all of it into the file itself
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(1).randbytes(size - 8192))
    fresh = JobsStore.__new__(JobsStore)
    fresh.__dict__ |= store.__dict__ | {"_local": type(store._local)()}
    with pytest.raises(JobsUnusable, match="cannot be used"):
        for _ in fresh.results(job):
            pass
        fresh.lease(5, 10)
        fresh.add("", {}, [("a", bytes(200_000))])


def test_a_read_only_file_is_told(store):
    with store.reading() as db:
        db.execute("PRAGMA query_only = ON")
    with pytest.raises(JobsUnusable, match="readonly"):
        store.add("", {}, [("a", b"1")])
    store.check()
    assert isinstance(store.trouble, JobsUnusable)


def test_a_picture_that_sqlite_cannot_hold_is_refused(store):
    with store.reading() as db:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)  # in place of 1,000,000,000
    with pytest.raises(BodyTooLarge):
        store.add("", {}, [("a", bytes(200_000))])
    assert store.waiting() == 0


def test_the_service_says_what_is_wrong_with_its_file_and_goes_on_with_requests(serve, path):
    service = serve("--jobs", str(path))
    files = {"files": ("a.jpg", jpeg(64, 64))}
    assert service.client.post("/v1/jobs", files=files).status_code == 202
    assert service.client.get("/readyz").json() == {"status": "ready"}
    path.unlink()
    problem = problem_of(service.client.post("/v1/jobs", files=files))
    assert (problem["status"], problem["type"]) == (503, "urn:upright:JobsUnusable")
    assert "moved or deleted" in problem["detail"]
    ready = service.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "unusable")
    assert "moved or deleted" in ready.json()["jobs"]
    assert service.client.post("/v1/orientation", content=jpeg(64, 64)).status_code == 200
    service.wait_for("the jobs file is in trouble; trying again")
    assert "Traceback" not in service.text
    assert service.terminate() == 0


@pytest.mark.slow
def test_jobs_can_be_deleted_on_a_full_disk(tmp_path):
    """A real small disk, in a mount namespace that ends with the service."""
    small = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*small, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    mount = 'mount -t tmpfs -o size=48m tmpfs "$0" && exec "$@"'
    service = Served("--jobs", str(tmp_path / "jobs.sqlite"), prefix=[*small, "sh", "-c", mount, str(tmp_path)])
    try:
        out = io.BytesIO()
        Image.new("RGB", (1000, 1000)).save(out, "BMP")
        files, accepted, problem = {"files": ("a.bmp", out.getvalue())}, [], {}
        while not problem:
            answer = service.client.post("/v1/jobs", files=files, params={"correct": True})
            if answer.status_code == 202:
                accepted.append(answer.json()["id"])
            else:
                problem = problem_of(answer)
            assert len(accepted) < 20
        assert (problem["status"], problem["type"]) == (507, "urn:upright:StorageFull")
        # Fill what is left to the last byte, as something else on that disk would.
        root = f"/proc/{service.process.pid}/root{tmp_path}"
        subprocess.run(["dd", "if=/dev/zero", f"of={root}/filler", "bs=4k"], capture_output=True)
        for job in accepted:
            assert service.client.delete(f"/v1/jobs/{job}").status_code == 204
        subprocess.run(["rm", f"{root}/filler"], check=True)
        until = time.monotonic() + 30
        while service.client.post("/v1/jobs", files={"files": ("a.jpg", jpeg())}).status_code != 202:
            assert time.monotonic() < until
            time.sleep(0.5)
        assert service.client.get("/readyz").status_code == 200
    finally:
        service.kill()


def test_the_reserve_is_taken_again(path):
    store = JobsStore(str(path), max_mb=8)
    reserve = path.with_name("jobs.sqlite.reserve")
    assert reserve.stat().st_blocks * 512 >= 16 << 20
    assert store.free_reserve() and not reserve.exists()
    assert not store.free_reserve()
    store.sweep(1)
    assert reserve.stat().st_blocks * 512 >= 16 << 20
    with pytest.raises(NotHere):
        store.delete("none", "")


def of_another_program(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE jobs (id INTEGER PRIMARY KEY, finished REAL); INSERT INTO jobs VALUES (1, 1.0)")


def of_an_earlier_schema(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(jobs_store._SCHEMA + "ALTER TABLE pictures DROP COLUMN fence")


def of_a_later_schema(path):
    JobsStore(str(path), max_mb=8)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
    path.with_name("jobs.sqlite.reserve").unlink()


def empty_of_another_program(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA application_id = 7; CREATE TABLE a (b); DROP TABLE a")


@pytest.mark.parametrize(
    "make", [of_another_program, of_an_earlier_schema, of_a_later_schema, empty_of_another_program]
)
def test_a_database_that_is_not_ours_is_refused_and_left_as_it_was(path, make):
    make(path)
    before, names = path.read_bytes(), sorted(path.parent.iterdir())
    with pytest.raises(UsageError, match="give --jobs a new file"):
        JobsStore(str(path), max_mb=8)
    assert (path.read_bytes(), sorted(path.parent.iterdir())) == (before, names)


def test_a_file_from_before_there_was_a_mark_is_taken_with_its_jobs(store, path):
    job = store.add("", {}, [("a", b"1")])
    with store.reading() as db:
        db.executescript("PRAGMA application_id = 0; PRAGMA user_version = 0")
    again = JobsStore(str(path), max_mb=8)
    assert again.status(job, "")["pictures"] == 1
    with again.reading() as db:
        assert db.execute("PRAGMA application_id").fetchone() == (0x55705269,)


@pytest.mark.parametrize("notes", [b"my notes", bytes(17 << 20)])
def test_a_file_in_the_place_of_the_reserve_is_refused_or_left_alone(path, notes):
    reserve = path.with_name("jobs.sqlite.reserve")
    reserve.write_bytes(notes)
    with pytest.raises(UsageError, match="move it away"):
        JobsStore(str(path), max_mb=8)
    reserve.unlink()
    store = JobsStore(str(path), max_mb=8)
    reserve.write_bytes(notes)
    assert not store.free_reserve()
    store.sweep(1)
    assert reserve.read_bytes() == notes
    assert JobsStore(str(path.with_name("other.sqlite")), max_mb=8).free_reserve()


def test_a_thread_that_comes_after_the_file_was_replaced_does_not_touch_the_new_one(store, path):
    path.unlink()
    of_another_program(path)
    before, found = path.read_bytes(), []

    def read() -> None:
        with pytest.raises(JobsUnusable, match="moved or deleted") as caught:
            store.waiting()
        found.append(caught.value)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert found and path.read_bytes() == before
