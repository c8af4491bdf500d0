"""What is encoded again shows what it showed, and what one library's decoder misreads is left as it is."""

from __future__ import annotations

import io
import struct
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageOps

from upright import correct
from upright.correction import corrected_bytes
from upright.correction.shown import check_shown
from upright.errors import NotLossless
from upright.limits import Limits
from upright.lossless import Straighten
from upright.pictures import open_picture
from upright.results import Method
from upright.turns import ExifOrientation, Turn

from .fuzz.seeds import saved
from .test_heif import by_pillow, made, picture

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="3"/></rdf:RDF></x:xmpmeta>'
)


def seen(source: object) -> np.ndarray:
    with open_picture(source) as opened:
        return opened.squashed(64).astype(int)


def misread_palette() -> bytes:
    """A TIFF whose colours are of 8 bits though the standard wants 16: libtiff sees it, Pillow shows black."""
    data = saved(picture().convert("P", palette=Image.Palette.ADAPTIVE), "TIFF")
    with Image.open(io.BytesIO(data)) as image:
        colours = image.tag_v2[320]
    old, new = (struct.pack(f"<{len(colours)}H", *values) for values in (colours, [each >> 8 for each in colours]))
    assert data.count(old) == 1
    data = data.replace(old, new)
    with Image.open(io.BytesIO(data)) as back:
        assert back.mode == "P" and not np.asarray(back.convert("RGB")).any()
    return data


def test_a_palette_that_pillow_shows_black_is_not_encoded_again(tmp_path):
    source = tmp_path / "a.tif"
    source.write_bytes(data := misread_palette())
    with pytest.raises(NotLossless, match="would show something else: its decoder misreads it") as raised:
        correct(source, tmp_path / "a.png", turn=90, method="reencode")
    assert raised.value.remedy == "use --method tag" and not (tmp_path / "a.png").exists()
    assert correct(source, turn=90, in_place=True).method == Method.TAG
    assert np.abs(seen(source.read_bytes()) - np.rot90(seen(data), -1)).mean() < 3


def test_a_cropped_avif_is_turned_by_its_box_and_not_encoded_again():
    data = made("avifenc", "a.avif", "-s", "10", "--crop", "8,6,48,32")
    with open_picture(data) as opened:
        assert (opened.width_px, opened.height_px) == (48, 32)
    with pytest.raises(NotLossless, match="would be 64 x 96 px, not 32 x 48: its decoder leaves a crop out"):
        corrected_bytes(data, 90, Method.REENCODE)
    for source in (data, made("avifenc", "b.avif", "-s", "10", "--crop", "8,6,48,32", mode="RGBA")):
        new, done = corrected_bytes(source, 90)
        with open_picture(new) as opened:
            assert (done.method, opened.width_px, opened.height_px) == (Method.TAG, 32, 48)
        with Image.open(io.BytesIO(new)) as image:  # libavif is not so lenient with alpha that is cut otherwise
            image.load()


@pytest.mark.parametrize("form", ["AVIF", "PNG", "JPEG"])
def test_an_orientation_in_xmp_turns_no_avif_and_is_1_afterwards(tmp_path, form):
    data, target = by_pillow(xmp=XMP), tmp_path / f"a.{form.lower()}"
    correct(data, target, turn=90, method="reencode")
    assert np.abs(seen(target) - np.rot90(seen(data), -1)).mean() < 3
    with Image.open(target) as new:
        assert ImageOps.exif_transpose(new).size == (64, 96)
        packet = new.info.get("xmp") or new.info["XML:com.adobe.xmp"].encode()
        assert b'tiff:Orientation="1"' in packet


@pytest.mark.parametrize("exif", [*ExifOrientation, None])
@pytest.mark.parametrize("loaded", [False, True])
def test_a_tiff_opened_by_pillow_is_seen_as_its_file_is(exif, loaded):
    """Pillow turns a TIFF when it loads it, by its tag, or by XMP where it has none."""
    tags = {274: int(exif)} if exif else {700: XMP}
    data = saved(picture(), "TIFF", tiffinfo=tags)
    with Image.open(io.BytesIO(data)) as image:
        if loaded:
            image.load()
        found = seen(image)
        shown = ImageOps.exif_transpose(image).convert("RGB")
    assert np.array_equal(found, seen(shown))
    if exif:
        assert np.array_equal(found, seen(data))


def test_whatever_way_it_was_turned_is_told():
    page = Image.new("L", (400, 300), 255)
    page.paste(0, (40, 30, 120, 60))
    data = saved(page, "PNG")
    check = partial(check_shown, data, page=0, how=Straighten(), limits=Limits())
    for wrong in (90, 180, 270):
        new = saved(page.rotate(wrong, expand=True), "PNG")
        with pytest.raises(NotLossless):
            check(after=new, move=ExifOrientation.TOP_LEFT)
        check(after=new, move=ExifOrientation.TOP_LEFT.then(Turn(360 - wrong)))
    blank = saved(Image.new("L", (300, 300), 255), "PNG")
    check_shown(blank, blank, 0, ExifOrientation.TOP_LEFT.then(Turn.RIGHT), Straighten(), Limits())


@pytest.mark.parametrize("form", ["jpg", "bmp", "ppm", "gif", "tif", "webp", "jp2", "avif", "png"])
@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_what_is_clear_stays_clear_or_becomes_white(tmp_path, form, mode):
    """Under what is clear lies black, which shows where only the colours are written."""
    image = Image.new("RGBA", (120, 80), (0, 0, 0, 0))
    image.paste((200, 30, 30, 255), (10, 10, 60, 40))
    source, target = tmp_path / "a.png", tmp_path / f"b.{form}"
    (image.quantize(8) if mode == "P" else image.convert(mode)).save(source)
    assert correct(source, target, turn=90, method="reencode").method == Method.REENCODE
    assert np.abs(seen(target) - np.rot90(seen(source), -1)).mean() < 1


def test_a_bmp_with_alpha_is_kept_and_encoded_again_over_white(tmp_path):
    image = Image.new("RGBA", (24, 16), (0, 0, 0, 0))
    image.paste((200, 30, 30, 255), (2, 2, 12, 8))
    pixels = np.asarray(image)[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = (
        struct.pack("<IiiHHIIiiII", 108, 24, 16, 1, 32, 3, len(pixels), 2835, 2835, 0, 0) + masks + b"BGRs" + bytes(48)
    )
    data = b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels
    assert Image.open(io.BytesIO(data)).mode == "RGBA"
    assert corrected_bytes(data, 90)[1].method == Method.KEEP
    new, _ = corrected_bytes(data, 90, Method.REENCODE)
    assert np.abs(seen(new) - np.rot90(seen(data), -1)).mean() < 1
