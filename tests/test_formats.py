"""One table of formats: what a file is, by its first bytes."""

import io
import subprocess
import sys
import tarfile

import pytest
from PIL import Image

from upright.carriers import read_exif_orientation
from upright.correction import corrected_bytes
from upright.formats import FORMATS, HEAD_BYTES, Window, format_of_suffix, sniff
from upright.pictures import open_picture
from upright.results import Method
from upright.sources import find_items
from upright.turns import Turn

from .conftest import DEMO
from .fuzz.seeds import seeds
from .test_rotate import modern, pdf

SEEDS = dict(seeds())
ATTACKS = DEMO.parents[1] / "tests" / "attacks"


@pytest.mark.parametrize("name", SEEDS)
def test_the_name_promises_what_the_bytes_are(name):
    promised = format_of_suffix(name)
    assert promised is not None
    assert sniff(SEEDS[name][:HEAD_BYTES]) == promised.name


def test_every_format_has_a_seed_that_opens():
    opened = set()
    for data in SEEDS.values():
        with open_picture(data) as picture:
            assert (picture.width_px, picture.height_px) != (0, 0)
            opened.add(picture.format)
    assert opened == set(FORMATS)


@pytest.mark.parametrize("name", SEEDS)
def test_the_header_says_what_the_decoder_says(name):
    row, window = FORMATS[sniff(SEEDS[name][:HEAD_BYTES])], Window(SEEDS[name])
    if row.container is None:
        return
    with open_picture(SEEDS[name]) as picture:
        size = picture.width_px, picture.height_px
        exif = read_exif_orientation(window).orientation
        assert row.container.size_px(window) in ((0, 0), size[::-1] if exif.swaps_sides else size)
        assert (row.container.size_px(window) == (0, 0)) == (row.name == "PDF")
        assert row.container.pages(window) == picture.pages or name == "pyramid.tif"


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "PDF"])
def test_pages_and_frames_are_counted(form):
    shades = [Image.new("RGB", (60, 40), colour) for colour in ("red", "lime", "blue")]
    out = io.BytesIO()
    shades[0].save(out, form, save_all=True, append_images=shades[1:])
    container = FORMATS[form].container
    assert container is not None and container.pages(Window(out.getvalue())) == 3


def test_no_two_formats_promise_the_same_suffix():
    suffixes = [suffix for row in FORMATS.values() for suffix in row.suffixes.split()]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)


PDFS = {
    "at the start": pdf(),
    "after white space": b"\r\n \0" + pdf(),
    "after a byte order mark": b"\xef\xbb\xbf" + pdf(),
    "after a mail's head": b"Content-Type: application/pdf\r\n\r\n" + pdf(),
    "after a printer's commands": b"\x1b%-12345X@PJL JOB\n@PJL ENTER LANGUAGE=PDF\n" + modern(),
    "without a version": b"%PDF-\n1 0 obj\n",
}
NOT_PDFS = {
    "a text that quotes it": b"A PDF begins with\n%PDF-1.7\nand a line of binary bytes.\n",
    "a line of a program": b'if head.startswith(b"%PDF-1.4\\n%\xe2\xe3"):\n    pass\n',
    "too late": b"\n" * (HEAD_BYTES - 4) + pdf(),
    "a JPEG with a PDF in a comment": (ATTACKS / "polyglot.jpg").read_bytes(),
    "a GIF with a PDF behind its header": b"GIF89a\1\0\1\0\0\0\0!\xfe\x20\n" + pdf(),
}


@pytest.mark.parametrize("name", PDFS)
def test_what_readers_take_for_a_pdf(name):
    assert sniff(PDFS[name][:HEAD_BYTES]) == "PDF"


@pytest.mark.parametrize("name", NOT_PDFS)
def test_what_only_holds_a_pdf_s_header(name):
    assert sniff(NOT_PDFS[name][:HEAD_BYTES]) != "PDF"


def test_a_jpeg_that_holds_a_pdf_s_header_is_corrected_as_a_jpeg():
    _, correction = corrected_bytes((ATTACKS / "polyglot.jpg").read_bytes(), Turn.RIGHT)
    assert (correction.method, correction.exif_after) == (Method.TAG, 6)


@pytest.mark.parametrize("load", [True, False])
def test_every_format_in_a_tar_has_its_row(tmp_path, load):
    shard = tmp_path / "mixed.tar"
    dicom = bytes(128) + b"DICM" + bytes(100)
    members = SEEDS | {"late.pdf": PDFS["after a mail's head"], "frame.dcm": dicom}
    with tarfile.open(shard, "w") as tar:
        for name, data in (members | {"label.txt": b"a cat"}).items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    found = {item.relative.name: item.skipped for item in find_items([str(shard)], load=load)}
    assert found == dict.fromkeys(members, "") | {"label.txt": "not a picture"}


def test_the_tables_of_the_docs_follow_from_the_program():
    done = subprocess.run([sys.executable, DEMO.parents[1] / "docs" / "tables.py", "--check"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
