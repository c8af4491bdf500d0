"""Small valid files for the fuzzers to start from: ``python tests/fuzz/seeds.py FOLDER``."""

import io
import sys
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image


def seeds():
    """File name and bytes of each."""
    y, x = np.mgrid[0:72, 0:80]
    pixels = np.stack([x * 3, y * 3, (x ^ y) & 255], axis=2).astype(np.uint8)
    image = Image.fromarray(pixels)
    tag = Image.Exif()
    tag[0x0112] = 6
    for name, mode, form, options in (
        ("baseline.jpg", "RGB", "JPEG", {"exif": tag}),
        ("progressive.jpg", "RGB", "JPEG", {"progressive": True}),
        ("grey.jpg", "L", "JPEG", {"progressive": True}),
        ("cmyk.jpg", "CMYK", "JPEG", {}),
        ("restarts.jpg", "RGB", "JPEG", {"restart_marker_rows": 1}),
        ("rgb.png", "RGBA", "PNG", {"exif": tag}),
        ("palette.png", "P", "PNG", {}),
        ("lzw.tif", "RGB", "TIFF", {"compression": "tiff_lzw", "exif": tag}),
        ("raw.tif", "L", "TIFF", {}),
        ("fax.tif", "1", "TIFF", {"compression": "group4"}),
        ("lossy.webp", "RGB", "WEBP", {"exif": tag}),
        ("small.gif", "P", "GIF", {}),
        ("small.bmp", "RGB", "BMP", {}),
        ("small.avif", "RGB", "AVIF", {}),
        ("small.jp2", "RGB", "JPEG2000", {}),
        ("small.pdf", "RGB", "PDF", {}),
    ):
        buffer = io.BytesIO()
        image.convert(mode).save(buffer, form, **options)
        yield name, buffer.getvalue()
    vips = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")
    tiles = {"tile": True, "tile_width": 16, "tile_height": 16, "compression": "jpeg"}
    yield "tiles.tif", vips.tiffsave_buffer(**tiles)
    yield "pyramid.tif", vips.tiffsave_buffer(**tiles, pyramid=True, bigtiff=True)
    yield "interlaced.png", vips.pngsave_buffer(interlace=True)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
