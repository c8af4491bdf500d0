"""No small picture lies otherwise than the picture that it is of, and what XMP has beside its packet moves, too."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from upright.correction import corrected_bytes
from upright.results import Method

from .test_followers import COLOURS, corners, drawn

SIZE = (160, 128)
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
PACKET = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description %s/></rdf:RDF></x:xmpmeta>'
GONE = "its thumbnail could not be turned and was taken out"


def jpeg(size: tuple[int, int] = SIZE, *segments: bytes, form: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    drawn(size).save(out, form, **options)
    data = out.getvalue()
    at = 4 + int.from_bytes(data[4:6], "big")  # behind JFIF
    return data[:at] + b"".join(segments) + data[at:]


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff%c" % marker + (len(body) + 2).to_bytes(2, "big") + body


def photoshop(thumbnail: bytes) -> bytes:
    """Resources of which the second is a thumbnail; the first has a name and an odd size."""
    head = struct.pack(">6I2H", 1, *SIZE, SIZE[0] * 3, SIZE[0] * SIZE[1] * 3, len(thumbnail), 24, 1)
    body = head + thumbnail
    first = b"8BIM\x04\x04\x04name\0" + struct.pack(">I", 3) + b"abc\0"
    return first + b"8BIM\x04\x0c\0\0" + struct.pack(">I", len(body)) + body + b"\0" * (len(body) % 2)


def of_photoshop(data: bytes) -> tuple[tuple[int, ...], bytes]:
    at = data.index(b"8BIM\x04\x0c\0\0") + 8
    size = int.from_bytes(data[at : at + 4], "big")
    return struct.unpack_from(">6I2H", data, at + 4), data[at + 32 : at + 4 + size]


def shown(thumbnail: bytes) -> list[tuple[int, ...]]:
    with Image.open(io.BytesIO(thumbnail)) as image:
        return corners(np.asarray(image.convert("RGB")))


def of_turn(degrees: int) -> list[tuple[int, int, int]]:
    return COLOURS[-(degrees // 90) :] + COLOURS[: -(degrees // 90)]


@pytest.mark.parametrize("degrees", [90, 180])
@pytest.mark.parametrize("form", ["JPEG", "TIFF", "JPEG again"])
def test_photoshops_thumbnail_is_turned(form: str, degrees: int) -> None:
    resources = photoshop(jpeg())
    if form == "TIFF":
        data = jpeg((320, 256), form="TIFF", tiffinfo={34377: resources})
    else:
        data = jpeg((320, 256), segment(0xED, b"Photoshop 3.0\0" + resources))
    assert shown(of_photoshop(data)[1]) == COLOURS
    new, done = corrected_bytes(data, degrees, Method.REENCODE if "again" in form else Method.TURN, "refuse")
    head, thumbnail = of_photoshop(new)
    assert shown(thumbnail) == of_turn(degrees) and done.note == ""
    assert head[1:3] == (SIZE if degrees == 180 else SIZE[::-1]) and head[3] == head[1] * 3
    assert b"8BIM\x04\x04\x04name\0\0\0\0\x03abc" in new
    tagged, _ = corrected_bytes(data, degrees, Method.TAG)
    assert shown(of_photoshop(tagged)[1]) == COLOURS, "the stored pixels have not moved"


@pytest.mark.parametrize("damaged", [b"\xff\xd8\xff" + bytes(60), bytes(61)])
def test_one_that_cannot_be_turned_is_emptied_and_said(damaged: bytes) -> None:
    data = jpeg((320, 256), segment(0xED, b"Photoshop 3.0\0" + photoshop(damaged)))
    new, done = corrected_bytes(data, 90, Method.TURN, "refuse")
    assert (not any(of_photoshop(new)[0]), any(of_photoshop(new)[1]), done.note) == (True, False, GONE)


def tiny(kind: int) -> bytes:
    """A JFXX segment of 16 x 12 pixels: its upper left one is white."""
    if kind == 0x10:
        return b"JFXX\0\x10" + jpeg()
    pixels = np.zeros((12, 16, 3 if kind == 0x13 else 1), np.uint8)
    pixels[0, 0] = 255
    return b"JFXX\0%c" % kind + bytes((16, 12)) + bytes(768 * (kind == 0x11)) + pixels.tobytes()


@pytest.mark.parametrize("kind", [0x10, 0x11, 0x13, 0])
def test_thumbnails_of_a_jpegs_header_are_turned(kind: int) -> None:
    data = jpeg((320, 256), *[segment(0xE0, tiny(kind))] * bool(kind))
    if not kind:  # in the JFIF segment itself
        data = data[:2] + segment(0xE0, data[6:18] + tiny(0x13)[6:]) + data[20:]
    new, done = corrected_bytes(data, 90, Method.TURN, "refuse")
    assert done.note == ""
    if kind == 0x10:
        at = new.index(b"JFXX\0\x10") + 6
        assert shown(new[at:]) == of_turn(90)
        return
    at = new.index(b"JFXX\0%c" % kind) + 6 if kind else 18
    assert tuple(new[at : at + 2]) == (12, 16)
    channels = 1 if kind == 0x11 else 3
    at += 2 + 768 * (kind == 0x11)
    pixels = np.frombuffer(new[at : at + 192 * channels], np.uint8).reshape(16, 12, channels)
    assert pixels[0, 11].min() == 255 and pixels.astype(int).sum() == 255 * channels


def as_packet(text: str, room: int = 400) -> bytes:
    return f'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>{text}{" " * room}<?xpacket end="w"?>'.encode()


@pytest.mark.parametrize("prefix", ["xmp", "xap"])
@pytest.mark.parametrize("sound", [True, False])
def test_a_thumbnail_in_xmp_is_turned_or_emptied(prefix: str, sound: bool) -> None:
    coded = base64.encodebytes(jpeg() if sound else b"no picture").decode().replace("\n", "&#xA;")
    image = f"<{prefix}GImg:width>160</{prefix}GImg:width><{prefix}GImg:height>128</{prefix}GImg:height>"
    text = f"<rdf:li>{image}<{prefix}GImg:image>{coded}</{prefix}GImg:image></rdf:li>"
    data = jpeg((320, 256), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + as_packet(text)))
    new, done = corrected_bytes(data, 90, Method.TURN, "refuse")
    found = re.search(rb"GImg:width>128<.*GImg:height>160<.*<x[ma]pGImg:image>([^<]*)<", new)
    assert found
    if sound:
        assert shown(base64.b64decode(found[1])) == of_turn(90) and done.note == ""
    else:
        assert (found[1].strip(), done.note) == (b"", GONE)


def extended(text: str, pieces: int = 3) -> tuple[bytes, list[bytes]]:
    """A packet, and the segments of what it had no room for."""
    held = text.encode()
    digest = hashlib.md5(held).hexdigest().upper().encode()
    step = -(-len(held) // pieces)
    heads = [digest + struct.pack(">II", len(held), at) for at in range(0, len(held), step)]
    parts = [EXTENSION + head + held[n * step : (n + 1) * step] for n, head in enumerate(heads)]
    packet = as_packet(PACKET % f'xmpNote:HasExtendedXMP="{digest.decode()}"')
    return b"http://ns.adobe.com/xap/1.0/\0" + packet, parts


def joined(data: bytes) -> tuple[bytes, bytes, set[bytes]]:
    """What is named in the packet, all that the pieces hold, and how they are named."""
    pieces, names = {}, set()
    for found in re.finditer(EXTENSION, data):
        at, end = found.end(), found.start() - 2 + int.from_bytes(data[found.start() - 2 : found.start()], "big")
        pieces[data[at + 36 : at + 40]] = data[at + 40 : end]
        names.add(data[at : at + 32])
    named = re.search(rb'HasExtendedXMP="([0-9A-F]{32})"', data)
    assert named
    return named[1], b"".join(pieces[place] for place in sorted(pieces)), names


REGION = PACKET % 'stArea:x="0.25" stArea:y="0.125" stArea:w="0.10" stArea:h="0.20"'


@pytest.mark.parametrize("shuffled", [False, True])
def test_extended_xmp_moves_along_under_its_own_digest(shuffled: bool) -> None:
    packet, parts = extended(REGION + " " * 40)
    others = parts[::-1] if shuffled else parts
    data = jpeg((320, 256), segment(0xE1, packet), *(segment(0xE1, part) for part in others))
    new, done = corrected_bytes(data, 90, Method.TURN, "refuse")
    name, held, names = joined(new)
    assert hashlib.md5(held).hexdigest().upper().encode() == name and names == {name}
    assert b'stArea:x="0.875" stArea:y="0.25" stArea:w="0.20" stArea:h="0.10"' in held and done.note == ""
    tagged, _ = corrected_bytes(data, 90, Method.TAG)
    assert joined(tagged) == joined(data)


def test_extended_xmp_that_cannot_move_holds_the_pixels() -> None:
    packet, parts = extended(PACKET % 'crs:RetouchAreas="x"')
    data = jpeg((320, 256), segment(0xE1, packet), *(segment(0xE1, part) for part in parts))
    new, done = corrected_bytes(data, 90, Method.TURN)
    assert done.method == Method.TAG and "Camera Raw settings" in done.note and joined(new) == joined(data)


@pytest.mark.parametrize(
    "spoil", [lambda parts: parts[:-1], lambda parts: [parts[0].replace(b"\0\0\0\0", b"\0\0\0\1")]]
)
def test_extended_xmp_that_is_not_whole_stays(spoil: Callable[[list[bytes]], list[bytes]]) -> None:
    packet, parts = extended(REGION)
    parts = spoil(parts)
    data = jpeg((320, 256), segment(0xE1, packet), *(segment(0xE1, part) for part in parts))
    new, _ = corrected_bytes(data, 90, Method.TURN, "refuse")
    assert all(part in new for part in parts)


def test_what_was_trimmed_is_not_counted() -> None:
    exif = Image.Exif()
    exif[0x0100], exif[0x0101] = 325, 250
    exif.get_ifd(0x8769).update({0xA002: 325, 0xA003: 250})
    said = 'tiff:ImageWidth="325" tiff:ImageLength="250" exif:PixelXDimension="325" exif:PixelYDimension="250"'
    packet = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + as_packet(PACKET % said))
    out = io.BytesIO()
    drawn((325, 250)).save(out, "JPEG", exif=exif)
    data = out.getvalue()[:2] + packet + out.getvalue()[2:]
    new, done = corrected_bytes(data, 90, Method.TURN, "trim")
    assert "trimmed 10 columns" in done.note
    with Image.open(io.BytesIO(new)) as image:
        width, height = image.size
        block = image.getexif()
        assert (block[0x0100], block[0x0101]) == (width, height) == (240, 325)
        assert (block.get_ifd(0x8769)[0xA002], block.get_ifd(0x8769)[0xA003]) == (width, height)
        for name, side in (("ImageWidth", 240), ("ImageLength", 325), ("PixelXDimension", 240)):
            assert f'{name}="{side}"'.encode() in image.info["xmp"]
