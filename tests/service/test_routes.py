"""The routes, by a real client against a real process."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from upright import Promise
from upright.carriers import read_exif_orientation

from .conftest import DEMO, jpeg


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
    files = [("files", ("a.jpg", photo)), ("files", ("broken.jpg", photo[:300])), ("other", ("é.jpg", photo))]
    results = served.client.post("/v1/orientation", files=files, params={"promise": "best"}).json()["results"]
    assert [each.get("status", 200) for each in results] == [200, 422, 200]
    assert [each["source"] for each in results] == ["a.jpg", "broken.jpg", "é.jpg"]
    assert results[0]["promise"] == "best"
    assert results[0]["turn"] == results[0]["best"]


def test_parameters_reach_the_decision(served, photo):
    flows = {
        flow: served.client.post("/v1/orientation", content=photo, params={"flow": flow}).json()["views"]
        for flow in ("whole", "turned", "tiles")
    }
    assert flows == {"whole": 1, "turned": 4, "tiles": 8}
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
    assert answer.headers["x-upright-method"] == method
    assert int(answer.headers["content-length"]) == len(answer.content)
    exif = read_exif_orientation(answer.content).orientation
    assert (exif.turn == 90) == (method == "tag")
    shown = Image.open(io.BytesIO(answer.content)).rotate(-int(exif.turn), expand=True).convert("L").resize((32, 32))
    wanted = Image.open(io.BytesIO(photo)).convert("L").resize((32, 32))
    assert max(abs(a - b) for a, b in zip(shown.tobytes(), wanted.tobytes(), strict=True)) < 40


def test_correct_decides_when_no_turn_is_given(served, detector, photo):
    turned = io.BytesIO()
    Image.open(io.BytesIO(photo)).rotate(180, expand=True).save(turned, "JPEG", quality=95)
    decided = detector.detect(turned.getvalue(), promise=Promise.BEST)
    answer = served.client.post("/v1/correct", files={"f": ("x.jpg", turned.getvalue())}, params={"promise": "best"})
    assert int(answer.headers["x-upright-turn"]) == int(decided.best) == 180
    assert read_exif_orientation(answer.content).orientation == 3


def test_an_unsure_file_comes_back_as_it_was(served):
    blank = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(blank, "PNG")
    answer = served.client.post("/v1/correct", content=blank.getvalue())
    assert answer.content == blank.getvalue()
    assert answer.headers["x-upright-unsure"] == "1"
    assert answer.headers["x-upright-method"] == "keep"


def test_model_health_and_documents(served):
    facts = served.client.get("/v1/model").json()
    assert facts["name"] == "upright-1"
    assert facts["engine"]["name"] == "onnx"
    assert served.client.get("/healthz").json() == {"status": "ok"}
    assert served.client.get("/readyz").json() == {"status": "ready"}
    document = served.client.get("/openapi.json").json()
    assert {"/rotate", "/v1/orientation", "/v1/correct", "/v1/jobs", "/v2/models/{name}/infer"} <= set(
        document["paths"]
    )
    page = served.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert all(path in page.text for path in document["paths"])
    assert "<script" not in page.text
    assert "http://" not in page.text and "https://" not in page.text


def test_each_request_has_one_log_line(served, photo):
    served.client.post("/rotate", files={"image": ("a.jpg", photo)}, headers={"x-request-id": "mine-1"})
    line = served.wait_for("request", request_id="mine-1")
    assert (line["path"], line["status"], line["picture_bytes"]) == ("/rotate", 200, len(photo))
    assert {"turn", "confidence", "unsure", "batch", "client", "time", "total_ms"} <= set(line)
    assert {"wait", "decode", "queue", "infer"} <= set(line["stages_ms"])
    assert sum(1 for each in served.log if each.get("request_id") == "mine-1") == 1


def test_a_hostile_request_id_is_not_taken(served):
    answer = served.client.get("/healthz", headers={"x-request-id": 'a"b\\n{}'})
    assert answer.headers["x-request-id"].isalnum()


def test_security_headers_are_on_every_answer(served):
    for path in ("/healthz", "/nothing", "/docs", "/v1/orientation"):
        headers = served.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


def test_metrics_of_one_process_count_decisions(served, photo):
    before = served.metric("upright_decisions_total", promise="careful")
    for _ in range(3):
        served.client.post("/v1/orientation", content=photo, params={"promise": "careful"})
    assert served.metric("upright_decisions_total", promise="careful") == before + 3
    assert served.metric("upright_model_info", name="upright-1") == 1
    assert served.metric("upright_resident_memory_bytes") > 50e6
    assert served.metric("upright_stage_seconds_count", stage="infer") >= 3
    assert served.metric("upright_requests_in_flight") == 0


def test_effort_bounds_the_looks_of_a_service(serve, served):
    unsure = (DEMO / "cat.gif").read_bytes()
    quick = serve("--effort", "1")
    answers = [each.client.post("/v1/orientation", content=unsure).json() for each in (quick, served)]
    assert [(each["turn"], each["flow"], each["views"]) for each in answers] == [
        (None, "turned", 4),
        (None, "tiles", 8),
    ]


def test_a_batching_service_gives_the_same_answers(serve, detector):
    service = serve("--max-batch", "8", "--engine-workers", "1", "--flow", "turned")
    pictures = [(DEMO / name).read_bytes() for name in ("coffee.jpg", "rocket.jpg", "page.jpg", "receipt.png")]
    expected = [detector.detect(each, flow="turned").best for each in pictures]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: service.client.post("/v1/orientation", content=pictures[n % 4]), range(16)))
    assert [each.json()["best"] for each in answers] == expected * 4
    views, runs = service.metric("upright_batch_views_sum"), service.metric("upright_batch_views_count")
    assert views == 64
    assert runs <= 32, "three views of one picture at least go together"


def test_a_missing_extra_is_told_with_its_install_line(monkeypatch):
    from upright import ExtraMissing, service

    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ExtraMissing, match=r"fastapi is not installed; .*pip install .*\[serve\]"):
        service.require_extra()


def test_the_library_configures_no_logging():
    import upright.service.app

    assert upright.service.app.logger.handlers == []
    assert logging.getLogger("upright").handlers == []


def test_a_port_in_use_is_told(served):
    command = [sys.executable, "-m", "upright", "serve", "--port", str(served.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "cannot listen there" in done.stderr and "choose another" in done.stderr
    assert "Traceback" not in done.stderr
