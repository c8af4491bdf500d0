"""Jobs: the store alone, and a service that is killed."""

from __future__ import annotations

import io
import json
import random
import sqlite3
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from upright import UsageError
from upright.service.archive import safe_name
from upright.service.jobs_store import JobsStore
from upright.service.problems import NotHere, StorageFull
from upright.service.spool import Spool

from .conftest import Served, jpeg, problem_of

pytestmark = pytest.mark.slow


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path):
    return JobsStore(str(tmp_path / "jobs.sqlite"), max_mb=100, clock=Clock())


def add(store: JobsStore, count: int, owner: str = "", **ask) -> str:
    return store.add(owner, ask, [(f"{n}.jpg", b"%d" % n) for n in range(count)])


def test_a_result_is_committed_once_whoever_comes_late(store):
    job = add(store, 1)
    (first,) = store.lease(5, 10)
    assert store.lease(5, 10) == []
    store._clock.now += 11
    (second,) = store.lease(5, 10)
    assert (second.id, second.fence) == (first.id, first.fence + 1)
    assert not store.finish(first, {"by": "first"}, None)
    assert store.finish(second, {"by": "second"}, None)
    assert not store.finish(second, {"by": "second again"}, None)
    assert list(store.results(job)) == [(0, "0.jpg", {"by": "second"})]
    assert store.status(job, "")["state"] == "done"


def test_a_renewed_lease_is_not_taken_over(store):
    add(store, 2)
    held = store.lease(1, 10)
    store._clock.now += 9
    store.renew(held, 10)
    store._clock.now += 9
    assert [each.name for each in store.lease(5, 10)] == ["1.jpg"]
    assert store.finish(held[0], {}, None)


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
                assert store.finish(each, {"data": each.data.decode()}, None)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(taken) == len(set(taken)) == 60
    assert [result["data"] for _, _, result in store.results(job)] == [str(n) for n in range(60)]


def test_a_job_belongs_to_its_key_and_can_be_deleted(store):
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
    assert not store.finish(held, {}, None)
    assert store.waiting() == 0
    with sqlite3.connect(store._path) as db:
        assert db.execute("SELECT (SELECT count(*) FROM pictures) + (SELECT count(*) FROM blobs)").fetchone() == (0,)
    db.close()


def test_finished_jobs_are_kept_for_a_while(store):
    old, running = add(store, 1), add(store, 1)
    (held,) = store.lease(1, 10)
    store.finish(held, {}, None)
    store._clock.now += 3600
    assert store.sweep(3601) == 0
    assert store.sweep(3599) == 1
    with pytest.raises(NotHere):
        store.status(old, "")
    assert store.status(running, "")["state"] == "waiting"


def test_a_full_disk_takes_no_job_and_loses_none(tmp_path):
    store = JobsStore(str(tmp_path / "jobs.sqlite"), max_mb=1)
    job = store.add("", {}, [("a.jpg", bytes(300_000))])
    with pytest.raises(StorageFull, match="no room"):
        store.add("", {}, [(f"{n}", bytes(200_000)) for n in range(10)])
    assert store.waiting() == 1
    (held,) = store.lease(5, 10)
    assert held.data == bytes(300_000)
    with pytest.raises(StorageFull):
        store.finish(held, {}, bytes(2_000_000))
    assert store.finish(held, {"turn": 90}, None)
    assert list(store.results(job)) == [(0, "a.jpg", {"turn": 90})]


def test_an_upload_that_finds_the_disk_full_is_told(store):
    spool = Spool(store.folder, 10)
    spool.file.close()
    with Path("/dev/full").open("wb", buffering=0) as spool.file, pytest.raises(StorageFull, match="No space left"):
        spool.write(bytes(100))


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "jobs.sqlite").write_text("something else, and rather longer than a header would be" * 100)
    with pytest.raises(UsageError, match="cannot be used"):
        JobsStore(str(tmp_path / "jobs.sqlite"), max_mb=1)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..\\..\\x.jpg", "x.jpg"),
        ("C:\\x.jpg", "C_/x.jpg"),
        ("a/./../b", "a/b"),
        ("...", "picture-7"),
        ("", "picture-7"),
        ("a\nb\0c", "a_b_c"),
        ("\udcff.jpg", "_.jpg"),
        ("猫.jpg", "猫.jpg"),
    ],
)
def test_names_stay_inside(name, safe):
    assert safe_name(name, 7) == safe


