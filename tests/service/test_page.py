"""The page of the browser: what is served, packed or not, and how it is fenced in."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from upright.model import load_model
from upright.service.page import routes

ROOT = Path(__file__).parents[2]


class Page:
    """A client of an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, **options) -> httpx.Response:
        return asyncio.run(self._get(path, options))

    async def _get(self, path: str, options: dict) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
            return await client.get(path, **options)


@pytest.fixture
def page(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><script type=module src=assets/app.js></script>")
    (tmp_path / "assets" / "app.js").write_text("console.log(1)")
    (tmp_path / "assets" / "run.wasm").write_bytes(b"\0asm")
    return Page(FastAPI(routes=routes(load_model(), tmp_path)))


def test_the_page_may_run_only_its_own_code(page):
    answer = page.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self' 'wasm-unsafe-eval'" in policy and "worker-src 'self';" in policy
    assert "unsafe-inline" not in policy and "http" not in policy
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"


def test_the_headers_in_the_documents_are_those_that_are_sent(page):
    text = (ROOT / "docs" / "browser.md").read_text()
    block = re.search(r"```\n(Cross-Origin-Opener-Policy.*?)```", text, re.DOTALL)
    assert block
    told = dict(line.split(": ", 1) for line in re.sub(r"\n +", " ", block[1]).splitlines())
    sent = page.get("/").headers
    assert told == {name: sent[name] for name in told}
    assert "content-security-policy" in map(str.lower, told)


def test_built_files_are_kept_for_good(page):
    script = page.get("/assets/app.js")
    assert script.text == "console.log(1)"
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]


def test_what_has_not_changed_is_not_sent_again(page, tmp_path):
    first = page.get("/")
    again = page.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    (tmp_path / "index.html").write_text("another page")
    assert page.get("/", headers={"if-none-match": first.headers["etag"]}).text == "another page"


def test_what_is_large_is_packed_for_those_that_take_it(page):
    packed, plain = (
        page.get("/model/model-int8.onnx", headers={"accept-encoding": way}) for way in ("gzip", "identity")
    )
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < 0.8 * len(plain.content)


def test_types_and_the_model(page):
    assert page.get("/assets/run.wasm").headers["content-type"] == "application/wasm"
    model = load_model()
    weights = page.get("/model/model-int8.onnx")
    assert hashlib.sha256(weights.content).hexdigest() == model.int8_sha256
    assert page.get("/model/model.json").json()["name"] == model.name
    heads = page.get("/model/heads.onnx")
    assert hashlib.sha256(heads.content).hexdigest() == page.get("/model/heads.json").json()["sha256"]


@pytest.mark.parametrize("path", ["/assets/", "/assets/none.js", "/assets/../index.html", "/%2e%2e/secret"])
def test_nothing_else_is_served(page, tmp_path, path):
    (tmp_path.parent / "secret").write_text("secret")
    answer = page.get(path)
    assert answer.status_code == 404 or path == "/assets/../index.html"  # the client itself folds that one
    assert "secret" not in answer.text


def test_the_running_service_serves_the_model_and_no_file_of_its_own(served):
    assert served.client.get("/model/model.json").json()["name"] == "upright-1"
    for path in ("/app.py", "/service/app.py", "/model/README.md"):
        assert served.client.get(path).status_code == 404


@pytest.mark.parametrize("wanted", ["bytes=0-4", "bytes=5-1", "bytes=999999999-", "x"])
def test_a_part_of_a_file_is_all_of_it(page, wanted):
    answer = page.get("/assets/app.js", headers={"Range": wanted, "Accept-Encoding": "identity"})
    assert (answer.status_code, answer.text, answer.headers["accept-ranges"]) == (200, "console.log(1)", "none")
