"""What a file holds beside its pixels is there after it was turned or encoded again, or it is refused or said."""

import struct
from pathlib import Path

import pytest
import pyvips
from PIL import Image

from upright.correction import correct, corrected_bytes
from upright.errors import NotLossless
from upright.lossless import turned
from upright.results import Method
from upright.turns import ExifOrientation

from .fuzz.seeds import saved
from .test_lossless import NOISE, SMOOTH, chunk, chunks, opened, png_by_hand

RIGHT = ExifOrientation.RIGHT_TOP
FILES = {
    "JPEG": lambda: saved(SMOOTH, "JPEG"),
    "PNG": lambda: png_by_hand(8, 2),
    "PNG of 16 bits": lambda: png_by_hand(16, 6),
    "WebP": lambda: saved(NOISE, "WEBP", lossless=True, exact=True, exif=Image.Exif()),
    "WebP of one chunk": lambda: saved(NOISE.convert("RGB"), "WEBP", lossless=True),
    "GIF": lambda: saved(NOISE.convert("RGB").quantize(100), "GIF", comment=b"hello"),
    "BMP": lambda: saved(NOISE.convert("RGB"), "BMP"),
    "BMP of colours": lambda: saved(NOISE.convert("RGB").quantize(100), "BMP"),
    "BMP of one bit": lambda: saved(NOISE.convert("1"), "BMP"),
    "BMP with alpha": lambda: saved(NOISE, "BMP"),
    "TIFF": lambda: saved(NOISE, "TIFF"),
    "TIFF of strips": lambda: saved(NOISE, "TIFF", compression="tiff_lzw", strip_size=600),
    "TIFF of tiles": lambda: pyvips.Image.new_from_array(NOISE).tiffsave_buffer(tile=True, compression="lzw"),
    "BigTIFF": lambda: saved(NOISE, "TIFF", big_tiff=True),
}


@pytest.mark.parametrize("name", FILES)
def test_bytes_behind_the_picture(name: str) -> None:
    data = FILES[name]()
    for padding in (b"", b"\0", b"\r\n", bytes(500)) if name != "JPEG" else (b"", bytes(500)):
        result = turned(data + padding, RIGHT)
        assert result.endswith(padding)
        assert turned(data, RIGHT) + padding == result
    for more in (b"PRECIOUS", bytes(500) + b"\1", b"\0" + data):
        cause = f"{len(more)} bytes follow the picture" if name != "WebP" else "bytes follow the picture"
        with pytest.raises(NotLossless, match=cause) as caught:
            turned(data + more, RIGHT)
        assert ("--sidecar" if name[:3] in ("GIF", "BMP") else "--method tag") in caught.value.remedy


def commented(*comments: bytes) -> bytes:
    return b"".join(b"\x21\xfe" + bytes([len(text)]) + text + b"\0" for text in comments)


def test_a_gif_keeps_every_comment() -> None:
    plain = saved(NOISE.convert("RGB").quantize(64), "GIF")
    start = 13 + 3 * 64
    source = b"GIF89a" + plain[6:start] + commented(b"first", b"second") + plain[start:-1] + commented(b"late") + b";"
    result = turned(source, RIGHT)
    assert commented(b"first", b"second", b"late") in result
    assert [result.count(text) for text in (b"first", b"second", b"late")] == [1, 1, 1]
    assert result[:6] == b"GIF89a"
    assert opened(result).size == opened(source).size[::-1]


def test_a_gif_with_text_drawn_on_it_is_refused() -> None:
    plain = saved(NOISE.convert("RGB").quantize(64), "GIF")
    text = b"\x21\x01\x0c" + bytes(12) + b"\x02Hi\0"
    with pytest.raises(NotLossless, match="its extension 0x01 would be lost"):
        turned(plain[:-1] + text + b";", RIGHT)


@pytest.mark.parametrize("kind", [b"ABCD", b"EXIF"])
def test_a_webp_with_a_chunk_that_would_be_lost_is_refused(kind: bytes) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x"
    data = saved(NOISE, "WEBP", lossless=True, exif=exif)
    data += kind + struct.pack("<I", 8) + b"mychunk!"
    data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    with pytest.raises(NotLossless, match=f"its chunk '{kind.decode()}' would be lost"):
        turned(data, RIGHT)


