"""Keys, parameters, deadlines and overload, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx
from PIL import Image
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from upright.service.door import DEADLINE_HEADER, Door
from upright.service.keys import Keys
from upright.service.middleware import Observe, Problems
from upright.service.settings import Settings
from upright.service.state import open_state

from .conftest import ATTACKS, jpeg, problem_of, raw


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


def test_what_no_route_has_names_what_there_is(served):
    for method, path, remedy in (
        ("GET", "/nothing", "/docs lists the routes"),
        ("GET", "/rotate", "send POST; /docs lists the routes"),
        ("POST", "/v1/model", "send GET; /docs lists the routes"),
    ):
        assert problem_of(served.client.request(method, path))["remedy"] == remedy


def test_a_length_that_lies_is_refused(strict):
    head = b"POST /v1/orientation HTTP/1.1\r\nHost: x\r\nX-API-Key: 0123456789abcdef\r\n"
    assert raw(strict.port, head + b"Content-Length: 99999999999999999999\r\n\r\n").startswith(b"HTTP/1.1 4")
    assert raw(strict.port, head + b"Content-Length: -5\r\n\r\n").startswith(b"HTTP/1.1 400")
    # Two lengths may end at different places for a proxy in front: what follows could pass for another request.
    both = head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    both += b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", strict.port), timeout=60) as connection:
        connection.sendall(both)
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                found += chunk
    assert found.startswith(b"HTTP/1.1 400") and b"both Content-Length and Transfer-Encoding" in found
    assert found.count(b"HTTP/1.1") == 1
    assert raw(strict.port, b"not http at all\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_compressed_body_is_refused(strict):
    answer = strict.client.post(
        "/v1/orientation", content=zlib.compress(bytes(1000)), headers={"content-encoding": "gzip"}
    )
    assert problem_of(answer)["status"] == 415


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


def test_a_request_that_is_late_leaves_no_decoder_at_work(serve):
    """74 bytes that claim two gigapixels: libvips would read lines of zeros for minutes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 120, 16_777_050, 8, 2, 0, 0, 0)
    long = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    service = serve("--decode-threads", "1")
    for _ in range(2):
        late = service.client.post("/v1/orientation", content=long, headers={"x-request-timeout-ms": "1500"})
        assert problem_of(late)["status"] in (413, 422, 504)
    soon = {"x-request-timeout-ms": "20000"}  # the one decoder would be busy for minutes
    assert service.client.post("/v1/orientation", content=jpeg(64, 64), headers=soon).status_code == 200


def test_files_that_keep_a_decoder_busy_cost_their_own_client_alone(serve):
    """A PDF whose forms draw each other ten million times, and headers of two gigapixels, while others are served."""
    service = serve("--decode-threads", "2")
    bad = [(ATTACKS / name).read_bytes() for name in ("nested-forms.pdf", "tall.png", "wide.png", "giant.jp2")]
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(service.client.post, "/v1/orientation", content=data) for data in bad]
        for seed in range(4):
            assert service.client.post("/v1/orientation", content=jpeg(64, 64, seed)).status_code == 200
        assert {answer.result().status_code for answer in answers} <= {413, 422}
    assert service.metric("upright_requests_in_flight") == 0


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
    # Slow to decode and quick to send; and no deadline ends what its client's leaving is to end.
    service = serve("--decode-threads", "1", "--engine-workers", "1", "--request-timeout-s", "1000")
    slow = io.BytesIO()
    Image.linear_gradient("L").resize((6000, 6000)).convert("RGB").save(slow, "PNG")
    picture = slow.getvalue()
    assert len(picture) < 1 << 20
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


def test_a_deadline_that_passes_right_before_a_task_answers_is_504():
    """A streamed answer is sent by a task of its own, which is cancelled a step after the request's."""
    state = open_state(Settings())

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        async def part() -> None:
            time.sleep(0.02)
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # the request is told meanwhile, this task not yet
            await Response(b"late")(scope, receive, send)

        async with asyncio.TaskGroup() as group:
            group.create_task(part())

    door = Door(streaming, list, state.settings, Keys.read(None, ""), None, state.lanes, state.metrics)
    app = Observe(Problems(door), state.metrics)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as client:
            return await client.get("/late", headers={DEADLINE_HEADER: "1"})

    try:
        assert problem_of(asyncio.run(ask()))["status"] == 504
    finally:
        state.batcher.close()
        state.runner.close()
