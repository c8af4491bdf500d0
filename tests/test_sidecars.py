"""Raw photographs and JPEG XL are looked at; sidecars say how pictures lie, and no original is touched."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image

from tests.fuzz.seeds import raw
from upright import Detector, atomic, correct, undo
from upright.carriers import read_exif_orientation, sidecar
from upright.correction import Request, Writer, corrected_bytes, opened, plan
from upright.errors import BrokenPicture, NotLossless, WriteFailed
from upright.formats import Window, sniff
from upright.formats.raw import previews
from upright.pictures import open_picture
from upright.results import Method
from upright.turns import ExifOrientation, Turn

from .conftest import DEMO, upright


def page() -> Image.Image:
    """A page on its side, which needs a turn by 270."""
    with Image.open(DEMO / "page.jpg") as image:
        return image.convert("RGB")


def jpeg(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def canon(image: Image.Image, orientation: int) -> bytes:
    """As CR3 has it: the EXIF in a box CMT1, a thumbnail, and then a preview in a box of its own."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    block = exif.tobytes()[6:]
    cmt1 = struct.pack(">I", len(block) + 8) + b"CMT1" + block
    moov = struct.pack(">I", len(cmt1) + 8) + b"moov" + cmt1
    small, large = jpeg(image.resize((80, 60))), jpeg(image)
    prvw = struct.pack(">I", len(large) + 24) + b"uuid" + bytes(16) + large
    head = struct.pack(">I", 24) + b"ftypcrx \0\0\0\x01crx isom"
    return head + moov + struct.pack(">I", len(small) + 8) + b"THMB" + small + prvw


def fuji(image: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    preview = jpeg(image, exif=exif)
    return (b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 92, len(preview))) + preview + bytes(5000)


def olympus(image: Image.Image, orientation: int) -> bytes:
    return b"IIRO" + raw(image, orientation)[4:]


RAWS = {
    "a.nef": lambda image, orientation: raw(image, orientation, ">"),
    "a.arw": raw,
    "a.cr3": canon,
    "a.raf": fuji,
    "a.orf": olympus,
}


@pytest.mark.parametrize("name", RAWS)
@pytest.mark.parametrize("orientation", [1, 6, 3])
def test_a_raw_photograph_is_shown_as_its_largest_preview_lies(name: str, orientation: int) -> None:
    image = page().resize((320, 240))
    data = RAWS[name](image, orientation)
    assert sniff(data[:1024]) == "RAW"
    assert read_exif_orientation(data).orientation == orientation
    assert (previews(Window(data))[0].width, previews(Window(data))[0].height) == (320, 240)
    with open_picture(data) as picture, open_picture(jpeg(image, exif=_tagged(orientation))) as expected:
        assert (picture.format, picture.width_px, picture.height_px) == ("RAW", expected.width_px, expected.height_px)
        assert np.array_equal(picture.squashed(64), expected.squashed(64))