def test_a_bmp_with_something_before_its_pixels_is_refused() -> None:
    data = saved(NOISE.convert("RGB"), "BMP")
    for gap in (bytes(8), b"PRECIOUS"):
        moved = data[:10] + struct.pack("<I", 54 + 8) + data[14:54] + gap + data[54:]
        if gap == bytes(8):
            assert opened(turned(moved, RIGHT)).tobytes() == opened(turned(data, RIGHT)).tobytes()
        else:
            with pytest.raises(NotLossless, match="before its pixels"):
                turned(moved, RIGHT)


def test_a_png_says_nothing_of_where_its_pixels_were() -> None:
    parts = chunk(b"iDOT", bytes(28)) + chunk(b"sCAL", b"\x010.5\x002") + chunk(b"prVt", b"unknown")
    source = png_by_hand(8, 2, parts)
    after = chunks(turned(source, RIGHT))
    assert b"iDOT" not in after
    assert (after[b"sCAL"], after[b"prVt"]) == (b"\x012\x000.5", b"unknown")
    assert chunks(turned(source, ExifOrientation.BOTTOM_RIGHT))[b"sCAL"] == b"\x010.5\x002"


AGAIN = FILES | {
    "WebP with loss": lambda: saved(NOISE, "WEBP"),
    "PPM": lambda: saved(NOISE.convert("RGB"), "PPM"),
    "PGM": lambda: saved(NOISE.convert("L"), "PPM"),
    "PBM": lambda: saved(NOISE.convert("1"), "PPM"),
    "AVIF": lambda: saved(NOISE, "AVIF"),
}
#: A film of a motion photo, as a box.
FILM = b"\0\0\0\x18mpvdPRECIOUSPRECIOUS"


@pytest.mark.parametrize("name", AGAIN.keys() - {"JPEG"})
def test_encoded_again_a_picture_keeps_what_is_behind_it(name: str) -> None:
    data = AGAIN[name]()
    for how in ({"method": Method.REENCODE}, {"pixels": True}):
        plain, _ = corrected_bytes(data, 90, **how)  # type: ignore[arg-type]
        for behind in (FILM, b"\0\r\n"):
            new, done = corrected_bytes(data + behind, 90, **how)  # type: ignore[arg-type]
            assert new == plain + behind and done.method in (Method.REENCODE, Method.TURN)


@pytest.mark.parametrize("boxes", [True, False])
def test_a_jpeg_2000_with_something_behind_it_is_refused(boxes: bool) -> None:
    data = saved(NOISE.convert("RGB"), "JPEG2000", no_jp2=not boxes)
    assert corrected_bytes(data + b"\0\0", 90, Method.REENCODE)[1].method is Method.REENCODE
    lost = "its box 'mpvd'" if boxes else "what follows its pixels"
    with pytest.raises(NotLossless, match=f"{lost} would be lost; use --sidecar"):
        corrected_bytes(data + FILM, 90, Method.REENCODE)


@pytest.mark.parametrize("name", AGAIN)
def test_another_format_says_what_it_leaves_out(name: str, tmp_path: Path) -> None:
    for data, said in (
        (AGAIN[name](), ""),
        (AGAIN[name]() + FILM, "the 24 bytes that follow the picture are left out"),
    ):
        target = tmp_path / f"{len(said)}.{'png' if name[:4] == 'JPEG' else 'jpg'}"
        assert said in correct(data, target, turn=90, method="reencode").note
        assert not target.read_bytes().endswith(FILM)


def test_a_webp_whose_chunk_would_be_lost_is_not_encoded_again() -> None:
    data = saved(NOISE, "WEBP") + b"ABCD" + struct.pack("<I", 8) + b"mychunk!"
    data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    with pytest.raises(NotLossless, match="its chunk 'ABCD' would be lost; use --method tag"):
        corrected_bytes(data, 90, Method.REENCODE)
