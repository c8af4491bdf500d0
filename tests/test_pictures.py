"""Any source opens by its content; its pixels are those that a person would see; bad ones end in a clear error."""

import csv
import io
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from upright.errors import BrokenPicture, NotAPicture, SourceError, SourceMissing, TooLarge, UsageError
from upright.formats import Span, Window
from upright.formats.jpeg import first_scans, read_header
from upright.formats.tiff import COMPRESSION, readable
from upright.pictures import Limits, open_picture
from upright.turns import ExifOrientation, show_array

from .fuzz.seeds import dicom

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "testdata" / "demo"
ORIGINALS = ROOT.parent / "shared" / "data" / "originals"


def scene(width=1600, height=1200):
    """A picture whose four corners and bands differ, smooth enough to survive JPEG and shrinking."""
    y, x = np.mgrid[0:height, 0:width]
    red = 255 * x / width
    green = 255 * y / height
    blue = 127 + 90 * np.sin(x / width * 9) * np.cos(y / height * 7)
    return Image.fromarray(np.stack([red, green, blue], axis=2).astype(np.uint8))


def encoded(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def seen(source, size=64, **options):
    with open_picture(source, **options) as picture:
        return picture.squashed(size).astype(int)


def nearly(image, size=64):
    """What the squashed view of an image has to look like."""
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)).astype(int)


@pytest.mark.parametrize(
    ("form", "options", "most"),
    [
        ("JPEG", {"quality": 95}, 3),
        ("JPEG", {"quality": 90, "progressive": True}, 3),
        ("JPEG", {"quality": 90, "subsampling": 0, "restart_marker_rows": 1}, 3),
        ("PNG", {}, 2),
        ("TIFF", {}, 2),
        ("TIFF", {"compression": "tiff_lzw"}, 2),
        ("TIFF", {"compression": "jpeg", "quality": 95}, 3),
        ("WEBP", {"lossless": True}, 2),
        ("WEBP", {"quality": 90}, 5),
        ("BMP", {}, 3),
        ("AVIF", {"quality": 90}, 5),
        ("JPEG2000", {}, 3),
        ("PPM", {}, 3),
        ("GIF", {}, 30),
    ],
)
def test_formats_show_the_same_picture(form, options, most):
    image = scene()
    data = encoded(image, form, **options)
    with open_picture(data) as picture:
        assert (picture.format, picture.width_px, picture.height_px) == (form, 1600, 1200)
        assert picture.warnings == ()
        assert np.abs(picture.squashed(64).astype(int) - nearly(image)).max() <= most


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png_modes(mode):
    image = scene(400, 300)
    if mode == "I;16":
        stored = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    else:
        stored = image.convert(mode)
    wanted = image if mode in ("P", "RGB", "RGBA") else image.convert("1" if mode == "1" else "L")
    assert np.abs(seen(encoded(stored, "PNG")) - nearly(wanted)).mean() < (8 if mode == "P" else 2)


def test_transparency_is_shown_over_white_and_white_on_nothing_over_black():
    text = np.zeros((200, 300, 4), np.uint8)
    text[60:80, 40:250, 3] = 255
    dark = seen(encoded(Image.fromarray(text), "PNG"))
    assert dark[0, 0].tolist() == [255, 255, 255]
    assert dark[22, 30].max() < 60
    text[..., :3] = 255
    for form in ("PNG", "TIFF"):
        light = seen(encoded(Image.fromarray(text), form))
        assert light[0, 0].tolist() == [0, 0, 0]
        assert light[22, 30].min() > 200
    assert seen(Image.fromarray(text))[0, 0].tolist() == [0, 0, 0]


def test_twelve_bits_in_sixteen_are_stretched_and_full_range_is_not():
    ramp = np.tile(np.linspace(0, 4095, 300), (200, 1)).astype(np.uint16)
    narrow = seen(encoded(Image.fromarray(ramp), "TIFF"))
    assert narrow[0, 0, 0] < 10
    assert narrow[0, -1, 0] > 245
    wide = seen(Image.fromarray(np.full((64, 64), 30000, np.uint16) + np.arange(64, dtype=np.uint16) * 550))
    assert abs(wide[0, 0, 0] - 30000 / 257) < 2


