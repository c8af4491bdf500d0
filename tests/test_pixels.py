"""Upright pixels without a tag; and pixels that are encoded again lose nothing that the format can keep."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
import pyvips
from PIL import Image, ImageCms, ImageOps

from upright import correct
from upright.carriers import patch_exif_orientation, read_exif_orientation
from upright.correction import corrected_bytes
from upright.errors import NotLossless
from upright.results import Method
from upright.turns import ExifOrientation, Turn

from .conftest import DEMO
from .fuzz.seeds import saved
from .test_followers import COLOURS, browser, by_browser, corners, drawn

__all__ = ["browser"]
ODD = (317, 251)
REGION = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="h">'
    b'<rdf:Description stArea:x="0.25" stArea:y="0.125" stArea:w="0.1" stArea:h="0.2" tiff:Orientation="1"/>'
    b'</rdf:RDF></x:xmpmeta>          <?xpacket end="w"?>'
)


def tagged(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "A maker"
    return exif


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def photo() -> bytes:
    """Whose sides are no whole blocks, with all that a JPEG can have beside its pixels."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    iptc = b"\xff\xed\x00\x14Photoshop 3.0\x008BIM"
    options = {"icc_profile": profile, "xmp": REGION, "comment": b"mine", "dpi": (300, 150), "quality": 63}
    data = saved(drawn(ODD), "JPEG", exif=tagged(1), subsampling="4:2:0", progressive=True, **options)
    return data[:20] + iptc + data[20:]


@pytest.mark.parametrize("pixels", [False, True])
def test_a_jpeg_that_is_compressed_again_keeps_its_quality_and_all_it_says(tmp_path: Path, pixels: bool) -> None:
    source = photo()
    (tmp_path / "a.jpg").write_bytes(source)
    how: dict[str, Any] = {"pixels": True} if pixels else {"method": "reencode"}
    done = correct(tmp_path / "a.jpg", turn=90, in_place=True, **how)
    assert (done.method, done.lossless, done.exif_after) == (Method.REENCODE, False, 1)
    before, after = opened(source), opened((tmp_path / "a.jpg").read_bytes())
    assert after.size == ODD[::-1] and corners(np.asarray(after)) == COLOURS[-1:] + COLOURS[:-1]
    assert after.quantization == before.quantization  # type: ignore[attr-defined]
    assert after.getexif()[0x010F] == "A maker" and after.getexif()[0x0112] == 1
    assert after.info["dpi"] == (150, 300) and after.info["comment"] == b"mine" and "progression" in after.info
    assert (
        after.info["icc_profile"] == before.info["icc_profile"]
        and b"Photoshop 3.0" in (tmp_path / "a.jpg").read_bytes()
    )
    assert b'stArea:x="0.875" stArea:y="0.25" stArea:w="0.2" stArea:h="0.1"' in after.info["xmp"]
    shown = np.asarray(before.convert("RGB").transpose(Image.Transpose.ROTATE_270), int)
    assert np.abs(np.asarray(after.convert("RGB")) - shown).mean() < 3


@pytest.mark.parametrize("form", ["PNG", "TIFF", "GIF", "BMP", "WEBP"])
def test_what_can_be_turned_without_loss_is_not_compressed_again(form: str) -> None:
    source = saved(
        drawn(ODD).quantize(16) if form == "GIF" else drawn(ODD), form, **{"lossless": True} if form == "WEBP" else {}
    )
    data, done = corrected_bytes(source, Turn.RIGHT, Method.REENCODE)
    assert (done.method, done.lossless) == (Method.REENCODE, True)
    expected = opened(source).convert("RGB").transpose(Image.Transpose.ROTATE_270)
    assert opened(data).convert("RGB").tobytes() == expected.tobytes()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_frames_are_never_lost(form: str, tmp_path: Path) -> None:
    frames = [drawn().quantize(8), drawn().transpose(Image.Transpose.ROTATE_180).quantize(8)]
    (path := tmp_path / "a").write_bytes(source := saved(frames[0], form, save_all=True, append_images=frames[1:]))
    for options in ({"in_place": True}, {"target": tmp_path / "b.png"}):
        with pytest.raises(NotLossless, match="2 frames, and one would be kept"):
            correct(path, turn=90, method="reencode", **options)  # type: ignore[arg-type]
    assert path.read_bytes() == source and not (tmp_path / "b.png").exists()


