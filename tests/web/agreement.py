"""Does the browser give Python's answers, and what do edge, server and both together cost?

``python -m tests.web.agreement FOLDER [--limit 300]``: upright pictures, each turned by a quarter turn that its name
decides, saved as JPEG, PNG or WebP in turn, then given to Python and to the page from ``upright serve``. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from zlib import crc32

from PIL import Image, ImageOps
from playwright.sync_api import Page, expect, sync_playwright

from upright import Detector

from .conftest import CHROMIUM_OPTIONS, ROOT, serving
from .pictures import turned

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_CHUNK = 50


def prepare(folder: Path, target: Path, limit: int) -> dict[str, int]:
    """Write the pictures; name of each and the turn that it needs."""
    found = sorted((p for p in folder.rglob("*") if p.suffix in _SUFFIXES), key=lambda p: crc32(p.name.encode()))
    needed = {}
    for number, path in enumerate(found[:limit]):
        turn = crc32(b"turn" + path.name.encode()) % 4 * 90
        name = f"{number:04d}.{('jpg', 'png', 'webp')[number % 3]}"
        with Image.open(path) as image:
            turned(ImageOps.exif_transpose(image).convert("RGB"), turn).save(target / name, quality=90)
        needed[name] = turn
    return needed


def read_cards(page: Page) -> dict[str, dict[str, Any]]:
    script = """cards => cards.map(card => [card.querySelector('.name').textContent, {
        turn: card.dataset.group === 'unsure' ? null : Number(card.dataset.turn),
        best: Number(card.dataset.best), confidence: Number(card.dataset.confidence), group: card.dataset.group }])"""
    return dict(page.eval_on_selector_all(".card", script))


def by_browser(folder: Path, names: list[str]) -> tuple[dict[str, Any], dict[str, Any], int, float]:
    """The page's own answers, those with the server's help, the bytes sent for these, and seconds for each picture."""
    edge: dict[str, Any] = {}
    both: dict[str, Any] = {}
    took_s = 0.0
    with serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS)
        page = browser.new_page(locale="en-GB")
        page.goto(address)
        expect(page.locator("#engine")).to_contain_text("WebAssembly", timeout=60_000)
        account = page.locator("#server-account")
        asked = 0
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            started = time.perf_counter()
            page.set_input_files("#files", [str(folder / name) for name in chunk])
            expect(page.locator(".card")).to_have_count(len(chunk), timeout=60_000)
            expect(page.locator(".card[data-group=waiting]")).to_have_count(0, timeout=600_000)
            took_s += time.perf_counter() - started
            edge |= (found := read_cards(page))
            asked += sum(answer["turn"] is None for answer in found.values())
            page.locator("#server").check()
            expect(account).to_have_attribute("data-answered", str(asked), timeout=600_000)
            page.wait_for_timeout(300)
            both |= read_cards(page)
            page.locator("#server").uncheck()
            page.get_by_role("button", name="Clear").click()
        sent = int(account.get_attribute("data-bytes") or 0)
        browser.close()
    return edge, both, sent, took_s / len(names)


def by_python(folder: Path, names: list[str]) -> dict[str, Any]:
    with Detector() as detector:
        found = {name: detector.detect(folder / name) for name in names}
    return {name: {"turn": o.turn, "best": o.best, "confidence": o.confidence} for name, o in found.items()}


def judged(answers: dict[str, Any], needed: dict[str, int]) -> dict[str, float]:
    """Per cent of all pictures that were answered, and of the answers that were right."""
    answered = [name for name, answer in answers.items() if answer["turn"] is not None]
    right = sum(answers[name]["turn"] == needed[name] for name in answered)
    best = sum(answers[name]["best"] == needed[name] for name in answers)
    return {
        "answered_percent": round(100 * len(answered) / len(answers), 2),
        "right_of_answered_percent": round(100 * right / max(1, len(answered)), 2),
        "best_right_percent": round(100 * best / len(answers), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        needed = prepare(options.folder, folder, options.limit)
        names = sorted(needed)
        edge, both, sent, each_s = by_browser(folder, names)
        python = by_python(folder, names)
        files = sum((folder / name).stat().st_size for name in names)
    apart = [
        abs(edge[name]["confidence"] - python[name]["confidence"])
        for name in names
        if edge[name]["best"] == python[name]["best"]
    ]
    report = {
        "pictures": len(names),
        "same_best_percent": round(100 * sum(edge[n]["best"] == python[n]["best"] for n in names) / len(names), 2),
        "same_turn_percent": round(100 * sum(edge[n]["turn"] == python[n]["turn"] for n in names) / len(names), 2),
        "mean_confidence_difference": round(sum(apart) / len(apart), 5),
        "largest_confidence_difference": round(max(apart), 4),
        "browser_s_per_picture": round(each_s, 3),
        "edge": judged(edge, needed) | {"bytes_sent": 0},
        "server": judged(python, needed) | {"bytes_sent": files},
        "together": judged(both, needed) | {"bytes_sent": sent},
    }
    target = ROOT / "out/web/agreement.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