def test_cmyk_and_profiles():
    image = scene(800, 600)
    ink = image.convert("CMYK")
    for form, options in (("TIFF", {}), ("JPEG", {"quality": 95})):
        assert np.abs(seen(encoded(ink, form, **options)) - nearly(ink)).mean() < 3
    with open_picture(encoded(image, "JPEG", quality=95, icc_profile=b"no profile at all" * 20)) as picture:
        assert np.abs(picture.squashed(64).astype(int) - nearly(image)).mean() < 3
        assert "colour profile" in picture.warnings[0]


def test_profile_is_applied():
    image = scene(400, 300)
    vips = pyvips.Image.new_from_array(np.asarray(image)).copy(interpretation="srgb")
    wide = vips.icc_transform("p3", input_profile="srgb")
    shown = seen(wide.pngsave_buffer())
    assert np.abs(shown - nearly(image)).mean() < 2
    assert np.abs(nearly(Image.fromarray(wide.numpy())) - nearly(image)).mean() > 4


@pytest.mark.parametrize("exif", list(ExifOrientation))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_shown_as_the_tag_says(form, exif):
    tag = Image.Exif()
    tag[0x0112] = int(exif)
    data = encoded(scene(320, 200), form, exif=tag, **({"lossless": True} if form == "WEBP" else {}))
    shown = show_array(np.asarray(scene(320, 200)), exif)
    with open_picture(data) as picture:
        assert picture.exif == exif
        assert (picture.height_px, picture.width_px) == shown.shape[:2]
        assert np.abs(picture.squashed(64).astype(int) - nearly(Image.fromarray(shown))).mean() < 3
        left, top, right, bottom = box = (10, 20, 130, 150)
        part = picture.region(box, 500)
        assert part.shape == (130, 120, 3)
        assert np.abs(part.astype(int) - shown[top:bottom, left:right]).mean() < 4


def test_sources_in_memory_and_streams(tmp_path):
    image = scene(300, 200)
    data = encoded(image, "PNG")
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    wanted = seen(data)
    with path.open("rb") as stream:
        sources = [path, str(path), bytearray(data), memoryview(data), stream, np.asarray(image), image]
        for source in sources:
            assert np.abs(seen(source) - wanted).max() <= 1
    with open_picture(path) as picture:
        assert (picture.name, picture.path, picture.format) == (str(path), str(path), "PNG")
        assert picture.read_bytes() == data
        path.unlink()
        picture.squashed(64)
    assert seen(np.asarray(image)[:, :, 0] > 100).max() == 255
    assert seen(np.asarray(image)[:, :, :1]).shape == (64, 64, 3)
    for bad in (np.zeros((2, 2, 5)), np.zeros(5), np.zeros((0, 5)), 7, io.StringIO("text")):
        with pytest.raises(UsageError):
            open_picture(bad)
    with pytest.raises(UsageError, match="memory"), open_picture(image) as picture:
        picture.read_bytes()


def test_pillow_images_keep_their_tag_and_stay_open():
    tag = Image.Exif()
    tag[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(scene(300, 200), "JPEG", exif=tag)))
    with open_picture(image) as picture:
        assert (picture.width_px, picture.height_px) == (200, 300)
        picture.squashed(64)
    assert image.getpixel((0, 0)) is not None


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF"])
def test_a_pillow_image_whose_file_is_cut_short_is_a_broken_picture(form):
    """Of a PNG the orientation is behind its pixels."""
    data = encoded(scene(300, 200), form)
    with pytest.raises(BrokenPicture, match=f"damaged {form}"), open_picture(Image.open(io.BytesIO(data[:2000]))) as it:
        it.squashed(64)


@pytest.mark.parametrize("mode", ["La", "RGBa", "LAB", "HSV", "YCbCr", "CMYK", "RGBX", "F", "I"])
def test_pillow_images_of_any_mode(mode):
    plain = scene(300, 200)
    image = plain.convert({"La": "LA", "RGBa": "RGBA"}.get(mode, mode))
    with open_picture(image.convert(mode)) as picture:
        wanted = nearly(plain.convert("L") if mode in ("La", "F", "I") else plain)
        assert np.abs(picture.squashed(64) - wanted).mean() < (30 if mode in ("F", "I") else 3)


