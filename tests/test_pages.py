"""All pages of a document: one row a page, one change a file, and undo to the byte."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from upright import BrokenPicture, Detector, open_picture
from upright.carriers import page_edits, read_exif_orientation
from upright.formats import Edit, Overlay, Window, applied, inverse
from upright.results_file import ResultsFile, read_rows
from upright.run import work
from upright.sources import find_items
from upright.turns import ExifOrientation, Turn, show_pillow

from .conftest import DEMO, upright

#: How far each page is turned before it goes into a document.
GIVEN = (Turn.NONE, Turn.RIGHT, Turn.HALF, Turn.NONE, Turn.LEFT)


def sheets() -> list[Image.Image]:
    with Image.open(DEMO / "page.jpg") as page:
        upright_page = show_pillow(page.convert("RGB"), ExifOrientation.compose(False, Turn.LEFT))
    upright_page = upright_page.resize((upright_page.width // 2, upright_page.height // 2))
    return [show_pillow(upright_page, ExifOrientation.compose(False, turn)) for turn in GIVEN]


def pdf(path: Path) -> None:
    first, *others = sheets()
    first.save(path, "PDF", save_all=True, append_images=others)


def tiff(path: Path) -> None:
    first, *others = sheets()
    first.save(path, "TIFF", save_all=True, append_images=others, compression="tiff_adobe_deflate")


def heic(path: Path) -> None:
    program = shutil.which("heif-enc") or pytest.skip("heif-enc is not installed")
    names = [str(path.with_name(f"{number}.png")) for number, _ in enumerate(GIVEN)]
    for name, sheet in zip(names, sheets(), strict=True):
        sheet.save(name)
    subprocess.run([program, *names, "-o", path], check=True, capture_output=True)
    for name in names:
        Path(name).unlink()


MAKERS: dict[str, Callable[[Path], None]] = {"scan.pdf": pdf, "scan.tif": tiff, "scan.heic": heic}


@pytest.fixture(
    scope="module",
    params=["scan.pdf", "scan.tif", pytest.param("scan.heic", marks=pytest.mark.slow)],  # 7 s to encode
)
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("document") / request.param
    MAKERS[request.param](path)
    return path


def test_a_pdf_is_not_told_to_become_a_jpeg(tmp_path: Path) -> None:
    Image.open(DEMO / "page.jpg").save(tmp_path / "a.pdf")
    done = upright("correct", tmp_path / "a.pdf", "-o", tmp_path / "a.jpg")
    assert done.returncode == 1 and done.stderr.rstrip().endswith("and the picture stays PDF; change the name")


def test_all_pages_are_set_right_and_undone(document: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(document, tmp_path / document.name))
    detected = upright("detect", path, "--json")
    rows = [json.loads(line) for line in detected.stdout.splitlines()]
    assert [(row["page"], row["pages"]) for row in rows] == [(page, 5) for page in range(5)], detected.stderr
    assert [row["turn"] for row in rows] == [int(turn.inverse) for turn in GIVEN]
    done = upright("correct", path, "--in-place", "--journal", tmp_path / "j.jsonl")
    assert done.stderr.splitlines()[-1] == "2 already upright, 3 turned, 0 unsure, 0 failed"
    assert f"{path}, page 2" in done.stdout and f"{path}, page 5" in done.stdout
    assert not (tmp_path / "j.jsonl.d").exists(), "edits are enough for undo"
    assert (tmp_path / "j.jsonl").read_text().count('"intent"') == 1
    again = upright("detect", path, "--json")
    assert [json.loads(line)["turn"] for line in again.stdout.splitlines()] == [0] * 5
    assert upright("undo", tmp_path / "j.jsonl").returncode == 0
    assert path.read_bytes() == document.read_bytes()


def test_an_error_of_pages_says_which(tmp_path: Path) -> None:
    tiff(tmp_path / "scan.tif")
    (tmp_path / "file").touch()
    done = upright("correct", tmp_path / "scan.tif", "-o", tmp_path / "file" / "scan.tif")
    assert done.returncode == 1
    for page in (1, 2):
        assert re.search(rf"failed .*the folder cannot be made.*\(page {page}\)", done.stderr), done.stderr


def test_pages_by_number(document: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(document, tmp_path / document.name))
    done = upright("correct", path, "-o", tmp_path / "out", "--page", "1-2,5-9", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["page"], row["outcome"]) for row in rows] == [(0, "already upright"), (1, "turned"), (4, "turned")]
    left = upright(
        "detect", tmp_path / "out" / path.name if (tmp_path / "out").is_dir() else tmp_path / "out", "--json"
    )
    assert [json.loads(line)["turn"] for line in left.stdout.splitlines()] == [0, 0, 180, 0, 0]
    assert "no page 7; it has 5" in upright("detect", path, "--page", "7").stderr
    for wrong in ("0", "3-1", "x", "1,,2"):
        assert "they count from 1" in upright("detect", path, "--page", wrong).stderr


@pytest.mark.parametrize("method", [("turn", "--edge", "refuse"), ("reencode",)], ids=lambda method: method[0])
def test_pages_stay_together(method: tuple[str, ...], tmp_path: Path) -> None:
    tiff(path := tmp_path / "scan.tif")
    before = path.read_bytes()
    done = upright("correct", path, "--in-place", "--method", *method, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    outcomes = ["failed", "cannot be turned", "cannot be turned", "failed", "cannot be turned"]
    assert (done.returncode, [row["outcome"] for row in rows]) == (1, outcomes)
    assert "5 pages, which stay together" in rows[1]["cause"] and path.read_bytes() == before
    done = upright("correct", path, "--in-place", "--method", "turn", "--json")
    notes = [json.loads(line)["correction"]["note"] for line in done.stdout.splitlines()]
    assert notes == [("the tag was changed, not the pixels" if turn else "") for turn in GIVEN]


def test_rows_of_a_file_come_together_or_not_at_all(detector: Detector, tmp_path: Path) -> None:
    tiff(tmp_path / "scan.tif")
    outcomes = list(work(find_items([str(tmp_path)]), detector, workers=2, ordered=False))
    assert [each.last for each in outcomes] == [False] * 4 + [True]
    with ResultsFile(tmp_path / "rows.jsonl") as results:
        for outcome in outcomes[:-1]:
            results.append(outcome)
    with ResultsFile(tmp_path / "rows.jsonl") as results:
        assert str(tmp_path / "scan.tif") not in results, "a run that was killed between two pages does the file again"
        for outcome in outcomes:
            results.append(outcome)
    assert [row["page"] for row in read_rows(tmp_path / "rows.jsonl")] == list(range(5))


def test_a_page_that_is_broken_is_one_row(tmp_path: Path, detector: Detector) -> None:
    tiff(path := tmp_path / "scan.tif")
    data = bytearray(path.read_bytes())
    with Image.open(path) as image:
        image.seek(2)
        for start, size in zip(image.tag_v2[273], image.tag_v2[279], strict=True):  # type: ignore[attr-defined]
            data[start : start + size] = bytes(size)
    path.write_bytes(data)
    outcomes = list(work(find_items([str(path)]), detector))
    assert len(outcomes) == 5
    failed = [index for index, each in enumerate(outcomes) if each.error or not each.orientation]
    if failed:
        assert failed == [2] and str(outcomes[2].error).startswith(f"{path}: page 3: ")
    else:  # libvips shows what it could read
        assert outcomes[2].orientation and outcomes[2].orientation.unsure


@pytest.mark.parametrize("big", [False, True])
def test_tags_of_pages_with_and_without_one_are_one_set_of_edits(big: bool) -> None:
    out = io.BytesIO()
    pages = [Image.new("L", (30, 20 + number), number) for number in range(4)]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], big_tiff=big)
    source = out.getvalue()
    some = b"".join(applied(Window(source), page_edits(Window(source), {1: ExifOrientation.BOTTOM_RIGHT})))
    wanted = dict.fromkeys((0, 1, 3), ExifOrientation.LEFT_BOTTOM)
    edits = page_edits(Window(some), wanted)
    data = b"".join(applied(Window(some), edits))
    assert [read_exif_orientation(data, page=page).orientation for page in range(4)] == [8, 8, 1, 8]
    assert b"".join(applied(Window(data), inverse(edits))) == some
    with Image.open(io.BytesIO(data)) as image:
        for page, expected in enumerate(pages):
            image.seek(page)
            stored = np.asarray(expected)
            assert np.array_equal(np.asarray(image), np.rot90(stored) if page != 2 else stored)


def test_an_overlay_shows_what_its_edits_make() -> None:
    window = Overlay(Window(b"0123456789"))
    window.apply([window.edit(2, b"ab")])
    window.apply([window.edit(3, b"cd"), Edit(10, b"", b"xyz")])
    window.apply([window.edit(9, b"!"), window.edit(11, b"-")])
    assert window.at(0, 99) == b"01acd5678!x-z" and window.at(8, 4) == b"8!x-" and window.size == 13
    assert b"".join(applied(Window(b"0123456789"), window.edits())) == window.at(0, 99)


@pytest.mark.parametrize(("words", "cause"), [(["--encrypt", "", "secret", "256", "--"], "it is encrypted")])
def test_a_pdf_with_an_owner_s_password_says_so_and_the_remedy_works(
    tmp_path: Path, words: list[str], cause: str
) -> None:
    program = shutil.which("qpdf") or pytest.skip("qpdf is not installed")
    pdf(tmp_path / "plain.pdf")
    source = tmp_path / "scan.pdf"
    subprocess.run([program, tmp_path / "plain.pdf", *words, source], check=True)
    done = upright("correct", source, "--in-place", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, rows[1]["outcome"]) == (3, "cannot be turned"), done.stderr
    assert cause in rows[1]["correction"]["note"]
    assert rows[1]["correction"]["remedy"] == "write it again with qpdf --decrypt IN OUT, and correct that"
    subprocess.run([program, "--decrypt", source, tmp_path / "open.pdf"], check=True)
    assert upright("correct", tmp_path / "open.pdf", "--in-place").returncode == 0
    assert [page.get_rotation() for page in pypdfium2.PdfDocument(tmp_path / "open.pdf")] == [0, 270, 180, 0, 90]


def test_a_pdf_with_bytes_before_it_says_so_and_the_remedy_works(tmp_path: Path) -> None:
    pdf(tmp_path / "plain.pdf")
    source = tmp_path / "mail.pdf"
    source.write_bytes(b"Content-Type: application/pdf\n\n" + (tmp_path / "plain.pdf").read_bytes())
    done = upright("correct", source, "--in-place", "--json")
    row = json.loads(done.stdout.splitlines()[1])
    assert (done.returncode, row["outcome"]) == (3, "cannot be turned"), done.stderr
    command = row["correction"]["remedy"].partition("(")[2].partition(")")[0]
    command = command.replace("IN", str(source)).replace("OUT", str(tmp_path / "cut.pdf"))
    subprocess.run(command, shell=True, check=True)
    assert upright("correct", tmp_path / "cut.pdf", "--in-place").returncode == 0


def test_a_pdf_with_a_user_s_password_says_so(tmp_path: Path) -> None:
    program = shutil.which("qpdf") or pytest.skip("qpdf is not installed")
    pdf(tmp_path / "plain.pdf")
    words = ["--encrypt", "user", "owner", "256", "--"]
    subprocess.run([program, tmp_path / "plain.pdf", *words, tmp_path / "scan.pdf"], check=True)
    done = upright("detect", tmp_path / "scan.pdf")
    assert done.returncode == 1 and "needs a password" in done.stderr and "qpdf --decrypt" in done.stderr
    # A catalog whose pages are missing, of which PDFium says nothing.
    start = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 9 0 R>>\nendobj\n"
    table = b"xref\n0 2\n0000000000 65535 f \n0000000009 00000 n \ntrailer\n<</Size 2/Root 1 0 R>>\n"
    (tmp_path / "torn.pdf").write_bytes(start + table + b"startxref\n%d\n%%%%EOF\n" % len(start))
    with pytest.raises(BrokenPicture, match="password"):
        open_picture(tmp_path / "scan.pdf")
    with pytest.raises(BrokenPicture, match="damaged"):
        open_picture(tmp_path / "torn.pdf")
