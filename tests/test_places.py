"""What XMP says of places in a picture moves with its pixels, as exiftool reads it, or the pixels stay."""

from __future__ import annotations

import io
import zlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from PIL import Image

from upright.correction import corrected_bytes
from upright.errors import NotLossless
from upright.formats.png import chunk
from upright.lossless import reencoded, turned
from upright.results import Method
from upright.turns import ExifOrientation, Turn

from .test_followers import EXIFTOOL, SUBJECTS, drawn, facts, raw_profile, subprocess

pytestmark = pytest.mark.skipif(not EXIFTOOL, reason="exiftool is not installed")
SUBJECT = ("-XMP-exif:SubjectArea=100 50 30 20", "-XMP-exif:SubjectLocation=100 50")
RECTANGLE = "RegionBoundary={RbShape=rectangle,RbUnit=relative,RbX=0.25,RbY=0.5,RbW=0.125,RbH=0.25}"
CIRCLE = "RegionBoundary={RbShape=circle,RbUnit=pixel,RbX=100,RbY=50,RbRx=30}"
SHARE = "RegionBoundary={RbShape=circle,RbUnit=relative,RbX=0.25,RbY=0.5,RbRx=0.1}"
POLYGON = "RegionBoundary={RbShape=polygon,RbUnit=relative,RbVertices=[{RbX=0,RbY=0.25},{RbX=0.5,RbY=1}]}"
IPTC = ("-XMP-iptcExt:ImageRegion=[{" + "},{".join((RECTANGLE, CIRCLE, SHARE, POLYGON)) + "}]",)
CROP = tuple(f"-XMP-crs:Crop{side}" for side in ("Left=0.125", "Top=0.25", "Right=0.5", "Bottom=0.75", "Angle=0"))
TO_CROP = (*CROP, "-XMP-crs:HasCrop=True")