@pytest.mark.parametrize("form", ["TIFF", "GIF", "WEBP"])
def test_every_page_can_be_asked_for(form):
    pages = [Image.new("RGB", (60, 40), colour) for colour in ("red", "lime", "blue")]
    data = encoded(pages[0], form, save_all=True, append_images=pages[1:])
    for page, channel in enumerate((0, 1, 2)):
        with open_picture(data, page=page) as picture:
            assert (picture.pages, picture.page, picture.width_px, picture.height_px) == (3, page, 60, 40)
            assert picture.squashed(8).mean(axis=(0, 1)).argmax() == channel
    for page in (3, -1):
        with pytest.raises(UsageError, match=r"no page \d; it has 3"):
            open_picture(data, page=page)
    with pytest.raises(TooLarge, match="max_pages"):
        open_picture(data, limits=Limits(max_pages=2))


def test_a_page_of_half_the_size_is_no_level_of_a_pyramid():
    large, small = Image.new("RGB", (1200, 800), "red"), Image.new("RGB", (600, 400), "blue")
    data = encoded(large, "TIFF", save_all=True, append_images=[small])
    with open_picture(data) as picture:
        assert picture.pages == 2
        assert picture.squashed(64)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.skipif(not ORIGINALS.exists(), reason=f"{ORIGINALS} is not there")
def test_the_original_files(recwarn):
    with (ORIGINALS / "originals.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 40
    for row in rows:
        with open_picture(ORIGINALS / row["file"]) as picture:
            form, _, size, frames, exif = row["format_info"].split()[:5]
            stored = (
                (picture.height_px, picture.width_px)
                if picture.exif.swaps_sides
                else (picture.width_px, picture.height_px)
            )
            assert (picture.format, "{}x{}".format(*stored), f"frames={picture.pages}") == (form, size, frames)
            assert str(int(picture.exif)) == (exif.removeprefix("exif=").rstrip(",") or "1")
            assert picture.squashed(224).std() > 5
            assert picture.warnings == ()
    assert not recwarn


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_progressive_jpeg_is_read_up_to_its_first_scan(tmp_path, mode, subsampling):
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 12, (1200, 1600, 3))
    image = Image.fromarray((np.asarray(scene()) + noise).clip(0, 255).astype(np.uint8)).convert(mode)
    path = tmp_path / "p.jpg"
    image.save(path, quality=90, progressive=True, subsampling=subsampling)
    size = path.stat().st_size
    with path.open("rb") as file:
        header = read_header(Window(file), 1 << 20)
        scans = first_scans(Window(file), header)
        assert scans is not None
        assert header.scan_at + len(scans) < 0.25 * size
        assert file.tell() <= header.scan_at + len(scans) + (1 << 16)
    with path.open("r+b") as file:
        file.truncate(header.scan_at + len(scans) + 2)
    with open_picture(path) as picture:
        cut = picture.squashed(64).astype(int)
        assert picture.warnings == ()
    assert np.abs(cut - nearly(image)).mean() < 2


