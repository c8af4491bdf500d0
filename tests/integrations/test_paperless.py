"""``upright consume``, run as paperless-ngx runs its pre-consume script."""

from pathlib import Path

import numpy as np
import pikepdf
import pytest
from click.testing import CliRunner
from PIL import Image, ImageOps

from upright import Turn
from upright.cli import cli

from .scans import page, scan, still_needed

DEMO = Path(__file__).parents[2] / "testdata" / "demo"


def consume(path: Path, *options: str) -> str:
    environment = {"DOCUMENT_SOURCE_PATH": "/nowhere", "DOCUMENT_WORKING_PATH": str(path), "TASK_ID": "1"}
    result = CliRunner().invoke(cli, ["consume", *options], env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_page_of_a_pdf(tmp_path: Path) -> None:
    pages = [page("Latin")] * 3
    source = scan([(pages[0], Turn.RIGHT), (pages[1], Turn.NONE), (pages[2], Turn.HALF)], tmp_path / "scan.pdf")
    updates = source.read_bytes().count(b"%%EOF")
    assert consume(source) == "scan.pdf: page 1 turned by 90°\nscan.pdf: page 3 turned by 180°\n"
    assert still_needed(source, pages) == [Turn.NONE] * 3
    once = source.read_bytes()
    assert once.count(b"%%EOF") == updates + 1, "all pages are set right by one change"
    assert consume(source) == ""
    assert source.read_bytes() == once


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_picture(suffix: str, tmp_path: Path) -> None:
    upright = Image.fromarray(page("Latin"))
    path = tmp_path / f"scan.{suffix}"
    upright.transpose(Image.Transpose.ROTATE_90).save(path)
    assert consume(path, "--careful") == f"scan.{suffix}: page 1 turned by 90°\n"
    with Image.open(path) as image:
        shown = ImageOps.exif_transpose(image)
        assert abs(np.asarray(shown, float) - np.asarray(upright, float)).mean() < 3


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_pixels_are_turned_where_ocr_ignores_the_tag(form: str, tmp_path: Path) -> None:
    upright, path = Image.fromarray(page("Latin")), tmp_path / f"scan.{form.lower()}"
    tagged = Image.Exif()
    tagged[0x0112] = 3
    for exif, turn in ((Image.Exif(), 90), (tagged, 270)):
        upright.transpose(Image.Transpose.ROTATE_90).save(path, form, lossless=True, exif=exif)
        assert consume(path) == f"{path.name}: page 1 turned by {turn}°\n"
        with Image.open(path) as image:
            assert image.getexif().get(0x0112, 1) == 1
            if form == "PNG":
                assert np.array_equal(np.asarray(image.convert("L")), np.asarray(upright))


def test_an_animation_is_one_picture(tmp_path: Path) -> None:
    upright, path = Image.fromarray(page("Latin")), tmp_path / "scan.webp"
    frames = [upright.transpose(each) for each in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert consume(path) == "scan.webp: page 1 turned by 90°\n"
    assert consume(path) == ""


def test_a_page_that_cannot_be_read_keeps_no_other_from_being_set_right(tmp_path: Path) -> None:
    pages = [page("Latin")] * 3
    source = tmp_path / "scan.tif"
    images = [Image.fromarray(each).transpose(Image.Transpose.ROTATE_90) for each in pages]
    images[0].save(source, save_all=True, append_images=images[1:], compression="tiff_lzw")
    data = bytearray(source.read_bytes())
    with Image.open(source) as image:
        image.seek(1)
        start, length = image.tag_v2[273][0], image.tag_v2[279][0]
    data[start : start + length] = bytes(length)
    source.write_bytes(data)
    said = consume(source).splitlines()
    assert said[0] == "scan.tif: page 1 turned by 90°" and said[-1] == "scan.tif: page 3 turned by 90°", said


def test_a_signed_pdf_and_what_is_no_picture_stay_as_they_are(tmp_path: Path) -> None:
    pages = [(page("Latin"), Turn.HALF)]
    signed = scan(pages, tmp_path / "signed.pdf")
    signed.write_bytes(signed.read_bytes() + b"% /ByteRange [0 1 2 3]\n")
    mail = tmp_path / "letter.eml"
    mail.write_text("From: a@b.example\n\nHello")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((DEMO / "page.jpg").read_bytes()[:300])
    before = {path: path.read_bytes() for path in (signed, mail, broken)}
    assert "signed.pdf: it is signed" in consume(signed)
    assert consume(mail) == ""
    assert "broken.jpg: it stays as it is: " in consume(broken)
    assert {path: path.read_bytes() for path in before} == before


def test_pages_of_an_encrypted_pdf_stay_and_have_a_remedy(tmp_path: Path) -> None:
    opened = scan([(page("Latin"), Turn.HALF)] * 2, tmp_path / "open.pdf")
    with pikepdf.open(opened) as pdf:
        pdf.save(tmp_path / "owned.pdf", encryption=pikepdf.Encryption(owner="o", user=""))
    before = (tmp_path / "owned.pdf").read_bytes()
    why = "stays as it is: /Rotate cannot be appended to this PDF: it is encrypted; write it again with qpdf --decrypt"
    said = consume(tmp_path / "owned.pdf").splitlines()
    assert len(said) == 2 and all(f"page {number} {why}" in line for number, line in enumerate(said, 1)), said
    assert (tmp_path / "owned.pdf").read_bytes() == before


def test_without_paperless() -> None:
    for environment, cause in (
        ({"DOCUMENT_WORKING_PATH": None}, "DOCUMENT_WORKING_PATH is not set"),
        ({"DOCUMENT_WORKING_PATH": "/no/such"}, "there is no such file"),
    ):
        result = CliRunner().invoke(cli, ["consume"], env=environment)
        assert result.exception is not None and cause in str(result.exception)