@cache
def picture(form: str, *words: str) -> bytes:
    """320 x 256 pixels with the XMP that exiftool writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{form.lower()}"
        drawn().save(path, form, **({"lossless": True} if form == "WEBP" else {}))
        assert EXIFTOOL
        subprocess.run([EXIFTOOL, "-overwrite_original", *words, path], check=True, capture_output=True)
        return path.read_bytes()


def compressed(data: bytes, profile: bool) -> bytes:
    """A PNG with its XMP compressed, or as ImageMagick writes it."""
    start = data.index(b"iTXtXML:com.adobe.xmp") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    packet = data[start + 30 : end - 4]
    assert packet.startswith(b"<?xpacket")
    if profile:
        text = zlib.compress(raw_profile("xmp", packet).encode())
        return data[:start] + chunk(b"zTXt", b"Raw profile type xmp\0\0" + text) + data[end:]
    body = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    return data[:start] + chunk(b"iTXt", body) + data[end:]


def numbers(value: Any) -> list[float]:
    return [float(part) for part in (value.split() if isinstance(value, str) else value)]


@pytest.mark.parametrize("orientation", ExifOrientation)
def test_the_subject_in_xmp_moves_as_that_in_exif(orientation: ExifOrientation) -> None:
    said = facts(turned(picture("JPEG", *SUBJECT), orientation))
    wanted = [float(each) for each in SUBJECTS[orientation]]
    assert numbers(said["XMP-exif:SubjectArea"]) == wanted
    assert numbers(said["XMP-exif:SubjectLocation"]) == wanted[:2]


SHIFTED = ["PNG", "PNG compressed", "PNG profile", "TIFF", "WEBP", "PNG again", "JPEG again", "WEBP again"]


@pytest.mark.parametrize("form", SHIFTED)
def test_the_subject_in_xmp_moves_wherever_a_format_keeps_it(form: str) -> None:
    name, _, how = form.partition(" ")
    source = picture(name, *SUBJECT)
    source = compressed(source, how == "profile") if how in ("compressed", "profile") else source
    right = ExifOrientation.RIGHT_TOP
    said = facts(reencoded(source, right, Turn.NONE, name) if how == "again" else turned(source, right))
    assert numbers(said["XMP-exif:SubjectArea"]) == [205, 100, 20, 30]


@pytest.mark.parametrize("place", ["Raw profile type exif", "Raw profile type APP1"])
def test_the_subject_in_a_text_of_a_png_moves(place: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    block, texts, out = Image.Exif(), PngInfo(), io.BytesIO()
    block.get_ifd(0x8769)[0x9214] = (100, 50, 30, 20)
    texts.add_text(place, raw_profile("exif", block.tobytes()), zip=True)
    drawn().save(out, "PNG", pnginfo=texts)
    with Image.open(io.BytesIO(turned(out.getvalue(), ExifOrientation.RIGHT_TOP))) as image:
        image.load()
        block = Image.Exif()
        block.load(bytes.fromhex("".join(image.info[place].split("\n")[3:])))
        assert block.get_ifd(0x8769)[0x9214] == (205, 100, 20, 30)


def test_regions_of_the_iptc_standard_move() -> None:
    rectangle, circle, share, polygon = (
        region["RegionBoundary"]
        for region in facts(turned(picture("JPEG", *IPTC), ExifOrientation.RIGHT_TOP))["XMP-iptcExt:ImageRegion"]
    )
    assert [rectangle[name] for name in ("RbX", "RbY", "RbW", "RbH")] == [0.25, 0.25, 0.25, 0.125]
    assert [circle[name] for name in ("RbX", "RbY", "RbRx")] == [206, 100, 30]
    assert [share[name] for name in ("RbX", "RbY", "RbRx")] == [0.5, 0.25, 0.125]
    assert polygon["RbVertices"] == [{"RbX": 0.75, "RbY": 0}, {"RbX": 0, "RbY": 0.5}]


def test_a_crop_that_is_still_to_be_made_moves_and_one_of_another_picture_stays() -> None:
    def crop(words: tuple[str, ...]) -> list[float]:
        said = facts(turned(picture("JPEG", *words), ExifOrientation.RIGHT_TOP))
        return [said[f"XMP-crs:Crop{side}"] for side in ("Left", "Top", "Right", "Bottom")]

    assert crop(TO_CROP) == [0.25, 0.125, 0.75, 0.5]
    assert crop((*TO_CROP, "-XMP-crs:AlreadyApplied=True")) == crop(CROP) == [0.125, 0.25, 0.5, 0.75]


#: What no rule moves, and the words for it.
FIXED = {
    "crop is at an angle": (*TO_CROP, "-XMP-crs:CropAngle=1.5"),
    "Camera Raw settings": ("-XMP-crs:RetouchInfo=centerX = 0.5, centerY = 0.5",),
    "Camera Raw settings for": ("-XMP-crs:PerspectiveVertical=-20",),
    "panorama": ("-XMP-GPano:CroppedAreaLeftPixels=10",),
    "depth map": ("-XMP-GDepth:Far=10",),
    "regions are no numbers": ("-XMP-iptcExt:ImageRegion=[{RegionBoundary={RbShape=rectangle,RbX=0.25}}]",),
    "IPTC regions": (*IPTC, "-IFD0:Orientation#=6"),
}


@pytest.mark.parametrize("words", FIXED)
def test_what_cannot_move_leaves_the_pixels_where_they_are(words: str) -> None:
    source = picture("JPEG", *FIXED[words])
    data, done = corrected_bytes(source, Turn.RIGHT, Method.TURN)
    assert done.method == Method.TAG and words in done.note
    before, after = facts(source), facts(data)
    assert {name: value for name, value in after.items() if name.startswith("XMP")} == {
        name: value for name, value in before.items() if name.startswith("XMP")
    }
    for refused in (
        lambda: turned(source, ExifOrientation.RIGHT_TOP),
        lambda: reencoded(source, ExifOrientation.TOP_LEFT, Turn.RIGHT, "JPEG"),
    ):
        with pytest.raises(NotLossless, match=words):
            refused()


def test_settings_that_change_nothing_hold_no_pixels() -> None:
    assert turned(picture("JPEG", "-XMP-crs:PerspectiveVertical=0"), ExifOrientation.RIGHT_TOP)


@pytest.mark.parametrize("number", [b"NaN ", b"Inf ", b"0,25"])
@pytest.mark.parametrize("words", [(f"-XMP-iptcExt:ImageRegion=[{{{POLYGON}}}]",), TO_CROP])
def test_a_place_that_is_no_finite_number_leaves_the_pixels_where_they_are(
    words: tuple[str, ...], number: bytes
) -> None:
    source = picture("JPEG", *words)
    assert b"0.25" in source
    with pytest.raises(NotLossless, match="regions are no numbers"):
        turned(source.replace(b"0.25", number), ExifOrientation.RIGHT_TOP)
