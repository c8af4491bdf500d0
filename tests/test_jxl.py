"""JPEG XL turned by its header, which Debian's cjxl writes and djxl reads: every pixel stays, undo gives every byte."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from upright import correct, undo
from upright.carriers import patch_exif_orientation, read_exif_orientation
from upright.correction import corrected_bytes
from upright.formats import Window
from upright.formats.jxl import Jxl, header
from upright.results import Method
from upright.turns import ExifOrientation, Turn, show_array

from .conftest import DEMO
from .fuzz.seeds import saved

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TAG = Image.Exif()
TAG[0x0112] = 6
#: What pictures are like: each makes another header.
KINDS = {
    "rgb.png": ("RGB", {}),
    "rgba.png": ("RGBA", {}),
    "grey.png": ("L", {}),
    "profile.png": ("RGB", {"icc_profile": SRGB}),
    "plain.jpg": ("RGB", {}),
    "tagged.jpg": ("RGB", {"exif": TAG}),
    "profile.jpg": ("RGB", {"icc_profile": SRGB}),
}
BARE = b"\xff\x0a"


@pytest.fixture(scope="module")
def small() -> Image.Image:
    with Image.open(DEMO / "coffee.jpg") as image:
        return image.resize((90, 60))


def cjxl(source: Path, target: Path, *words: str) -> bytes:
    program = shutil.which("cjxl") or pytest.skip("cjxl is not installed")
    subprocess.run([program, "--quiet", *words, source, target], check=True, capture_output=True)
    return target.read_bytes()


def shown(data: bytes, folder: Path) -> np.ndarray:
    """What djxl shows."""
    program = shutil.which("djxl") or pytest.skip("djxl is not installed")
    (folder / "shown.jxl").write_bytes(data)
    subprocess.run([program, folder / "shown.jxl", folder / "shown.png", "--quiet"], check=True, capture_output=True)
    with Image.open(folder / "shown.png") as image:
        return np.asarray(image.convert("RGBA")).astype(int)


@pytest.mark.parametrize("container", [pytest.param("0", marks=pytest.mark.slow), "1"])
@pytest.mark.parametrize("name", KINDS)
def test_djxl_shows_it_turned_and_every_pixel_is_the_same(
    small: Image.Image, tmp_path: Path, name: str, container: str
) -> None:
    mode, options = KINDS[name]
    small.convert(mode).save(tmp_path / name, **options)
    before = cjxl(tmp_path / name, tmp_path / "a.jxl", f"--container={container}", *["-d", "0"] * name.endswith("png"))
    # Of a JPEG cjxl keeps what makes it that JPEG again, for which it needs boxes.
    assert before.startswith(BARE) == (container == "0" and name.endswith("png"))
    lies = read_exif_orientation(before).orientation
    assert lies == (6 if name == "tagged.jpg" else 1)
    pixels = shown(before, tmp_path)
    stored = show_array(pixels, ExifOrientation.compose(False, lies.turn.inverse))
    for wanted in ExifOrientation:
        after = patch_exif_orientation(before, wanted)
        assert read_exif_orientation(after).orientation == wanted
        assert len(after) - len(before) == (0 if wanted == lies or name == "tagged.jpg" else 3)
        assert np.array_equal(shown(after, tmp_path), show_array(stored, wanted)), wanted
    assert patch_exif_orientation(before, lies) == before


def test_what_newer_encoders_leave_out_is_added(small: Image.Image, tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    for boxed in (False, True):
        before = saved(small, "JXL", use_container=boxed)
        assert header(Window(before)).plain and before.startswith(BARE) != boxed
        after = patch_exif_orientation(before, ExifOrientation.RIGHT_TOP)
        # What was lossy is rounded after it is turned.
        assert np.abs(shown(after, tmp_path) - np.rot90(shown(before, tmp_path), -1)).max() <= 1
        with Image.open(io.BytesIO(before)) as old, Image.open(io.BytesIO(after)) as new:
            assert np.abs(np.asarray(new, int) - np.rot90(np.asarray(old, int), -1)).max() <= 1


def test_the_jpeg_that_it_was_made_from_comes_back(small: Image.Image, tmp_path: Path) -> None:
    small.save(tmp_path / "a.jpg", exif=TAG)
    before = cjxl(tmp_path / "a.jpg", tmp_path / "a.jxl")
    done = correct(tmp_path / "a.jxl", turn=90, in_place=True, journal=tmp_path / "journal")
    assert (done.method, done.lossless) == (Method.TAG, True)
    assert done.note == "a JPEG that is made back from it lies as before"
    subprocess.run(["djxl", tmp_path / "a.jxl", tmp_path / "b.jpg"], check=True, capture_output=True)
    assert (tmp_path / "b.jpg").read_bytes() == (tmp_path / "a.jpg").read_bytes()
    (undone,) = undo(tmp_path / "journal")
    assert undone.outcome == "restored" and (tmp_path / "a.jxl").read_bytes() == before


def test_exif_that_agreed_with_the_header_still_does(small: Image.Image) -> None:
    """Boxes by hand: cjxl compresses EXIF, other writers do not."""
    pytest.importorskip("pillow_jxl")
    data = patch_exif_orientation(saved(small, "JXL", use_container=True), ExifOrientation.RIGHT_TOP)
    block = TAG.tobytes()[6:]
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for kind, body in ((b"Exif", bytes(4) + block), (b"xml ", xmp)):
        data += (8 + len(body)).to_bytes(4, "big") + kind + body
    new, done = corrected_bytes(data, 90)
    assert done.exif_after == 3 and len(new) == len(data)
    blocks = Jxl().find(Window(new))
    assert blocks.tiff and blocks.xmp
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + new[blocks.tiff.start : blocks.tiff.end])
    assert exif[0x0112] == 3 and b'tiff:Orientation="3"' in new[blocks.xmp.start : blocks.xmp.end]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_header_that_is_cut_short_is_refused(small: Image.Image, size: int) -> None:
    pytest.importorskip("pillow_jxl")
    data = saved(small, "JXL", lossless=True)[:size]
    new, done = corrected_bytes(data, Turn.RIGHT)
    assert (new, done.method, done.remedy) == (data, Method.KEEP, "use --sidecar")
