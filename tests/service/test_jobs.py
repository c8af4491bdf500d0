"""Jobs by their routes, and in a service that is killed."""

from __future__ import annotations

import contextlib
import io
import json
import random
import sqlite3
import tarfile
import threading
import time
import zipfile

import httpx
import numpy as np
import pytest
from PIL import Image

from upright.carriers import read_exif_orientation
from upright.service.answers import JobProblem
from upright.service.jobs_store import JobsStore

from ..conftest import DEMO
from .conftest import Served, jpeg, problem_of

pytestmark = pytest.mark.slow


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
    assert [each["outcome"] for each in results(jobs, job)] == ["turned"] * 5 + ["failed"]
    assert finished(jobs, job)["outcomes"] == {"turned": 5, "failed": 1}


def test_all_pages_of_a_document_are_decided_and_turned_by_one_change(jobs):
    with Image.open(DEMO / "page.jpg") as page:
        upright = page.convert("L").rotate(90, expand=True)
    pages, out = [upright.rotate(-turn, expand=True) for turn in (0, 90, 180)], io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    answer = jobs.client.post("/v1/jobs", files={"files": ("scan.tif", out.getvalue())}, params={"correct": "true"})
    job = answer.json()["id"]
    status = finished(jobs, job)
    assert (status["pictures"], status["done"], status["outcomes"]) == (1, 1, {"already upright": 1, "turned": 2})
    found = results(jobs, job)
    assert [(each["number"], each["page"], each["turn"]) for each in found] == [(0, 0, 0), (0, 1, 270), (0, 2, 180)]
    with zipfile.ZipFile(io.BytesIO(jobs.client.get(f"/v1/jobs/{job}/files").content)) as archive:
        corrected = archive.read("scan.tif")
    assert [int(read_exif_orientation(corrected, page=page).orientation) for page in range(3)] == [1, 8, 3]


def test_upright_pixels_without_a_tag(jobs, photo):
    turned = io.BytesIO()
    Image.open(io.BytesIO(photo)).rotate(180, expand=True).save(turned, "JPEG", quality=95)
    params = {"promise": "best", "correct": "true", "pixels": "true"}
    answer = jobs.client.post("/v1/jobs", files={"files": ("a.jpg", turned.getvalue())}, params=params)
    finished(jobs, job := answer.json()["id"])
    with zipfile.ZipFile(io.BytesIO(jobs.client.get(f"/v1/jobs/{job}/files").content)) as archive:
        corrected = archive.read("a.jpg")
    with Image.open(io.BytesIO(corrected)) as image, Image.open(io.BytesIO(photo)) as upright:
        assert image.getexif().get(0x0112, 1) == 1
        small = [np.asarray(each.convert("L").resize((32, 32)), int) for each in (image, upright)]
    assert np.abs(small[0] - small[1]).mean() < 4


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ("method=turn", "send correct=true too, or leave method out"),
        ("edge=trim", "send correct=true too, or leave edge out"),
        ("pixels=true", "send correct=true too, or leave pixels out"),
        ("straighten=crop", "send correct=true too, or leave straighten out"),
        ("correct=true&edge=trim", "send method=turn or pixels=true too, or leave it out"),
        ("correct=true&method=tag&edge=trim", "send method=turn or pixels=true too, or leave it out"),
        ("correct=true&method=tag&straighten=crop", "leave method tag out"),
        ("correct=true&method=tag&pixels=true", "leave pixels or method tag out"),
    ],
)
def test_what_counts_for_nothing_or_contradicts_is_refused(jobs, photo, asked, remedy):
    problem = jobs.client.post(f"/v1/jobs?{asked}", files={"files": ("a.jpg", photo)}).json()
    assert (problem["status"], problem["remedy"]) == (400, remedy)
    if (single := asked.removeprefix("correct=true&")) != asked:
        problem = jobs.client.post(f"/v1/correct?{single}", content=photo).json()
        assert (problem["status"], problem["remedy"]) == (400, remedy)


def test_what_is_so_anyway_may_be_said(jobs, photo):
    said = "correct=false&edge=tag&pixels=false"
    answer = jobs.client.post(f"/v1/jobs?{said}", files={"files": ("a.jpg", photo)})
    assert answer.status_code == 202