def test_pages_are_not_lost_either_and_one_can_be_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(source := saved(drawn(), "TIFF", save_all=True, append_images=[drawn(ODD)]))
    with pytest.raises(NotLossless, match="2 pages, and one would be kept"):
        correct(path, turn=90, method="reencode", in_place=True)
    done = correct(path, tmp_path / "b.png", turn=90, method="reencode", page=1)
    assert (done.note, opened((tmp_path / "b.png").read_bytes()).size) == ("of 2 pages this is page 2", ODD[::-1])
    assert path.read_bytes() == source


def test_a_picture_in_place_stays_what_it_is_whatever_its_name_says(tmp_path: Path) -> None:
    (path := tmp_path / "a.jpg").write_bytes(saved(drawn(), "PNG"))
    correct(path, turn=90, method="reencode", in_place=True)
    assert opened(path.read_bytes()).format == "PNG"


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("method", [Method.TURN, Method.REENCODE])
def test_a_tiff_without_a_resolution_gets_none(method: Method, deep: bool) -> None:
    source = saved(drawn(), "TIFF")
    if deep:
        image = pyvips.Image.new_from_buffer(source, "").cast("ushort") * 257
        source = _without_resolution(image.cast("ushort").copy(interpretation="rgb16").tiffsave_buffer())
    data, done = corrected_bytes(source, Turn.RIGHT, method)
    assert done.lossless and done.method == method
    tags = Image.open(io.BytesIO(data)).tag_v2 if not deep else None  # type: ignore[attr-defined]
    assert tags is None or not {282, 283} & set(tags)
    if tool := shutil.which("exiftool"):
        assert subprocess.run([tool, "-XResolution", "-"], input=data, capture_output=True).stdout == b""


def _without_resolution(data: bytes) -> bytes:
    from upright.formats import Span, Window
    from upright.formats.tiff import directory
    from upright.lossless.tiff_tags import described_as

    own = directory(Window(data), Span(0, len(data))).tags() - {282, 283, 296}
    return described_as(data, saved(Image.new("L", (1, 1)), "TIFF"), False, own)


@pytest.mark.parametrize("unit", [1, 2, 3])
def test_a_resolution_keeps_its_unit(unit: int) -> None:
    tags = {282: 118.0, 283: 59.0, 296: unit}
    data, _ = corrected_bytes(saved(drawn(), "TIFF", tiffinfo=tags), Turn.RIGHT, Method.TURN)
    after = opened(data).tag_v2  # type: ignore[attr-defined]
    assert (float(after[282]), float(after[283]), after[296]) == (59.0, 118.0, unit)


def test_sixteen_bits_do_not_become_eight(tmp_path: Path) -> None:
    image = pyvips.Image.new_from_buffer(saved(drawn(), "PNG"), "").cast("ushort") * 257
    (path := tmp_path / "a.png").write_bytes(
        image.cast("ushort").copy(interpretation="rgb16").pngsave_buffer(bitdepth=16)
    )
    with pytest.raises(NotLossless, match="16 bits would become 8"):
        correct(path, tmp_path / "a.tif", turn=90, method="reencode")
    assert correct(path, turn=90, method="reencode", in_place=True).lossless


