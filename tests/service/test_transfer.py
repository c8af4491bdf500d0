"""Bodies and answers on their way: too large, too slow, not read."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time

import httpx
from PIL import Image

from .conftest import Served, jpeg, problem_of


def test_a_large_body_is_refused_by_its_length_and_by_its_bytes(strict):
    def stream():
        for _ in range(1000):
            yield bytes(100_000)

    told = problem_of(strict.client.post("/v1/orientation", content=bytes(2_000_000)))
    assert (told["status"], told["type"]) == (413, "urn:upright:BodyTooLarge")
    with contextlib.suppress(httpx.TransportError):  # the answer may come while the body is still on its way
        assert problem_of(strict.client.post("/v1/orientation", content=stream()))["status"] == 413
    assert strict.client.get("/readyz").status_code == 200


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


def unread(service: Served, path: str, body: bytes, buffer: int = 4096) -> socket.socket:
    """A client that sends a request and reads nothing of the answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", service.port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def bitmap(megabytes: int) -> bytes:
    """A picture of that size that is answered as it is where no turn is asked."""
    out = io.BytesIO()
    Image.new("RGB", (1000, megabytes * 1000 // 3)).save(out, "BMP")
    return out.getvalue()


def test_answers_that_are_not_read_hold_no_place_and_are_cut_off(serve):
    service = serve("--max-queue", "8", "--body-timeout-s", "4", "--max-queue-mb", "100")
    picture = bitmap(10)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(unread(service, "/v1/correct?turn=0", picture)) for _ in range(9)]
        until = time.monotonic() + 30
        while service.metric("upright_requests_in_flight_bytes") < 80e6 and time.monotonic() < until:
            time.sleep(0.05)
        for seed in range(10):
            assert service.client.post("/v1/orientation", content=jpeg(64, 64, seed)).status_code == 200
        cut = 0
        for reader in readers:
            time.sleep(0.6)
            got = 0
            with contextlib.suppress(ConnectionResetError):
                while chunk := reader.recv(1 << 20):
                    got += len(chunk)
            cut += got < len(picture)
        assert cut >= 4, "those that did not read for four seconds"
    while service.metric("upright_requests_in_flight_bytes"):
        time.sleep(0.05)
    assert "Traceback" not in service.text


def test_an_answer_that_is_read_slowly_but_at_the_pace_is_whole(serve):
    service = serve("--body-timeout-s", "2", "--body-kb-s", "256")
    picture = bitmap(12)
    with unread(service, "/v1/correct?turn=0", picture, buffer=65536) as reader:
        found = b""
        while not found.endswith(picture[-1000:]) or len(found) < len(picture):
            time.sleep(0.02)
            chunk = reader.recv(50_000)  # at most 2.5 MB a second: five seconds and more
            assert chunk, len(found)
            found += chunk
    assert found.endswith(picture)


def test_bodies_that_are_declared_and_not_sent_keep_nobody_out(serve):
    service = serve("--max-queue", "8", "--max-queue-mb", "64")
    head = b"POST /v1/orientation HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60))
            slow.sendall(head)
            time.sleep(0.3)
        for seed in range(10):
            assert service.client.post("/v1/orientation", content=jpeg(64, 64, seed)).status_code == 200
            time.sleep(0.1)


def test_slow_uploads_of_jobs_keep_no_other_out(serve, tmp_path):
    service = serve("--jobs", str(tmp_path / "jobs.sqlite"))
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\n"
    head += b"Content-Length: 60000000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60))
            slow.sendall(head + b"x")
        time.sleep(0.5)
        assert service.client.post("/v1/jobs", files={"files": ("a.jpg", jpeg())}).status_code == 202
