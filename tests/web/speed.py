"""How fast the page is, and how much memory it takes: ``python -m tests.web.speed`` prints JSON.

Cold load to the first decision, and what it loads; pictures of 12 megapixels, with the longest tasks of the page's own
thread and the memory of all browser processes; one view by WebAssembly against one by native code, a thread each; what
windows of text cost beyond the eight looks before them, for a page of small text of 12 megapixels. With ``--small
FOLDER`` 300 small pictures (see agreement.py), by the command before and after, in the same minutes.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from upright import Detector

from .agreement import prepare
from .conftest import CHROMIUM_OPTIONS, ISOLATED, ROOT, serve
from .pictures import page as letter
from .pictures import turned

_DECIDED = ".card:not([data-group=waiting])"
_ONE_VIEW = """async ([model, rounds]) => {
    const detector = await window.upright.Detector.open({ model });
    const pixels = { width: 224, height: 224, data: new Uint8Array(224 * 224 * 4) };
    for (let at = 0; at < pixels.data.length; at++) pixels.data[at] = at % 4 === 3 ? 255 : (at * 7919) % 251;
    const times = [];
    for (let round = 0; round < rounds; round++) {
        const started = performance.now();
        const { views } = await detector.detect(pixels, { promise: 'best' });
        times.push((performance.now() - started) / views);
    }
    return times;
}"""
# No promise can be kept, so every step of the ladder is taken.
_WINDOWS = """async ([model, content, rounds]) => {
    const detector = await window.upright.Detector.open({ model });
    const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
    const blob = new Blob([bytes], { type: 'image/jpeg' });
    const ladder = detector.model.calibration;
    for (const step of Object.values(ladder)) step.careful = null;
    const timed = async () => {
        let best = Infinity, answer;
        for (let round = 0; round < rounds; round++) {
            const started = performance.now();
            answer = await detector.detect(blob, { promise: 'careful' });
            best = Math.min(best, performance.now() - started);
        }
        return [answer.views, best];
    };
    const [views, ms] = await timed();
    delete ladder.close;
    const [before, lessMs] = await timed();
    return { windows: views - before, ms: Math.round(ms - lessMs), eight_looks_ms: Math.round(lessMs) };
}"""


@contextmanager
def opened_page(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS)
        page = browser.new_page(locale="en-GB")
        page.goto(address)
        yield page
        browser.close()


def memory_mb() -> float:
    """Resident memory of this process' descendants that are chromium, shared pages counted once for each."""
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"chromium" in (entry / "cmdline").read_bytes().split(b"\0")[0]:
                total += int((entry / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total / 1e6


def first_decision_s(address: str, picture: Path) -> float:
    """From opening an empty profile to the first answer."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS)
        page = browser.new_page(locale="en-GB")
        started = time.perf_counter()
        page.goto(address)
        page.set_input_files("#files", str(picture))
        expect(page.locator(_DECIDED)).to_have_count(1, timeout=60_000)
        took = time.perf_counter() - started
        browser.close()
    return took


def small(address: str, folder: Path, limit: int) -> dict[str, Any]:
    """Small pictures in the page and by the command, before and after it, so that both meet the same load."""
    with tempfile.TemporaryDirectory() as kept:
        prepare(folder, Path(kept), limit)
        paths = sorted(Path(kept).iterdir())
        command = [sys.executable, "-m", "upright", "detect", "--quiet", *map(str, paths)]
        seconds = []
        for turn in range(2):
            started = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            seconds.append(time.perf_counter() - started)
            if turn == 0:
                found = many(address, paths)
    page_s = found["s_per_picture"] * len(paths)
    ratio = page_s / (sum(seconds) / 2)
    return found | {"page_s": round(page_s, 1), "command_s": [round(s, 1) for s in seconds], "ratio": round(ratio, 2)}


def many(address: str, pictures: list[Path]) -> dict[str, Any]:
    with opened_page(address) as page:
        expect(page.locator("#engine")).to_contain_text("WebAssembly", timeout=60_000)
        page.evaluate(
            "() => { window.longTasks = []; new PerformanceObserver(list => "
            "window.longTasks.push(...list.getEntries().map(e => e.duration))).observe({ type: 'longtask' }); }"
        )
        before, peak = memory_mb(), 0.0
        started = time.perf_counter()
        page.set_input_files("#files", [str(path) for path in pictures])
        while page.locator(_DECIDED).count() < len(pictures):
            peak = max(peak, memory_mb())
            page.wait_for_timeout(200)
        each_s = (time.perf_counter() - started) / len(pictures)
        tasks = page.evaluate("() => window.longTasks")
    return {
        "pictures": len(pictures),
        "s_per_picture": round(each_s, 3),
        "main_thread_tasks_over_50_ms": sorted(round(task) for task in tasks),
        "memory_mb_before": round(before),
        "memory_mb_peak": round(peak),
    }


def one_view_ms(address: str, rounds: int) -> dict[str, float]:
    with opened_page(f"{address}package-test") as page:
        wasm = page.evaluate(_ONE_VIEW, [f"{address}model/", rounds])
    pixels = (np.arange(224 * 224 * 3, dtype=np.int64) * 7919 % 251).astype(np.uint8).reshape(1, 224, 224, 3)
    native = []
    with Detector() as detector:
        for _ in range(rounds):
            started = time.perf_counter()
            detector.infer(pixels)
            native.append((time.perf_counter() - started) * 1000)
    return {"wasm_best": round(min(wasm), 1), "native_best": round(min(native), 1)}


def windows_ms(address: str, rounds: int) -> dict[str, int]:
    image = Image.new("RGB", (1500, 2000))
    for number in range(4):
        image.paste(letter(750, 1000, number), (number % 2 * 750, number // 2 * 1000))
    content = io.BytesIO()
    image.resize((3000, 4000), Image.Resampling.BICUBIC).save(content, "JPEG", quality=88)
    with opened_page(f"{address}package-test") as page:
        arguments = [f"{address}model/", base64.b64encode(content.getvalue()).decode(), rounds]
        found: dict[str, int] = page.evaluate(_WINDOWS, arguments)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=50, help="of 12 megapixels")
    parser.add_argument("--small", type=Path, metavar="FOLDER", help="upright pictures of which --limit are turned")
    parser.add_argument("--limit", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        paths = []
        for number in range(options.pictures):
            paths.append(Path(kept) / f"{number}.jpg")
            image = letter(750, 1000, number).resize((3000, 4000), Image.Resampling.BICUBIC)
            turned(image, number % 4 * 90).save(paths[-1], quality=88)
        site = serve(ISOLATED)
        address = next(site)
        report = {
            "first_decision_s": round(first_decision_s(address, paths[0]), 2),
            "12_megapixels": many(address, paths),
            "ms_per_view_one_thread": one_view_ms(address, 10),
            "windows_of_text": windows_ms(address, 2),
            **({"small": small(address, options.small, options.limit)} if options.small else {}),
            "load_average": [round(value, 1) for value in os.getloadavg()],
        }
    (ROOT / "out/web/speed.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