def test_hostile_tars_are_refused_or_answered_one_by_one(jobs):
    tar = {"content-type": "application/x-tar"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("zeros"), io.BytesIO())
    links, kinds = io.BytesIO(), (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
    with tarfile.open(fileobj=links, mode="w") as archive:
        for kind in kinds:
            entry = tarfile.TarInfo("x")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    whole = tar_of({"a.jpg": jpeg()})
    for body, status in (
        (b"", 400),
        (b"no tar" * 1000, 400),
        (packed.getvalue(), 400),
        (whole[: len(whole) // 2], 400),
        (tar_of({f"{n}": b"x" for n in range(51)}), 413),
        (bytes(11_000_000), 413),
    ):
        answer = jobs.client.post("/v1/jobs", content=body, headers=tar)
        assert answer.status_code == status, (status, answer.text)
        problem_of(answer)
    answer = jobs.client.post("/v1/jobs", content=links.getvalue(), headers=tar)
    told = answer.json()
    assert (answer.status_code, told["state"], told["done"], told["outcomes"]) == (202, "done", 4, {"failed": 4})
    found = results(jobs, told["id"])
    assert [each["detail"].partition(" /etc")[0] for each in found] == [
        "a symbolic link to", "a link to", "no regular file", "no regular file"
    ]  # fmt: skip
    for each in found:
        assert JobProblem(**each).remedy and (each["status"], each["source"]) == (422, "x")
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


def test_a_full_jobs_file_is_507_and_keeps_what_was_accepted(serve, tmp_path):
    path = tmp_path / "jobs.sqlite"
    service = serve("--jobs", str(path), "--jobs-mb", "20", "--job-mb", "40")
    noise = random.Random(1).randbytes(3_000_000)
    first = service.client.post("/v1/jobs", files={"files": ("a.jpg", jpeg())}).json()["id"]
    big = service.client.post("/v1/jobs", files=[("files", (f"{n}.jpg", noise)) for n in range(8)])
    assert big.status_code == 507, "24 MB have no room in 20"
    for _ in range(12):
        assert service.client.post("/v1/jobs", files={"files": ("a.jpg", noise)}).status_code in (202, 507)
    assert path.stat().st_size <= 20 << 20
    finished(service, first)
    assert len(results(service, first)) == 1


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


def test_crooked_pages_are_straightened_where_that_is_asked_for(jobs):
    with Image.open(DEMO / "page.jpg") as page:
        upright = page.convert("L").rotate(90, expand=True)
    out, params = io.BytesIO(), {"correct": "true", "straighten": "white"}
    upright.rotate(-4, Image.Resampling.BICUBIC, expand=True, fillcolor=255).save(out, "PNG")
    answer = jobs.client.post("/v1/jobs", files={"files": ("a.png", out.getvalue())}, params=params)
    job = answer.json()["id"]
    assert finished(jobs, job)["outcomes"] == {"turned": 1}
    (found,) = results(jobs, job)
    assert found["turn"] == 0 and found["tilt"] == found["correction"]["tilt"] == pytest.approx(-4, abs=0.1)
    with zipfile.ZipFile(io.BytesIO(jobs.client.get(f"/v1/jobs/{job}/files").content)) as archive:
        straight = archive.read("a.png")
    again = jobs.client.post("/v1/orientation", content=straight, params={"tilt": "true"}).json()
    assert again["turn"] == 0 and again["tilt"] == pytest.approx(0, abs=0.1)


def test_an_answer_about_a_job_that_is_deleted_meanwhile_is_cut_off(serve, tmp_path):
    path = tmp_path / "jobs.sqlite"
    store = JobsStore(str(path), max_mb=200)
    job = store.add("", {"correct": True}, [("a.bmp", b"1")])
    (leased,) = store.lease(1, 60)
    store.finish(leased, [{"outcome": "turned"}], bytes(100 << 20))
    service = serve("--jobs", str(path))
    with service.client.stream("GET", f"/v1/jobs/{job}/files") as answer, pytest.raises(httpx.TransportError):
        for number, _ in enumerate(answer.iter_raw(1 << 16)):
            if number == 0:
                store.delete(job, "")
    assert service.client.get("/readyz").status_code == 200
    assert "Traceback" not in service.text


@pytest.fixture
def locked(tmp_path):
    """A service with the connection of another program that can lock its jobs file: the last commit then takes long."""
    service = Served("--jobs", str(tmp_path / "jobs.sqlite"))
    with contextlib.closing(
        sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None, check_same_thread=False)
    ) as other:
        yield service, other
    service.kill()


def told_late(service: Served, other: sqlite3.Connection, **headers: str) -> httpx.Response:
    """What a client is told whose time passes while its job is committed."""
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(1.5, other.rollback).start()
    headers |= {"x-request-timeout-ms": "500"}
    return service.client.post("/v1/jobs", files={"files": ("a.jpg", jpeg())}, headers=headers)


def test_a_job_whose_time_passes_in_its_last_commit_is_withdrawn(locked):
    service, other = locked
    problem_of(answer := told_late(service, other))
    assert answer.status_code == 504
    time.sleep(2)  # the lock is given back, and the commit done
    assert other.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
    assert service.client.post("/v1/jobs", files={"files": ("a.jpg", jpeg())}).status_code == 202


def test_by_its_key_a_client_learns_of_the_job_that_it_was_not_told_of(locked):
    service, other = locked
    key = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    assert told_late(service, other, **key).status_code == 504
    again = service.client.post("/v1/jobs", files={"files": ("a.jpg", jpeg())}, headers=key)
    assert again.status_code == 202 and again.headers["location"] == f"/v1/jobs/{again.json()['id']}"
    assert other.execute("SELECT count(*) FROM jobs").fetchone() == (1,)
    assert finished(service, again.json()["id"])["pictures"] == 1
    asked = {"files": {"files": ("a.jpg", jpeg())}, "params": {"correct": "true"}, "headers": key}
    assert "asks something else" in problem_of(service.client.post("/v1/jobs", **asked))["detail"]
    asked["headers"] = {"idempotency-key": "short"}
    assert "idempotency-key" in problem_of(service.client.post("/v1/jobs", **asked))["detail"]
