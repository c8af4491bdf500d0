"""Makes the screenshots of the review for these pages, of this version: python docs/screenshots.py (needs chromium)."""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

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


def main() -> None:
    """Write review.webp beside this file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        pictures(folder)
        with Image.open(io.BytesIO(review(folder))) as image:
            image.save(HERE / "review.webp", quality=80, method=6)


if __name__ == "__main__":
    main()
