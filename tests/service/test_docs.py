"""The calls in docs/service.md run as they are written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "service.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT / "testdata" / "demo", tmp_path / "testdata" / "demo")
    return tmp_path


def run(command: list[str], text: str, address: str, folder: Path) -> str:
    """Run a block with the test's own port in place of 8000."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = text.replace("127.0.0.1:8000", address)
    done = subprocess.run([*command, script], cwd=folder, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl(served, folder):
    text = next(block for block in blocks("sh") if "/rotate" in block)
    decoder, found, rest = json.JSONDecoder(), [], run(["bash", "-euo", "pipefail", "-c"], text, served.url[7:], folder)
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    rotate, careful, many = found
    assert rotate == {"suggested_angle": 90}
    assert (careful["best"], careful["promise"]) == (90, "careful")
    assert [each["best"] for each in many["results"]] == [270, 180]
    assert (folder / "corrected.jpg").stat().st_size > 0


def test_python_and_tritonclient(served, folder):
    plain, triton = blocks("python")
    assert run([sys.executable, "-c"], plain, served.url[7:], folder).startswith("90 ")
    answer = run([sys.executable, "-c"], triton, served.url[7:], folder)
    assert re.match(r"\[(90|-1)\] \[[01]\.", answer), answer


def test_a_job(serve, folder):
    service = serve("--jobs", str(folder / "jobs.sqlite"))
    text = next(block for block in blocks("sh") if "/v1/jobs" in block)
    lines = [
        json.loads(line) for line in run(["bash", "-euo", "pipefail", "-c"], text, service.url[7:], folder).splitlines()
    ]
    names = sorted(path.name for path in (ROOT / "testdata" / "demo").iterdir())
    assert sorted(line["name"].removeprefix("demo/") for line in lines) == names
    with zipfile.ZipFile(folder / "corrected.zip") as archive:
        assert len(archive.namelist()) == len(names)


def test_every_option_and_route_of_the_page_exists(served):
    told = subprocess.run(
        [sys.executable, "-m", "upright", "serve", "--help"], capture_output=True, text=True, timeout=60
    )
    for option in set(re.findall(r"`(--[a-z-]+)`", PAGE.partition("## Measured")[0])):
        assert option in told.stdout, option
    paths = set(served.client.get("/openapi.json").json()["paths"])
    named = {
        path.replace("{id}", "{job}").replace("{m}", "{name}")
        for path in re.findall(r"`(?:GET|POST|DELETE) (/[^`?]+)`", PAGE)
    }
    assert named - paths == set()
    metrics = served.client.get("/metrics").text
    for metric in re.findall(r"`(upright_\w+)`", PAGE):
        assert f"# TYPE {metric.removesuffix('_total')}" in metrics or f"# TYPE {metric}" in metrics, metric
