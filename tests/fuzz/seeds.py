"""Small valid files of every format for the fuzzers to start from: ``python tests/fuzz/seeds.py FOLDER``."""

import io
import struct
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from upright.formats import FORMATS

HEIC = Path(__file__).parents[1] / "data" / "turned.heic"
#: What Pillow writes as another mode than RGB, and kinds of files that decoders treat in their own ways.
MODES = {"GIF": "P"}
KINDS = (
    ("tagged.jpg", "RGB", "JPEG", {"exif": True}),
    ("progressive.jpg", "RGB", "JPEG", {"progressive": True}),
    ("grey.jpg", "L", "JPEG", {"progressive": True}),
    ("cmyk.jpg", "CMYK", "JPEG", {}),
    ("restarts.jpg", "RGB", "JPEG", {"restart_marker_rows": 1}),
    ("tagged.png", "RGBA", "PNG", {"exif": True}),
    ("palette.png", "P", "PNG", {}),
    ("lzw.tif", "RGB", "TIFF", {"compression": "tiff_lzw", "exif": True}),
    ("fax.tif", "1", "TIFF", {"compression": "group4"}),
    ("tagged.webp", "RGB", "WEBP", {"exif": True}),
    ("boxes.jxl", "RGBA", "JXL", {"use_container": True, "lossless": True}),
)


def seeds():
    """File name and bytes of each."""
    y, x = np.mgrid[0:72, 0:80]
    pixels = np.stack([x * 3, y * 3, (x ^ y) & 255], axis=2).astype(np.uint8)
    image = Image.fromarray(pixels)
    tag = Image.Exif()
    tag[0x0112] = 6
    for row in FORMATS.values():
        by_hand = {
            "HEIC": HEIC.read_bytes,
            "DICOM": lambda: dicom(pixels),
            "PSD": lambda: psd(pixels),
            "RAW": lambda: raw(image),
        }.get(row.name)
        small = by_hand or (lambda row=row: saved(image.convert(MODES.get(row.name, "RGB")), row.name))
        yield f"small{row.suffixes.split()[0]}", small()
    for name, mode, form, options in KINDS:
        yield name, saved(image.convert(mode), form, **options | ({"exif": tag} if "exif" in options else {}))
    import pyvips  # here: tests/test_kills.py forks a process without libvips

    vips = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")
    tiles = {"tile": True, "tile_width": 16, "tile_height": 16, "compression": "jpeg"}
    yield "tiles.tif", vips.tiffsave_buffer(**tiles)
    yield "pyramid.tif", vips.tiffsave_buffer(**tiles, pyramid=True, bigtiff=True)
    yield "interlaced.png", vips.pngsave_buffer(interlace=True)


def raw(image, orientation=1, order="<"):
    """A raw photograph in a TIFF structure: a directory for the preview that is a smaller form, and names others."""
    preview = saved(image, "JPEG")
    entries = ((0xFE, 4, 1), (0x0111, 4, 86), (0x0112, 3, orientation), (0x0117, 4, len(preview)), (0x014A, 4, 74))
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack(order + ("HHIH2x" if kind == 3 else "HHII"), tag, kind, 1, value)
    sensor = struct.pack(order + "HHHII", 1, 0xFE, 4, 1, 0)[:12]
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return (head + directory + bytes(4) + sensor).ljust(86, b"\0") + preview + bytes(range(256)) * 40


def saved(image, form, **options):
    if form == "JXL":
        import pillow_jxl  # noqa: F401 -- teaches Pillow the format

    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def psd(pixels):
    """One uncompressed picture and no layers."""
    height, width, bands = pixels.shape
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, bands, height, width, 8, 3)
    return head + bytes(12) + b"\0\0" + pixels.transpose(2, 0, 1).tobytes()


def dicom(pixels):
    """A colour picture without compression, its elements written by hand (DICOM PS3.5, 7.1)."""
    height, width, bands = pixels.shape
    short = (
        (0x0028, 0x0002, b"US", struct.pack("<H", bands)),
        (0x0028, 0x0004, b"CS", b"RGB "),
        (0x0028, 0x0006, b"US", b"\0\0"),
        (0x0028, 0x0010, b"US", struct.pack("<H", height)),
        (0x0028, 0x0011, b"US", struct.pack("<H", width)),
        *(
            (0x0028, element, b"US", struct.pack("<H", value))
            for element, value in ((0x100, 8), (0x101, 8), (0x102, 7))
        ),
        (0x0028, 0x0103, b"US", b"\0\0"),
    )
    syntax = b"1.2.840.10008.1.2.1\0"
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax)) + syntax
    head = bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta
    body = b"".join(struct.pack("<HH2sH", group, element, kind, len(v)) + v for group, element, kind, v in short)
    return head + body + struct.pack("<HH2s2xI", 0x7FE0, 0x10, b"OB", pixels.nbytes) + pixels.tobytes()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
