"""A real service in a process of its own, on a free loopback port."""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

ATTACKS = Path(__file__).parents[1] / "attacks"
DEMO = Path(__file__).parents[2] / "testdata" / "demo"


class Served:
    """A running service: its address, its log so far, and how to stop it."""

    def __init__(self, *options: str, env: dict[str, str] | None = None, prefix: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "upright", "serve", "--port", "0", *options],
            env=os.environ | (env or {}),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.log: list[dict[str, Any]] = []
        self.text = ""
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            started = self.wait_for("starting")
            self.url: str = started["url"]
            for _ in range(started["workers"]):
                self.wait_for("ready")
            self.client = httpx.Client(base_url=self.url, timeout=60)
            with contextlib.closing(httpx.Client(base_url=self.url, timeout=10)) as first:
                until = time.monotonic() + 100
                while time.monotonic() < until:
                    with contextlib.suppress(httpx.TransportError):
                        if first.get("/readyz").status_code == 200:
                            return
                    time.sleep(0.02)
            raise AssertionError("the service is not ready")
        except BaseException:
            self.kill()
            raise

    def _read(self) -> None:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            self.text += raw.decode()
            with contextlib.suppress(json.JSONDecodeError):
                line = json.loads(raw)
                self.log.append(line)
                self._lines.put(line)

    def wait_for(self, message: str, timeout_s: float = 150, **fields: Any) -> dict[str, Any]:
        """The next log line with this message and these fields."""
        until = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no log line {message!r} {fields}; all of it:\n{self.text}") from None
            if line["message"] == message and fields.items() <= line.items():
                return line

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def metric(self, name: str, /, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        from prometheus_client.parser import text_string_to_metric_families

        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def peak_mb(self) -> float:
        """The most memory that a service of one process has held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """SIGKILL, if it still runs, to its worker processes too: they would hold the log's pipe open."""
        if hasattr(self, "client"):
            self.client.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """The service as it starts by default, shared by tests that do not harm it."""
    service = Served()
    yield service
    service.kill()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Start services of one's own."""
    running: list[Served] = []

    def start(*options: str, env: dict[str, str] | None = None, prefix: Sequence[str] = ()) -> Served:
        running.append(Served(*options, env=env, prefix=prefix))
        return running[-1]

    yield start
    for service in running:
        service.kill()


def jpeg(width: int = 320, height: int = 240, seed: int = 0) -> bytes:
    """A photograph as JPEG of that size; ``seed`` makes its bytes differ."""
    with Image.open(DEMO / "coffee.jpg") as image:
        small = image.convert("RGB").resize((width, height))
    small.putpixel((seed % width, 0), (seed % 256, 0, 0))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.fixture(scope="session")
def photo() -> bytes:
    """An upright photograph whose turn the model is sure of."""
    return (DEMO / "coffee.jpg").read_bytes()


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


@pytest.fixture(scope="session")
def strict() -> Iterator[Served]:
    """A service with tight limits."""
    service = Served(
        *("--max-body-mb", "1", "--max-pictures", "3", "--head-timeout-s", "1.5", "--body-timeout-s", "3"),
        *("--body-kb-s", "64", "--request-timeout-s", "20", "--cors-origin", "https://app.example"),
        env={"UPRIGHT_API_KEYS": "anna:0123456789abcdef"},
    )
    service.client.headers["authorization"] = "Bearer 0123456789abcdef"
    yield service
    service.kill()
