"""Limits, keys, slow clients, deadlines and overload, over real sockets."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image

from .conftest import DEMO, jpeg


def problem_of(answer: httpx.Response) -> dict:
    """The problem that an answer must be."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    assert told["status"] == answer.status_code
    assert {"type", "title", "detail", "request_id"} <= set(told)
    assert "Traceback" not in answer.text and "/src/" not in answer.text and "site-packages" not in answer.text
    return told


def raw(port: int, data: bytes, wait_s: float = 60) -> bytes:
    """What the service answers to these bytes, until it closes or says nothing more."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as connection:
        connection.sendall(data)
        found = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while chunk := connection.recv(65536):
                found += chunk
                if b"\r\n\r\n" in found and b"content-length: " in found:
                    head, _, body = found.partition(b"\r\n\r\n")
                    if len(body) >= int(head.split(b"content-length: ")[1].split(b"\r\n")[0]):
                        break
        return found


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


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=" + "x" * 500, b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"nothing like a form"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nno name\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\ncut'),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n',
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n1\r\n' * 2 + b"--b--\r\n",
        ),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 100 + b"--b--\r\n",
        ),
        ("multipart/mixed; boundary=b", b"--b--"),
        ("application/json", b'{"image": "http://example.org/x.jpg"}'),
        ("text/plain", b"image=x"),
    ],
)
def test_a_wrong_form_is_refused(served, kind, body):
    answer = served.client.post("/rotate", content=body, headers={"content-type": kind})
    assert answer.status_code in (400, 413, 415), answer.text
    problem_of(answer)


def test_wrong_paths_methods_and_parameters_are_problems(served, photo):
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/model/../model.py", 404),
        ("GET", "/assets/%2e%2e/%2e%2e/app.py", 404),
        ("GET", "/rotate", 405),
        ("POST", "/v1/orientation?promise=hopeful", 400),
        ("POST", "/v1/orientation?page=-1", 400),
        ("POST", "/v1/orientation?page=7", 400),
        ("POST", "/v1/correct?turn=45", 400),
        ("POST", "/v1/jobs", 404),
        ("POST", "/v2/models/none/infer", 404),
    ):
        answer = served.client.request(method, path, content=photo if method == "POST" else None)
        assert answer.status_code == status, (path, answer.text)
        problem_of(answer)


def test_nothing_is_fetched(served):
    answer = served.client.post(
        "/v1/orientation", content=b"http://127.0.0.1:1/x.jpg", params={"url": "file:///etc/passwd"}
    )
    assert answer.status_code == 415
    assert "root:" not in answer.text


@pytest.fixture(scope="module")
def strict():
    """A service with tight limits."""
    from .conftest import Served

    service = Served(
        *("--max-body-mb", "1", "--max-pictures", "3", "--head-timeout-s", "1.5", "--body-timeout-s", "3"),
        *("--body-kb-s", "64", "--request-timeout-s", "20", "--cors-origin", "https://app.example"),
        env={"UPRIGHT_API_KEYS": "anna:0123456789abcdef"},
    )
    service.client.headers["authorization"] = "Bearer 0123456789abcdef"
    yield service
    service.kill()


def test_a_large_body_is_refused_by_its_length_and_by_its_bytes(strict):
    def stream():
        for _ in range(1000):
            yield bytes(100_000)

    told = problem_of(strict.client.post("/v1/orientation", content=bytes(2_000_000)))
    assert (told["status"], told["type"]) == (413, "urn:upright:BodyTooLarge")
    with contextlib.suppress(httpx.TransportError):  # the answer may come while the body is still on its way
        assert problem_of(strict.client.post("/v1/orientation", content=stream()))["status"] == 413
    assert strict.client.get("/readyz").status_code == 200


def test_a_length_that_lies_is_refused(strict):
    head = b"POST /v1/orientation HTTP/1.1\r\nHost: x\r\nX-API-Key: 0123456789abcdef\r\n"
    assert raw(strict.port, head + b"Content-Length: 99999999999999999999\r\n\r\n").startswith(b"HTTP/1.1 4")
    assert raw(strict.port, head + b"Content-Length: -5\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert raw(strict.port, head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").startswith(
        b"HTTP/1.1 4"
    )
    assert raw(strict.port, b"not http at all\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_too_many_pictures_are_refused(strict):
    files = [("files", (f"{n}.jpg", jpeg(64, 64))) for n in range(4)]
    assert problem_of(strict.client.post("/v1/orientation", files=files))["status"] == 413


def test_a_compressed_body_is_refused(strict):
    answer = strict.client.post(
        "/v1/orientation", content=zlib.compress(bytes(1000)), headers={"content-encoding": "gzip"}
    )
    assert problem_of(answer)["status"] == 415


def test_a_slow_head_is_closed(strict):
    with socket.create_connection(("127.0.0.1", strict.port), timeout=60) as connection:
        connection.sendall(b"POST /v1/orientation HTTP/1.1\r\nHost: x\r\n")
        assert connection.recv(100) == b""
    with socket.create_connection(("127.0.0.1", strict.port), timeout=60) as silent:
        assert silent.recv(100) == b""
    # also after a first request on the same connection
    with socket.create_connection(("127.0.0.1", strict.port), timeout=60) as second:
        second.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert second.recv(10_000).startswith(b"HTTP/1.1 200")
        second.sendall(b"GET /hea")
        found = b"-"
        while found:
            found = second.recv(10_000)


def test_a_slow_body_is_answered_408(strict):
    head = b"POST /v1/orientation HTTP/1.1\r\nHost: x\r\nX-API-Key: 0123456789abcdef\r\nContent-Length: 500000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", strict.port), timeout=60) as connection:
        connection.sendall(head)
        answer: list[bytes] = []
        reader = threading.Thread(target=lambda: answer.append(connection.recv(10_000)))
        reader.start()
        with contextlib.suppress(OSError):
            while reader.is_alive():
                connection.sendall(b"x")
                time.sleep(0.1)
        reader.join()
    assert answer[0].startswith(b"HTTP/1.1 408")


def test_many_slow_clients_do_not_keep_others_out(strict):
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", strict.port), timeout=60))
            slow.sendall(b"POST /rotate HTTP/1.1\r\nHost: x\r\n")
        assert strict.client.get("/healthz").status_code == 200
        assert strict.client.post("/v1/orientation", content=jpeg(64, 64)).status_code == 200


def test_a_key_is_needed_for_what_works_but_not_for_health(strict):
    with httpx.Client(base_url=strict.url, timeout=60) as nobody:
        for method, path in (
            ("POST", "/rotate"),
            ("POST", "/v1/orientation"),
            ("GET", "/v1/model"),
            ("GET", "/metrics"),
            ("GET", "/v2"),
        ):
            answer = nobody.request(method, path)
            assert problem_of(answer)["status"] == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        for path in ("/healthz", "/readyz", "/v2/health/live", "/docs", "/openapi.json"):
            assert nobody.get(path).status_code == 200
        wrong = {"authorization": "Bearer 0123456789abcdee"}
        assert nobody.get("/v1/model", headers=wrong).status_code == 401
        assert nobody.get("/v1/model", headers={"x-api-key": "0123456789abcdef"}).status_code == 200
    assert "0123456789abcdef" not in strict.text


def test_cors_is_only_for_the_origin_that_was_named(strict):
    asked = {"access-control-request-method": "POST"}
    good = strict.client.options("/rotate", headers={"origin": "https://app.example"} | asked)
    assert good.headers["access-control-allow-origin"] == "https://app.example"
    bad = strict.client.options("/rotate", headers={"origin": "https://evil.example"} | asked)
    assert "access-control-allow-origin" not in bad.headers


def test_a_deadline_is_kept(strict):
    big = io.BytesIO()
    Image.effect_noise((1500, 1200), 60).convert("RGB").save(big, "WEBP", quality=30)
    data = big.getvalue()
    assert len(data) < 1 << 20
    late = strict.client.post("/v1/orientation", content=data, headers={"x-request-timeout-ms": "1"})
    assert problem_of(late)["status"] == 504
    for wrong in ("0", "-1", "soon", "1.5", "9" * 30):
        answer = strict.client.post("/v1/orientation", content=data, headers={"x-request-timeout-ms": wrong})
        assert problem_of(answer)["status"] == 400
    enough = strict.client.post("/v1/orientation", content=data, headers={"x-request-timeout-ms": "20000"})
    assert enough.status_code == 200
    assert strict.metric("upright_requests_in_flight") == 0


def test_a_rate_is_kept_for_each_key(serve):
    service = serve("--rate-per-s", "0.01", env={"UPRIGHT_API_KEYS": "anna:0123456789abcdef,bob:fedcba9876543210"})
    anna, bob = ({"x-api-key": key} for key in ("0123456789abcdef", "fedcba9876543210"))
    assert service.client.get("/v1/model", headers=anna).status_code == 200
    refused = service.client.get("/v1/model", headers=anna)
    assert problem_of(refused)["status"] == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 100
    assert service.client.get("/v1/model", headers=bob).status_code == 200
    assert service.client.get("/healthz").status_code == 200


def test_overload_is_503_with_retry_after_and_passes(serve):
    service = serve("--max-queue", "4")
    pictures = [jpeg(1200, 900, seed) for seed in range(8)]
    with httpx.Client(base_url=service.url, timeout=60, limits=httpx.Limits(max_connections=40)) as client:
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda n: client.post("/v1/orientation", content=pictures[n % 8]), range(96)))
        statuses = [each.status_code for each in answers]
        assert set(statuses) == {200, 503}
        refused = next(each for each in answers if each.status_code == 503)
        assert problem_of(refused)["type"] == "urn:upright:Overloaded"
        assert int(refused.headers["retry-after"]) >= 1
        assert client.post("/v1/orientation", content=pictures[0]).status_code == 200
    assert service.metric("upright_overloads_total", at="door") == statuses.count(503)
    assert service.metric("upright_requests_in_flight") == 0
    assert service.metric("upright_requests_in_flight_bytes") == 0


def test_a_client_that_leaves_costs_nothing_more(serve):
    service = serve("--decode-threads", "1", "--engine-workers", "1")
    slow = io.BytesIO()
    Image.effect_noise((1800, 1500), 60).convert("RGB").save(slow, "PNG")
    picture = slow.getvalue()
    head = b"POST /v1/orientation HTTP/1.1\r\nHost: x\r\nX-Request-Id: gone\r\nContent-Length: %d\r\n\r\n" % len(
        picture
    )
    for _ in range(15):
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
            connection.sendall(head + picture)
    for _ in range(15):
        assert service.wait_for("request", request_id="gone")["status"] == 499
    assert service.client.post("/v1/orientation", content=jpeg(64, 64)).status_code == 200
    assert service.metric("upright_requests_in_flight") == 0
    assert service.metric("upright_stage_seconds_count", stage="infer") < 8, "most were dropped before the engine"


def test_no_answer_and_no_log_tells_a_secret_or_a_stack(served):
    assert "Traceback" not in served.text
    for line in served.log:
        json.dumps(line)
        assert line.get("status", 200) < 500
