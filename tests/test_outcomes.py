"""A folder of everything: what is said of each file is true, the same in every form, and remedies work."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from upright import Detector
from upright.results import Group

from .conftest import DEMO, upright

EXPECTED = {
    "already upright": 1,
    "turned": 1,
    "cannot be turned": 2,
    "unsure": 1,
    "failed": 1,
}
SUMMARY = "1 already upright, 1 turned, 2 cannot be turned, 1 unsure, 1 failed; skipped: 1 empty, 1 not a picture"


def lying(path: Path, **options: object) -> Path:
    """A page on its side, which needs a turn by 270."""
    with Image.open(DEMO / "page.jpg") as page:
        page.convert("RGB").reduce(2).save(path, **options)
    return path


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file at least for every outcome."""
    folder = tmp_path_factory.mktemp("everything")
    lying(folder / "page.png")
    shutil.copy(DEMO / "settings.png", folder)
    with Image.open(DEMO / "page.jpg") as page:
        frames = [page.convert("P"), Image.new("P", page.size)]
        frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    lying(folder / "page.pcx")
    Image.new("RGB", (400, 300), "white").save(folder / "blank.png")
    (folder / "broken.jpg").write_bytes((DEMO / "page.jpg").read_bytes()[:200])
    (folder / "notes.txt").write_text("no picture")
    (folder / "empty.jpg").touch()
    return folder


@pytest.fixture
def files(everything: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(everything, tmp_path / "files"))


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_table_summary_and_report_have_the_same_words_and_figures(files: Path, tmp_path: Path) -> None:
    before = bytes_below(files)
    done = upright("correct", files, "--in-place", "--report", tmp_path / "r.html")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == SUMMARY
    rows = (done.stdout + done.stderr).splitlines()
    words = "|".join(EXPECTED)
    found = Counter(match[1] for row in rows if (match := re.match(rf" {{0,7}}\S* +\S* +({words})\b", row[:40])))
    assert found == EXPECTED
    page = (tmp_path / "r.html").read_text()
    counted = dict(re.findall(r">([^<>]+) <b>(\d+)</b></button>", page))
    assert {name: counted.get(name.capitalize()) for name in EXPECTED} == {k: str(n) for k, n in EXPECTED.items()}
    assert "Would turn" not in counted and "1 empty" in page and "1 not a picture" in page
    assert {name for name, data in bytes_below(files).items() if data != before[name]} == {"page.png"}


def test_json_csv_and_batch_have_the_same_words_and_figures(files: Path, tmp_path: Path) -> None:
    done = upright("correct", files, "-o", tmp_path / "out", "--json")
    assert Counter(json.loads(line)["outcome"] for line in done.stdout.splitlines()) == EXPECTED
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, SUMMARY)
    done = upright("correct", files, "-o", tmp_path / "out2", "--csv")
    assert Counter(row["outcome"] for row in csv.DictReader(io.StringIO(done.stdout))) == EXPECTED
    rows, report = tmp_path / "rows.csv", tmp_path / "r.html"
    done = upright("batch", files, "-o", rows, "--correct", tmp_path / "out3", "--report", report)
    assert SUMMARY.rpartition(":")[2] in done.stderr and ": " + SUMMARY.partition(";")[0] in done.stderr
    assert done.returncode == 1
    with rows.open() as file:
        by_name = {Path(row["source"]).name: row for row in csv.DictReader(file)}
    assert Counter(row["outcome"] for row in by_name.values()) == EXPECTED
    assert by_name["animated.gif"]["cause"].endswith("cannot be turned without loss: it has 2 frames")
    assert by_name["animated.gif"]["remedy"].endswith("gifsicle --rotate-270")
    page = report.read_text()
    assert "Cannot be turned <b>2</b></button>" in page and "1 empty" in page


def test_detect_and_a_dry_run_say_what_would_be_turned(files: Path) -> None:
    (files / "broken.jpg").unlink()
    before = bytes_below(files)
    dry = upright("correct", files, "--in-place", "--dry-run")
    assert dry.stderr.splitlines()[-1].startswith("1 already upright, 1 would turn, 2 cannot be turned, 1 unsure, 0 f")
    assert dry.returncode == 3, "nothing failed, and two pictures stay on their side"
    detected = upright("detect", files)
    assert detected.stderr.splitlines()[-1].startswith("1 already upright, 3 would turn, 1 unsure, 0 failed")
    assert (detected.returncode, bytes_below(files)) == (0, before)


@pytest.mark.parametrize("name", ["page.pcx", "page.ico", "page.dds", "page.ppm", "page.jp2"])
def test_the_remedy_works(name: str, tmp_path: Path, detector: Detector) -> None:
    source, target = lying(tmp_path / name), tmp_path / "upright.png"
    done = upright("correct", source, "--in-place")
    assert done.returncode == 3, done.stderr
    if "a name that ends in .png" in done.stdout:
        done = upright("correct", source, "--method", "reencode", "-o", target)
    else:
        assert "use --method reencode" in done.stdout
        done, target = upright("correct", source, "--method", "reencode", "--in-place"), source
    assert (done.returncode, "turned (reencode)" in done.stdout) == (0, True), done.stderr
    assert detector.detect(target).turn == 0


def test_pixels_that_cannot_be_turned_as_asked_are_left_lying(tmp_path: Path) -> None:
    source = lying(tmp_path / "odd.jpg", quality=90)
    with Image.open(source) as page:
        page.crop((0, 0, page.width - 3, page.height - 3)).save(source)
    done = upright("correct", source, "--in-place", "--method", "turn", "--edge", "refuse", "--json")
    row = json.loads(done.stdout)
    assert (done.returncode, row["outcome"], row["turn"], row["error"]) == (3, Group.CANNOT, 270, "NotLossless")
    assert row["remedy"]
