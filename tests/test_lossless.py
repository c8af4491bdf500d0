"""Pixels are turned without loss in every mode and depth, or the file is refused."""

import ctypes.util
import io
import struct
import zlib

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from upright.carriers import read_exif_orientation
from upright.correction import corrected_bytes
from upright.errors import EngineError, NotLossless, TooLarge, UprightError
from upright.lossless import reencoded, turbojpeg, turned
from upright.results import Method
from upright.turns import ExifOrientation, Turn, show_array, show_pillow

from .fuzz.seeds import saved

ALL = list(ExifOrientation)
rng = np.random.default_rng(7)
NOISE = Image.fromarray(rng.integers(0, 256, (37, 52, 4), np.uint8), "RGBA")
SMOOTH = NOISE.crop((0, 0, 8, 6)).resize((160, 96), Image.Resampling.BICUBIC).convert("RGB")


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def png_by_hand(depth: int, colour: int, extra: bytes = b"") -> bytes:
    """A 21 x 13 PNG of noise in any depth and colour."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    stride = (21 * channels * depth + 7) // 8
    spare = (1 << (stride * 8 - 21 * channels * depth)) - 1  # unused bits at the end of a row
    rows = [bytes(rng.integers(0, 256, stride, np.uint8)) for _ in range(13)]
    rows = [b"\0" + row[:-1] + bytes([row[-1] & ~spare & 255]) for row in rows]
    palette = chunk(b"PLTE", bytes(rng.integers(0, 256, 3 * 2**depth, np.uint8))) if colour == 3 else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 21, 13, depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + header + palette + extra + pixels + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def chunks(data: bytes) -> dict[bytes, bytes]:
    found, at = {}, 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found[data[at + 4 : at + 8]] = data[at + 8 : at + 8 + size]
        at += 12 + size
    return found


def samples(data: bytes) -> np.ndarray:
    image = pyvips.Image.new_from_buffer(data, "")
    return np.asarray(image.numpy()).reshape(image.height, image.width, image.bands)


DEPTHS = (
    [(d, 0) for d in (1, 2, 4, 8, 16)] + [(d, 3) for d in (1, 2, 4, 8)] + [(d, c) for c in (2, 4, 6) for d in (8, 16)]
)


@pytest.mark.parametrize(("depth", "colour"), DEPTHS)
@pytest.mark.parametrize("exif", ALL)
def test_png_of_every_depth_and_colour(depth: int, colour: int, exif: ExifOrientation) -> None:
    source = png_by_hand(depth, colour)
    result = turned(source, exif)
    assert np.array_equal(samples(result), show_array(samples(source), exif))
    before, after = chunks(source), chunks(result)
    assert before[b"IHDR"][8:10] == after[b"IHDR"][8:10] == bytes([depth, colour])
    assert before.get(b"PLTE") == after.get(b"PLTE")


def test_png_keeps_its_other_chunks() -> None:
    info = PngInfo()
    info.add_text("Author", "somebody")
    icc = bytes(200)
    image = NOISE.convert("RGB")
    source = saved(image, "PNG", pnginfo=info, dpi=(300, 72), icc_profile=icc, transparency=(1, 2, 3))
    after = opened(turned(source, ExifOrientation.RIGHT_TOP))
    assert [round(v) for v in after.info["dpi"]] == [72, 300]
    assert (after.info["Author"], after.info["icc_profile"], after.info["transparency"]) == ("somebody", icc, (1, 2, 3))


def test_interlaced_png() -> None:
    source = pyvips.Image.new_from_array(np.asarray(NOISE)).pngsave_buffer(interlace=True)
    assert source[28] == 1
    result = turned(source, ExifOrientation.LEFT_BOTTOM)
    assert np.array_equal(samples(result), show_array(samples(source), ExifOrientation.LEFT_BOTTOM))


OTHERS = {
    "bmp 1": lambda: saved(NOISE.convert("1"), "BMP"),
    "bmp L": lambda: saved(NOISE.convert("L"), "BMP"),
    "bmp P": lambda: saved(NOISE.convert("RGB").quantize(100), "BMP"),
    "bmp RGB": lambda: saved(NOISE.convert("RGB"), "BMP", dpi=(300, 72)),
    "gif P": lambda: saved(NOISE.convert("RGB").quantize(100), "GIF", comment=b"hello"),
    "gif L": lambda: saved(NOISE.convert("L"), "GIF"),
    "gif transparent": lambda: saved(NOISE.convert("RGB").quantize(100), "GIF", transparency=3),
    "webp RGB": lambda: saved(NOISE.convert("RGB"), "WEBP", lossless=True, icc_profile=bytes(100)),
    "webp RGBA": lambda: saved(NOISE, "WEBP", lossless=True, exact=True),
    **{
        f"tiff {mode} {compression}": lambda mode=mode, compression=compression: saved(
            NOISE.convert(mode) if mode != "P" else NOISE.convert("RGB").quantize(200),
            "TIFF",
            compression=compression,
            dpi=(300, 72),
        )
        for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "LA")
        for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")
    },
    "tiff G4": lambda: saved(NOISE.convert("1"), "TIFF", compression="group4"),
    "tiff G3": lambda: saved(NOISE.convert("1"), "TIFF", compression="group3"),
    "tiff big": lambda: saved(NOISE.convert("RGB"), "TIFF", big_tiff=True),
    "tiff 16-bit grey": lambda: saved(Image.fromarray(rng.integers(0, 65536, (13, 21), np.uint16)), "TIFF"),
    "tiff 16-bit colour": lambda: pyvips.Image.new_from_array(
        rng.integers(0, 65536, (13, 21, 3), np.uint16)
    ).tiffsave_buffer(compression="deflate"),
    "tiff float": lambda: pyvips.Image.new_from_array(rng.random((13, 21), np.float32)).tiffsave_buffer(),
    "tiff tiled": lambda: pyvips.Image.new_from_array(np.asarray(NOISE)).tiffsave_buffer(tile=True, compression="lzw"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("exif", [ExifOrientation(v) for v in (2, 3, 5, 6, 8)])
def test_other_formats(name: str, exif: ExifOrientation) -> None:
    source = OTHERS[name]()
    form = name.split()[0].upper()
    result = turned(source, exif)
    assert not read_exif_orientation(result).warning
    assert read_exif_orientation(result).orientation == 1
    if form == "BMP":
        assert show_pillow(opened(source), exif).tobytes() == opened(result).tobytes()
    else:
        assert np.array_equal(samples(result), show_array(samples(source), exif))
    if "float" in name or "16-bit colour" in name:
        return
    before, after = opened(source), opened(result)
    assert (before.mode, before.info.get("compression")) == (after.mode, after.info.get("compression"))
    dpi = before.info.get("dpi")
    if dpi:
        expected = dpi[::-1] if exif.swaps_sides else dpi
        assert after.info["dpi"] == pytest.approx(expected, abs=0.1)
    for key in ("icc_profile", "comment", "transparency"):
        assert before.info.get(key) == after.info.get(key)


@pytest.mark.parametrize("tag", ALL)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_the_tag_is_used_up(form: str, tag: ExifOrientation) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = int(tag), "A maker of cameras"
    source = saved(SMOOTH, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    result = turned(source, tag)
    after = opened(result)
    shown = ImageOps.exif_transpose(opened(source))
    assert read_exif_orientation(result).orientation == 1
    assert after.getexif()[0x010F] == "A maker of cameras"
    assert after.size == shown.size
    if form != "JPEG":
        assert after.tobytes() == shown.tobytes()


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_tiff_keeps_what_it_tells_or_is_refused(compression: str | None) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x02BC] = "A maker of cameras", b"<x:xmpmeta/>"
    plain = saved(NOISE, "TIFF", exif=exif, compression=compression, icc_profile=bytes(200))
    after = opened(turned(plain, ExifOrientation.RIGHT_TOP))
    assert (after.tag_v2[0x010F], after.tag_v2[0x02BC]) == ("A maker of cameras", b"<x:xmpmeta/>")
    assert after.info["icc_profile"] == bytes(200)
    exif.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
    source = saved(NOISE, "TIFF", exif=exif)
    if compression:
        source = pyvips.Image.new_from_buffer(source, "").tiffsave_buffer(compression="lzw")
    after = opened(turned(source, ExifOrientation.RIGHT_TOP))
    if 0x8769 in opened(source).tag_v2:
        assert after.getexif().get_ifd(0x8769)[0x9003] == "2024:01:02 03:04:05"


def test_a_png_that_claims_more_than_it_holds_is_refused_at_once() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 21, 8_388_621, 16, 6, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(2000))) + chunk(b"IEND", b"")
    with pytest.raises(NotLossless, match="cut short"):
        turned(data, ExifOrientation.RIGHT_TOP)


def test_pictures_too_large_for_memory_are_refused() -> None:
    for depth in (1, 16):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, depth, 0, 0, 0, 0))
        bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", bytes(400_000)) + chunk(b"IEND", b"")
        with pytest.raises(TooLarge, match="--method tag"):
            turned(bomb, ExifOrientation.RIGHT_TOP)
    source = saved(SMOOTH, "JPEG") + bytes(10_000_000)
    frame = source.index(b"\xff\xc0") + 5
    with pytest.raises(TooLarge, match="--method tag"):
        turned(source[:frame] + b"\xff\xf0\xff\xf0" + source[frame + 4 :], ExifOrientation.RIGHT_TOP)


JPEGS = {
    "4:4:4": lambda: saved(SMOOTH, "JPEG", subsampling=0),
    "4:2:0": lambda: saved(SMOOTH, "JPEG", subsampling=2),
    "4:2:2": lambda: saved(SMOOTH, "JPEG", subsampling=1),
    "grey": lambda: saved(SMOOTH.convert("L"), "JPEG"),
    "CMYK": lambda: saved(SMOOTH.convert("CMYK"), "JPEG"),
    "progressive": lambda: saved(SMOOTH, "JPEG", progressive=True),
    "restart markers": lambda: saved(SMOOTH, "JPEG", restart_marker_rows=1),
}


@pytest.mark.parametrize("form", ["BMP", "GIF", "PNG", "TIFF", "JPEG2000", "PPM"])
def test_pillows_limit_of_pixels_is_neither_applied_nor_changed(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.linear_gradient("L").resize((1200, 1100))
    data = saved(picture.convert("P") if form == "GIF" else picture, form)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500_000)
    for method in (Method.TURN, Method.REENCODE):
        if method is Method.REENCODE or form not in ("JPEG2000", "PPM"):
            turned, done = corrected_bytes(data, Turn.RIGHT, method)
            assert done.method is method
    assert Image.MAX_IMAGE_PIXELS == 500_000
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(io.BytesIO(turned)) as image:
        away = np.asarray(image.convert("L"), int) - np.asarray(picture.transpose(Image.Transpose.ROTATE_270), int)
    assert np.abs(away).max() <= (30 if form == "JPEG2000" else 0)


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("exif", ALL)
def test_jpeg(name: str, exif: ExifOrientation) -> None:
    source = JPEGS[name]()
    result = turned(source, exif)
    shown, after = show_pillow(opened(source), exif), opened(result)
    assert (shown.size, shown.mode) == (after.size, after.mode)
    assert bool(after.info.get("progressive")) == (name == "progressive")
    difference = np.abs(np.asarray(shown, np.int16) - np.asarray(after, np.int16))
    # The coefficients are the same (proven in the turning); a decoder rounds and smooths turned blocks otherwise.
    assert difference.mean() < 1.5
    back = turned(result, exif if exif.mirrored else ExifOrientation.compose(False, exif.turn.inverse))
    assert opened(back).tobytes() == opened(source).tobytes()


def test_jpeg_keeps_its_markers() -> None:
    exif = Image.Exif()
    exif[0x010F] = "A maker of cameras"
    exif.get_ifd(0x8769).update({0xA002: 160, 0xA003: 96})
    source = saved(
        SMOOTH, "JPEG", exif=exif, icc_profile=bytes(70000), comment=b"hello", xmp=b"<x:xmpmeta/>", dpi=(300, 72)
    )
    after = opened(turned(source, ExifOrientation.RIGHT_TOP))
    assert len(after.info["icc_profile"]) == 70000
    assert (after.info["comment"], after.info["xmp"]) == (b"hello", b"<x:xmpmeta/>")
    assert after.info["dpi"] == (72, 300)
    inner = after.getexif().get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == after.size == (96, 160)


def test_edge_blocks_are_refused_or_trimmed() -> None:
    source = saved(SMOOTH.crop((0, 0, 155, 91)), "JPEG", subsampling=2)
    with pytest.raises(NotLossless, match="whole numbers of blocks"):
        turned(source, ExifOrientation.RIGHT_TOP)
    after = opened(turned(source, ExifOrientation.RIGHT_TOP, "trim"))
    assert after.size == (80, 155)
    expected = opened(source).crop((0, 0, 155, 80)).transpose(Image.Transpose.ROTATE_270)
    assert np.abs(np.asarray(expected, np.int16) - np.asarray(after, np.int16)).mean() < 1.5


def test_what_would_be_lost_is_refused() -> None:
    out = io.BytesIO()
    SMOOTH.save(out, "MPO", save_all=True, append_images=[SMOOTH])
    frames = [NOISE.convert("RGB").quantize(50), NOISE.convert("RGB").quantize(60)]
    refused = [
        (out.getvalue(), "several pictures"),
        (saved(SMOOTH, "JPEG") + b"a film", "follow the picture"),
        (saved(SMOOTH, "JPEG")[:-400], "cut short"),
        (saved(NOISE, "PNG", save_all=True, append_images=[NOISE.transpose(0)]), "2 frames"),
        (saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), "2 frames"),
        (saved(NOISE, "TIFF", save_all=True, append_images=[NOISE]), "2 pages"),
        (saved(SMOOTH, "TIFF", compression="jpeg"), "with loss"),
        (saved(NOISE, "WEBP"), "with loss"),
        (saved(NOISE, "WEBP", save_all=True, append_images=[NOISE.transpose(0)], lossless=True), "2 frames"),
        (b"", "this format"),
    ]
    for data, words in refused:
        with pytest.raises(NotLossless, match=words):
            turned(data, ExifOrientation.RIGHT_TOP)


def test_zeros_after_the_picture_are_kept() -> None:
    source = saved(SMOOTH, "JPEG") + bytes(500)
    assert turned(source, ExifOrientation.BOTTOM_RIGHT).endswith(b"\xff\xd9" + bytes(500))


def test_without_the_library_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str | None) -> ctypes.CDLL:
        raise OSError

    monkeypatch.setattr(ctypes.util, "find_library", lambda _: None)
    monkeypatch.setattr(ctypes, "CDLL", missing)
    turbojpeg._library.cache_clear()
    try:
        with pytest.raises(EngineError, match="apt-get install libturbojpeg0"):
            turned(saved(SMOOTH, "JPEG"), ExifOrientation.RIGHT_TOP)
    finally:
        turbojpeg._library.cache_clear()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1", "L", "I;16", "CMYK"])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_reencode(mode: str, form: str) -> None:
    if mode == "P":
        image = SMOOTH.quantize(64)
    elif mode == "I;16":
        image = Image.fromarray(np.asarray(SMOOTH.convert("L"), np.uint16) * 257)
    else:
        image = SMOOTH.convert(mode)
    source = saved(image, "TIFF", tiffinfo={0x0112: 6, 0x010F: "A maker of cameras"})
    if mode == "CMYK" and form == "PNG":
        form = "WEBP"
    after = opened(reencoded(source, ExifOrientation.RIGHT_TOP, Turn.RIGHT, form))
    assert after.size == image.size
    assert after.getexif().get(0x0112, 1) == 1
    expected = np.asarray(image.transpose(Image.Transpose.ROTATE_180).convert("RGB"), np.int16)
    if mode == "I;16":
        expected = np.asarray(SMOOTH.convert("L").transpose(Image.Transpose.ROTATE_180).convert("RGB"), np.int16)
        after = after.point(lambda v: v / 256).convert("L") if after.mode == "I;16" else after
    assert np.abs(np.asarray(after.convert("RGB"), np.int16) - expected).mean() < 8


MUTANTS = [
    OTHERS[name]() for name in ("bmp RGB", "gif P", "webp RGB", "tiff RGB tiff_lzw", "tiff G4", "tiff 16-bit colour")
] + [png_by_hand(8, 2), png_by_hand(16, 6), JPEGS["4:2:0"](), JPEGS["progressive"]()]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(MUTANTS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=5), st.floats(0.2, 1)
)
def test_damage_never_surprises(data: bytes, changes: list[tuple[float, int]], kept: float) -> None:
    damaged = bytearray(data[: max(40, int(len(data) * kept))])
    for where, value in changes:
        damaged[4 + int(where**2 * (len(damaged) - 5))] = value
    try:
        result = turned(bytes(damaged), ExifOrientation.RIGHT_TOP)
    except UprightError:
        return
    assert result
