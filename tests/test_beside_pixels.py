"""What a file holds beside its pixels is there after a turn without loss, or the file is refused."""

import struct

import pytest
import pyvips
from PIL import Image

from upright.errors import NotLossless
from upright.lossless import turned
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
