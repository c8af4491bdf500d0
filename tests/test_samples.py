"""The samples of README and docs run as they are written, on real pictures, and print what the page shows.

Of a page all blocks run in their order in one folder. ``…`` in a shown output stands for any text, on a line of its own
for any lines. A block after ``<!-- not run: why -->`` is left out. docs/service.md has tests of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pyvips
from PIL import Image

from .conftest import DEMO, ROOT

pytestmark = pytest.mark.slow
PAGES = ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
BLOCK = re.compile(r"(?:<!-- not run: (.+?) -->\n)?^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Why a block may be left out; whatever else cannot be run is no sample.
REASONS = {"needs a bucket", "needs Tesseract", "needs a photo server", "needs decisions"}
REASONS |= {"runs until it is stopped", "writes into your home"}


def pictures(folder: Path) -> None:
    """Everything that the pages name: photographs, scans, a PDF, a shard, a table, pictures with many bands."""
    years = {"photos/2019": ("astronaut.jpg", "cat.gif", "poster.webp"), "photos/2020": ("coffee.jpg", "camera.jpg")}
    years["scans"] = ("page.jpg", "receipt.png", "settings.png", "chart.tif")
    for year, names in years.items():
        (folder / year).mkdir(parents=True)
        for name in names:
            shutil.copy(DEMO / name, folder / year)
    for name, copy in {
        "in.jpg": "rocket.jpg",
        "scan.jpg": "page.jpg",
        "a.jpg": "coffee.jpg",
        "b.png": "receipt.png",
    }.items():
        shutil.copy(DEMO / copy, folder / name)
    shutil.copytree(DEMO, folder / "testdata" / "demo")
    (folder / "shards").mkdir()
    with tarfile.open(folder / "shards" / "one.tar", "w") as shard:
        shard.add(DEMO / "rocket.jpg", "rocket.jpg")
    pq.write_table(pa.table({"image": [(DEMO / "camera.jpg").read_bytes()]}), folder / "table.parquet")
    (folder / "large").mkdir()
    page = pyvips.Image.new_from_file(str(DEMO / "page.jpg"))
    page.bandjoin([page[0], page[1]]).tiffsave(str(folder / "large" / "satellite.tif"))
    with Image.open(DEMO / "page.jpg") as first, Image.open(DEMO / "receipt.png") as second:
        pages = [first.convert("RGB"), second.convert("RGB")]
        leaning = second.convert("RGB").rotate(3, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
        leaning.save(folder / "crooked.jpg", quality=90)
    # TIFF first: saving as PDF leaves settings of JPEG with an image.
    for name in ("large/pages.tif", "scan.pdf"):
        pages[0].save(folder / name, save_all=True, append_images=pages[1:])


def blocks(page: str) -> Iterator[tuple[str, str]]:
    for why, language, text in BLOCK.findall((ROOT / page).read_text("utf-8")):
        assert why in REASONS | {""}, why
        if not why:
            yield language, text


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and the output that is shown for it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def pattern(shown: str) -> str:
    lines = [
        ".*(?:\n.*)*?" if line == "…" else re.escape(line).replace("…", ".*") for line in shown.rstrip().split("\n")
    ]
    return "\n".join(lines) + r"\s*"


def run(command: list[str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}"
    return done.stdout


def check_only(command: str) -> bool:
    """Whether a command sets something up: then what it names has to exist, and it is not run."""
    if found := re.match(r"make (\w+)", command):
        assert f"\n{found[1]}:" in (ROOT / "Makefile").read_text()
        return True
    if re.match(r"\S*pip install|pip uninstall", command):
        extras = re.findall(r"\[([\w,]+)\]", command)
        known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert {extra for each in extras for extra in each.split(",")} <= set(known)
        return True
    return False


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/service.md" and list(blocks(page))])
def test_samples_of(page: str, tmp_path: Path) -> None:
    pictures(tmp_path)
    for language, text in blocks(page):
        if language == "python":
            run([sys.executable, "-c", text], tmp_path)
            continue
        for command, shown in commands(text):
            if check_only(command):
                continue
            printed = run(["bash", "-euo", "pipefail", "-c", command], tmp_path)
            if shown.strip():
                assert re.fullmatch(pattern(shown), printed), f"{command}\n{printed}"


def test_the_pages_have_samples() -> None:
    found = {page: len(list(blocks(page))) for page in PAGES}
    assert sum(found.values()) > 20
    assert all(found[f"docs/{page}.md"] for page in ("archive", "scans", "pdf", "promises", "batch", "troubleshooting"))
