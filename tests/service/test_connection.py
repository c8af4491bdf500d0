"""Clocks on a connection: slow heads, silence."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import pytest

from .conftest import Served, jpeg


def answer(service: Served, sent: bytes) -> tuple[int, str, bytes]:
    """Status, head and body of the answer to these bytes, after which the connection ends."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(sent)
        found = b""
        while piece := connection.recv(10_000):
            found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), body


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000,
        b"POST /rotate HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_problem_like_any_other(strict, sent):
    status, head, body = answer(strict, sent)
    assert status == 400 and "content-type: application/problem+json" in head and "connection: close" in head
    problem = json.loads(body)
    assert (problem["status"], problem["type"]) == (400, "urn:upright:BadFraming")
    assert problem["detail"] and "send HTTP/1.1" in problem["remedy"]


@pytest.mark.parametrize("target", ["http://x/healthz", "HTTP://x:80/healthz", "https://x/healthz?"])
def test_a_target_may_name_the_host(strict, target):
    sent = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert answer(strict, sent.encode())[0] == 200
    status, _, body = answer(strict, sent.replace("healthz", "v1/%6eone").encode())
    assert (status, json.loads(body)["status"]) == (401, 401)  # no key
    assert strict.wait_for("request", path="/v1/none")["status"] == 401


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


@pytest.mark.parametrize("protocol", ["1.0", "1.1"])
def test_a_client_that_still_sends_reads_its_answer_before_the_connection_ends(strict, protocol):
    head = f"POST /v1/none/{protocol} HTTP/{protocol}\r\nHost: x\r\nConnection: close\r\nContent-Length: 9000000"
    with socket.create_connection(("127.0.0.1", strict.port), timeout=60) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        strict.wait_for("request", path=f"/v1/none/{protocol}")
        connection.sendall(bytes(9_000_000))
        found = b""
        while piece := connection.recv(10_000):
            found += piece
    assert found.startswith(b"HTTP/1.1 401 ") and json.loads(found.partition(b"\r\n\r\n")[2])["status"] == 401


def test_a_client_that_never_stops_sending_is_cut_off(strict):
    head = b"POST /v1/orientation HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 900000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", strict.port), timeout=60) as connection:
        connection.sendall(head)
        assert connection.recv(10_000).startswith(b"HTTP/1.1 401 ")
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < began + 30:
                connection.sendall(bytes(1000))
                time.sleep(0.05)
    assert strict.client.get("/healthz").status_code == 200


def test_many_slow_clients_do_not_keep_others_out(strict):
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", strict.port), timeout=60))
            slow.sendall(b"POST /rotate HTTP/1.1\r\nHost: x\r\n")
        assert strict.client.get("/healthz").status_code == 200
        assert strict.client.post("/v1/orientation", content=jpeg(64, 64)).status_code == 200


def test_one_connection_more_ends_the_one_that_waits_longest_for_its_client(serve):
    service = serve("--max-connections", "20")
    head = b"POST /v1/orientation HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        idle, slow = [], []
        for number in range(30):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60))
            (slow if number % 2 else idle).append(client)
            client.sendall(head if number % 2 else b"GET /hea")
            time.sleep(0.05)
        for seed in range(5):
            assert service.client.post("/v1/orientation", content=jpeg(64, 64, seed)).status_code == 200
        for first in (idle[0], slow[0]):
            with contextlib.suppress(ConnectionResetError):
                assert first.recv(1000) == b""


def test_open_files_do_not_run_out(serve):
    """256 files for the process, as some systems give: connections are fewer than that, and others are served."""
    service = serve(prefix=["sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"])
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60))
        for seed in range(3):
            assert service.client.post("/v1/orientation", content=jpeg(64, 64, seed)).status_code == 200
    assert "Too many open files" not in service.text
