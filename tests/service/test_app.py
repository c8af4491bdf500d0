"""Starting, stopping, and several processes."""

from __future__ import annotations

import io
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import httpx
from PIL import Image

from upright.service.server import _bound

from .conftest import jpeg


@cache
def large() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((3500, 3000), 60).convert("RGB").save(out, "PNG", compress_level=1)
    return out.getvalue()


def test_sigterm_turns_readyz_first_and_finishes_what_is_in_flight(serve):
    service = serve("--drain-s", "2")
    picture = large()
    answers: list[httpx.Response] = []
    works = threading.Thread(target=lambda: answers.append(service.client.post("/v1/orientation", content=picture)))
    works.start()
    while service.metric("upright_requests_in_flight") == 0:
        assert works.is_alive(), "it was over before it was seen"
    service.process.send_signal(signal.SIGTERM)
    with httpx.Client(base_url=service.url, timeout=20) as other:
        while other.get("/readyz").status_code == 200:
            time.sleep(0.01)
        assert other.get("/v2/health/ready").status_code == 503
        assert other.get("/healthz").status_code == 200
        assert other.post("/v1/orientation", content=jpeg()).status_code == 200, "still served while it drains"
    works.join()
    assert answers[0].status_code == 200
    assert service.process.wait(60) == 0
    assert "Traceback" not in service.text


def test_without_a_drain_requests_in_flight_are_finished_too(serve):
    service = serve()
    picture = large()
    with ThreadPoolExecutor(4) as pool:
        clients = [httpx.Client(base_url=service.url, timeout=60) for _ in range(4)]
        waiting = [pool.submit(client.post, "/v1/orientation", content=picture) for client in clients]
        while service.metric("upright_requests_in_flight") < 4:
            assert not any(each.done() for each in waiting), "it was over before it was seen"
        assert service.terminate() == 0
        assert [each.result().status_code for each in waiting] == [200] * 4
        for client in clients:
            client.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", service.port)) != 0


def test_it_listens_on_loopback_alone(served):
    assert served.url.startswith("http://127.0.0.1:")
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A"}
    assert f"0100007F:{served.port:04X}" in listening
    assert f"00000000:{served.port:04X}" not in listening


def test_several_processes_count_together_and_replace_one_that_dies(serve):
    service = serve("--processes", "2")
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for seed in range(30):
            with httpx.Client(base_url=service.url, timeout=60) as fresh:  # a new connection may go to another process
                assert fresh.post("/v1/orientation", content=jpeg(64, 64, seed)).status_code == 200
        assert service.metric("upright_decisions_total") == 30
        assert service.metric("upright_requests_total", route="/v1/orientation", status="200") == 30
        both = service.metric("upright_resident_memory_bytes")
        assert both > 120e6
        ready = [line for line in service.log if line["message"] == "ready"]
        assert len({line["pid"] for line in ready}) == 2
        os.kill(ready[0]["pid"], signal.SIGKILL)
        again = service.wait_for("ready")
        assert again["pid"] not in {line["pid"] for line in ready}
        assert client.get("/readyz").status_code == 200
        assert service.metric("upright_decisions_total") == 30, "counts outlive the process that counted"
        assert service.metric("upright_model_info") == 1
    assert service.terminate() == 0


def test_accepted_connections_are_known_for_tcp():
    """What asyncio looks at before it switches Nagle's algorithm off: with it on, answers wait for 40 ms."""
    with _bound("127.0.0.1", 0, 5) as listening, socket.create_connection(listening.getsockname()) as client:
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.proto == client.proto == socket.IPPROTO_TCP