def _tagged(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.slow
def test_a_raw_file_of_nothing_but_beginnings_is_read_in_few_of_them() -> None:
    data = b"IIRO" + b"\xff\xd8\xff\xe0\0\x10" * 2_000_000

    class Counted(Window):
        read_bytes = 0

        def at(self, offset: int, size: int) -> bytes:
            found = super().at(offset, size)
            self.read_bytes += len(found)
            return found

    window = Counted(data)
    assert previews(window) == [] and len(data) / 4 < window.read_bytes < 60_000_000
    with pytest.raises(BrokenPicture, match="no preview"):
        open_picture(data)


def test_tiffs_of_scanners_and_pyramids_are_no_raw_photographs() -> None:
    import pyvips

    out = io.BytesIO()
    page().save(out, "TIFF", save_all=True, append_images=[page()])
    tiles = {"tile": True, "pyramid": True}
    image = pyvips.Image.new_from_file(str(DEMO / "page.jpg"))
    for data in (out.getvalue(), image.tiffsave_buffer(**tiles), image.tiffsave_buffer(**tiles, subifd=True)):
        assert sniff(data[:1024]) == "TIFF"


@pytest.mark.parametrize("name", ["a.nef", "a.cr3"])
def test_a_raw_photograph_gets_a_sidecar_and_is_never_written(name: str, tmp_path: Path, detector: Detector) -> None:
    photo = tmp_path / name
    photo.write_bytes(before := RAWS[name](page(), 1))
    done = upright("correct", tmp_path, "--in-place", "--json", "--journal", tmp_path / "j.jsonl")
    row = json.loads(done.stdout)
    assert (done.returncode, row["outcome"], row["turn"], row["correction"]["exif_after"]) == (0, "turned", 270, 8)
    beside = tmp_path / f"{name}.xmp"
    assert photo.read_bytes() == before and sidecar.read(beside) == 8
    if tool := shutil.which("exiftool"):
        said = subprocess.run([tool, "-s3", "-n", "-XMP-tiff:Orientation", beside], capture_output=True, text=True)
        assert said.stdout.strip() == "8"
    assert detector.detect(photo).turn == 0, "shown as its sidecar says"
    again = upright("correct", tmp_path, "--in-place", "--json", "--method", "turn")
    assert json.loads(again.stdout)["outcome"] == "already upright"
    assert upright("undo", tmp_path / "j.jsonl").returncode == 0
    assert not beside.exists() and photo.read_bytes() == before


def test_a_copy_of_a_raw_photograph_has_its_sidecar_beside_it(tmp_path: Path) -> None:
    photo = tmp_path / "a.nef"
    photo.write_bytes(before := RAWS["a.nef"](page(), 1))
    assert "has no place in a stream; correct it as a file" in upright("correct", photo, "-o", "-").stderr
    (tmp_path / "out").mkdir()
    assert upright("correct", photo, "-o", tmp_path / "out", "--sidecar", "stem").returncode == 0
    assert (tmp_path / "out" / "a.nef").read_bytes() == before
    assert sidecar.read(tmp_path / "out" / "a.xmp") == 8 and not sidecar.existing(str(photo))


def test_sidecars_of_any_picture(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("page.jpg", "receipt.png", "settings.png"):
        shutil.copy(DEMO / name, folder)
    page().save(folder / "page.pcx")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = upright("correct", folder, "--sidecar")
    assert done.stderr.splitlines()[-1] == "1 already upright, 3 turned, 0 unsure, 0 failed", done.stderr
    assert {path: path.read_bytes() for path in before} == before
    beside = {path.name: sidecar.read(path) for path in folder.glob("*.xmp")}
    assert beside == {"page.jpg.xmp": 8, "receipt.png.xmp": 3, "page.pcx.xmp": 8}
    again = upright("correct", folder, "--sidecar")
    assert "its sidecar says so already" in again.stdout
    assert {path: path.read_bytes() for path in before} == before
    assert upright("undo").returncode == 0
    assert not list(folder.glob("*.xmp"))


DARKTABLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:darktable="http://darktable.sf.net/"
   xmp:Rating="4"%s darktable:history_end="12"/>
 </rdf:RDF>
</x:xmpmeta>
"""


@pytest.mark.parametrize("had", [b"", b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="1"'])
@pytest.mark.parametrize("name", ["a.jpg.xmp", "a.xmp"])
def test_a_sidecar_that_is_there_changes_in_its_orientation_alone(tmp_path: Path, had: bytes, name: str) -> None:
    photo, beside = tmp_path / "a.jpg", tmp_path / name
    photo.write_bytes(jpeg(page()))
    beside.write_bytes(before := DARKTABLE % had)
    beside.chmod(0o640)
    done = _by_sidecar(photo, tmp_path)
    assert (done.method, done.written, done.note) == (Method.TAG, True, f"the sidecar {name} was changed")
    after = beside.read_bytes()
    assert sidecar.read(beside) == 8 and b'xmp:Rating="4"' in after and b'history_end="12"' in after
    assert after.replace(b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="8"', had) == before
    assert [path.name for path in tmp_path.glob("*.xmp")] == [name] and beside.stat().st_mode & 0o777 == 0o640
    assert [each.outcome for each in undo(tmp_path / "j")] == ["restored"]
    assert beside.read_bytes() == before


def test_a_sidecar_of_what_was_at_the_target_before_does_not_turn_a_new_picture_that_is_upright(tmp_path: Path) -> None:
    photo, out = tmp_path / "in" / "a.jpg", tmp_path / "out"
    photo.parent.mkdir()
    photo.write_bytes(jpeg(page()))
    assert upright("correct", photo.parent, "-o", out, "--sidecar").returncode == 0
    beside = out / "a.jpg.xmp"
    beside.write_bytes(beside.read_bytes().replace(b"<rdf:Description", b'<rdf:Description xmlns:x="x" x:rating="4"'))
    photo.write_bytes(jpeg(page().transpose(Image.Transpose.ROTATE_90)))
    assert "another file is at the target" in upright("correct", photo.parent, "-o", out, "--sidecar").stderr
    assert upright("correct", photo.parent, "-o", out, "--sidecar", "--overwrite").returncode == 0
    assert (out / "a.jpg").read_bytes() == photo.read_bytes()
    assert sidecar.read(beside) == 1 and b'x:rating="4"' in beside.read_bytes()


def test_a_copy_whose_source_changes_while_its_sidecar_is_written_is_of_what_was_looked_at(tmp_path: Path) -> None:
    photo, copy = tmp_path / "a.jpg", tmp_path / "out" / "a.jpg"
    photo.write_bytes(before := jpeg(page()))

    def meanwhile(written: BinaryIO) -> None:
        photo.write_bytes(b"another picture")

    with opened(photo) as file:
        file.look()
        change = plan(file, Request(Turn.RIGHT, target=str(copy), sidecar="full"))
        first, second = change.targets
        Writer().write(replace(change, targets=(first, replace(second, check=meanwhile))))
    assert copy.read_bytes() == before and sidecar.read(tmp_path / "out" / "a.jpg.xmp") == 6


def test_a_sidecar_that_shows_an_upright_picture_otherwise_is_said(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(jpeg(page().transpose(Image.Transpose.ROTATE_90)))
    sidecar.places(str(photo))["full"].write_bytes(before := sidecar.written(None, ExifOrientation.RIGHT_TOP))
    done = upright("correct", tmp_path, "--sidecar")
    assert "its sidecar a.jpg.xmp shows it otherwise already (orientation 6)" in done.stdout
    assert (tmp_path / "a.jpg.xmp").read_bytes() == before


PLACES = b"""<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%d"
 xmlns:exif="http://ns.adobe.com/exif/1.0/"%s>
 <exif:SubjectLocation><rdf:Seq><rdf:li>100</rdf:li><rdf:li>50</rdf:li></rdf:Seq></exif:SubjectLocation>
</rdf:Description>
"""


@pytest.mark.parametrize("method", [Method.TAG, Method.TURN, Method.REENCODE])
@pytest.mark.parametrize(("said", "follows"), [(1, True), (6, True), (3, False)])
@pytest.mark.parametrize("name", ["a.png.xmp", "a.xmp"])
def test_a_sidecar_follows_a_picture_that_is_set_right_in_place(
    tmp_path: Path, method: Method, said: int, follows: bool, name: str
) -> None:
    photo, beside = tmp_path / "a.png", tmp_path / name
    Image.new("RGB", (320, 256)).save(photo)
    before = photo.read_bytes()
    beside.write_bytes(PLACES % (said, b""))
    done = correct(photo, turn=90, method=method, in_place=True, journal=tmp_path / "j")
    moves, after = method != Method.TAG, 6 if method == Method.TAG else 1
    assert sidecar.read(beside) == (after if follows else said)
    assert (b"<rdf:li>205</rdf:li><rdf:li>100<" in beside.read_bytes()) == moves
    assert (f"{name} shows it otherwise (orientation 3), and still does" in done.note) != follows
    assert (f"its sidecar {name} was changed along" in done.note) == (beside.read_bytes() != PLACES % (said, b""))
    undo(tmp_path / "j")
    assert (photo.read_bytes(), beside.read_bytes()) == (before, PLACES % (said, b""))


DARKTABLES = (
    b' darktable:operation="crop"',
    b' darktable:operation="flip" darktable:enabled="1" darktable:params="03000000"',
)


@pytest.mark.parametrize("settings", DARKTABLES)
def test_a_sidecar_of_places_that_cannot_move_holds_the_pixels(tmp_path: Path, settings: bytes) -> None:
    photo, beside = tmp_path / "a.png", tmp_path / "a.png.xmp"
    Image.new("RGB", (320, 256)).save(photo)
    beside.write_bytes(text := PLACES % (1, settings))
    with pytest.raises(NotLossless, match=r"of its sidecar a.png.xmp darktable's .* would be elsewhere") as refused:
        correct(photo, turn=90, method=Method.TURN, in_place=True, journal=tmp_path / "j")
    assert (refused.value.remedy, beside.read_bytes()) == ("use --method tag", text)
    assert correct(photo, turn=90, in_place=True, journal=tmp_path / "j").written and sidecar.read(beside) == 6


def test_a_sidecar_that_may_be_of_two_pictures_stays(tmp_path: Path) -> None:
    beside = tmp_path / "a.xmp"
    for name in ("a.png", "a.jpg"):
        Image.new("RGB", (320, 256)).save(tmp_path / name)
    beside.write_bytes(text := PLACES % (1, b""))
    done = correct(tmp_path / "a.png", turn=90, in_place=True, journal=tmp_path / "j")
    assert (done.note, beside.read_bytes()) == ("a.xmp, which may be another picture's, stays as it is", text)


def test_a_picture_behind_the_option_is_not_taken_for_its_form(tmp_path: Path) -> None:
    refused = upright("correct", "--sidecar", tmp_path / "scan.jpg")
    assert refused.returncode == 2
    assert "write --sidecar full, or put --sidecar behind the pictures" in refused.stderr


def _by_sidecar(photo: Path, folder: Path):  # type: ignore[no-untyped-def]
    from upright.journal import Journal

    with opened(str(photo)) as file:
        change = plan(file, Request(Turn.LEFT, in_place=True, sidecar="full"))
        return Writer(Journal(folder / "j")).write(change)


def test_a_sidecar_that_says_otherwise_or_is_no_xmp_is_left(tmp_path: Path) -> None:
    photo, beside = tmp_path / "a.jpg", tmp_path / "a.jpg.xmp"
    photo.write_bytes(jpeg(page()))
    for text, cause in (
        (DARKTABLE % b' tiff:Orientation="3"', "shows it otherwise already (orientation 3)"),
        (b"my notes", "is no XMP"),
    ):
        beside.write_bytes(text)
        done = _by_sidecar(photo, tmp_path)
        assert (done.method, cause in done.note, bool(done.remedy)) == (Method.KEEP, True, True)
        assert beside.read_bytes() == text


def test_bytes_have_no_place_for_a_sidecar() -> None:
    source = RAWS["a.nef"](page(), 1)
    for turn in (Turn.NONE, Turn.LEFT):
        data, done = corrected_bytes(source, turn)
        assert (data, done.method, bool(done.remedy)) == (source, Method.KEEP, turn is Turn.LEFT)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_own_tag_of_a_raw_photograph_is_changed_when_that_is_asked_for(tmp_path: Path, order: str) -> None:
    photo, before = tmp_path / "a.nef", raw(page(), 6, order)
    photo.write_bytes(before)
    done = upright("correct", photo, "--in-place", "--turn", "90", "--method", "tag", "--journal", tmp_path / "j")
    assert done.returncode == 0, done.stderr
    after = photo.read_bytes()
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1 and not sidecar.existing(str(photo))
    assert read_exif_orientation(after).orientation == 3
    if program := shutil.which("exiftool"):
        found = subprocess.run([program, "-n", "-s3", "-IFD0:Orientation", photo], capture_output=True, text=True)
        assert found.stdout.split() == ["3"]
    assert upright("undo", tmp_path / "j").returncode == 0 and photo.read_bytes() == before
    # A sidecar leads, so it is what has to be changed; the remedy that the row names does that.
    assert upright("correct", photo, "--in-place", "--turn", "90").returncode == 0
    refused = upright("correct", photo, "--in-place", "--turn", "90", "--method", "tag")
    assert refused.returncode == 3 and "leave --method out: the sidecar is changed then" in refused.stdout
    assert upright("correct", photo, "--in-place", "--turn", "90").returncode == 0
    assert photo.read_bytes() == before and sidecar.read(tmp_path / "a.nef.xmp") == 8


@pytest.mark.parametrize("make", [canon, fuji])
def test_a_raw_photograph_without_such_a_tag_is_left(tmp_path: Path, make: Callable[[Image.Image, int], bytes]) -> None:
    photo = tmp_path / "a.raw"
    photo.write_bytes(before := make(page(), 6))
    refused = upright("correct", photo, "--in-place", "--turn", "90", "--method", "tag")
    assert refused.returncode == 3 and "leave --method out: a sidecar is written then" in refused.stdout
    assert photo.read_bytes() == before
    assert upright("correct", photo, "--in-place", "--turn", "90").returncode == 0
    assert photo.read_bytes() == before and sidecar.read(tmp_path / "a.raw.xmp") == 3


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("container", ["0", "1"])
def test_jpeg_xl_is_read_as_its_header_says(
    tmp_path: Path, detector: Detector, orientation: int, container: str
) -> None:
    pytest.importorskip("pillow_jxl")
    program = shutil.which("cjxl") or pytest.skip("cjxl is not installed")
    (tmp_path / "a.jpg").write_bytes(jpeg(page(), exif=_tagged(orientation)))
    photo = tmp_path / "a.jxl"
    words = ["--quiet", f"--container={container}", tmp_path / "a.jpg", photo]
    subprocess.run([program, *words], check=True, capture_output=True)
    before = photo.read_bytes()
    with open_picture(photo) as picture, open_picture(tmp_path / "a.jpg") as expected:
        assert (picture.format, picture.width_px, picture.height_px) == ("JXL", expected.width_px, expected.height_px)
        assert np.abs(picture.squashed(64).astype(int) - expected.squashed(64)).mean() < 4
    answer = detector.detect(photo)
    assert answer.turn == ExifOrientation(orientation).turn.inverse.then(Turn.LEFT)
    assert upright("correct", photo, "--sidecar").returncode == 0
    assert photo.read_bytes() == before and sidecar.existing(str(photo))


@pytest.mark.parametrize("there", [True, False])
def test_what_changes_while_a_picture_and_its_sidecar_are_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """The picture while its sidecar is written along; a new sidecar that another program writes first."""
    (photo := tmp_path / "a.jpg").write_bytes(jpeg(page()))
    beside, old = tmp_path / "a.jpg.xmp", sidecar.written(None, ExifOrientation.TOP_LEFT)
    if there:
        beside.write_bytes(old)
    dress, calls = atomic._dress, []

    def meddle(*given: Any) -> list[str]:
        calls.append(given)
        if len(calls) == 1 + there:
            (photo if there else beside).write_bytes(b"precious")
        return dress(*given)

    monkeypatch.setattr(atomic, "_dress", meddle)
    how = {"in_place": True, "journal": tmp_path / "j", "overwrite": True}
    with pytest.raises(WriteFailed, match="changed in the meantime" if there else "another file of this name"):
        correct(photo, turn=90, sidecar=None if there else "full", **how)
    assert (photo if there else beside).read_bytes() == b"precious"
    assert not there or beside.read_bytes() == old, "the sidecar is put back"
