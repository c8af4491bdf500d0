"""The tag is read and written in every container, and nothing else changes."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from upright.carriers import exif_edits, patch_exif_orientation, read_exif_orientation
from upright.errors import BrokenPicture, Damaged, UprightError
from upright.formats import Window, applied, inverse
from upright.pictures import open_picture
from upright.turns import ExifOrientation, Turn

ALL = list(ExifOrientation)
XMP_PACKET = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{}"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def picture(mode: str = "RGB") -> Image.Image:
    gradient = Image.linear_gradient("L").resize((37, 23))
    return Image.merge("RGB", (gradient, gradient.transpose(0), gradient.transpose(1))).convert(mode)


def saved(form: str, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    picture(mode).save(out, form, **options)
    return out.getvalue()


def exif_without_tag() -> bytes:
    """EXIF with a camera's name, a sub-directory and no orientation."""
    exif = Image.Exif()
    exif[0x010F] = "A maker of cameras"
    exif[0x9C9B] = b"t\0i\0t\0l\0e\0\0\0"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
    return exif.tobytes()


def exif_with_tag(value: int, order: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = order
    exif[0x0112] = value
    exif[0x010F] = "A maker of cameras"
    return exif.tobytes()


def simple_tiff(order: str, big: bool) -> bytes:
    """Three bytes of grey pixels in a TIFF or BigTIFF written by hand, two pages long."""
    entry, count, offset = ("HHQ", "Q", "Q") if big else ("HHI", "H", "I")
    head = struct.pack(
        order + ("2sHHHQ" if big else "2sHI"),
        *([b"MM" if order == ">" else b"II"] + ([43, 8, 0, 24] if big else [42, 12])),
    )
    head = head.ljust(24 if big else 12, b"\x80")
    tags = [
        (256, 3, 3),
        (257, 3, 1),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 16 if big else 8),
        (277, 3, 1),
        (278, 3, 1),
        (279, 4, 3),
    ]
    body, at = head, len(head)
    size = struct.calcsize(order + count) + len(tags) * (20 if big else 12) + struct.calcsize(order + offset)
    for page in range(2):
        body += struct.pack(order + count, len(tags))
        for tag, kind, value in tags:
            cell = struct.pack(order + ("H" if kind == 3 else "I"), value).ljust(8 if big else 4, b"\0")
            body += struct.pack(order + entry, tag, kind, 1) + cell
        body += struct.pack(order + offset, at + size if page == 0 else 0)
    return body


SOURCES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved("JPEG"),
    "jpeg tagged": lambda: saved("JPEG", exif=exif_with_tag(3)),
    "jpeg tagged, big-endian": lambda: saved("JPEG", exif=exif_with_tag(8, ">")),
    "jpeg with EXIF but no tag": lambda: saved("JPEG", exif=exif_without_tag()),
    "jpeg with XMP": lambda: saved("JPEG", exif=exif_with_tag(6), xmp=XMP_PACKET.format(6).encode()),
    "jpeg with a tail": lambda: saved("JPEG") + b"\0trailing bytes \xff\xd8\xff",
    "png": lambda: saved("PNG"),
    "png tagged": lambda: saved("PNG", exif=exif_with_tag(5)),
    "png with EXIF but no tag": lambda: saved("PNG", exif=exif_without_tag()),
    "png, palette": lambda: saved("PNG", "P"),
    "webp": lambda: saved("WEBP"),
    "webp lossless": lambda: saved("WEBP", lossless=True),
    "webp lossless, alpha": lambda: saved("WEBP", "RGBA", lossless=True),
    "webp, alpha": lambda: saved("WEBP", "RGBA"),
    "webp tagged": lambda: saved("WEBP", exif=exif_with_tag(7)),
    "webp with EXIF but no tag": lambda: saved("WEBP", exif=exif_without_tag()),
    "webp with XMP": lambda: saved("WEBP", xmp=XMP_PACKET.format(3).encode()),
    "tiff": lambda: saved("TIFF"),
    "tiff, deflate": lambda: saved("TIFF", compression="tiff_adobe_deflate"),
    "tiff tagged": lambda: saved("TIFF", tiffinfo={0x0112: 4}),
    "bigtiff": lambda: saved("TIFF", big_tiff=True),
    "tiff, little-endian": lambda: simple_tiff("<", False),
    "tiff, big-endian": lambda: simple_tiff(">", False),
    "bigtiff, little-endian": lambda: simple_tiff("<", True),
    "bigtiff, big-endian": lambda: simple_tiff(">", True),
}


