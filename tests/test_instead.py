"""What libvips cannot decode and Pillow can is decided, and turned by its tag; what neither can is truly named."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upright import BrokenPicture, Detector, TooLarge, UsageError
from upright.correction import corrected_bytes
from upright.pictures import Limits, open_picture
from upright.results import Method

from .attacks.make import tiff
from .conftest import DEMO
from .fuzz.seeds import saved
from .test_followers import drawn

ODD = (317, 251)


def directory(size: tuple[int, int], **tags: int) -> dict[int, tuple[int, int, int]]:
    """One sample of 8 bits a pixel, each tag a number: `_259=6`."""
    numbers = {256: size[0], 257: size[1], 258: 8, 259: 1, 262: 1, 277: 1} | {int(k[1:]): v for k, v in tags.items()}
    shorts = {258, 259, 262, 274, 277, 284}
    return {tag: (3 if tag in shorts else 4, 1, value) for tag, value in numbers.items()}


def old_jpeg(image: Image.Image, orientation: int = 1) -> bytes:
    """JPEG in a TIFF as in TIFF 6.0 of 1992, section 22, which later readers gave up."""
    stream = saved(image, "JPEG", quality=95)
    tags = directory(image.size, _259=6, _262=6, _274=orientation, _277=3, _278=image.height, _512=1)
    lengths = {279: (4, 1, len(stream)), 514: (4, 1, len(stream)), 530: (3, 2, 0x20002)}
    at = len(tiff(tags | lengths | {258: (3, 3, 0), 273: (4, 1, 0), 513: (4, 1, 0)}))
    places = {258: (3, 3, at), 273: (4, 1, at + 8), 513: (4, 1, at + 8)}
    return tiff(tags | lengths | places, tail=struct.pack("<4H", 8, 8, 8, 0) + stream)


def planes_apart(image: Image.Image, side: int = 64) -> bytes:
    """Tiles that each hold one colour, uncompressed."""
    pixels = np.asarray(image)
    height, width, _ = pixels.shape
    padded = np.pad(pixels, ((0, -height % side), (0, -width % side), (0, 0)))
    tiles = [
        padded[y : y + side, x : x + side, plane].tobytes()
        for plane in range(3)
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]
    tags = directory((width, height), _262=2, _277=3, _284=2, _322=side, _323=side)
    at = len(tiff(tags | {258: (3, 3, 0), 324: (4, 1, 0), 325: (4, 1, 0)}))
    numbers = len(tiles) * 4
    tags |= {258: (3, 3, at), 324: (4, len(tiles), at + 8), 325: (4, len(tiles), at + 8 + numbers)}
    starts = struct.pack(f"<{len(tiles)}I", *(at + 8 + 2 * numbers + n * side * side for n in range(len(tiles))))
    lengths = struct.pack(f"<{len(tiles)}I", *[side * side] * len(tiles))
    return tiff(tags, tail=struct.pack("<4H", 8, 8, 8, 0) + starts + lengths + b"".join(tiles))


def odd_palette(image: Image.Image) -> bytes:
    """A PNG with an empty palette, which its pixels do not need."""
    data = saved(image, "PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + struct.pack(">I4sI", 0, b"PLTE", zlib.crc32(b"PLTE")) + data[at:]


def lossless_jpeg(image: Image.Image) -> bytes:
    """Process 14 of ITU-T T.81, annex H: each sample less the one before, in bits of one Huffman table."""
    values = np.asarray(image.convert("L")).astype(int)
    before = np.roll(values, 1, axis=1)
    before[1:, 0], before[0, 0] = values[:-1, 0], 128
    bits = "".join(
        f"{(size := abs(less).bit_length()):04b}"
        + (f"{less if less > 0 else less + (1 << size) - 1:0{size}b}" * (size > 0))
        for less in (values - before).ravel().tolist()
    )
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    table = b"\xff\xc4" + struct.pack(">HB", 28, 0) + bytes([0, 0, 0, 9, *[0] * 12]) + bytes(range(9))
    frame = b"\xff\xc3" + struct.pack(">HBHHB3B", 11, 8, *values.shape, 1, 1, 0x11, 0)
    return b"\xff\xd8" + table + frame + b"\xff\xda" + bytes((0, 8, 1, 1, 0, 1, 0, 0)) + coded + b"\xff\xd9"


KINDS = {
    "old-jpeg.tif": old_jpeg,
    "planes-apart.tif": planes_apart,
    "odd-palette.png": odd_palette,
    "lossless.jpg": lossless_jpeg,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_libvips_cannot_decode_is_decided_and_turned_by_its_tag(detector: Detector, kind: str) -> None:
    with Image.open(DEMO / "page.jpg") as page:
        image = page.convert("L").convert("RGB")
    wanted, data = detector.detect(image), KINDS[kind](image)
    found = detector.detect(data)
    assert found.turn == wanted.turn is not None and found.confidence == pytest.approx(wanted.confidence, abs=0.02)
    turned, done = corrected_bytes(data, 90)
    assert done.method is Method.TAG
    again = detector.detect(turned)
    assert (again.turn - found.turn) % 360 == 270 and again.confidence == pytest.approx(found.confidence, abs=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_its_tag_is_applied_once(orientation: int) -> None:
    tagged = old_jpeg(drawn(ODD), orientation)
    with open_picture(tagged) as picture, Image.open(io.BytesIO(tagged)) as by_pillow:
        by_pillow.load()  # Pillow turns it
        assert (picture.width_px, picture.height_px) == by_pillow.size
        shown = np.asarray(picture.image(by_pillow.size))
        assert np.array_equal(shown, np.asarray(by_pillow.convert("RGB")))
        assert np.array_equal(picture.region((0, 0, *by_pillow.size), 9999), shown)


def test_a_page_behind_another_is_decoded_instead() -> None:
    first, second = (drawn(ODD).rotate(turn) for turn in (0, 180))
    data, behind = bytearray(planes_apart(first)), planes_apart(second)
    data += bytes(len(data) % 2)
    entries = struct.unpack_from("<H", data, 8)[0]
    struct.pack_into("<I", data, 10 + entries * 12, len(data))
    shifted = bytearray(behind[8:])
    for at in range(2, 2 + entries * 12, 12):  # offsets are counted from the beginning of the file
        tag, _, count, value = struct.unpack_from("<HHII", shifted, at)
        if count > 1:
            struct.pack_into("<I", shifted, at + 8, value + len(data) - 8)
        if tag == 324:
            for number in range(count):
                place = value - 8 + number * 4
                struct.pack_into("<I", shifted, place, struct.unpack_from("<I", shifted, place)[0] + len(data) - 8)
    with open_picture(bytes(data + shifted), page=1) as picture:
        assert picture.pages == 2
        assert np.array_equal(np.asarray(picture.image(ODD)), np.asarray(second))
    with pytest.raises(UsageError, match="no page 3"):
        open_picture(bytes(data + shifted), page=2)


def test_memory_is_checked_before_pillow_decodes() -> None:
    """libvips would stream it."""
    data = planes_apart(Image.new("RGB", (2000, 2000)))
    with (
        open_picture(data, limits=Limits(max_memory_mb=50)) as picture,
        pytest.raises(TooLarge, match="needs about 61 MB"),
    ):
        picture.squashed(64)
    with open_picture(data, limits=Limits(max_memory_mb=70)) as picture:
        assert not picture.squashed(64).any()


def test_memory_of_a_tile_is_checked_too() -> None:
    """Pillow holds a whole one, however small the picture is."""
    data = planes_apart(drawn(ODD), side=768)
    with (
        open_picture(data, limits=Limits(max_memory_mb=8)) as picture,
        pytest.raises(TooLarge, match="needs about 9 MB"),
    ):
        picture.squashed(64)


def test_what_nothing_decodes_is_a_kind_that_is_not_known_and_no_damage(tmp_path: Path) -> None:
    source = tmp_path / "fax.tif"
    source.write_bytes(tiff(directory((64, 64), _259=34661, _273=200, _279=64), tail=bytes(400)))
    cause = r"fax\.tif: a kind of TIFF that cannot be decoded \(.*JBIG.*\); convert it"
    with pytest.raises(BrokenPicture, match=cause):
        Detector().detect(source)


def test_each_thread_is_told_of_its_own_picture() -> None:
    """libvips keeps the errors of all threads in one place: whole pictures were taken for damaged ones, with the damage
    of others."""
    image = drawn(ODD)
    whole = {kind: make(image) for kind, make in KINDS.items() if kind.endswith((".tif", ".png"))}
    damaged = [saved(image, form)[:100] for form in ("PNG", "GIF")]

    def seen(data: bytes) -> str:
        try:
            with open_picture(data) as picture:
                picture.squashed(64)
        except BrokenPicture as error:
            return error.cause
        return ""

    sources = [*whole.values(), *damaged]
    alone = list(map(seen, sources))
    assert alone[: len(whole)] == [""] * len(whole) and all("damaged" in cause for cause in alone[len(whole) :])
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(seen, sources * 5)) == alone * 5
