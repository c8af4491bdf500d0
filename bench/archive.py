"""A person with 300 pictures, half of them turned, from the first look until all are right, and back again.

    python -m bench.archive --evaluation eval.tar [--pictures 300]

Pictures of an evaluation tar (`<kind>/<source>/<id>.webp`, upright) become JPEG, PNG, WebP and TIFF files, half of them
turned. Then: ``upright DIR``; ``upright correct DIR --in-place --together``; ``upright review DIR``, driven by keyboard
by a scripted reviewer who knows each picture's name and presses one or two keys for each; ``upright undo`` of both.
At the end every picture must be right, and after undo every byte as it was. Needs chromium. Writes
bench/out/archive.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from upright.carriers import read_exif_orientation
from upright.machine import processors
from upright.turns import ExifOrientation, Turn, show_pillow

OUT = Path(__file__).parent / "out"
COMMAND = [sys.executable, "-m", "upright"]
FORMATS = ("jpg", "jpg", "jpg", "png", "webp", "tif")
KEY = {Turn.NONE: "ArrowUp", Turn.RIGHT: "ArrowRight", Turn.HALF: "ArrowDown", Turn.LEFT: "ArrowLeft"}


def made(tar: Path, folder: Path, count: int) -> dict[str, Turn]:
    """Pictures of each kind alike in number; answers the turn that each file needs, by its name."""
    rng = np.random.default_rng(1)
    needed = {}
    with tarfile.open(tar) as archive:
        kinds: dict[str, list[str]] = {}
        for member in archive.getmembers():
            if member.isfile() and member.name.endswith(".webp"):
                kinds.setdefault(member.name.split("/")[0], []).append(member.name)
        for at in range(count):
            members = list(kinds.values())[at % len(kinds)]
            file = archive.extractfile(members.pop(int(rng.integers(len(members)))))
            assert file is not None
            turn = Turn.from_index(int(rng.integers(1, 4))) if rng.random() < 0.5 else Turn.NONE
            name = f"{rng.integers(16**8):08x}.{FORMATS[at % len(FORMATS)]}"
            with Image.open(file) as image:
                lying = show_pillow(image.convert("RGB"), ExifOrientation.TOP_LEFT.then(turn.inverse))
            lying.save(folder / name, **({"quality": 90} if not name.endswith(("png", "tif")) else {}))
            needed[name] = turn
    return needed


def missing(folder: Path, needed: dict[str, Turn]) -> dict[str, Turn]:
    """What each file that is not right still needs."""
    found = {}
    for name, turn in needed.items():
        with (folder / name).open("rb") as file:
            done = read_exif_orientation(file).orientation.turn
        if done != turn:
            found[name] = turn.then(done.inverse)
    return found


def run(*words: object) -> tuple[float, str]:
    started = time.perf_counter()
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, check=False)
    return time.perf_counter() - started, done.stderr


def reviewed(folder: Path, needed: dict[str, Turn]) -> dict[str, Any]:
    """Settle everything by keyboard, as a person who sees which way is up."""
    started, keys = time.perf_counter(), 0
    command = [*COMMAND, "review", str(folder), "--no-browser"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process, sync_playwright() as playwright:
        assert process.stderr is not None
        address = re.search(r"http://\S+", process.stderr.readline())
        assert address
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address[0])
        page.wait_for_selector("#strip li", timeout=120_000)
        for name in ("unsure", "turn", "upright"):
            keys += _settle(page, name, folder, needed)
        page.wait_for_function("() => document.querySelector('#nothing-head').textContent.startsWith('Everything')")
        page.locator("#nothing-acts button").click()
        # The decisions that are on their way are written first.
        page.wait_for_function("() => document.querySelector('#nothing-head').textContent === 'Done.'", timeout=60_000)
        browser.close()
        said = process.stderr.read()
    return {"seconds": time.perf_counter() - started, "keys": keys, "said": said}


def _settle(page: Page, name: str, folder: Path, needed: dict[str, Turn]) -> int:
    """One list: the unsure one by one; of the others those that are shown wrong, and then all that are left at once."""
    keys = 0
    if name != "unsure":
        page.wait_for_function("() => !document.querySelector('#left').textContent.includes('so far')", timeout=600_000)
        if page.locator(f"[data-list={name}]").is_hidden():
            return 0
        page.locator(f"[data-list={name}]").click()
        rows = (
            "rows => rows.map(row => [Number(row.dataset.id), row.querySelector('button').getAttribute('aria-label'),"
        )
        rows += " row.querySelector('img').className])"
        lies = missing(folder, needed)
        for entry, title, shown in page.eval_on_selector_all("#strip li", rows):
            if f"turn{int(lies.get(title, Turn.NONE))}" != shown:
                page.locator(f"#strip [data-id='{entry}'] button").click()
                keys += 1 + _decide(page, lies.get(title, Turn.NONE))
        if page.locator("#all").is_visible():
            page.locator("#all").click()
            keys += 1
        page.wait_for_function(f"() => !document.querySelector('[data-list={name}]').textContent.match(/[1-9]/)")
        return keys
    while True:
        title = page.locator("#name").inner_text() if page.locator("#work").is_visible() else ""
        if title:
            keys += _decide(page, missing(folder, {title: needed[title]}).get(title, Turn.NONE))
        elif "so far" not in page.locator("#left").inner_text():
            return keys
        else:
            page.wait_for_timeout(100)


def _decide(page: Page, turn: Turn) -> int:
    pressed = page.locator("#ways [aria-pressed=true]").get_attribute("data-turn")
    keys = [KEY[turn]] * (pressed != str(int(turn))) + ["Enter"]
    for key in keys:
        page.keyboard.press(key)
    return len(keys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluation", required=True, type=Path)
    parser.add_argument("--pictures", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_STATE_HOME"] = str(Path(home) / "state")
        folder = Path(home) / "my pictures"
        folder.mkdir()
        needed = made(options.evaluation, folder, options.pictures)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        rows: dict[str, Any] = {"pictures": len(needed), "turned": sum(map(bool, needed.values()))}
        before_load = os.getloadavg()[0]
        rows["look_s"], said = run(folder)
        print(said)
        rows["correct_s"], said = run("correct", folder, "--in-place", "--together")
        rows["right_after_correct"] = len(needed) - len(missing(folder, needed))
        print(said, rows)
        review = reviewed(folder, needed)
        rows |= {"review_s": review["seconds"], "keys": review["keys"], "wrong": len(missing(folder, needed))}
        print(review["said"])
        rows["lost"] = len(before.keys() - {path.name for path in folder.iterdir()})
        seconds = 0.0
        for journal in sorted((Path(home) / "state/upright/journals").glob("*.jsonl"), reverse=True):
            took, _ = run("undo", journal)
            seconds += took
        after = {path.name: path.read_bytes() for path in folder.iterdir()}
        rows |= {"undo_s": seconds, "changed_after_undo": sum(after.get(name) != data for name, data in before.items())}
        rows["kinds"] = Counter(Path(name).suffix for name in needed)
        rows["processors"], rows["load"] = processors(), [round(each, 1) for each in (before_load, os.getloadavg()[0])]
        rows["total_s"] = sum(rows[name] for name in ("look_s", "correct_s", "review_s", "undo_s"))
    print(json.dumps(rows, indent=1))
    OUT.mkdir(exist_ok=True)
    (OUT / "archive.json").write_text(json.dumps({"runs": [rows]}, indent=1))
    if rows["wrong"] or rows["lost"] or rows["changed_after_undo"] or rows["total_s"] > 300:
        sys.exit("not every picture is right, whole and back in time")


if __name__ == "__main__":
    main()
