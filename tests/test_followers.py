"""After a correction all that a file says of its picture agrees, as exiftool, Pillow, libvips and Chromium have it."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from upright.carriers import exif_edits
from upright.correction import corrected_bytes
from upright.errors import NotLossless
from upright.formats import Window, applied, inverse
from upright.lossless import reencoded, turned
from upright.results import Method
from upright.turns import ExifOrientation, Turn

EXIFTOOL = shutil.which("exiftool")
pytestmark = pytest.mark.skipif(not EXIFTOOL, reason="exiftool is not installed")
#: The corners of the shown picture, clockwise, and a face.
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
FACE = (0.25, 0.125, 0.125, 0.0625)  # centre, width and height, of the stored picture


def drawn(size: tuple[int, int] = (320, 256)) -> Image.Image:
    image = Image.new("RGB", size, (128, 128, 128))
    draw, (width, height) = ImageDraw.Draw(image), size
    sides = ((0, 0), (width - 48, 0), (width - 48, height - 48), (0, height - 48))
    for (x, y), colour in zip(sides, COLOURS, strict=True):
        draw.rectangle((x, y, x + 47, y + 47), fill=colour)
    x, y, w, h = FACE
    draw.rectangle(
        ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width - 1, (y + h / 2) * height - 1), (255, 0, 255)
    )
    return image


def tool(data: bytes, *words: str) -> bytes:
    assert EXIFTOOL
    done = subprocess.run([EXIFTOOL, *words, "-"], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def facts(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tool(data, "-j", "-n", "-G1", "-struct", "-a"))[0]
    return found


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A JPEG with orientation 6 in every place, as a camera and three programs for photographs leave it."""
    folder = tmp_path_factory.mktemp("photo")
    drawn().save(folder / "a.jpg", quality=92, dpi=(300, 150))
    # Rows that are no whole blocks with its subsampling, as 120 rows of most cameras.
    drawn((160, 120)).save(folder / "thumbnail.jpg", quality=70)
    x, y, w, h = FACE
    area = f"X={x},Y={y},W={w},H={h},Unit=normalized"
    words = [
        f"-ThumbnailImage<={folder / 'thumbnail.jpg'}",
        "-IFD0:Orientation#=6",
        "-IFD1:Orientation#=6",
        "-ExifIFD:ExifImageWidth=320",
        "-ExifIFD:ExifImageHeight=256",
        "-XMP-tiff:Orientation#=6",
        "-XMP-tiff:ImageWidth=320",
        "-XMP-tiff:ImageHeight=256",
        "-XMP-exif:ExifImageWidth=320",
        "-XMP-exif:ExifImageHeight=256",
        "-XMP-mwg-rs:RegionInfo={AppliedToDimensions={W=320,H=256,Unit=pixel},RegionList=[{Area={"
        + area
        + "},Name=Ada,Type=Face},{Area={X=0.5,Y=0.75,W=0.5,H=0.25,Unit=normalized},Name=Bea,Type=Face}]}",
        "-XMP-MP:RegionInfoMP={Regions=[{PersonDisplayName=Ada,Rectangle="
        + f"{x - w / 2:g}|, {y - h / 2:g}|, {w:g}|, {h:g}"
        + "}]}",
    ]
    assert EXIFTOOL
    subprocess.run([EXIFTOOL, "-overwrite_original", *words, folder / "a.jpg"], check=True, capture_output=True)
    return (folder / "a.jpg").read_bytes()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=program, args=["--headless=new", "--no-sandbox"])
        yield chromium.new_page()
        chromium.close()


def by_browser(page: Any, data: bytes, kind: str) -> np.ndarray:
    """The shown pixels of an <img>."""
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    size, pixels = page.evaluate(
        """async source => {
            const image = new Image(); image.src = source; await image.decode();
            const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
            const context = canvas.getContext("2d"); context.drawImage(image, 0, 0);
            const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
            return [[canvas.height, canvas.width], btoa(Array.from(data, c => String.fromCharCode(c)).join(""))];
        }""",
        source,
    )
    return np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(*size, 4)[..., :3]


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def by_vips(data: bytes) -> np.ndarray:
    import pyvips  # here: test_kills.py forks a process without libvips

    return np.asarray(pyvips.Image.new_from_buffer(data, "").autorot().numpy())[..., :3]


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    found = [pixels[8, 8], pixels[8, -9], pixels[-9, -9], pixels[-9, 8]]
    return [tuple(255 * (int(value) > 128) for value in each) for each in found]