@pytest.mark.parametrize("size", [(320, 256), ODD])
@pytest.mark.parametrize("orientation", [6, 8, 3])
def test_a_picture_that_is_upright_by_its_tag_gets_upright_pixels(size: tuple[int, int], orientation: int) -> None:
    source = saved(drawn(size), "JPEG", exif=tagged(orientation), quality=90)
    data, done = corrected_bytes(source, Turn.NONE, pixels=True)
    assert (done.method, done.exif_after) == (Method.TURN if size[0] == 320 else Method.REENCODE, 1)
    before, after = ImageOps.exif_transpose(opened(source)), opened(data)
    assert before.size == after.size and read_exif_orientation(data).orientation == 1
    assert np.abs(np.asarray(after, int) - np.asarray(before)).mean() < 3
    again, done = corrected_bytes(data, Turn.NONE, pixels=True)
    assert (again, done.method) == (data, Method.KEEP)


def test_heic_pixels_go_into_another_format_and_the_remedy_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.heic"
    shutil.copy(Path(__file__).parent / "data" / "turned.heic", path)
    with pytest.raises(NotLossless, match=r"name a \.jpg or \.png target"):
        correct(path, turn=90, pixels=True, in_place=True)
    assert correct(path, tmp_path / "a.jpg", turn=90, pixels=True).method == Method.REENCODE
    assert opened((tmp_path / "a.jpg").read_bytes()).size == (320, 200)


@pytest.mark.parametrize("lossless", [True, False])
def test_browsers_ignore_the_tag_of_a_webp_and_it_is_said(browser: Any, lossless: bool) -> None:
    source = saved(drawn(), "WEBP", lossless=lossless, quality=95)
    wanted = COLOURS[-1:] + COLOURS[:-1]
    data, done = corrected_bytes(source, Turn.RIGHT)
    assert (done.method, done.note) == (Method.TAG, "browsers ignore this tag of a WebP; --pixels turns its pixels")
    assert corners(by_browser(browser, data, "webp")) == COLOURS, "the note would be wrong"
    data, done = corrected_bytes(source, Turn.RIGHT, pixels=True)
    assert (done.method, done.lossless) == ((Method.TURN, True) if lossless else (Method.REENCODE, False))
    assert corners(by_browser(browser, data, "webp")) == wanted


@pytest.mark.slow  # Tesseract takes many seconds for a page that is upside down
@pytest.mark.skipif(not shutil.which("tesseract"), reason="tesseract is not installed")
def test_tesseract_reads_upright_pixels_and_no_tag(tmp_path: Path) -> None:
    with Image.open(DEMO / "page.jpg") as page:
        lying = saved(page.transpose(Image.Transpose.ROTATE_270), "JPEG", quality=95)  # upside down

    def words(data: bytes) -> set[str]:
        (tmp_path / "page").write_bytes(data)
        command = ["tesseract", tmp_path / "page", "-", "--psm", "3"]
        text = subprocess.run(command, capture_output=True, text=True, check=True, env={"OMP_THREAD_LIMIT": "1"}).stdout
        return {word for word in text.split() if len(word) > 3 and word.isalpha()}

    upright = words(corrected_bytes(lying, Turn.HALF, pixels=True)[0])
    by_tag = words(patch_exif_orientation(lying, ExifOrientation.BOTTOM_RIGHT))
    assert len(upright) > 30 > 5 * len(upright & by_tag)
    for form, respected in (("PNG", False), ("WEBP", False), ("TIFF", True)):
        with Image.open(io.BytesIO(lying)) as page:
            tagged = patch_exif_orientation(saved(page, form), ExifOrientation.BOTTOM_RIGHT)
        assert (len(upright & words(tagged)) > 30) == respected, form


def test_img2pdf_respects_the_tag_and_upright_pixels(tmp_path: Path) -> None:
    img2pdf = pytest.importorskip("img2pdf")
    lying = saved(drawn(), "JPEG", quality=95)
    for data in (
        patch_exif_orientation(lying, ExifOrientation.RIGHT_TOP),
        corrected_bytes(lying, Turn.RIGHT, pixels=True)[0],
    ):
        page = pypdfium2.PdfDocument(img2pdf.convert(data))[0]
        assert corners(np.asarray(page.render(scale=2).to_pil())) == COLOURS[-1:] + COLOURS[:-1]