@pytest.fixture(params=SOURCES, scope="module")
def source(request: pytest.FixtureRequest) -> bytes:
    return SOURCES[request.param]()


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return image.tobytes()


def crcs_hold(data: bytes) -> bool:
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if zlib.crc32(data[at + 4 : at + 8 + length]) != int.from_bytes(
            data[at + 8 + length : at + 12 + length], "big"
        ):
            return False
        at += 12 + length
    return True


@pytest.mark.parametrize("orientation", ALL)
def test_patch_then_read(source: bytes, orientation: ExifOrientation) -> None:
    patched = patch_exif_orientation(source, orientation)
    for found in (read_exif_orientation(patched), read_exif_orientation(io.BytesIO(patched))):
        assert found.orientation == orientation
        assert not found.warning
        assert found.xmp in (None, orientation)
        if found.present:
            code = "<H" if found.byte_order == "little" else ">H"
            assert struct.unpack_from(code, patched, found.offset)[0] == orientation
    assert patch_exif_orientation(patched, orientation) == patched
    if patched.startswith(b"\x89PNG"):
        assert crcs_hold(patched)


@pytest.mark.parametrize("orientation", ALL)
def test_others_read_the_same_tag_and_the_same_pixels(source: bytes, orientation: ExifOrientation) -> None:
    patched = patch_exif_orientation(source, orientation)
    # libtiff through libvips, because Pillow turns TIFF while it loads and fails on a big-endian BigTIFF.
    before, after = (pyvips.Image.new_from_buffer(data, "") for data in (source, patched))
    assert after.write_to_memory() == before.write_to_memory()
    assert (after.get("orientation") if after.get_typeof("orientation") else 1) == orientation
    if source[:2] not in (b"II", b"MM"):
        assert pixels(patched) == pixels(source)
        with Image.open(io.BytesIO(patched)) as image:
            assert image.getexif().get(0x0112, 1) == orientation


def test_only_the_value_changes(source: bytes) -> None:
    tag = read_exif_orientation(source)
    if not tag.present:
        tagged = patch_exif_orientation(source, ExifOrientation.BOTTOM_RIGHT)
        tag = read_exif_orientation(tagged)
    else:
        tagged = source
    for orientation in ALL:
        patched = patch_exif_orientation(tagged, orientation)
        assert len(patched) == len(tagged)
        different = {at for at, (a, b) in enumerate(zip(tagged, patched, strict=True)) if a != b}
        allowed = {tag.offset, tag.offset + 1, tag.xmp_offset}
        if tagged.startswith(b"\x89PNG"):
            assert len(different - allowed) <= 4  # the check sum
        else:
            assert different <= allowed
        assert patch_exif_orientation(patched, tag.orientation) == tagged


def test_edits_can_be_taken_back(source: bytes) -> None:
    for orientation in ALL:
        edits = exif_edits(source, orientation)
        patched = b"".join(applied(Window(source), edits))
        assert b"".join(applied(Window(patched), inverse(edits))) == source


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_other_exif_survives_growing(form: str) -> None:
    patched = patch_exif_orientation(saved(form, exif=exif_without_tag()), ExifOrientation.RIGHT_TOP)
    with Image.open(io.BytesIO(patched)) as image:
        exif = image.getexif()
        assert exif[0x0112] == 6
        assert exif[0x010F] == "A maker of cameras"
        assert exif.get_ifd(0x8769)[0x9003] == "2024:01:02 03:04:05"


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_second_page_of_a_tiff(order: str, big: bool) -> None:
    data = simple_tiff(order, big)
    patched = patch_exif_orientation(data, ExifOrientation.LEFT_BOTTOM, page=1)
    assert read_exif_orientation(patched, page=1).orientation == 8
    assert not read_exif_orientation(patched, page=0).present
    assert read_exif_orientation(patched, page=2).warning
    assert pyvips.Image.new_from_buffer(patched, "", page=1).get("n-pages") == 2


def test_multi_picture_offsets_hold() -> None:
    out = io.BytesIO()
    second = picture().transpose(Image.Transpose.ROTATE_180)
    picture().save(out, "MPO", save_all=True, append_images=[second])
    before = out.getvalue()
    patched = patch_exif_orientation(before, ExifOrientation.RIGHT_TOP)
    assert read_exif_orientation(patched).orientation == 6
    with Image.open(io.BytesIO(before)) as a, Image.open(io.BytesIO(patched)) as b:
        assert b.format == "MPO" and b.n_frames == a.n_frames == 2
        for frame in range(2):
            a.seek(frame), b.seek(frame)
            assert a.tobytes() == b.tobytes()


