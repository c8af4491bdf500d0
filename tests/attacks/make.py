"""Writes the files of this folder: one for each known abuse. ``python tests/attacks/make.py``"""

import io
import struct
import zlib
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def blank_png(width: int, height: int) -> bytes:
    """Black pixels of one bit, all of them there."""
    packer, line = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    at_once = 1 + 2_000_000 // len(line)
    rows = [packer.compress(line * min(at_once, height - top)) for top in range(0, height, at_once)]
    return png(width, height, 1, 0, b"".join(rows) + packer.flush())


def bmp_runs() -> bytes:
    """20,000 x 20,000 in runs, of which there are ten."""
    palette, runs = bytes(1024), b"\xff\0" * 10 + b"\0\1"
    size = struct.pack("<IiiHHIIiiII", 40, 20_000, 20_000, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(runs), 0, 0, 1078) + size + palette + runs


def ico() -> bytes:
    """An icon that holds a PNG of 13,000 x 13,000."""
    inside = blank_png(13_000, 13_000)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inside), 22) + inside


def jpeg_2000() -> bytes:
    """A small one whose header says 20,000 x 20,000."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG2000")
    data, small, large = buffer.getvalue(), struct.pack(">II", 64, 64), struct.pack(">II", 20_000, 20_000)
    head = data.index(b"ihdr") + 4
    data = data[:head] + large + data[head + 8 :]
    codestream = data.index(b"\xff\x51") + 6
    assert data[codestream : codestream + 8] == small
    return data[:codestream] + large + data[codestream + 8 :]


def avif() -> bytes:
    """A small one whose property says 16,000 x 16,000."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "AVIF")
    data = buffer.getvalue()
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", 16_000, 16_000) + data[at + 8 :]


def webp_frames() -> bytes:
    """99,999 frames of 2 x 2."""
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "WEBP", lossless=True)
    picture = buffer.getvalue()[12:]
    body = bytes(6) + b"\1\0\0" * 2 + b"\1\0\0\0" + picture
    frame = b"ANMF" + struct.pack("<I", len(body)) + body
    chunks = b"VP8X\x0a\0\0\0\2\0\0\0\1\0\0\1\0\0" + b"ANIM\6\0\0\0" + bytes(6) + frame * 99_999
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def nested_forms() -> bytes:
    """A page that draws a form ten times, which draws one ten times, seven deep: ten million fills."""
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</XObject<</F 5 0 R>>>>>>",
        stream(b"", b"/F Do " * 10),
    ]
    for number in range(5, 12):
        inner = b"/Resources<</XObject<</F %d 0 R>>>>" % (number + 1) if number < 11 else b""
        content = b"/F Do " * 10 if inner else b"0 0 9 9 re f "
        parts.append(stream(b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]" + inner, content))
    objects = b"".join(b"%d 0 obj%sendobj\n" % (number + 1, part) for number, part in enumerate(parts))
    return b"%PDF-1.4\n" + objects + b"trailer<</Root 1 0 R>>\n%%EOF"


def stream(facts: bytes, content: bytes) -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream " % (facts, len(content), content)


def jpeg(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((160, 160), 40).convert("RGB").save(buffer, "JPEG", **options)
    return buffer.getvalue()


def resized(data: bytes, marker: int, side: int) -> bytes:
    """The same JPEG with another size in its frame header."""
    at = data.index(bytes((0xFF, marker))) + 5
    return data[:at] + struct.pack(">HH", side, side) + data[at + 4 :]


def tiff(entries: dict[int, tuple[int, int, int]], next_offset: int = 0, tail: bytes = b"") -> bytes:
    body = b"".join(struct.pack("<HHII", tag, *value) for tag, value in sorted(entries.items()))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + struct.pack("<I", next_offset) + tail


def tiled(**changed: int) -> bytes:
    """A JPEG-tiled TIFF of 16,384 x 16,384 whose tiles are not what it says."""
    values = {"width": 16384, "side": 256, "count": 4096, "offsets": 8, "sizes": 8} | changed
    return tiff(
        {
            256: (4, 1, values["width"]),
            257: (4, 1, values["width"]),
            258: (3, 1, 8),
            259: (3, 1, 7),
            262: (3, 1, 1),
            277: (3, 1, 1),
            322: (4, 1, values["side"]),
            323: (4, 1, values["side"]),
            324: (4, values["count"], values["offsets"]),
            325: (4, values["count"], values["sizes"]),
        },
        tail=bytes(40_000),
    )


def pdf(box: str) -> bytes:
    return (
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        f"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[{box}]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    ).encode()


def files() -> dict[str, bytes]:
    plain, progressive = jpeg(), jpeg(progressive=True, quality=10)
    scan = progressive.rindex(b"\xff\xda")
    last = progressive[scan:-2]
    exif_loop = b"Exif\0\0" + tiff({0x8769: (4, 1, 8)}, next_offset=8)
    return {
        "bomb.png": blank_png(40_000, 40_000),
        "wide.png": png(2_000_000, 1_000, 8, 2, zlib.compress(bytes(1000))),
        "wide-whole.png": blank_png(2_000_000, 100),
        "tall.png": png(120, 16_777_050, 8, 2, zlib.compress(bytes(100_000))),
        "tall-whole.png": blank_png(120, 5_000_000),
        "runs.bmp": bmp_runs(),
        "giant.qoi": b"qoif" + struct.pack(">IIBB", 20_000, 20_000, 4, 0) + b"\xfd" * 1000,
        "giant.ico": ico(),
        "giant.jp2": jpeg_2000(),
        "giant.avif": avif(),
        "comments.ppm": b"P6\n" + b"#" * 300_000 + b"\n1 1\n255\n\0\0\0",
        "nested-forms.pdf": nested_forms(),
        "padded-progressive.jpg": resized(progressive, 0xC2, 14_500) + bytes(420_000),
        "giant-baseline.jpg": resized(plain, 0xC0, 65_500),
        "giant-progressive.jpg": resized(progressive, 0xC2, 65_500),
        "many-scans.jpg": progressive[:-2] + last * 150 + b"\xff\xd9",
        "many-segments.jpg": plain[:2] + b"\xff\xfe\0\2" * 6000 + plain[2:],
        "never-ending-fill.jpg": plain[:2] + b"\xff" * 200_000 + plain[2:],
        "exif-loop.jpg": plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif_loop) + 2) + exif_loop + plain[2:],
        "polyglot.jpg": plain[:2] + b"\xff\xfe\0\x12%PDF-1.7\n<script>"[:20] + plain[2:],
        "giant-canvas.gif": b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\2\2L\1\0;",
        "giant.webp": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\x3f\0" + b"VP8L\0\0\0\0",
        "loop.tif": tiff({256: (4, 1, 10), 257: (4, 1, 10)}, next_offset=8),
        "tiles-outside.tif": tiled(offsets=4_000_000_000),
        "tiles-too-many.tif": tiled(count=4_000_000_000),
        "tiles-of-nothing.tif": tiled(side=0),
        "tiles-of-zeros.tif": tiled(offsets=200, sizes=200),
        "giant-page.pdf": pdf("0 0 1 100000000"),
        "no-page.pdf": pdf("0 0 0 0"),
    }


if __name__ == "__main__":
    for name, content in files().items():
        (HERE / name).write_bytes(content)