def segment(marker, body):
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def test_a_progressive_jpeg_with_one_scan_for_each_component():
    """Written here bit by bit: 64 equal blocks, the code 0 for no difference and 10 for a difference of six bits."""
    values = (50, -60, 40)
    data = b"\xff\xd8" + segment(0xDB, b"\0" + b"\x08" * 64)
    data += segment(0xC2, b"\x08\0\x40\0\x40\3" + b"".join(bytes((i, 0x11, 0)) for i in (1, 2, 3)))
    data += segment(0xC4, b"\0\1\1" + bytes(14) + b"\0\6")
    for component, value in enumerate(values, 1):
        bits = "10" + format(value if value > 0 else value + 63, "06b") + "0" * 63
        bits += "1" * (-len(bits) % 8)
        data += segment(0xDA, bytes((1, component, 0, 0, 0, 0)))
        data += int(bits, 2).to_bytes(len(bits) // 8, "big")
    header = read_header(Window(data), 1 << 20)
    scans = first_scans(Window(data + segment(0xDA, b"\1\1\0\1\5\0") + b"more"), header)
    assert header.scan_at + len(scans) == len(data)
    wanted = Image.new("YCbCr", (1, 1), tuple(128 + value for value in values)).convert("RGB").getpixel((0, 0))
    with open_picture(data + segment(0xDA, b"\1\1\0\1\5\0") + b"more") as picture:
        assert np.abs(picture.squashed(8).astype(int) - wanted).max() <= 2


def test_a_first_scan_that_makes_no_sense_falls_back_to_the_whole_file():
    data = bytearray(encoded(scene(), "JPEG", progressive=True))
    header = read_header(Window(data), 1 << 20)
    components = data[header.scan_at + 4]
    data[header.scan_at + 5 + 2 * components] = 1
    assert first_scans(Window(data), header) is None
    assert first_scans(Window(data[: header.scan_at + 300]), header) is None


def test_shrinking():
    data = encoded(scene(3000, 2400), "JPEG")
    with open_picture(data) as picture:
        assert picture.image(224).size == (375, 300)
        assert min(picture.image(2400).size) == 2400
        assert picture.image((1 << 20, 1 << 20)).size == (3000, 2400)
    with open_picture(encoded(scene(10, 4000), "PNG")) as picture:
        assert picture.image(224).width == 10
        assert 224 <= picture.image(224).height < 500


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (3, 7)])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP"])
def test_odd_sizes(size, form):
    image = Image.new("RGB", size, (200, 100, 50))
    assert np.abs(seen(encoded(image, form)) - (200, 100, 50)).max() <= 4


