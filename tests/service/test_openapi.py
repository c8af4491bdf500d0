"""schemathesis calls every route of the OpenAPI document with what it says and with what it forbids."""

from __future__ import annotations

import subprocess
import sys


def test_no_request_makes_the_service_fail(serve, tmp_path):
    service = serve("--jobs", str(tmp_path / "jobs.sqlite"), "--jobs-mb", "64", "--max-pictures", "4")
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"]
    checks = "not_a_server_error,content_type_conformance,response_headers_conformance"
    options = [
        "--checks",
        checks,
        "--max-examples",
        "4",
        "--seed",
        "1",
        "--max-time",
        "90",
        "--phases",
        "coverage,fuzzing",
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=280)
    requests = [line for line in service.log if line["message"] == "request"]
    failed = [line for line in requests if line["status"] >= 500]
    assert not failed, failed[:3]
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert {"/rotate", "/v1/orientation", "/v1/correct", "/v1/jobs"} <= {line["path"] for line in requests}
    assert "Traceback" not in service.text
