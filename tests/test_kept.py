"""What files say besides their pixels, where decoders and encoders pass over it: it stays, or nothing is written."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upright import correct, detect
from upright.correction import corrected_bytes
from upright.errors import BrokenPicture, NotAPicture, NotLossless
from upright.formats import sniff
from upright.results import Method

from .fuzz.seeds import raw
from .test_followers import drawn

PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>'
PACKET += b"</x:xmpmeta>"


def saved(form: str, size: tuple[int, int] = (64, 48), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    drawn(size).convert(mode).save(out, form)
    return out.getvalue()


def box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def test_a_gif_keeps_its_xmp_and_the_shape_of_its_pixels() -> None:
    data = saved("GIF", mode="P")
    place = 13 + (3 << (data[10] & 7) + 1)
    # XMP stands as it is; the 258 bytes behind it end it, wherever a reader that counts blocks is.
    xmp = b"\x21\xff\x0bXMP DataXMP" + PACKET + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    data = data[:12] + bytes([113]) + data[13:place] + xmp + data[place:]  # (113 + 15) / 64: twice as wide as high
    new, done = corrected_bytes(data, 90)
    assert done.method == Method.TURN and xmp in new
    assert (new[12] + 15) / 64 == 0.5
    tool = shutil.which("exiftool") or pytest.skip("exiftool is not installed")
    said = subprocess.run(
        [tool, "-s3", "-n", "-GIF:PixelAspectRatio", "-XMP", "-b", "-"], input=new, capture_output=True
    )
    assert said.stdout.startswith(b"0.5" + PACKET)
    half, _ = corrected_bytes(data, 180)
    assert half[12] == 113
    assert corrected_bytes(corrected_bytes(new, 90)[0], 180)[0][13:] == corrected_bytes(data, 0)[0][13:]


def test_a_bmp_with_a_profile_is_left() -> None:
    small = saved("BMP")
    pixels, (width, height) = small[54:], (64, 48)
    head = struct.pack("<IiiHHIIiiII16x", 124, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    head += b"DEBM" + bytes(36 + 12) + struct.pack("<IIII", 4, 124 + len(pixels), 100, 0)
    data = b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels) + 100, 0, 0, 14 + len(head)) + head
    data += pixels + bytes(100)
    assert len(head) == 124 and Image.open(io.BytesIO(data)).tobytes() == Image.open(io.BytesIO(small)).tobytes()
    new, done = corrected_bytes(data, 90)
    assert (new, done.method, done.remedy) == (data, Method.KEEP, "use --sidecar") and "profile" in done.note
    for method in (Method.TURN, Method.REENCODE):
        with pytest.raises(NotLossless, match="its colour profile would be lost; use --sidecar"):
            corrected_bytes(data, 90, method=method)


def test_jpeg_2000_stays_what_it_is_or_is_left() -> None:
    data = saved("JPEG2000")
    stream = data[data.index(b"\xff\x4f\xff\x51") :]
    for source in (data, stream):
        new, _ = corrected_bytes(source, 90, method=Method.REENCODE)
        assert new[:4] == source[:4], "a codestream gets no boxes"
        with Image.open(io.BytesIO(source)) as before, Image.open(io.BytesIO(new)) as after:
            assert np.array_equal(np.rot90(np.asarray(before), -1), np.asarray(after))
    described = data + box(b"uuid", bytes(16) + PACKET)
    at = data.index(b"colr") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    profiled = data[:at] + box(b"colr", b"\2" + data[at + 9 : at + size]) + data[at + size :]
    place, deep = data.index(stream), bytearray(data)
    deep[place + 42 : place + 51 : 3] = b"\x0f" * 3  # how many bits each component has, less one
    for source, lost in ((described, "its metadata"), (profiled, "its colour profile"), (bytes(deep), "its 16 bits")):
        with pytest.raises(NotLossless, match=f"{lost}.* would be lost|{lost}") as error:
            corrected_bytes(source, 90, method=Method.REENCODE)
        assert error.value.remedy == "use --sidecar"


def test_a_thumbnail_that_is_lost_is_said() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    out = io.BytesIO()
    drawn((61, 47)).save(out, "JPEG", exif=exif)
    data = out.getvalue()
    # A directory of a thumbnail of 28 bytes that are no picture, as small samples of cameras have them.
    block = b"MM\0\x2a\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 1, 0, 26)
    block += struct.pack(">HHHIIHHIII", 2, 0x0201, 4, 1, 26 + 30, 0x0202, 4, 1, 28, 0) + b"\xff\xd8" + bytes(26)
    old = data.index(b"Exif\0\0") - 4
    size = int.from_bytes(data[old + 2 : old + 4], "big")
    body = b"Exif\0\0" + block
    data = data[:old] + b"\xff\xe1" + (2 + len(body)).to_bytes(2, "big") + body + data[old + 2 + size :]
    _, done = corrected_bytes(data, 90, method=Method.REENCODE)
    assert done.note == "its thumbnail could not be turned and was taken out"


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_raw_photograph_of_phase_one_is_never_rewritten(tmp_path: Path, order: str) -> None:
    """It is a TIFF but for four letters behind the header; its directories would pass for pages."""
    plain = raw(drawn((64, 48)), order=order)
    # The directory moves to the end, where nothing says that it is a smaller form of another one.
    directory, place = plain[8 + 2 + 12 : 86], len(plain)
    count = struct.pack(order + "H", 3)
    head = plain[:4] + struct.pack(order + "I", place) + (b"IIII" if order == "<" else b"MMMM")
    data = head + plain[12:] + count + directory[:36] + bytes(4)
    assert sniff(data) == "RAW"
    (tmp_path / "a.iiq").write_bytes(data)
    done = correct(tmp_path / "a.iiq", turn=90, in_place=True, journal=tmp_path / "j", method="turn")
    assert done.note == "the sidecar a.iiq.xmp was written" and (tmp_path / "a.iiq").read_bytes() == data


def test_what_is_no_picture_is_called_so_by_every_method() -> None:
    for how in ({}, {"pixels": True}, {"method": Method.TAG}, {"method": Method.TURN}):
        with pytest.raises(NotAPicture, match="not a picture in a format that upright knows"):
            corrected_bytes(b"FOVb" + bytes(400), 90, **how)


def test_a_pdf_is_not_changed_where_a_sidecar_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(data := saved("PDF"))
    done = correct(tmp_path / "a.pdf", turn=90, in_place=True, journal=tmp_path / "j", sidecar="full")
    assert done.method == Method.KEEP and done.remedy.startswith("leave --sidecar out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"] and (tmp_path / "a.pdf").read_bytes() == data


def test_a_jpeg_xl_that_libjxl_cannot_decode_is_called_damaged(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a\x08\x04\x81\x3c" + bytes(40))
    with pytest.raises(BrokenPicture, match="damaged JXL: libjxl cannot decode it; fetch or scan it again"):
        detect(tmp_path / "a.jxl")
