"""A turned TIFF says of itself what it said before: type and value of every tag, and its depth."""

import io
import struct

import numpy as np
import pytest
import pyvips
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from upright.errors import BrokenPicture, NotLossless
from upright.formats import Span, Window
from upright.formats.tiff import directory
from upright.lossless import reencoded, turned
from upright.lossless.tiff_tags import OF_SAMPLES, OF_WRITER, described_as, written_with
from upright.turns import ExifOrientation, Turn, show_array

from .fuzz.seeds import saved
from .test_lossless import NOISE, opened, samples

rng = np.random.default_rng(7)

#: Type and value of tags as scanners, printers and programs write them, those of two SHORTs among them.
TOLD = {
    254: (4, (2,)),
    269: (2, "a document"),
    285: (2, "page 3"),
    286: (5, 1.5),
    297: (3, (3, 10)),
    321: (3, (5, 200)),
    336: (3, (0, 255)),
    700: (1, b"<x:xmpmeta/>"),
    33723: (7, b"iptc"),
    37439: (12, (3.25,)),
    65001: (7, b"\0\1binary\xff"),
    65002: (3, (1, 2, 3)),
    65003: (12, (1.5, 2.5, -1e300)),
    65004: (9, (-5,)),
    65006: (1, b"\1\2"),
    65007: (4, (4_000_000_000,)),
    65008: (11, (1.25,)),
    65009: (6, (-3,)),
    65010: (8, (-3, 4)),
}


def telling(compression: str | None, order: str) -> bytes:
    """A TIFF with all these tags, in either order of bytes, written by Pillow's own writer and `described_as`."""
    tags = ImageFileDirectory_v2(prefix=b"II" if order == "<" else b"MM")
    for tag, (kind, value) in TOLD.items():
        tags.tagtype[tag] = kind
        tags[tag] = value
    tags.tagtype[0x8769] = 4
    tags[0x8769] = {0x9003: "2024:01:02 03:04:05", 0xA005: {1: "R98"}}
    out = io.BytesIO()
    tags.save(out)
    plain = saved(NOISE.convert("1"), "TIFF", compression=compression)
    return described_as(plain, out.getvalue(), False, OF_WRITER | OF_SAMPLES)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "group4"])
@pytest.mark.parametrize("how", ["turn", "reencode"])
def test_tiff_keeps_type_and_value_of_every_tag(how: str, compression: str | None, order: str) -> None:
    source = telling(compression, order)
    if how == "turn":
        result = turned(source, ExifOrientation.RIGHT_TOP)
    else:
        result = reencoded(source, ExifOrientation.TOP_LEFT, Turn.RIGHT, "TIFF")
    before, after = opened(source).tag_v2, opened(result).tag_v2
    for tag, (kind, value) in TOLD.items():
        if tag == 254 and how == "reencode":
            continue  # what a page is among others
        assert after.tagtype[tag] == before.tagtype[tag] == kind
        assert after[tag] == before[tag], tag
        assert after[tag] in (value, value[0] if isinstance(value, tuple) else value), tag
    said = opened(result).getexif()
    assert said.get_ifd(0x8769)[0x9003] == "2024:01:02 03:04:05"
    assert said.get_ifd(0xA005)[1] == "R98"
    assert opened(result).info["compression"] == opened(source).info["compression"]


def test_tiff_with_a_tag_that_cannot_be_written_again_is_refused() -> None:
    plain = saved(NOISE, "TIFF", tiffinfo={305: "a program"})
    entry = struct.pack("<HH", 305, 2)
    for kind, cause in ((13, "leads to something unknown"), (99, "unknown type 99")):
        with pytest.raises(NotLossless, match=cause):
            turned(plain.replace(entry, struct.pack("<HH", 305, kind)), ExifOrientation.RIGHT_TOP)


def test_tiff_with_captions_as_numbers_keeps_their_bytes() -> None:
    caption = b"\x1c\x02\x05\x00\x04name\0\0\0"
    big = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHII4x", 33723, 4, 3, 26) + caption
    source = described_as(saved(NOISE, "TIFF"), big, False, OF_WRITER | OF_SAMPLES)
    assert caption in source
    assert caption in turned(source, ExifOrientation.RIGHT_TOP)