BAD_SOURCES = {
    "empty.jpg": (b"", NotAPicture, "empty"),
    "text.jpg": (b"this is a letter, not a picture\n" * 20, NotAPicture, "not a picture format"),
    "start.jpg": (b"\xff\xd8\xff", BrokenPicture, "ends before"),
    "start.png": (b"\x89PNG\r\n\x1a\n", BrokenPicture, "PNG"),
    "start.tif": (b"II*\0", BrokenPicture, "TIFF"),
    "start.webp": (b"RIFF\0\0\0\0WEBP", BrokenPicture, "WEBP"),
    "start.gif": (b"GIF89a", BrokenPicture, "GIF"),
    "start.bmp": (b"BM", BrokenPicture, "BMP"),
    "start.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", BrokenPicture, "HEIC"),
    "start.avif": (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", BrokenPicture, "AVIF"),
}


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_bad_sources(tmp_path, name):
    data, kind, text = BAD_SOURCES[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(kind, match=text) as raised, open_picture(path) as picture:
        picture.squashed(64)
    assert raised.value.source == str(path)
    assert raised.value.remedy


def test_zero_size(tmp_path):
    data = bytearray(encoded(scene(64, 64), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 2] = b"\0\0"
    with pytest.raises(BrokenPicture, match="64 x 0"):
        open_picture(bytes(data))
    png = bytearray(encoded(scene(64, 64), "PNG"))
    png[16:20] = bytes(4)
    with pytest.raises(BrokenPicture):
        open_picture(bytes(png)).squashed(8)


def test_missing_folders_links_and_rights(tmp_path):
    with pytest.raises(SourceMissing, match="no such file"):
        open_picture(tmp_path / "nothing.jpg")
    with pytest.raises(SourceMissing, match="folder"):
        open_picture(tmp_path)
    link = tmp_path / "link.jpg"
    link.symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(SourceMissing, match=r"link to .*gone\.jpg"):
        open_picture(link)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SourceError):
        open_picture(tmp_path / "loop")
    with pytest.raises(SourceMissing, match="not a regular file"):
        open_picture("/dev/null")
    odd = tmp_path / "new\nline\udcff.jpg"
    with pytest.raises(SourceMissing) as raised:
        open_picture(odd)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("kept", [0.6, 0.02])
def test_truncated_files_are_decided_from_what_is_there(form, kept):
    rng = np.random.default_rng(3)
    image = Image.fromarray(
        (np.asarray(scene(800, 600)) + rng.normal(0, 20, (600, 800, 3))).clip(0, 255).astype(np.uint8)
    )
    options = {"compression": "tiff_lzw"} if form == "TIFF" else {}
    data = encoded(image, form, **options)
    try:
        with open_picture(data[: int(kept * len(data))]) as picture:
            shown = picture.squashed(64).astype(int)
            assert any("truncated" in warning for warning in picture.warnings)
            if kept > 0.5 and form in ("JPEG", "PNG"):
                assert np.abs(shown[:24] - nearly(image)[:24]).mean() < 8
    except BrokenPicture as error:
        assert form not in ("JPEG", "PNG") or kept < 0.5, error
        assert error.remedy


def test_a_jpeg_with_a_broken_tail_and_metadata_that_never_ends():
    data = encoded(scene(), "JPEG")
    with open_picture(data[:-2]) as picture:
        assert np.abs(picture.squashed(64).astype(int) - nearly(scene())).mean() < 3
    padded = data[:2] + (b"\xff\xe1\xff\xff" + bytes(65533)) * 40 + data[2:]
    assert np.abs(seen(padded) - nearly(scene())).mean() < 3
    with pytest.raises(BrokenPicture, match="max_metadata_bytes"):
        open_picture(padded, limits=Limits(max_metadata_bytes=1 << 20))
    with pytest.raises(BrokenPicture, match="segments"):
        open_picture(data[:2] + b"\xff\xfe\0\2" * 5000 + data[2:])


def test_limits():
    data = encoded(scene(400, 300), "WEBP")
    with pytest.raises(
        TooLarge, match=r"400 x 300 needs about 1 MB of memory; the limit max_memory_mb is 0\.1"
    ) as raised:
        open_picture(data, limits=Limits(max_memory_mb=0.1))
    assert "--max-memory-mb" in raised.value.remedy
    streamed = encoded(scene(400, 1300), "PNG")
    assert seen(streamed, limits=Limits(max_memory_mb=4)).shape == (64, 64, 3)
    interlaced = pyvips.Image.new_from_array(np.asarray(scene(400, 1300))).pngsave_buffer(interlace=True)
    with pytest.raises(TooLarge, match="max_memory_mb"):
        open_picture(interlaced, limits=Limits(max_memory_mb=4))
    with pytest.raises(TooLarge, match="max_stream_bytes"):
        open_picture(io.BytesIO(streamed), limits=Limits(max_stream_bytes=100))


def test_time_limit():
    large = pyvips.Image.black(20_000, 20_000).pngsave_buffer(compression=1)
    with pytest.raises(TooLarge, match="timeout_s"), open_picture(large, limits=Limits(timeout_s=0.05)) as picture:
        picture.squashed(64)


def test_pillows_limit_of_pixels_is_neither_applied_nor_changed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for form in ("JPEG", "BMP"):
        assert seen(encoded(scene(300, 200), form)).shape == (64, 64, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_threads():
    data = [encoded(scene(900, 600 + 50 * i), form) for i, form in enumerate(("JPEG", "PNG", "TIFF", "WEBP"))]
    wanted = [seen(one) for one in data]
    wrong = []

    def work(i):
        for _ in range(5):
            wrong.extend([i] * (not np.array_equal(seen(data[i % 4]), wanted[i % 4])))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_imports_stay_light_and_nothing_is_said_on_stderr(tmp_path):
    truncated = tmp_path / "t.png"
    truncated.write_bytes(encoded(scene(), "PNG")[:9000])
    script = (
        "import sys; from upright.pictures import open_picture; from upright.steps import View\n"
        "assert not {'numpy', 'PIL', 'pyvips'} & set(sys.modules), sys.modules.keys()\n"
        f"with open_picture({str(DEMO / 'coffee.jpg')!r}) as picture: picture.squashed(224)\n"
        "assert 'pyvips' not in sys.modules\n"
        f"with open_picture({str(truncated)!r}) as picture: picture.squashed(224)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_heic_is_read_through_its_own_orientation_once():
    """The file holds a picture that is wider than high, says in its boxes and in EXIF that it is to be turned."""
    path = Path(__file__).parent / "data" / "turned.heic"
    with open_picture(path) as picture:
        assert (picture.format, picture.width_px, picture.height_px, int(picture.exif)) == ("HEIC", 200, 320, 1)
        wanted = nearly(Image.fromarray(show_array(np.asarray(scene(320, 200)), ExifOrientation(6))))
        assert np.abs(picture.squashed(64).astype(int) - wanted).mean() < 4
        with pytest.raises(TooLarge, match="max_memory_mb"):
            open_picture(path, limits=Limits(max_memory_mb=0.01))


def test_pdf_pages():
    pages = [scene(600, 400), scene(300, 500)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "PDF", save_all=True, append_images=pages[1:], resolution=150)
    for page, image in enumerate(pages):
        with open_picture(buffer.getvalue(), page=page) as picture:
            assert (picture.format, picture.pages) == ("PDF", 2)
            assert (picture.width_px, picture.height_px) == image.size
            assert np.abs(picture.squashed(64).astype(int) - nearly(image)).mean() < 4
            part = picture.region((100, 200, 200, 300), 100)
            wanted = nearly(image.crop((100, 200, 200, 300)))
            assert np.abs(nearly(Image.fromarray(part)) - wanted).mean() < 4
    with pytest.raises(UsageError, match="no page 3; it has 2"):
        open_picture(buffer.getvalue(), page=2)
    with pytest.raises(BrokenPicture, match="PDF"):
        open_picture(b"%PDF-1.7\nnothing more")


@pytest.mark.parametrize("big", [False, True])
def test_pages_of_a_tiff_are_those_of_files_of_one_page(big, tmp_path):
    """However many there are, and whatever is wrong with another one."""
    pages = [scene(300 + 10 * page, 200).rotate(7 * page) for page in range(5)]
    options = {"compression": "tiff_lzw", "big_tiff": big}
    data = bytearray(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], **options))
    last = list(readable(Window(data), Span(0, len(data))))[4]
    data[last.find(COMPRESSION).value.start] = 99  # a compression that nobody knows
    path = tmp_path / "pages.tif"
    path.write_bytes(data)
    for page, image in enumerate(pages[:4]):
        with open_picture(encoded(image, "TIFF", **options)) as alone:
            wanted = alone.squashed(64)
        for source in (path, bytes(data)):
            with open_picture(source, page=page) as picture:
                assert (picture.page, picture.pages) == (page, 5)
                assert np.array_equal(picture.squashed(64), wanted)
                assert not picture.warnings
    with pytest.raises(BrokenPicture, match="cannot be decoded"), open_picture(path, page=4) as picture:
        picture.squashed(64)
    with pytest.raises(UsageError, match="no page 6; it has 5"):
        open_picture(path, page=5)


def test_dicom_frames():
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    y, x = np.mgrid[0:100, 0:150]
    frames = np.stack([x * 20, y * 20]).astype(np.uint16)
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.Rows, data.Columns, data.NumberOfFrames = 100, 150, 2
    data.SamplesPerPixel, data.PixelRepresentation, data.PhotometricInterpretation = 1, 0, "MONOCHROME1"
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.WindowCenter, data.WindowWidth = 1000, 1000
    data.RescaleSlope, data.RescaleIntercept = 1, 0
    data.PixelData = frames.tobytes()
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    for page, along in enumerate((1, 0)):
        with open_picture(buffer.getvalue(), page=page) as picture:
            assert (picture.format, picture.pages, picture.width_px, picture.height_px) == ("DICOM", 2, 150, 100)
            line = picture.squashed(64)[..., 0].mean(axis=1 - along)
            assert (line[:10] > 250).all()
            assert abs(line[int(64 * 1000 / 20 / frames.shape[2 - (1 - along)])] - 127) < 20
    with pytest.raises(BrokenPicture, match="0 x 0"):
        open_picture(bytes(128) + b"DICM" + b"junk" * 20)


class _Odd(Exception):
    """What no decoder promises not to raise."""


@pytest.mark.parametrize(
    ("error", "kind"), [(_Odd("odd"), BrokenPicture), (MemoryError(), TooLarge), (OSError(5, "EIO"), SourceMissing)]
)
def test_whatever_a_decoder_raises_is_one_of_our_errors(monkeypatch, error, kind):
    def fail(*_):
        raise error

    data = encoded(scene(64, 48), "BMP")
    monkeypatch.setattr("PIL.BmpImagePlugin.BmpImageFile.load", fail)
    with open_picture(data) as picture, pytest.raises(kind) as raised:
        picture.squashed(8)
    assert raised.value.source == "<bytes>" and raised.value.remedy


def test_a_damaged_element_of_a_dicom_file_is_damage():
    pixels = np.asarray(scene(20, 10))
    data = dicom(pixels)
    assert seen(data).shape == (64, 64, 3)
    bits = b"\x28\0\1\1US"
    with (
        open_picture(data.replace(bits + b"\2\0", bits + b"\3\0")) as picture,
        pytest.raises(BrokenPicture, match="DICOM"),
    ):
        picture.squashed(8)


RAMP = np.linspace(0, 1, 300 * 400).reshape(300, 400)
FAR = np.arange(300)[:, None] < 60
#: Fractions, and from where on their shown rows become brighter from row to row.
FRACTIONS = {
    "usual": (RAMP, 0),
    "near the largest": (RAMP * 3.4e38, 0),
    "near the largest of both signs": ((2 * RAMP - 1) * 3.4e38, 0),
    "not a number here and there": (np.where((np.arange(120_000) % 97 == 0).reshape(300, 400), np.nan, RAMP), 0),
    "infinite": (np.where(FAR, -np.inf, RAMP), 60),
    "not measured": (np.where(FAR, 3.4028234e38, RAMP), 60),
    "not measured, negative": (np.where(FAR, -3.4028234e38, RAMP), 60),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FRACTIONS)
@pytest.mark.parametrize("how", ["tiff", "float32", "float64"])
def test_fractions_of_any_size_are_seen(name: str, how: str) -> None:
    values, first = FRACTIONS[name]
    if how == "tiff":
        source: bytes | np.ndarray = pyvips.Image.new_from_array(values.astype(np.float32)).tiffsave_buffer()
    elif how == "float64":
        source = values * 1e250 if name.startswith("near") else values
    else:
        source = values.astype(np.float32)
    with open_picture(source) as picture:
        rows = picture.squashed(64)[:, :, 0].astype(int).mean(axis=1)[-(-first * 64 // 300) + 2 :]
    assert rows[-1] - rows[0] > 120 and (np.diff(rows) > -1).all()


def test_fractions_that_are_nothing_are_blank() -> None:
    for value in (np.nan, np.inf, -np.inf, 3.4e38, 0.0):
        with open_picture(np.full((64, 64), value, np.float32)) as picture:
            assert np.ptp(picture.squashed(32)) == 0


def test_fractions_that_no_decoder_reads_are_of_an_unknown_kind() -> None:
    source = pyvips.Image.new_from_array(RAMP).tiffsave_buffer()
    with pytest.raises(BrokenPicture, match="a kind of TIFF that cannot be decoded"), open_picture(source) as picture:
        picture.squashed(64)


@pytest.mark.parametrize("size", [(1799, 1205), (1792, 1344), (3745, 2017)])
def test_a_shrunk_picture_is_not_moved_by_what_is_left_over_at_its_edges(size: tuple[int, int]) -> None:
    """Where libvips does not shrink, and in whichever way the picture lies."""
    wave = np.sin(np.arange(size[0]) / size[0] * 40 * np.pi)[None, :] * np.ones((size[1], 1))
    image = Image.fromarray((127 + 120 * wave).astype(np.uint8)).convert("RGB")
    exact = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR)).astype(int)
    for turned in (False, True):
        out = io.BytesIO()
        (image.rotate(180) if turned else image).save(out, "BMP")
        with open_picture(out.getvalue()) as picture:
            view = picture.squashed(224).astype(int)
        assert np.abs((view[::-1, ::-1] if turned else view) - exact).max() <= 10
