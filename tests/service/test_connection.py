"""Clocks on a connection: slow heads, silence."""

from __future__ import annotations

import contextlib
import socket
import time

from .conftest import jpeg


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
