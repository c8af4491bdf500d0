"""Makes the screenshots for these pages, of this version: docs/screenshots.py [review] [browser] (needs chromium)."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from upright import Detector
from upright.journal import Journal
from upright.results import Outcome
from upright.review import Server, Session
from upright.sources import find_items

HERE = Path(__file__).parent
DEMO = HERE.parent / "testdata" / "demo"


def pictures(folder: Path) -> None:
    """The demo, and parts of its photographs, of which upright is unsure."""
    shutil.copytree(DEMO, folder, dirs_exist_ok=True)
    for name in ("astronaut.jpg", "camera.jpg", "coffee.jpg", "rocket.jpg"):
        with Image.open(DEMO / name) as image:
            across, down = image.size
            part = image.convert("RGB").crop((across // 3, down // 3, across * 7 // 12, down * 7 // 12))
            part.resize((900, 700)).save(folder / f"detail of {name}", quality=90)


def review(folder: Path) -> bytes:
    """The page of a review of a folder, as a PNG."""
    session = Session(Journal(folder / "journal.jsonl"), folder / "decisions.jsonl")
    with Detector() as detector:
        for item in find_items([str(folder)]):
            session.add(Outcome(item.key, detector.detect(item.open())), Path(item.relative))
    session.complete = True
    with Server(session) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever).start()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 760}, color_scheme="light")
        page.goto(server.url)
        page.wait_for_selector("#large[src*='large=1']")
        page.wait_for_load_state("networkidle")
        picture = page.screenshot()
        browser.close()
        server.shutdown()
        return picture


@contextmanager
def serving() -> Iterator[str]:
    """Address of the browser's page, from a service of this version."""
    command = [sys.executable, "-m", "upright", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = next(match for line in process.stderr if (match := re.search(r"http://[\d.]+:\d+", line)))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield found[0]
        process.terminate()


def browser_page(folder: Path) -> dict[str, bytes]:
    """The page in the browser with the demo, light and dark, and one picture enlarged, as PNGs by their names."""
    shots = {}
    with serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme="light", locale="en-GB")
        page.goto(address)
        page.set_input_files("#files", [str(path) for path in sorted(folder.iterdir())])
        expect(page.locator(".card")).to_have_count(len(list(folder.iterdir())), timeout=60_000)
        expect(page.locator(".card[data-group=waiting]")).to_have_count(0, timeout=300_000)
        page.wait_for_timeout(1500)
        shots["browser"] = page.screenshot(full_page=True)
        page.emulate_media(color_scheme="dark")
        page.wait_for_timeout(500)
        shots["browser-dark"] = page.screenshot()
        page.emulate_media(color_scheme="light")
        page.get_by_role("button", name="Enlarge astronaut.jpg").click()
        page.wait_for_timeout(1500)
        shots["browser-large"] = page.screenshot()
        browser.close()
    return shots


def main() -> None:
    """Write the pictures beside this file."""
    wanted = sys.argv[1:] or ["review", "browser"]
    shots = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        if "browser" in wanted:
            shots |= browser_page(DEMO)
        if "review" in wanted:
            pictures(folder)
            shots["review"] = review(folder)
    for called, shot in shots.items():
        with Image.open(io.BytesIO(shot)) as image:
            image.save(HERE / f"{called}.webp", quality=80, method=6)


if __name__ == "__main__":
    main()
