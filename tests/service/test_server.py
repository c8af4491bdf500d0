"""Starting: what is missing, a port in use, logging."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys

import pytest


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
