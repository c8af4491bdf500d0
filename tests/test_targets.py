"""What is written takes no picture's place that was not asked for: sources, targets of others, sidecars, devices."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from upright import Orientation, correct
from upright.carriers import read_exif_orientation, sidecar
from upright.correction import Method, Request, opened
from upright.correction.pages import plan_pages
from upright.errors import UsageError
from upright.results import Promise, Reason, Scores
from upright.turns import ExifOrientation, Turn

from .conftest import DEMO
from .fuzz.seeds import raw


def command(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "upright", *map(str, words)]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=120)


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in/in").mkdir(parents=True)
    for name, place in (
        ("astronaut", "in/a.jpg"),
        ("camera", "in/b.jpg"),
        ("coffee", "in/c.jpg"),
        ("camera", "in/in/a.jpg"),
    ):
        shutil.copy(DEMO / f"{name}.jpg", tmp_path / place)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("in", "-o", "."),
        ("in", "-o", "linked"),
        ("in/b.jpg", "in/in/a.jpg", "in/a.jpg", "-o", "in"),
        ("--list", "list", "-o", "in"),
    ],
    ids=["OUT above IN", "a link in OUT", "named", "listed"],
)
def test_overwrite_replaces_no_source(folder: Path, words: tuple[str, ...]) -> None:
    (folder / "linked").mkdir()
    (folder / "linked/b.jpg").symlink_to(folder / "in/a.jpg")
    (folder / "list").write_text("in/in/a.jpg\nin/a.jpg\n")
    before = below(folder / "in")
    done = command(folder, "correct", *words, "--overwrite", "--turn", "90")
    assert done.returncode == 1
    assert "which is a picture of this run; correct it into another folder" in done.stderr
    assert below(folder / "in") == before


def test_two_names_of_one_target_are_one_target(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/x").write_bytes(b"old")
    for name in ("a.jpg", "b.jpg"):
        (folder / "out" / name).symlink_to("x")
    done = command(folder, "correct", "in/a.jpg", "in/b.jpg", "-o", "out", "--overwrite", "--turn", "90")
    assert done.returncode == 1 and "another picture of this run becomes out/b.jpg already" in done.stderr
    with Image.open(folder / "out/x") as written, Image.open(DEMO / "astronaut.jpg") as source:
        assert written.size == source.size and written.tobytes() == source.tobytes()


def test_overwrite_inside_a_source_goes_on_working(folder: Path) -> None:
    for _ in range(2):
        done = command(folder, "correct", "in", "-o", "in/out", "--overwrite", "--turn", "90")
        assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_a_pipe_is_no_target(folder: Path, overwrite: tuple[str, ...]) -> None:
    os.mkfifo(folder / "pipe")
    done = command(folder, "correct", "in/a.jpg", "-o", "pipe", "--turn", "90", *overwrite)
    assert done.returncode == 1 and "what is there is no file; name a file; - is standard output" in done.stderr
    assert (folder / "pipe").is_fifo()


def test_two_raw_photographs_with_one_sidecar_have_a_remedy_that_works(tmp_path: Path) -> None:
    with Image.open(DEMO / "astronaut.jpg") as image:
        for name in ("a.arw", "a.dng"):
            (tmp_path / name).write_bytes(raw(image))
    (tmp_path / "a.xmp").write_bytes(sidecar.written(None, ExifOrientation.TOP_LEFT))
    done = command(tmp_path, "correct", ".", "--in-place", "--turn", "90")
    assert done.returncode == 1 and "of another picture of this run; copy the sidecar to a.dng.xmp" in done.stderr
    shutil.copy(tmp_path / "a.xmp", tmp_path / "a.dng.xmp")
    assert command(tmp_path, "correct", ".", "--in-place", "--turn", "90").returncode == 0


def test_a_photograph_leaves_the_sidecar_of_a_raw_one_alone(tmp_path: Path) -> None:
    shutil.copy(DEMO / "astronaut.jpg", tmp_path / "a.JPG")
    with Image.open(DEMO / "astronaut.jpg") as image:
        (tmp_path / "a.dng").write_bytes(raw(image))
    done = command(tmp_path, "correct", ".", "--in-place", "--sidecar=stem", "--turn", "90")
    assert done.returncode == 0, done.stderr
    assert 'Orientation="6"' in (tmp_path / "a.JPG.xmp").read_text()
    correct(tmp_path / "a.dng", turn=180, sidecar="stem", in_place=True)
    assert 'Orientation="8"' in (tmp_path / "a.xmp").read_text()
    (tmp_path / "a.JPG.xmp").unlink()
    assert command(tmp_path, "correct", ".", "-o", "out", "--sidecar=stem", "--turn", "180").returncode == 0
    assert 'Orientation="3"' in (tmp_path / "out" / "a.JPG.xmp").read_text()
    assert 'Orientation="6"' in (tmp_path / "out" / "a.xmp").read_text()


def test_another_sidecar_is_replaced_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.jpg.xmp").write_text("other")
    words = ("correct", DEMO / "astronaut.jpg", "-o", "out/a.jpg", "--sidecar", "--turn", "90")
    assert "use --overwrite" in command(tmp_path, *words).stderr
    for _ in range(2):
        assert command(tmp_path, *words, "--overwrite").returncode == 0
    assert 'tiff:Orientation="6"' in (tmp_path / "out/a.jpg.xmp").read_text()


def test_a_member_that_is_fetched_again_is_the_one_that_was_decided(tmp_path: Path) -> None:
    correct(DEMO / "astronaut.jpg", tmp_path / "later.jpg", turn=90, method="turn")
    with tarfile.open(tmp_path / "s.tar", "w") as shard:
        shard.add(DEMO / "astronaut.jpg", "m.jpg")
        shard.add(tmp_path / "later.jpg", "m.jpg")
    done = command(tmp_path, "correct", "s.tar", "-o", "out", "--together", "--best")
    assert done.returncode == 1 and "changed in the meantime; left alone" in done.stderr
    assert not list((tmp_path / "out").rglob("*.jpg"))
    assert "Traceback" not in command(tmp_path, "correct", "s.tar", "s.tar", "--dry-run", "--together").stderr


def answer(page: int, turn: Turn, mirrored: bool | None = None) -> Orientation:
    scores = Scores((0.97, 0.01, 0.01, 0.01))
    facts = {"page": page, "pages": 3, "mirrored": mirrored}
    return Orientation(turn, turn, 0.97, scores, Reason.SURE, Promise.BALANCED, "turned", 4, "x", **facts)


def three_pages() -> bytes:
    out, pages = io.BytesIO(), [Image.new("L", (40, 30), level) for level in (50, 100, 150)]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    return out.getvalue()


def test_an_answer_is_about_its_page(tmp_path: Path) -> None:
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    source.write_bytes(three_pages())
    correct(source, target, turn=answer(2, Turn.RIGHT))
    assert [read_exif_orientation(target.read_bytes(), page=page).orientation for page in range(3)] == [1, 1, 6]
    with pytest.raises(UsageError, match="the answer is about page 2, and page 1 is to be corrected"):
        correct(source, tmp_path / "c.tif", turn=answer(2, Turn.RIGHT), page=1)


@pytest.mark.parametrize("name", ["a.jpg", "a.gif", "a.png", "a.tif", "a.bmp"])
@pytest.mark.parametrize("page", [1, -1])
def test_a_page_that_is_not_there_is_not_corrected(tmp_path: Path, name: str, page: int) -> None:
    with Image.open(DEMO / "coffee.jpg") as image:
        image.save(tmp_path / name)
    for method in (None, "turn", "reencode"):
        with pytest.raises(UsageError, match="it has no page"):
            correct(tmp_path / name, tmp_path / "out" / name, turn=90, page=page, method=method)


def test_pages_of_one_file_are_mirrored_too(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(three_pages())
    answers = [answer(0, Turn.RIGHT, True), answer(1, Turn.NONE, True), answer(2, Turn.NONE)]
    with opened(tmp_path / "a.tif") as file:
        change, done = plan_pages(file, Request(target=str(tmp_path / "b.tif")), answers)
        written = b"".join(change.targets[0].pieces())
    wanted = [ExifOrientation.TOP_LEFT.mirror().then(Turn.RIGHT), ExifOrientation.TOP_LEFT.mirror(), 1]
    assert [each.exif_after for each in done] == wanted
    assert [read_exif_orientation(written, page=page).orientation for page in range(3)] == wanted
    sheets = [Image.new("L", (40, 30), level) for level in (50, 100, 150)]
    sheets[0].save(tmp_path / "a.pdf", save_all=True, append_images=sheets[1:])
    with opened(tmp_path / "a.pdf") as file:
        change, done = plan_pages(file, Request(target=str(tmp_path / "b.pdf")), answers)
        assert b"".join(change.targets[0].pieces()) == (tmp_path / "a.pdf").read_bytes()
    assert [each.method for each in done] == [Method.KEEP] * 3
    assert "cannot mirror a page" in done[0].note and done[1].remedy == "mirror it with another program"
