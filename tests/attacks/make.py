"""Writes the files of this folder: one for each known abuse. ``python tests/attacks/make.py``"""

import io
import struct
import zlib
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent


def png_bomb() -> bytes:
    """40,000 x 40,000 black pixels of one bit in 200 kB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(5001 * 400)) for _ in range(100)) + packer.flush()
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


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
        "bomb.png": png_bomb(),
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
