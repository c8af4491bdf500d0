"""Starting: what is missing, a port in use, logging."""

from __future__ import annotations

import contextlib
import http.client
import io
import logging
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pypdfium2
import pytest

from upright import UsageError
from upright.service import metrics
from upright.service.server import _bound

#: Headers that each answer has for itself.
OWN = {"x-request-id", "date"}


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


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--jobs", "{file}"), "upright: {file}: the jobs file cannot be used: file is not a database"),
        (("--keys-file", "{file}"), "upright: the API key 'no key in' has 5 characters; give it at least 16"),
        (("--model", "{file}"), "upright: {file}/model.json: no model here"),
        (("--engine", "none"), "upright: no engine is called 'none'"),
    ],
)
def test_what_no_process_can_start_with_is_told_once(tmp_path, processes, options, error):
    file = tmp_path / "file"
    file.write_text("no key in: here\n" * 100 if "--keys-file" not in options else "no key in: here!\n")
    command = [sys.executable, "-m", "upright", "serve", "--port", "0", "--processes", str(processes)]
    command += [each.format(file=file) for each in options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == 2, done.stderr
    assert '"starting"' in lines[0] and lines[1].startswith(error.format(file=file))


def test_of_two_that_bind_one_port_the_later_one_is_told():
    first = _bound("127.0.0.1", 0, 1)
    with first:
        assert first.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        with pytest.raises(UsageError, match="cannot listen there"):
            _bound(*first.getsockname(), 1)


def test_a_head_is_that_of_a_get(served):
    """Uptime monitors send HEAD; the next answer on the same connection shows that no body came."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    for path, status in (("/healthz", 200), ("/v1/model", 200), ("/", 200), ("/rotate", 405), ("/nothing", 404)):
        found = {}
        for method in ("HEAD", "GET"):
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            assert (answer.status, bool(body)) == (status, method == "GET"), (method, path)
            found[method] = {
                name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")
            }
        assert found["HEAD"] == found["GET"] and int(found["GET"]["content-length"]) == len(body), path
    connection.close()


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_is_not_every_address(host):
    with pytest.raises(UsageError, match="--host is empty"):
        _bound(host, 0, 1)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc which processes live")
def test_worker_processes_end_when_their_parent_is_killed(serve, tmp_path):
    service = serve("--processes", "2", env={"TMPDIR": str(tmp_path)})
    with pypdfium2.PdfDocument.new() as document:
        document.new_page(200, 200)
        document.save(page := io.BytesIO())
    service.client.post("/v1/orientation", content=page.getvalue())  # a worker has a process of its own for it
    assert len(living(service.process.pid)) >= 4, "the parent, two workers, and the one that draws a PDF"
    service.process.kill()
    service.process.wait()
    until = time.monotonic() + 30
    while left := living(service.process.pid):
        assert time.monotonic() < until, left
        time.sleep(0.05)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", service.port), timeout=5)
    (left,) = tmp_path.glob("upright-metrics-*")
    with metrics.folder_locked(left):
        metrics.sweep_folders(tmp_path)
    assert left.exists(), "another has it"
    (left / f"counter_{os.getpid()}.db").touch()
    metrics.sweep_folders(tmp_path)
    assert left.exists(), "a process that counts in it lives"
    (left / f"counter_{os.getpid()}.db").unlink()
    for name in ("just-made", "of-another-program", "empty"):
        (tmp_path / f"upright-metrics-{name}").mkdir()
    hour_ago = time.time() - 3600  # of a service that was killed as it started
    os.utime(tmp_path / "upright-metrics-empty", (hour_ago, hour_ago))
    (tmp_path / "upright-metrics-of-another-program" / "notes.txt").touch()
    (tmp_path / "upright-metrics-link").symlink_to(left)
    again = serve("--processes", "2", env={"TMPDIR": str(tmp_path)})
    assert not left.exists() and len(list(tmp_path.glob("upright-metrics-*"))) == 4
    assert again.terminate() == 0


def test_what_is_not_done_when_the_service_has_to_stop_is_told_so(serve, tmp_path):
    service = serve("--jobs", str(tmp_path / "jobs.sqlite"), "--request-timeout-s", "0")
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 9000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(head + bytes(512))
        time.sleep(0.3)
        assert service.terminate() == 0
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 503 ") and b"the service is stopping" in answer
    assert "Traceback" not in service.text


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc which processes live")
def test_a_process_that_cannot_start_again_is_told_and_the_others_work_on(serve, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("anna:0123456789abcdef")
    service = serve("--processes", "2", "--keys-file", str(keys))
    first = next(line["pid"] for line in service.log if line["message"] == "ready")
    keys.write_text("short")
    os.kill(first, signal.SIGKILL)
    error = "an API key without a name has 5 characters; give it at least 16"
    assert service.wait_for("a process cannot start; trying again")["error"] == error
    assert service.client.get("/v1/model", headers={"x-api-key": "0123456789abcdef"}).status_code == 200
    keys.write_text("anna:0123456789abcdef")
    service.wait_for("ready")
    assert "Traceback" not in service.text
    assert service.terminate() == 0


def living(session: int) -> list[str]:
    """The names of the processes of a session that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
            state, _, _, of = rest.split()[:4]
            if int(of) == session and state != "Z":
                found.append(name)
    return found


@pytest.mark.slow
def test_a_terminal_is_told_which_address_to_open():
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "upright", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=theirs) as process:
        os.close(theirs)
        text = ""
        while " ready" not in text:
            text += os.read(ours, 4096).decode()
        process.terminate()
    os.close(ours)
    assert re.search(r"\d\d:\d\d:\d\d  open http://127\.0\.0\.1:\d+/ in a browser; Ctrl-C stops\r\n", text), text
    assert "{" not in text, "no JSON"
