"""Pictures straightened: resampled once, with all that their files hold; pages of a PDF by a matrix; undone as ever."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
import pyvips
from click.testing import CliRunner
from PIL import Image, ImageCms, ImageOps

from tests.fuzz.seeds import dicom, saved
from tests.integrations.scans import LATIN
from tests.test_sidecars import RAWS
from tests.test_tilt import crooked, tilt_of
from upright import Detector, NotLossless, Turn, UsageError, correct, undo
from upright.cli import cli
from upright.correction import corrected_bytes
from upright.formats import Window
from upright.pictures import open_picture
from upright.results import Group, Method, Orientation, Promise, Reason, Scores
from upright.tilt import measured
from upright.turns import ExifOrientation, show_pillow, straightened_size

TILT = 3.0
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def answer(turn: Turn | None = Turn.HALF, tilt: float | None = TILT, error: float = 0.03) -> Orientation:
    scores = Scores((0.0, 0.0, 1.0, 0.0))
    best = turn or Turn.NONE
    return Orientation(
        turn, best, 1.0, scores, Reason.SURE, Promise.BALANCED, "glance", 1, tilt=tilt, tilt_error=error
    )  # fmt: skip


def deep(form: str) -> bytes:
    """16 bits a sample, whose lowest bits say something."""
    grey = np.asarray(crooked(TILT, Turn.HALF).convert("L"), np.uint16) * 257
    grey[grey == 65535] = 65301
    image = pyvips.Image.new_from_array(np.dstack([grey, grey, grey])).copy(interpretation="rgb16", xres=5, yres=5)
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", ICC)
    return image.pngsave_buffer() if form == "PNG" else image.tiffsave_buffer(compression="lzw")


def left(data: bytes) -> tuple[float, float]:
    """The turn that is right by the look of it is known; the tilt that is left, and its error."""
    with open_picture(data) as picture:
        found = measured(picture)
    assert found is not None
    return found


PICTURES: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: saved(crooked(TILT, Turn.HALF), "JPEG", quality=71, icc_profile=ICC, dpi=(110, 110)),
    "PNG": lambda: saved(crooked(TILT, Turn.HALF), "PNG", icc_profile=ICC, dpi=(110, 110)),
    "PNG of a palette": lambda: saved(crooked(TILT, Turn.HALF).quantize(16), "PNG"),
    "TIFF": lambda: saved(crooked(TILT, Turn.HALF), "TIFF", compression="tiff_lzw", icc_profile=ICC, dpi=(110, 110)),
    "TIFF of two tones": lambda: saved(crooked(TILT, Turn.HALF).convert("1"), "TIFF", compression="group4"),
    "WEBP": lambda: saved(crooked(TILT, Turn.HALF), "WEBP", icc_profile=ICC),
    "PNG of 16 bits": lambda: deep("PNG"),
    "TIFF of 16 bits": lambda: deep("TIFF"),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_comes_out_straight_in_its_own_format(kind: str) -> None:
    source = PICTURES[kind]()
    data, done = corrected_bytes(source, answer(), straighten="white")
    assert (done.method, done.lossless, done.turn, done.tilt) == (Method.REENCODE, False, Turn.HALF, TILT)
    before, after = Image.open(io.BytesIO(source)), Image.open(io.BytesIO(data))
    assert after.format == before.format
    assert after.info.get("icc_profile") == before.info.get("icc_profile")
    assert after.info.get("dpi") == before.info.get("dpi")
    wanted = straightened_size(before.size, TILT, "white")
    assert all(0 <= now - then <= 1 for now, then in zip(after.size, wanted, strict=True))
    assert abs(left(data)[0]) < 0.1
    if kind == "JPEG":
        assert after.quantization == before.quantization  # type: ignore[attr-defined]
    if kind == "TIFF of two tones":
        assert after.mode == "1" and after.info["compression"] == "group4"
    if "16" in kind:
        image = pyvips.Image.new_from_buffer(data, "")
        assert (image.format, image.bands, image.max()) == ("ushort", 3, 65535)
        assert np.median(image.numpy()) == 65301  # as it was: 8 bits would have made 65278 or 65535 of it


@pytest.mark.parametrize(
    "orientation", [pytest.param(each, marks=[pytest.mark.slow] * (each not in (1, 5, 6))) for each in ExifOrientation]
)
def test_what_is_shown_is_straightened_however_it_is_stored(orientation: ExifOrientation) -> None:
    shown, exif = crooked(TILT, Turn.RIGHT), Image.Exif()
    exif[0x0112] = int(orientation)
    inverse = orientation if orientation.mirrored else ExifOrientation.compose(False, orientation.turn.inverse)
    source = saved(show_pillow(shown, inverse), "PNG", exif=exif)
    data, _ = corrected_bytes(source, answer(Turn.RIGHT), straighten="white")
    plain, _ = corrected_bytes(saved(shown, "PNG"), answer(Turn.RIGHT), straighten="white")
    after, expected = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(plain))
    assert after.getexif().get(0x0112, 1) == 1
    assert np.array_equal(np.asarray(after), np.asarray(expected))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exif_says_the_new_size(form: str) -> None:
    exif = Image.Exif()
    image = crooked(TILT, Turn.RIGHT)
    exif[0x010F], inner = "A maker", exif.get_ifd(0x8769)
    inner[0xA002], inner[0xA003] = image.size
    data, _ = corrected_bytes(saved(image, form, exif=exif), answer(Turn.RIGHT), straighten="crop")
    after = Image.open(io.BytesIO(data))
    found = after.getexif()
    assert (found.get_ifd(0x8769)[0xA002], found.get_ifd(0x8769)[0xA003]) == after.size != image.size
    assert found[0x010F] == "A maker" and found.get(0x0112, 1) == 1


def test_white_paper_stays_white_and_the_corners_are_as_asked_for() -> None:
    image = Image.new("RGB", (400, 300), (10, 200, 30))
    source = saved(image, "PNG")

    def corner(fill: Any) -> tuple[Image.Image, Any]:
        data, _ = corrected_bytes(source, answer(Turn.NONE, 10.0), straighten=fill)
        out = Image.open(io.BytesIO(data))
        return out, out.getpixel((0, 0))

    white, edge, crop = corner("white"), corner("edge"), corner("crop")
    assert white[1] == (255, 255, 255) and edge[1] == crop[1] == (10, 200, 30)
    assert white[0].size == edge[0].size and crop[0].width < 400 and crop[0].height < 300
    assert crop[0].getcolors() == [(crop[0].width * crop[0].height, (10, 200, 30))], "no corner is left"


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (2000, 90), (90, 2000), (500, 500)])
@pytest.mark.parametrize("tilt", [0.5, -3.0, 20.0])
def test_the_cropped_part_is_inside_the_picture(size: tuple[int, int], tilt: float) -> None:
    width, height = straightened_size(size, tilt, "crop")
    sin, cos = abs(np.sin(np.radians(tilt))), abs(np.cos(np.radians(tilt)))
    assert width * cos + height * sin <= size[0] + 1e-6 and width * sin + height * cos <= size[1] + 1e-6
    assert 0 < width * height < size[0] * size[1]


def test_what_is_straight_or_unsure_is_not_resampled() -> None:
    source = PICTURES["JPEG"]()
    for given, method in (
        (answer(Turn.NONE, 0.05), Method.KEEP),
        (answer(Turn.NONE, 0.3, 0.2), Method.KEEP),
        (answer(Turn.NONE, None), Method.KEEP),
        (answer(None), Method.KEEP),
        (answer(Turn.HALF, 0.0), Method.TAG),
    ):
        data, done = corrected_bytes(source, given, straighten="white")
        assert (done.method, done.tilt) == (method, 0.0)
        assert method is Method.TAG or data == source
    assert corrected_bytes(source, answer())[1].method is Method.TAG, "it was not asked for"


def test_an_upright_page_that_was_straightened_counts_as_turned(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    crooked(TILT).save(path)
    args = ["correct", str(path), "-o", str(tmp_path / "b.png"), "--straighten", "--json"]
    row = json.loads(CliRunner().invoke(cli, args, catch_exceptions=False).stdout)
    assert (row["outcome"], row["turn"], row["correction"]["tilt"]) == (Group.TURNED, 0, row["tilt"])
    assert abs(left((tmp_path / "b.png").read_bytes())[0]) < 0.1


def test_in_place_has_to_be_asked_for_twice_and_is_undone(tmp_path: Path) -> None:
    path, journal = tmp_path / "a.jpg", tmp_path / "journal.jsonl"
    path.write_bytes(source := PICTURES["JPEG"]())
    once = ["correct", str(path), "--straighten", "--in-place", "--journal", str(journal)]
    refused = CliRunner().invoke(cli, once)
    assert isinstance(refused.exception, UsageError) and "--in-place twice" in str(refused.exception)
    assert path.read_bytes() == source
    done = CliRunner().invoke(cli, [*once, "--in-place", "-v"], catch_exceptions=False)
    assert done.exit_code == 0 and "straightened by +3.00°" in done.stdout
    assert abs(left(path.read_bytes())[0]) < 0.1
    undo(journal)
    assert path.read_bytes() == source


@pytest.mark.parametrize(
    "options",
    [["--crop"], ["--fill", "edge"], ["--straighten", "--crop", "--fill", "white"], ["--straighten", "--sidecar"]],
)
def test_options_that_contradict_each_other_are_refused(options: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    crooked(0).save(path)
    found = CliRunner().invoke(cli, ["correct", str(path), "-o", str(tmp_path / "b.png"), *options])
    assert isinstance(found.exception, UsageError) and not (tmp_path / "b.png").exists()


def test_raw_and_dicom_refuse(tmp_path: Path) -> None:
    raw = RAWS["a.nef"](crooked(TILT).resize((640, 480)), 1)
    scan = dicom(np.asarray(crooked(TILT)))
    for name, data in (("a.nef", raw), ("a.dcm", scan)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(NotLossless, match="cannot be straightened"):
            corrected_bytes(data, answer(), straighten="white")
        with pytest.raises(NotLossless, match="cannot be straightened"):
            correct(tmp_path / name, turn=answer(), straighten="white", in_place=True)
        assert (tmp_path / name).read_bytes() == data


def text_pdf(tilt: float) -> bytes:
    """A page of real text, tilted by its own matrix, and of a font that every reader has."""
    sin, cos = np.sin(np.radians(tilt)), np.cos(np.radians(tilt))
    lines = [f"({line}) Tj 0 -16 Td" for line in re.findall(r".{1,70}\b", LATIN * 8)]
    text = f"q {cos:.5f} {sin:.5f} {-sin:.5f} {cos:.5f} 60 0 cm BT /F1 11 Tf 72 760 Td {' '.join(lines)} ET Q"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 595.5 842] >>",
        "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(text)} >>\nstream\n{text}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 6\n0000000000 65535 f \n{table}trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return (body + end).encode()


def words_of(data: bytes) -> str:
    with pypdfium2.PdfDocument(data) as document:
        text: str = document[0].get_textpage().get_text_range()
    return text


@pytest.mark.parametrize("fill", ["white", "crop"])
def test_a_page_of_a_pdf_is_straightened_by_a_matrix_and_its_text_stays_text(fill: Any) -> None:
    source = text_pdf(4.5)
    assert left(source)[0] == pytest.approx(4.5, abs=0.1)
    data, done = corrected_bytes(source, answer(Turn.RIGHT, 4.5), straighten=fill)
    assert (done.method, done.lossless, done.tilt) == (Method.TAG, True, 4.5)
    assert data.startswith(source), "nothing that was there has changed"
    assert abs(left(data)[0]) < 0.1
    assert sorted(words_of(data).split()) == sorted(words_of(source).split()) != []  # read in another order
    with pypdfium2.PdfDocument(data) as after:
        assert after[0].get_rotation() == 90
        size = after[0].get_size()[::-1]
    assert size == pytest.approx(straightened_size((595.5, 842), 4.5, fill), abs=0.01)
    again, done = corrected_bytes(data, answer(Turn.NONE, -1.0), straighten=fill)
    assert left(again)[0] == pytest.approx(1.0, abs=0.1), "a page may be straightened twice"


def test_pages_of_a_pdf_are_straightened_together_and_undone(tmp_path: Path, detector: Detector) -> None:
    path = tmp_path / "a.pdf"
    pages = [crooked(tilt, turn) for tilt, turn in ((TILT, Turn.HALF), (0.0, Turn.NONE), (-6.0, Turn.NONE))]
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=110)
    source, journal = path.read_bytes(), tmp_path / "journal.jsonl"
    args = ["correct", str(path), "--straighten", *["--in-place"] * 2, "--journal", str(journal), "--json"]
    rows = [json.loads(line) for line in CliRunner().invoke(cli, args, catch_exceptions=False).stdout.splitlines()]
    assert [row["outcome"] for row in rows] == [Group.TURNED, Group.UPRIGHT, Group.TURNED]
    assert [row["correction"]["method"] for row in rows] == ["tag", "keep", "tag"]
    for page in range(3):
        found = detector.detect(path, page=page, tilt=True)
        # PDFium draws turned pictures 0.07° off; Ghostscript does not.
        assert found.turn == Turn.NONE and found.tilt == pytest.approx(0, abs=0.12)
    undo(journal)
    assert path.read_bytes() == source


def test_a_page_with_links_is_turned_and_stays_crooked() -> None:
    source = text_pdf(4.5).replace(b"/Type /Page /Parent", b"/Annots [<< >>] /Type /Page /Parent")
    source = _referenced(source)
    data, done = corrected_bytes(source, answer(Turn.HALF, 4.5), straighten="white")
    assert (done.method, done.tilt) == (Method.TAG, 0.0) and "links" in done.note
    assert left(data)[0] == pytest.approx(4.5, abs=0.1)
    kept, done = corrected_bytes(source, answer(Turn.NONE, 4.5), straighten="white")
    assert kept == source and done.method is Method.KEEP and "links" in done.note


def _referenced(data: bytes) -> bytes:
    """The same file with the places of its objects as they are now."""
    places = {int(m[1]): m.start() for m in re.finditer(rb"(?m)^(\d+) 0 obj", data)}
    head, table = data.split(b"xref\n", 1)[0], b"".join(b"%010d 00000 n \n" % places[n] for n in sorted(places))
    trailer = b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(head)
    return head + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("tesseract"), reason="tesseract is not installed")
@pytest.mark.parametrize(("form", "mirrored"), [("JPEG", False), ("JPEG", True), ("PDF", False)])
def test_a_page_upside_down_and_crooked_is_read_by_tesseract_afterwards(
    form: str, mirrored: bool, tmp_path: Path
) -> None:
    before, after = tmp_path / f"a.{form.lower()}", tmp_path / f"b.{form.lower()}"
    page = crooked(TILT, Turn.HALF)
    page = ImageOps.mirror(page) if mirrored else page
    page.save(before, form, **({"resolution": 110} if form == "PDF" else {"quality": 90}))
    args = ["correct", str(before), "-o", str(after), "--straighten", *["--mirror"] * mirrored]
    assert CliRunner().invoke(cli, args, catch_exceptions=False).exit_code == 0
    wanted = set(re.findall(r"[a-z]{4,}", LATIN.lower()))
    assert len(wanted & _read(before)) <= 0.1 * len(wanted)
    assert len(wanted & _read(after)) >= 0.9 * len(wanted)
    assert tilt_of(Image.open(after) if form == "JPEG" else _drawn(after)) is not None


def _read(path: Path) -> set[str]:
    """The words of four letters and more that Tesseract reads without looking for a direction."""
    image = path.with_suffix(".png")
    (Image.open(path) if path.suffix == ".jpeg" else _drawn(path)).save(image)
    command = ["tesseract", str(image), "-", "--psm", "6", "-l", "eng"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, env={"OMP_THREAD_LIMIT": "1"}).stdout
    return set(re.findall(r"[a-z]{4,}", text.lower()))


def _drawn(path: Path) -> Image.Image:
    with pypdfium2.PdfDocument(path) as document:
        image: Image.Image = document[0].render(scale=110 / 72).to_pil()
    return image


def test_a_jpeg_of_several_pictures_is_not_encoded_again() -> None:
    source = PICTURES["JPEG"]() + b"a motion photo"
    with pytest.raises(NotLossless, match=r"follow the picture.*; leave --straighten out: its tag changes then"):
        corrected_bytes(source, answer(), straighten="white")
    assert Window(source).size == len(source)