def tar_of(pictures: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in pictures.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def finished(service: Served, job: str) -> dict:
    until = time.monotonic() + 200
    while (status := service.client.get(f"/v1/jobs/{job}").json())["state"] != "done":
        assert time.monotonic() < until, status
        time.sleep(0.05)
    return status


def results(service: Served, job: str) -> list[dict]:
    return [json.loads(line) for line in service.client.get(f"/v1/jobs/{job}/results").text.splitlines()]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    path = tmp_path_factory.mktemp("jobs") / "jobs.sqlite"
    service = Served("--jobs", str(path), "--jobs-mb", "20", "--job-mb", "10", "--job-pictures", "50")
    yield service
    service.kill()


def test_a_form_becomes_a_job_whose_answers_are_the_detectors(jobs, detector, photo):
    files = [("files", ("coffee.jpg", photo)), ("files", ("broken.jpg", photo[:500])), ("files", ("b.jpg", jpeg()))]
    answer = jobs.client.post("/v1/jobs", files=files, params={"promise": "best"})
    assert answer.status_code == 202
    job = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/jobs/{job}"
    assert finished(jobs, job)["done"] == 3
    first, broken, last = results(jobs, job)
    assert [each["number"] for each in (first, broken, last)] == [0, 1, 2]
    assert first["turn"] == int(detector.detect(photo, promise="best").best)
    assert first["scores"] == detector.detect(photo).to_dict()["scores"]
    assert (broken["status"], broken["name"]) == (422, "broken.jpg")
    assert last["width_px"] == 320
    assert problem_of(jobs.client.get(f"/v1/jobs/{job}/files"))["status"] == 409
    assert jobs.client.delete(f"/v1/jobs/{job}").status_code == 204
    assert problem_of(jobs.client.get(f"/v1/jobs/{job}"))["status"] == 404


def test_a_tar_becomes_a_zip_of_corrected_files_and_its_names_lead_nowhere(jobs, photo):
    turned = io.BytesIO()
    Image.open(io.BytesIO(photo)).rotate(180, expand=True).save(turned, "JPEG", quality=95)
    names = ["a.jpg", "../../../tmp/evil.jpg", "/etc/evil.jpg", "dir/A.jpg", "dir/a.jpg"]
    body = tar_of({name: turned.getvalue() for name in names} | {"broken.png": b"\x89PNG\r\n\x1a\nno"})
    params = {"promise": "best", "correct": "true"}
    answer = jobs.client.post("/v1/jobs", content=body, headers={"content-type": "application/x-tar"}, params=params)
    assert answer.status_code == 202, answer.text
    job = answer.json()["id"]
    finished(jobs, job)
    with zipfile.ZipFile(io.BytesIO(jobs.client.get(f"/v1/jobs/{job}/files").content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.jpg", "tmp/evil.jpg", "etc/evil.jpg", "dir/A.jpg", "4-a.jpg"]
        for name in archive.namelist():
            with Image.open(archive.open(name)) as image:
                assert image.getexif()[0x0112] == 3
    assert [each.get("turn") for each in results(jobs, job)] == [180] * 5 + [None]


def test_hostile_tars_are_refused_or_answered_one_by_one(jobs):
    tar = {"content-type": "application/x-tar"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("zeros"), io.BytesIO())
    links = io.BytesIO()
    with tarfile.open(fileobj=links, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            entry = tarfile.TarInfo("x")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    whole = tar_of({"a.jpg": jpeg()})
    for body, status in (
        (b"", 400),
        (b"no tar" * 1000, 400),
        (packed.getvalue(), 400),
        (links.getvalue(), 400),
        (whole[: len(whole) // 2], 400),
        (tar_of({f"{n}": b"x" for n in range(51)}), 413),
        (bytes(11_000_000), 413),
    ):
        answer = jobs.client.post("/v1/jobs", content=body, headers=tar)
        assert answer.status_code == status, (status, answer.text)
        problem_of(answer)
    bomb = zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED)
    with bomb:
        bomb.writestr("zeros", bytes(10_000_000))
    job = jobs.client.post("/v1/jobs", content=tar_of({"bomb.zip": buffer.getvalue()}), headers=tar).json()["id"]
    finished(jobs, job)
    assert results(jobs, job)[0]["status"] == 415
    wrong = jobs.client.post("/v1/jobs", content=b"{}", headers={"content-type": "application/json"})
    assert problem_of(wrong)["status"] == 415
    field = jobs.client.post("/v1/jobs", files={"files": (None, b"plain field")})
    assert problem_of(field)["status"] == 400


def test_a_full_jobs_file_is_507_and_keeps_what_was_accepted(jobs):
    noise = random.Random(1).randbytes(3_000_000)
    accepted = []
    for _ in range(12):
        answer = jobs.client.post("/v1/jobs", files={"files": ("a.jpg", noise)})
        accepted.append(answer.status_code)
        time.sleep(0)
    big = jobs.client.post("/v1/jobs", files=[("files", (f"{n}.jpg", noise)) for n in range(3)])
    status = [answer.status_code for answer in (big,)] + accepted
    assert set(status) <= {202, 507}
    path = jobs.log[0]["settings"]["jobs"]
    assert Path(path).stat().st_size <= 20 << 20
    assert jobs.client.post("/v1/jobs", files={"files": ("a.jpg", jpeg())}).status_code in (202, 507)


def test_a_job_survives_being_killed_and_has_each_result_once(tmp_path):
    options = ("--jobs", str(tmp_path / "jobs.sqlite"), "--job-lease-s", "1", "--effort", "0")
    pictures = [("files", (f"{n}.jpg", jpeg(160, 120, n))) for n in range(200)]
    service = Served(*options)
    job = service.client.post("/v1/jobs", files=pictures).json()["id"]
    seen = [0]
    for kill in range(3):
        while (done := service.client.get(f"/v1/jobs/{job}").json()["done"]) < min(195, seen[-1] + 10 + 20 * kill):
            time.sleep(0.02)
        seen.append(done)
        service.kill()
        service = Served(*options)
    finished(service, job)
    found = results(service, job)
    assert [each["number"] for each in found] == list(range(200))
    assert [each["name"] for each in found] == [f"{n}.jpg" for n in range(200)]
    assert all(each["width_px"] == 160 for each in found)
    assert seen == sorted(seen)
    assert service.metric("upright_job_pictures_total") >= 1
    service.kill()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as db:
        assert db.execute("SELECT count(*), max(fence) > 1 FROM pictures WHERE state = 'done'").fetchone()[0] == 200
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