def face_of(data: bytes, x: float, y: float) -> bool:
    """Whether the stored picture has its face there."""
    with Image.open(io.BytesIO(data)) as image:
        red, green, blue = image.convert("RGB").getpixel((round(x * image.width), round(y * image.height)))  # type: ignore[misc]
        return red > 180 and green < 90 and blue > 180


@pytest.mark.parametrize("method", [Method.TAG, Method.TURN])
@pytest.mark.parametrize("turn", [Turn.RIGHT, Turn.HALF, Turn.LEFT])
def test_a_photograph_of_many_programs(photo: bytes, browser: Any, method: Method, turn: Turn) -> None:
    data, done = corrected_bytes(photo, turn, method, "refuse")
    assert (done.method, done.lossless, done.note) == (method, True, "")
    wanted = COLOURS[-(1 + turn.index) :] + COLOURS[: -(1 + turn.index)]
    shown = [by_pillow(data), by_vips(data), by_browser(browser, data, "jpeg")]
    assert [corners(each) for each in shown] == [wanted] * 3
    said, orientation = facts(data), ExifOrientation.RIGHT_TOP.then(turn) if method == Method.TAG else 1
    places = ("IFD0:Orientation", "IFD1:Orientation", "XMP-tiff:Orientation")
    assert [said[name] for name in places] == [orientation] * 3
    with Image.open(io.BytesIO(data)) as stored:
        width, height = stored.size
    for group, names in {
        "ExifIFD": ("ExifImageWidth", "ExifImageHeight"),
        "XMP-exif": ("ExifImageWidth", "ExifImageHeight"),
        "XMP-tiff": ("ImageWidth", "ImageHeight"),
    }.items():
        assert tuple(said[f"{group}:{name}"] for name in names) == (width, height), group
    regions = said["XMP-mwg-rs:RegionInfo"]
    assert (regions["AppliedToDimensions"]["W"], regions["AppliedToDimensions"]["H"]) == (width, height)
    for region, sides in zip(regions["RegionList"], ((0.125, 0.0625), (0.5, 0.25)), strict=True):
        across = sides[:: -1 if (width, height) == (256, 320) else 1]
        assert (region["Area"]["W"], region["Area"]["H"]) == across, region
    face = regions["RegionList"][0]["Area"]
    assert face_of(data, face["X"], face["Y"])
    rectangle = said["XMP-MP:RegionInfoMP"]["Regions"][0]["Rectangle"]
    x, y, w, h = (float(part) for part in rectangle.split(","))
    assert (x + w / 2, y + h / 2, w, h) == tuple(face[name] for name in "XYWH")
    thumbnail = tool(data, "-b", "-ThumbnailImage")
    with Image.open(io.BytesIO(thumbnail)) as small:
        assert corners(np.asarray(ImageOps.exif_transpose(_tagged(small, said["IFD1:Orientation"])))) == wanted
    assert tool(data, "-validate", "-warning", "-a", "-s3").splitlines()[1:] == []
    undone = b"".join(applied(Window(data), inverse(exif_edits(photo, orientation)))) if method == Method.TAG else photo
    assert undone == photo


def test_a_thumbnail_is_mirrored_with_its_picture(photo: bytes) -> None:
    mirrored = ExifOrientation.RIGHT_TOP.mirror()
    data = b"".join(applied(Window(photo), exif_edits(photo, mirrored)))
    said = facts(data)
    assert [said[name] for name in ("IFD0:Orientation", "IFD1:Orientation", "XMP-tiff:Orientation")] == [mirrored] * 3


