"""The routes of pictures, by a real client against a real process."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageOps

from upright import Promise
from upright.carriers import read_exif_orientation
from upright.model import load_model

from .conftest import DEMO, Served, jpeg, problem_of


def test_rotate_is_the_route_of_the_seed(served, detector, photo):
    answer = served.client.post("/rotate", files={"image": ("a.jpg", photo)})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"suggested_angle": int(detector.detect(photo).best)}


def test_every_answer_is_that_of_the_detector(served, detector):
    for path in sorted(DEMO.iterdir()):
        data = path.read_bytes()
        expected = detector.detect(data).to_dict()
        found = served.client.post("/v1/orientation", content=data).json()
        for each in (expected, found):
            del each["timing_s"], each["source"]
        assert found == expected, path.name
        rotate = served.client.post("/rotate", files={"image": (path.name, data)})
        assert rotate.json() == {"suggested_angle": expected["best"]}
        assert ("x-upright-unsure" in rotate.headers) == (expected["turn"] is None)


def test_an_unsure_picture_has_a_best_guess_and_a_header(served):
    blank = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(blank, "PNG")
    answer = served.client.post("/rotate", files={"image": ("b.png", blank.getvalue())})
    assert answer.json() == {"suggested_angle": 0}
    assert answer.headers["x-upright-unsure"] == "1"


def test_many_pictures_in_one_form(served, photo):
    files = [("files", ("a.jpg", photo)), ("files", ("broken.jpg", photo[:300])), ("files", ("é.jpg", photo))]
    results = served.client.post("/v1/orientation", files=files, params={"promise": "best"}).json()["results"]
    assert [each.get("status", 200) for each in results] == [200, 422, 200]
    assert [each["source"] for each in results] == ["a.jpg", "broken.jpg", "é.jpg"]
    assert results[0]["promise"] == "best"
    assert results[0]["turn"] == results[0]["best"]


def test_parameters_reach_the_decision(served, photo):
    answers = {
        promise: served.client.post("/v1/orientation", content=photo, params={"promise": promise}).json()
        for promise in ("careful", "balanced", "best")
    }
    assert {each["promise"] for each in answers.values()} == set(answers)
    assert answers["best"]["turn"] == answers["best"]["best"]
    pages = io.BytesIO()
    page = Image.open(io.BytesIO(photo)).convert("RGB")
    page.save(pages, "TIFF", save_all=True, append_images=[page.rotate(90, expand=True)])
    second = served.client.post("/v1/orientation", content=pages.getvalue(), params={"page": 1}).json()
    assert (second["page"], second["pages"]) == (1, 2)


@pytest.mark.parametrize("method", ["tag", "turn", "reencode"])
def test_a_corrected_file_shows_the_picture_upright(served, method):
    photo = jpeg(320, 240)  # whole blocks, which can be turned without loss
    turned = io.BytesIO()
    Image.open(io.BytesIO(photo)).rotate(90, expand=True).save(turned, "JPEG", quality=95)
    answer = served.client.post("/v1/correct", content=turned.getvalue(), params={"turn": 90, "method": method})
    assert answer.status_code == 200, answer.text
    assert (answer.headers["x-upright-method"], answer.headers["x-upright-outcome"]) == (method, "turned")
    assert int(answer.headers["content-length"]) == len(answer.content)
    exif = read_exif_orientation(answer.content).orientation
    assert (exif.turn == 90) == (method == "tag")
    shown = Image.open(io.BytesIO(answer.content)).rotate(-int(exif.turn), expand=True).convert("L").resize((32, 32))
    wanted = Image.open(io.BytesIO(photo)).convert("L").resize((32, 32))
    assert max(abs(a - b) for a, b in zip(shown.tobytes(), wanted.tobytes(), strict=True)) < 40


def test_upright_pixels_without_a_tag(served):
    photo, tagged = Image.open(io.BytesIO(jpeg(317, 251))), io.BytesIO()
    photo.getexif()[0x0112] = 6
    photo.save(tagged, "JPEG", quality=90, exif=photo.getexif())
    answer = served.client.post("/v1/correct", content=tagged.getvalue(), params={"turn": 0, "pixels": True})
    assert (answer.headers["x-upright-method"], answer.headers["x-upright-outcome"]) == ("reencode", "already upright")
    assert read_exif_orientation(answer.content).orientation == 1
    assert Image.open(io.BytesIO(answer.content)).size == (251, 317)


def test_correct_decides_when_no_turn_is_given(served, detector, photo):
    turned = io.BytesIO()
    Image.open(io.BytesIO(photo)).rotate(180, expand=True).save(turned, "JPEG", quality=95)
    decided = detector.detect(turned.getvalue(), promise=Promise.BEST)
    answer = served.client.post(
        "/v1/correct", files={"files": ("x.jpg", turned.getvalue())}, params={"promise": "best"}
    )
    assert int(answer.headers["x-upright-turn"]) == int(decided.best) == 180
    assert read_exif_orientation(answer.content).orientation == 3


def test_an_unsure_file_comes_back_as_it_was(served):
    blank = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(blank, "PNG")
    answer = served.client.post("/v1/correct", content=blank.getvalue())
    assert answer.content == blank.getvalue()
    assert answer.headers["x-upright-unsure"] == "1"
    assert (answer.headers["x-upright-method"], answer.headers["x-upright-outcome"]) == ("keep", "unsure")
    assert answer.headers["x-upright-note"] == "best guess 0, left alone; turn it by hand with turn="


@pytest.mark.parametrize(
    ("name", "query", "note"),
    [
        ("rocket.jpg", "", "left alone; turn it by hand with turn=, or by the best guess with promise=best"),
        ("coffee.jpg", "", "it is upright already"),
        ("coffee.jpg", "turn=0", "turn=0 asks for no turn"),
        ("coffee.jpg", "turn=90&method=keep", "it was asked for that it is kept; use another method"),
    ],
)
def test_a_file_that_comes_back_as_it_was_says_why(served, name, query, note):
    data = (DEMO / name).read_bytes()
    answer = served.client.post(f"/v1/correct?{query}", content=data)
    assert answer.content == data
    assert answer.headers["x-upright-method"] == "keep"
    assert answer.headers["x-upright-note"].endswith(note)


def test_remedies_are_in_the_words_of_a_request(served):
    frames = io.BytesIO()
    with Image.open(DEMO / "rocket.jpg") as rocket:
        small = rocket.resize((60, 40))
    small.save(frames, "PNG", save_all=True, append_images=[small.rotate(180)])
    odd = io.BytesIO()
    small.crop((0, 0, 59, 40)).save(odd, "JPEG")
    for data, query, remedy in (
        (frames.getvalue(), "method=reencode", "use method=tag"),
        (frames.getvalue(), "pixels=true", "leave pixels=true out: its tag changes then"),
        (odd.getvalue(), "method=turn&edge=refuse", "use edge=trim or method=tag"),
    ):
        problem = problem_of(served.client.post(f"/v1/correct?turn=90&{query}", content=data))
        assert (problem["status"], problem["remedy"]) == (422, remedy)
        for words in ("method=tag", ""):
            assert served.client.post(f"/v1/correct?turn=90&{words}", content=data).status_code == 200


@pytest.mark.parametrize("asked", ["promise=best", "effort=1", "mirror=true", "straighten=white"])
def test_a_turn_by_hand_refuses_what_needs_a_decision(served, photo, asked):
    problem = problem_of(served.client.post(f"/v1/correct?turn=90&{asked}", content=photo))
    assert problem["status"] == 400
    assert "turn decides by hand" in problem["detail"]


def test_the_page_that_is_asked_for_is_set_right(served):
    with Image.open(DEMO / "chart.tif") as chart, Image.open(DEMO / "page.jpg") as page:
        tiff = io.BytesIO()
        chart.convert("L").save(tiff, "TIFF", save_all=True, append_images=[page.convert("L")])
    answer = served.client.post("/v1/correct", content=tiff.getvalue(), params={"page": 1})
    assert answer.headers["x-upright-outcome"] == "turned"
    turned = [read_exif_orientation(answer.content, page=page).orientation.turn for page in (0, 1)]
    assert turned == [0, 270] == [0, int(answer.headers["x-upright-turn"])]
    by_hand = served.client.post("/v1/correct", content=tiff.getvalue(), params={"page": 1, "turn": 270})
    assert by_hand.content == answer.content
    assert problem_of(served.client.post("/v1/correct?page=2", content=tiff.getvalue()))["status"] == 400


@pytest.fixture(scope="module")
def bold(tmp_path_factory):
    """A service whose model calls a page mirrored that leads by 5; the shipped one wants more than this page has."""
    folder = tmp_path_factory.mktemp("bold") / "upright-1"
    shutil.copytree(load_model().folder, folder)
    facts = json.loads((folder / "heads.json").read_text())
    facts["mirror"]["mirrored"] = 5.0
    (folder / "heads.json").write_text(json.dumps(facts))
    service = Served("--model", str(folder))
    yield service
    service.kill()


def test_correct_undoes_a_mirror_image_where_that_is_asked_for(bold):
    lying = io.BytesIO()
    with Image.open(DEMO / "page.jpg") as page:
        ImageOps.mirror(page.convert("L").rotate(90, expand=True)).rotate(180).save(lying, "JPEG", quality=92)
    data = lying.getvalue()
    told = bold.client.post("/v1/orientation?mirror=true", content=data)
    assert (told.json()["mirrored"], told.json()["turn"], told.headers["x-upright-mirrored"]) == (True, 180, "1")
    answer = bold.client.post("/v1/correct?mirror=true", content=data)
    assert (answer.headers["x-upright-mirrored"], answer.headers["x-upright-outcome"]) == ("1", "turned")
    assert read_exif_orientation(answer.content).orientation == 4
    asked = {"files": [("files", ("a.jpg", data))], "params": {"mirror": True}}
    assert bold.client.post("/v1/orientation", **asked).json()["results"][0]["mirrored"] is True
    plain = bold.client.post("/v1/correct", content=data)
    assert "x-upright-mirrored" not in plain.headers


def test_a_model_that_cannot_tell_a_mirror_image_says_so_on_every_route(serve, tmp_path, photo):
    folder = tmp_path / "upright-1"
    shutil.copytree(load_model().folder, folder, ignore=shutil.ignore_patterns("heads.*"))
    service = serve("--model", str(folder))
    for path in ("/v1/orientation", "/v1/correct"):
        problem = problem_of(service.client.post(f"{path}?mirror=true", content=photo))
        assert (problem["status"], problem["detail"]) == (400, "upright-1 cannot tell what is mirrored")


def test_a_file_that_cannot_be_turned_says_so_and_what_to_do(served):
    lying = io.BytesIO()
    Image.new("RGB", (30, 20)).save(lying, "PCX")
    answer = served.client.post("/v1/correct", content=lying.getvalue(), params={"turn": 90})
    assert (answer.status_code, answer.content) == (200, lying.getvalue())
    assert answer.headers["x-upright-outcome"] == "cannot be turned"
    assert answer.headers["x-upright-note"].startswith(
        "no orientation can be written into PCX; by the command `upright correct`: correct it alone, with --method"
    )


def test_effort_bounds_the_looks_of_a_service(serve, served):
    unsure = (DEMO / "rocket.jpg").read_bytes()
    quick = serve("--effort", "1")
    answers = [each.client.post("/v1/orientation", content=unsure).json() for each in (quick, served)]
    assert [(each["turn"], each["step"], each["views"]) for each in answers] == [
        (None, "turned", 4),
        (None, "close", 14),
    ]
    less = quick.client.post("/v1/orientation?effort=0", content=unsure).json()
    assert (less["step"], less["views"]) == ("glance", 1)
    for path in ("/v1/orientation", "/v1/correct"):
        problem = problem_of(quick.client.post(f"{path}?effort=2", content=unsure))
        assert problem["status"] == 400
        assert problem["remedy"] == "ask for at most 1; the operator can raise --effort"


def test_a_batching_service_gives_the_same_answers(serve, detector):
    service = serve("--max-batch", "8", "--engine-workers", "1")
    pictures = [(DEMO / name).read_bytes() for name in ("coffee.jpg", "rocket.jpg", "page.jpg", "receipt.png")]
    expected = [detector.detect(each).best for each in pictures]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: service.client.post("/v1/orientation", content=pictures[n % 4]), range(16)))
    assert [each.json()["best"] for each in answers] == expected * 4
    views, runs = service.metric("upright_batch_views_sum"), service.metric("upright_batch_views_count")
    assert runs <= views / 2, "three views of one picture at least go together"


def png_bomb() -> bytes:
    """A PNG that claims 60,000 x 60,000 interlaced pixels, all zero: 10 gigabytes from some kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 1)
    pixels = zlib.compress(bytes(4_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


BROKEN = {
    "empty": b"",
    "text": b"hello",
    "zeros": bytes(1_000_000),
    "html": b"<html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "jpeg head only": (DEMO / "coffee.jpg").read_bytes()[:200],
    "png head only": b"\x89PNG\r\n\x1a\n",
    "png bomb": png_bomb(),
    "gif of nothing": b"GIF89a" + bytes(20),
    "tiff that points past its end": b"II*\0\xff\xff\xff\x7f",
    "zip": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_is_a_problem_on_every_route(served, name):
    data = BROKEN[name]
    for answer in (
        served.client.post("/rotate", files={"image": ("x", data)}),
        served.client.post("/v1/orientation", content=data),
        served.client.post("/v1/correct", content=data),
    ):
        assert answer.status_code in (413, 415, 422), answer.text
        told = problem_of(answer)
        assert told["type"].startswith("urn:upright:")
        assert told["remedy"]


def test_nothing_is_fetched(served):
    answer = served.client.post("/v1/orientation", content=b"http://127.0.0.1:1/x.jpg")
    assert answer.status_code == 415
    answer = served.client.post("/v1/orientation", content=b"", params={"url": "file:///etc/passwd"})
    assert answer.status_code == 400
    assert "root:" not in answer.text


def test_the_tilt_is_answered_where_it_is_asked_for(served):
    page = next(DEMO.glob("page.*")).read_bytes()
    assert "tilt" not in served.client.post("/v1/orientation", content=page).json()
    found = served.client.post("/v1/orientation", content=page, params={"tilt": "true"}).json()
    assert abs(found["tilt"]) < 1 and 0 < found["tilt_error"] < 0.5


def test_a_crooked_page_is_straightened_where_that_is_asked_for(served, detector):
    crooked = io.BytesIO()
    page = Image.open(next(DEMO.glob("page.*"))).convert("RGB").rotate(90, expand=True)
    page.rotate(4, Image.Resampling.BICUBIC, expand=True, fillcolor="white").save(crooked, "JPEG", quality=90)
    data = crooked.getvalue()
    before = detector.detect(data, tilt=True)
    answer = served.client.post("/v1/correct", content=data, params={"straighten": "crop"})
    assert answer.headers["x-upright-outcome"] == "turned" and answer.headers["x-upright-lossless"] == "0"
    assert before.tilt and abs(before.tilt) > 3.8
    after = detector.detect(answer.content, tilt=True)
    assert after.turn == 0 and after.tilt is not None and abs(after.tilt) < 0.1
    plain = served.client.post("/v1/correct", content=data)
    assert abs(detector.detect(plain.content, tilt=True).tilt) > 3.8
    assert problem_of(served.client.post("/v1/correct", content=data, params={"straighten": "blue"}))["status"] == 400


@pytest.mark.parametrize(("name", "kind"), [("page.jpg", "image/jpeg"), ("chart.tif", "image/tiff")])
def test_a_corrected_file_has_its_type_and_its_name(served, name, kind):
    data = (DEMO / name).read_bytes()
    raw = served.client.post("/v1/correct", content=data)
    assert raw.headers["content-type"] == kind
    assert "content-disposition" not in raw.headers
    form = served.client.post("/v1/correct", files={"files": (f"été {name}", data)})
    assert form.headers["content-type"] == kind
    assert form.headers["content-disposition"] == f"inline; filename*=UTF-8''%C3%A9t%C3%A9%20{name}"


def test_a_page_that_is_not_there_is_named_as_it_was_asked_for(served):
    pdf = io.BytesIO()
    Image.new("L", (64, 64)).save(pdf, "PDF")
    for data in (jpeg(64, 64), pdf.getvalue()):
        for route in ("/v1/orientation?page=3", "/v1/correct?page=3&turn=90"):
            problem = problem_of(served.client.post(route, content=data))
            assert (problem["status"], problem["detail"]) == (400, "it has no page 3")
            assert problem["remedy"] == "it has 1; Python and HTTP count them from 0"
