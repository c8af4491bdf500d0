"""Clocks on a connection: slow heads, silence."""

from __future__ import annotations

import contextlib
import socket

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