def test_exif_behind_a_multi_picture_index_is_not_grown() -> None:
    payload = exif_without_tag()
    segment = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
    data = saved("JPEG")
    data = data[:2] + b"\xff\xe2\x00\x0aMPF\0\0\0\0\0" + segment + data[2:]
    with pytest.raises(BrokenPicture, match="multi-picture"):
        patch_exif_orientation(data, ExifOrientation.RIGHT_TOP)


def test_padding_other_segments_and_exif_after_the_scan() -> None:
    data = saved("JPEG", exif=exif_with_tag(6))
    padded = data[:2] + b"\xff" * 40 + b"\xff\xfe\x00\x06text" + b"\xff" * 5 + data[2:]
    assert read_exif_orientation(padded).orientation == 6
    plain = saved("JPEG")
    late = plain[:-2] + b"\xff\xe1" + struct.pack(">H", len(exif_with_tag(6)) + 2) + exif_with_tag(6) + plain[-2:]
    assert not read_exif_orientation(late).present


@pytest.mark.parametrize("value", [0, 9, 65535])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_unknown_value_counts_as_one_and_can_be_mended(form: str, value: int) -> None:
    data = saved(form, exif=exif_with_tag(value))
    tag = read_exif_orientation(data)
    assert (tag.orientation, tag.present, tag.valid, tag.raw) == (1, True, False, value)
    assert str(value) in tag.warning
    assert read_exif_orientation(patch_exif_orientation(data, ExifOrientation.TOP_LEFT)).raw == 1


def test_tag_of_a_wrong_type_is_rewritten() -> None:
    data = saved("JPEG", exif=exif_with_tag(6)).replace(b"\x12\x01\x03\x00", b"\x12\x01\x02\x00", 1)
    assert not read_exif_orientation(data).valid
    patched = patch_exif_orientation(data, ExifOrientation.BOTTOM_RIGHT)
    assert len(patched) == len(data)
    with Image.open(io.BytesIO(patched)) as image:
        assert image.getexif()[0x0112] == 3


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_xmp_follows_and_never_leads(form: str) -> None:
    packet = XMP_PACKET.format(6)
    if form == "PNG":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet)
        data = saved("PNG", pnginfo=info)
    else:
        data = saved(form, xmp=packet.encode())
    tag = read_exif_orientation(data)
    assert (tag.orientation, tag.present, tag.xmp) == (1, False, 6)
    assert "XMP" in tag.warning
    patched = patch_exif_orientation(data, ExifOrientation.BOTTOM_RIGHT)
    assert read_exif_orientation(patched).xmp == 3
    if form == "PNG":
        assert crcs_hold(patched)
    with Image.open(io.BytesIO(patched)) as image, Image.open(io.BytesIO(data)) as before:
        shown = ImageOps.exif_transpose(image)
        assert shown.tobytes() == before.transpose(Image.Transpose.ROTATE_180).tobytes()


def test_png_exif_after_the_pixels() -> None:
    data = saved("PNG")
    block = exif_with_tag(6)[6:]
    body = b"eXIf" + block
    chunk = struct.pack(">I", len(block)) + body + struct.pack(">I", zlib.crc32(body))
    late = data[:-12] + chunk + data[-12:]
    assert read_exif_orientation(late).orientation == 6
    patched = patch_exif_orientation(late, ExifOrientation.BOTTOM_RIGHT)
    assert crcs_hold(patched) and read_exif_orientation(patched).orientation == 3


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_extended_webp_keeps_size_and_alpha(mode: str, lossless: bool) -> None:
    image = picture(mode)
    if mode == "RGBA":
        image.putalpha(image.getchannel(0))
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=lossless)
    patched = patch_exif_orientation(out.getvalue(), ExifOrientation.RIGHT_TOP)
    with Image.open(io.BytesIO(patched)) as image:
        assert (image.size, image.mode) == ((37, 23), mode)
    assert int.from_bytes(patched[4:8], "little") == len(patched) - 8


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def heif(properties: list[bytes], brand: bytes = b"heic") -> bytes:
    """The boxes of a HEIC whose primary item has these properties, in this order."""
    listed = bytes([len(properties), *(0x80 | i for i in range(1, len(properties) + 1))])
    ipma = box(b"ipma", bytes(4), struct.pack(">I", 2), b"\0\x09\x01\x01", b"\0\x01", listed)
    iprp = box(b"iprp", box(b"ipco", *properties), ipma)
    meta = box(b"meta", bytes(4), box(b"pitm", bytes(4), b"\0\x01"), iprp)
    return box(b"ftyp", brand, bytes(4), b"mif1" + brand) + meta