#: Where a pixel of a stored picture is shown by each orientation, and the sides of an area around it: EXIF 2.32, 4.6.4.
SUBJECTS = {
    1: (100, 50, 30, 20),
    2: (219, 50, 30, 20),
    3: (219, 205, 30, 20),
    4: (100, 205, 30, 20),
    5: (50, 100, 20, 30),
    6: (205, 100, 20, 30),
    7: (205, 219, 20, 30),
    8: (50, 219, 20, 30),
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", ExifOrientation)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "PNG again"])
def test_the_place_of_the_subject_moves_with_the_pixels(form: str, orientation: ExifOrientation, order: str) -> None:
    image, block = drawn(), Image.Exif()
    image.putpixel((100, 50), (255, 255, 255))
    block.endian = order
    block[0x010F], block.get_ifd(0x8769)[0x9214] = "A maker", (100, 50, 30, 20)
    block.get_ifd(0x8769)[0xA214] = (100, 50)
    name, options = form.split()[0], {"lossless": True} if form == "WEBP" else {}
    out = io.BytesIO()
    if form == "TIFF":
        tags = ImageFileDirectory_v2()
        tags.tagtype[0x8769], tags[0x8769] = 4, dict(block.get_ifd(0x8769))
        image.save(out, name, tiffinfo=tags)
    else:
        image.save(out, name, exif=block, **options)
    if form.endswith("again"):
        data = reencoded(out.getvalue(), orientation, Turn.NONE, name)
    else:
        data = turned(out.getvalue(), orientation)
    with Image.open(io.BytesIO(data)) as after:
        inner, wanted = after.getexif().get_ifd(0x8769), SUBJECTS[orientation]
        assert (tuple(inner[0x9214]), tuple(inner[0xA214])) == (wanted, wanted[:2])
        if form != "JPEG":
            assert after.convert("RGB").getpixel(wanted[:2]) == (255, 255, 255)


@pytest.mark.parametrize(("said", "wanted"), [((100, 50, 40), (205, 100, 40)), ((400, 50), (400, 50)), ((7,), (7,))])
def test_a_subject_in_a_circle_moves_and_one_outside_stays(said: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    block, out = Image.Exif(), io.BytesIO()
    block.get_ifd(0x8769)[0x9214] = said
    drawn().save(out, "JPEG", exif=block)
    with Image.open(io.BytesIO(turned(out.getvalue(), ExifOrientation.RIGHT_TOP))) as after:
        found = after.getexif().get_ifd(0x8769)[0x9214]
        assert (found if isinstance(found, tuple) else (found,)) == wanted


def _tagged(image: Image.Image, orientation: int) -> Image.Image:
    image.getexif()[0x0112] = orientation
    return image


def test_a_thumbnail_that_cannot_be_turned_is_taken_out_and_said(photo: bytes) -> None:
    at = photo.index(b"\xff\xd8\xff", 10)
    damaged = photo[: at + 30] + b"\0" * 400 + photo[at + 430 :]
    data, done = corrected_bytes(damaged, Turn.RIGHT, Method.TURN, "refuse")
    assert done.note == "its thumbnail could not be turned and was taken out"
    assert tool(data, "-b", "-ThumbnailImage") == b"" and facts(data)["IFD0:Orientation"] == 1
    assert damaged[at : at + 30] not in data, "no bytes of it are left"


def test_regions_that_cannot_move_leave_the_pixels_where_they_are(photo: bytes) -> None:
    broken = photo.replace(b"0.25</stArea:x>", b"abcd</stArea:x>").replace(b"stArea:x='0.25'", b"stArea:x='abcd'")
    assert broken != photo
    data, done = corrected_bytes(broken, Turn.RIGHT, Method.TURN)
    assert (done.method, done.note) == (
        Method.TAG,
        "the tag was changed, not the pixels: its XMP regions are no numbers",
    )
    assert data != broken
    with pytest.raises(NotLossless, match="regions are no numbers"):
        corrected_bytes(broken, Turn.RIGHT, Method.TURN, "refuse")


def raw_profile(name: str, data: bytes) -> str:
    digits = data.hex()
    return "\n".join(["", name, f"{len(data):8}", *(digits[at : at + 72] for at in range(0, len(digits), 72)), ""])


def png(turned: int) -> bytes:
    """As ImageMagick and older programs write it: EXIF in a text, XMP compressed."""
    exif, texts = Image.Exif(), PngInfo()
    exif[0x0112], exif[0x010F] = turned, "A maker"
    texts.add_text("Raw profile type exif", raw_profile("exif", exif.tobytes()), zip=True)
    texts.add_text("Raw profile type APP1", raw_profile("generic profile", exif.tobytes()))
    packet = f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
      xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
      xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><tiff:Orientation>{turned}</tiff:Orientation></rdf:Description>
      </rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
    texts.add_itxt("XML:com.adobe.xmp", packet, zip=True)
    texts.add_text("exif:Orientation", str(turned))
    out = io.BytesIO()
    drawn().save(out, "PNG", pnginfo=texts)
    return out.getvalue()


@pytest.mark.parametrize("method", [Method.TAG, Method.TURN])
def test_texts_of_a_png_follow(browser: Any, method: Method) -> None:
    source = png(1)
    data, done = corrected_bytes(source, Turn.RIGHT, method)
    wanted = COLOURS[-1:] + COLOURS[:-1]
    shown = [by_pillow(data), by_vips(data), by_browser(browser, data, "png")]
    assert [corners(each) for each in shown] == [wanted] * 3
    said = facts(data)
    orientations = {name: value for name, value in said.items() if name.endswith("Orientation")}
    expected = 6 if method == Method.TAG else 1
    assert len(orientations) >= 2 and set(map(int, orientations.values())) == {expected}, orientations
    again, _ = corrected_bytes(data, Turn.LEFT, method)
    with Image.open(io.BytesIO(again)) as image:
        image.load()
        assert f"{expected and 1}</tiff:Orientation>" in image.info["XML:com.adobe.xmp"]
        for name in ("Raw profile type exif", "Raw profile type APP1"):
            block = Image.Exif()
            block.load(bytes.fromhex("".join(image.info[name].split("\n")[3:])))
            assert (block[0x0112], block[0x010F]) == (1, "A maker")
        assert image.info["exif:Orientation"] == "1"
    if method == Method.TAG:
        edits = exif_edits(source, done.exif_after)
        assert b"".join(applied(Window(data), inverse(edits))) == source


def several(first: bytes, at: int, second: bytes) -> bytes:
    """Two JPEGs in one file, with the index (CIPA DC-007) at a place of the first."""
    head = b"MM\0*\0\0\0\x08\0\x03" + struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    head += struct.pack(">HHII", 0xB001, 4, 1, 2) + struct.pack(">HHII", 0xB002, 7, 32, 50) + bytes(4)
    length = len(first) + 8 + len(head) + 32  # of the first picture with its index
    entries = struct.pack(">III4x", 0x20030000, length, 0) + struct.pack(">III4x", 0, len(second), length - at - 8)
    body = b"MPF\0" + head + entries
    return first[:at] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + first[at:] + second


@pytest.mark.parametrize("place", ["before", "behind"])
@pytest.mark.parametrize("tagged", [True, False])
def test_the_index_of_several_pictures_stays_true(place: str, tagged: bool) -> None:
    exif, out, second = Image.Exif(), io.BytesIO(), io.BytesIO()
    exif[0x010F] = "A maker"
    drawn().save(out, "JPEG", exif=exif if tagged else b"")
    drawn((64, 48)).save(second, "JPEG")
    plain = out.getvalue()
    data = several(plain, plain.index(b"\xff\xdb") if place == "behind" else 2, second.getvalue())
    for each in (data, new := corrected_bytes(data, Turn.RIGHT)[0]):
        assert tool(each, "-b", "-MPImage2") == second.getvalue()
        assert facts(each)["MPImage1:MPImageLength"] == len(each) - len(second.getvalue())
    assert (len(new) > len(data), facts(new)["IFD0:Orientation"]) == (True, 6)
    if place == "behind":  # Pillow knows no index that comes first
        with Image.open(io.BytesIO(new)) as image:
            assert (image.format, image.n_frames) == ("MPO", 2)  # type: ignore[attr-defined]