@pytest.mark.parametrize(("bits", "compression"), [(2, "none"), (4, "none"), (4, "lzw"), (4, "deflate")])
def test_tiff_with_grey_of_few_bits_keeps_them(bits: int, compression: str) -> None:
    image = pyvips.Image.new_from_array(rng.integers(0, 256, (12, 20), np.uint8))
    source = image.tiffsave_buffer(bitdepth=bits, compression=compression, predictor="none")
    result = turned(source, ExifOrientation.RIGHT_TOP)
    assert opened(source).tag_v2[258] == opened(result).tag_v2[258] == (bits,)
    assert np.array_equal(samples(result), show_array(samples(source), ExifOrientation.RIGHT_TOP))


def packed(bits: int, photometric: int, channels: int = 1, planar: int = 1, order: int = 1) -> bytes:
    """A TIFF of 21 x 13 pixels of noise; the bits that fill up its rows are ones, as some writers leave them."""
    planes = channels if planar == 2 else 1
    row = 21 * channels // planes * bits
    lines = rng.integers(0, 2, (planes * 13, -(-row // 8) * 8), np.uint8)
    lines[:, row:] = 1
    pixels = np.packbits(lines, axis=1, bitorder="big" if order == 1 else "little").tobytes()
    base, size = saved(NOISE.convert("L"), "TIFF"), len(pixels) // planes
    numbers = {256: [21], 257: [13], 258: [bits] * channels, 259: [1], 262: [photometric], 266: [order]}
    numbers |= {273: [len(base) + plane * size for plane in range(planes)], 277: [channels], 278: [13]}
    numbers |= {279: [size] * planes, 284: [planar], 305: [ord(letter) for letter in "some program\0"]}
    if photometric == 3:
        numbers[320] = [int(value) for value in rng.integers(0, 65536, 3 << bits)]
    if channels in (2, 4) and photometric < 3:
        numbers[338] = [2]
    kinds = {305: (2, "B"), 273: (4, "I"), 279: (4, "I")}
    tags = {
        tag: (kinds.get(tag, (3, "H"))[0], len(held), struct.pack(f"<{len(held)}{kinds.get(tag, (3, 'H'))[1]}", *held))
        for tag, held in numbers.items()
    }
    return written_with(base + pixels, tags)


#: Bits, and how they are meant: white is zero, black is zero, RGB, of a palette, CMYK; samples, planes, order of bits.
PACKED = [
    *[(bits, photometric) for bits in (1, 2, 4, 8) for photometric in (0, 1, 3)],
    *[(bits, photometric, 1, 1, 2) for bits in (1, 2, 4) for photometric in (0, 1, 3)],
    *[(12, 1), (16, 0), (16, 1), (32, 1), (8, 0, 2), (16, 0, 2)],
    *[(bits, 2, 3, planar, order) for bits in (8, 16) for planar in (1, 2) for order in (1, 2)],
    *[(16, 2, 4, 2), (8, 5, 4, 1, 2), (16, 5, 4, 2), (32, 2, 3, 2)],
]


@pytest.mark.parametrize("source", PACKED)
@pytest.mark.parametrize("exif", [ExifOrientation.RIGHT_TOP, ExifOrientation.LEFT_TOP, ExifOrientation.BOTTOM_RIGHT])
def test_tiff_of_any_bits_is_turned_and_says_the_same_of_them(source: tuple[int, ...], exif: ExifOrientation) -> None:
    data = packed(*source)
    result = turned(data, exif)
    before, after = (directory(Window(each), Span(0, len(each))) for each in (data, result))
    for tag in (258, 262, 277, 305, 320, 338):
        assert before.numbers(Window(data), tag) == after.numbers(Window(result), tag), tag
    old, new = (opened(each) if source[0] == 12 else samples(each) for each in (data, result))
    assert np.array_equal(np.asarray(new), show_array(np.asarray(old), exif))
    back = turned(result, exif.inverse)
    assert np.array_equal(samples(back) if source[0] != 12 else np.asarray(opened(back)), np.asarray(old))


@pytest.mark.parametrize("tile", [True, False])
@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits"])
def test_tiff_of_few_bits_in_tiles_and_strips(compression: str, tile: bool) -> None:
    for size in (16, 256):
        image = pyvips.Image.new_from_array(rng.integers(0, 256, (70, 83), np.uint8))
        options = {
            "compression": compression,
            "predictor": "none",
            "tile": tile,
            "tile_width": size,
            "tile_height": size,
        }
        for bits in (1, 2, 4):
            source = image.tiffsave_buffer(bitdepth=bits, **options)
            result = turned(source, ExifOrientation.RIGHT_TOP)
            assert np.array_equal(samples(result), show_array(samples(source), ExifOrientation.RIGHT_TOP))


@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_tiff_of_a_fax_with_bits_in_the_other_order(compression: str) -> None:
    plain = saved(NOISE.convert("1"), "TIFF", compression=compression)
    found = directory(Window(plain), Span(0, len(plain)))
    start, size = (found.numbers(Window(plain), tag)[0] for tag in (273, 279))
    turn_over = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
    tags = {
        tag: (kind, len(held), struct.pack(f"<{len(held)}{code}", *held))
        for kind, code, numbers in ((3, "H", (258, 259, 262, 277)), (4, "I", (256, 257, 273, 278, 279, 292, 293)))
        for tag in numbers
        if (held := found.numbers(Window(plain), tag))
    }
    lines = plain[start : start + size].translate(turn_over)
    source = written_with(plain[:start] + lines + plain[start + size :], tags | {266: (3, 1, b"\2\0")})
    result = turned(source, ExifOrientation.RIGHT_TOP)
    assert np.array_equal(samples(result), show_array(samples(plain), ExifOrientation.RIGHT_TOP))


@pytest.mark.parametrize("depth", [4, 8, 16])
def test_big_tiff_of_both_orders_of_bytes(depth: int) -> None:
    pixels = bytes(range(16)) * 2 * depth
    for order, head in (("<", b"II+\0\x08\0\0\0"), (">", b"MM\0+\0\x08\0\0")):
        numbers = {256: 8, 257: 32, 258: depth, 259: 1, 262: 0, 273: 16, 277: 1, 278: 32, 279: len(pixels)}
        tags = {
            tag: (3, 1, struct.pack("<H", value)) if tag < 273 else (16, 1, struct.pack("<Q", value))
            for tag, value in numbers.items()
        } | {277: (3, 1, b"\1\0")}
        source = written_with(head + bytes(8) + pixels, tags)
        result = turned(source, ExifOrientation.RIGHT_TOP)
        assert result[2:4] == b"+\0", order
        assert np.array_equal(samples(result), show_array(samples(source), ExifOrientation.RIGHT_TOP))


def test_tiff_with_alpha_that_is_multiplied_into_its_colours_keeps_it() -> None:
    own, multiplied = (struct.pack("<HHIH", 338, 3, 1, kind) for kind in (2, 1))
    source = saved(NOISE, "TIFF").replace(own, multiplied)
    result = turned(source, ExifOrientation.RIGHT_TOP)
    assert multiplied in result
    assert np.array_equal(samples(result), show_array(samples(source), ExifOrientation.RIGHT_TOP))


def test_tiff_that_no_decoder_reads_is_not_encoded_again() -> None:
    with pytest.raises(BrokenPicture, match="no decoder knows"):
        reencoded(packed(14, 1), ExifOrientation.TOP_LEFT, Turn.RIGHT, "PNG")


@pytest.mark.parametrize("tag", [33550, 33922, 34264])
def test_a_map_is_not_turned_away_from_its_place(tag: int) -> None:
    source = saved(NOISE, "TIFF", tiffinfo={tag: (10.0, 10.0, 0.0)})
    for change in (
        lambda: turned(source, ExifOrientation.RIGHT_TOP),
        lambda: reencoded(source, ExifOrientation.TOP_LEFT, Turn.HALF, "TIFF"),
        lambda: reencoded(source, ExifOrientation.TOP_LEFT, Turn.HALF, "PNG"),
    ):
        with pytest.raises(NotLossless, match="GeoTIFF"):
            change()
    assert opened(turned(source, ExifOrientation.TOP_LEFT)).tag_v2[tag] == (10.0, 10.0, 0.0)