@pytest.mark.parametrize("angle", range(4))
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("mirror_first", [False, True])
@pytest.mark.parametrize("brand", [b"heic", b"avif"])
def test_heif_transformations(angle: int, axis: int | None, mirror_first: bool, brand: bytes) -> None:
    image = picture()
    steps = [(b"irot", angle)] + ([(b"imir", axis)] if axis is not None else [])
    steps = steps[::-1] if mirror_first else steps
    shown = image
    for kind, value in steps:
        if kind == b"irot":
            shown = shown.rotate(90 * value, expand=True)  # both count counterclockwise
        else:
            shown = ImageOps.mirror(shown) if value == 1 else ImageOps.flip(shown)
    data = heif([box(kind, bytes([value])) for kind, value in steps], brand)
    tag = read_exif_orientation(data)
    image.getexif()[0x0112] = int(tag.orientation)
    assert ImageOps.exif_transpose(image).tobytes() == shown.tobytes()
    assert tag.applied and tag.to_apply == 1
    right = tag.orientation.then(Turn.RIGHT)
    assert read_exif_orientation(patched := patch_exif_orientation(data, right)).orientation == right
    # Another item has the first property, too, so that one is not changed.
    other = 1 if mirror_first and axis is not None else 9
    assert len(patched) == len(data) + (9 if other == 9 else 0)


def test_real_avif_is_not_turned_twice() -> None:
    for orientation in ALL:
        out = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = int(orientation)
        picture().save(out, "AVIF", exif=exif)  # Pillow writes the tag as irot and imir
        assert read_exif_orientation(out.getvalue()).orientation == orientation


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8", b"GIF89a", b"BM", b"\x89PNG\r\n\x1a\n", b"II*\0", b"RIFF"])
def test_nothing_to_read(data: bytes) -> None:
    assert read_exif_orientation(data).orientation == 1
    with pytest.raises(UprightError):
        patch_exif_orientation(data, ExifOrientation.RIGHT_TOP)


def test_directory_loop_ends() -> None:
    data = bytearray(simple_tiff("<", False))
    first = 12
    data[-4:] = struct.pack("<I", first)
    assert "loop" in read_exif_orientation(bytes(data), page=99).warning


MUTANTS = [make() for make in SOURCES.values()] + [heif([box(b"irot", b"\1"), box(b"imir", b"\0")])]


def test_a_webp_whose_length_says_that_it_is_empty_is_damaged() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "WEBP")
    with pytest.raises(Damaged, match="says that it is empty"):
        patch_exif_orientation(out.getvalue()[:4] + bytes(4) + out.getvalue()[8:], ExifOrientation.RIGHT_TOP)


def test_frames_have_one_tag_and_no_page_of_it_is_a_thumbnail() -> None:
    exif = exif_with_tag(6)
    first = struct.unpack("<I", exif[10:14])[0] + 6
    count = struct.unpack("<H", exif[first : first + 2])[0]
    thumbnail = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 3, 0, 0)
    end = first + 2 + 12 * count
    exif = exif[:end] + struct.pack("<I", len(exif) - 6) + exif[end + 4 :] + thumbnail
    data = saved("WEBP", exif=exif, save_all=True, append_images=[picture().transpose(1)])
    assert read_exif_orientation(data, page=1).orientation == 6
    with open_picture(data, page=1) as frame:
        assert (frame.pages, frame.exif, frame.width_px) == (2, 6, 23)
    turned = patch_exif_orientation(data, ExifOrientation(8), page=1)
    assert [read_exif_orientation(turned, page=page).orientation for page in (0, 1)] == [8, 8]


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(MUTANTS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8), st.floats(0, 1))
def test_damage_never_surprises(data: bytes, changes: list[tuple[float, int]], kept: float) -> None:
    damaged = bytearray(data[: int(len(data) * kept) + 1])
    for where, value in changes:  # most of what matters stands in the first bytes
        damaged[int(where**3 * (len(damaged) - 1))] = value
    tag = read_exif_orientation(bytes(damaged))
    assert tag.orientation in ALL
    try:
        patched = patch_exif_orientation(damaged, ExifOrientation.RIGHT_TOP)
    except UprightError:
        return
    assert read_exif_orientation(patched).orientation == 6
