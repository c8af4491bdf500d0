"""The table of formats, one row each. Everything else in upright takes its list of formats from here.

A new format is one row, and a module if its bytes have to be parsed or changed.
"""

from __future__ import annotations

import os
import re
from dataclasses import KW_ONLY, dataclass
from functools import partial
from importlib import import_module
from pathlib import PurePath
from typing import Any, Literal

from .container import Container
from .edits import Window

#: How much of a file's beginning `sniff` needs: a PDF header may come this late.
HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the table.

    Attributes:
        name: as Pillow has it, where Pillow knows the format.
        suffixes: of file names, in small letters with spaces between, the usual one first.
        magic: a pattern of what its files begin with; the first row of the table that matches has the file.
        structure: ``module:class`` of the `Container` that reads and changes its structure.
        carriers: what in it says how its picture lies: the one that leads, and those that follow (`upright.carriers`).
        turner: ``module:function`` that turns its stored pixels without loss.
        opener: ``module:function`` that opens a picture of it. None of these modules is imported before it is needed.
        decoder: the library that decodes it; ``extra`` is the extra of this package that installs it.
        held: of a format that has to be decoded whole before it can be shrunk: the bytes that are held meanwhile for
            each byte of pixels, as `cost` estimates it. 0: it streams.
        turning: the same while its stored pixels are turned and proven.
        encoding: the bytes that its encoder holds for each sample, beside the picture; 0: as little as others.
        slow: microseconds that a pixel takes to be decoded, as `cost` uses it.
        apart: its structure alone can keep a decoder busy, whatever its size.
        densest: how many pixels a byte of a file can hold, as `cost` uses it; 0: any number.
        holds: several ``pages`` or ``frames``, or one picture ("").
        bands: whether three of more bands can be chosen.
        written: whether its pixels can be encoded again.
    """

    name: str
    suffixes: str
    magic: bytes
    structure: str = ""
    carriers: tuple[str, ...] = ()
    turner: str = ""
    _: KW_ONLY
    opener: str
    decoder: str
    extra: str = ""
    held: float = 0.0
    turning: float = 7.0
    encoding: float = 0.0
    slow: float = 0.0
    apart: bool = False
    densest: int = 0
    holds: Literal["", "pages", "frames"] = ""
    bands: bool = False
    written: bool = False

    @property
    def container(self) -> Container | None:
        """What reads and changes the structure of its files."""
        found: Container | None = named(self.structure)() if self.structure else None
        return found


def named(place: str) -> Any:
    """What ``module:name`` names, imported; a module that begins with a dot is one of this package's."""
    module, _, name = place.partition(":")
    return getattr(import_module(module, "upright"), name)


#: One of the first four brands, the major one among them.
_BRANDS = rb"....ftyp(?:|.{8}(?:.{4}){0,3})"
#: ISO 32000-2 puts the header at the very start; readers look for it in the first kilobyte. After white space or a
#: byte order mark it counts anywhere. After anything else (a mail's head, a printer's commands) it must begin
#: a line and be followed by what a header is followed by, or every text that quotes a PDF would be one.
_PDF = (
    rb"(?:\xef\xbb\xbf)?[\0\t\n\f\r ]*%PDF-"
    rb"|(?>.{0,1000}?[\0\r\n]%PDF-)\d\.\d[^\r\n]{0,80}(?:[\r\n]+[\0\t\f ]*%[^\r\n]*)*?"
    rb"[\r\n]+[\0\t\f ]*(?:%[^\r\n]*[\x80-\xff]|\d+ +\d+ +obj)"
)
#: Of a file in which EXIF is a block; a TIFF's second directory is a page.
_EXIF = ("exif", "xmp", "thumbnail")
_OF_JPEG, _OF_TIFF = (*_EXIF, "previews"), ("exif", "xmp", "previews")
#: Raw photographs that are TIFF files (NEF, ARW, DNG, PEF, SRW) begin with a directory that says that it is a smaller
#: form of the picture (NewSubfileType 1) and names others (SubIFDs), or have a DNGVersion; no scan or pyramid does.
_RAW = (
    rb"II\*\0.{4}(?:CR\x02|IIII)|MM\0\*.{4}MMMM|....ftypcrx |II(?:RO|RS|U\0)|MMOR|FUJIFILMCCD-RAW"
    rb"|II\*\0\x08\0\0\0..(?:.{12}){0,2}?\xfe\0\x04\0\x01\0\0\0\x01\0\0\0(?:.{12}){0,60}?\x4a\x01[\x04\x0d]\0"
    rb"|MM\0\*\0\0\0\x08..(?:.{12}){0,2}?\0\xfe\0\x04\0\0\0\x01\0\0\0\x01(?:.{12}){0,60}?\x01\x4a\0[\x04\x0d]"
    rb"|II\*\0\x08\0\0\0..(?:.{12}){0,80}?\x12\xc6\x01\0\x04\0\0\0|MM\0\*\0\0\0\x08..(?:.{12}){0,80}?\xc6\x12\0\x01\0\0\0\x04"
)


#: A block of 64 pixels takes a bit at least. Deflate makes 1,032 bytes of one, of 8 pixels each.
_jpeg = partial(
    Format, opener=".pictures.jpeg:open_jpeg", decoder="PIL", written=True, turning=4.5, slow=0.01, densest=512
)
_vips = partial(Format, opener=".pictures.vips:open_vips", decoder="pyvips", written=True, bands=True, slow=0.012)
_png = partial(_vips, turning=6.0, densest=8 * 1032)
_pages = partial(_vips, holds="pages", turning=8.0)
_frames = partial(_vips, held=2.0, slow=0.1, holds="frames")
_pillow = partial(Format, opener=".pictures.whole:open_pillow", decoder="PIL", held=1.3, slow=0.05)
_heif = partial(Format, opener=".pictures.whole:open_heif", decoder="pi_heif", held=3.0, slow=0.06, holds="pages")
_dicom = partial(
    Format, opener=".pictures.dicom:open_dicom", decoder="pydicom", extra="dicom", held=14.0, apart=True, holds="frames"
)
_bmp = partial(_pillow, turning=4.0, slow=0.15)
#: Its codec has four bytes for each sample, and again for each level of its wavelets.
_jp2 = partial(_pillow, held=5.0, encoding=17.0)
_pdf = partial(
    Format, opener=".pictures.pdf:open_pdf", decoder="pypdfium2", extra="pdf", held=3.0, apart=True, holds="pages"
)

_raw = partial(Format, opener=".pictures.raw:open_raw", decoder="PIL")
_jxl = partial(Format, opener=".pictures.whole:open_jxl", decoder="pillow_jxl", extra="jxl", held=5.0)

# fmt: off
#: Name, suffixes, magic, container, carriers, turner.
_ROWS = (
    _jpeg("JPEG", ".jpg .jpeg .jpe .jfif", rb"\xff\xd8\xff", ".formats.jpeg:Jpeg", _OF_JPEG, ".lossless.jpeg:turned"),
    _png("PNG", ".png", rb"\x89PNG\r\n\x1a\n", ".formats.png:Png", (*_EXIF, "texts"), ".lossless.png:turned"),
    _raw("RAW", ".cr2 .cr3 .nef .arw .dng .orf .rw2 .raf .pef .srw .iiq", _RAW, ".formats.raw:Raw", ("raw",)),
    _pages("TIFF", ".tif .tiff", rb"II[*+]\0|MM\0[*+]", ".formats.tiff:Tiff", _OF_TIFF, ".lossless.tiff:turned"),
    _frames("WEBP", ".webp", rb"RIFF....WEBP", ".formats.webp:Webp", _EXIF, ".lossless.pillow:turned", turning=10.0),
    _frames("GIF", ".gif", rb"GIF8[79]a", ".formats.gif:Gif", (), ".lossless.pillow:turned", held=2.3, turning=2.0),
    _bmp("BMP", ".bmp", rb"BM", ".formats.bmp:Bmp", (), ".lossless.pillow:turned", written=True),
    _frames("AVIF", ".avif", _BRANDS + rb"avi[fs]", ".formats.heif:Heif", ("irot",), held=6.0),
    _heif("HEIC", ".heic .heif", _BRANDS + rb"(?:hei[cxms]|hev[cxms]|mif[12]|msf1)", ".formats.heif:Heif", ("irot",)),
    _dicom("DICOM", ".dcm", rb".{128}DICM"),
    _pillow("PPM", ".ppm .pgm .pbm .pnm", rb"P[1-6]\s", ".formats.ppm:Ppm", written=True, densest=8),
    _jp2("JPEG2000", ".jp2 .j2k .jpx", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", written=True),
    _jxl("JXL", ".jxl", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", ".formats.jxl:Jxl", ("codestream",)),
    _pillow("PSD", ".psd", rb"8BPS"),
    _pillow("QOI", ".qoi", rb"qoif", slow=1.0, densest=62),
    _pillow("ICO", ".ico", rb"\x00\x00\x01\x00", ".formats.ico:Ico"),
    _pillow("DDS", ".dds", rb"DDS ", slow=1.0, densest=4),
    _pillow("PCX", ".pcx", rb"\x0a\x05\x01"),
    # The last, because its header need not come first: what begins as another format is that.
    _pdf("PDF", ".pdf", _PDF, ".formats.pdf:Pdf", ("rotate",)),
)
# fmt: on

FORMATS: dict[str, Format] = {row.name: row for row in _ROWS}


def sniff(head: bytes) -> str:
    """The name of the format of a file that begins with these bytes (`HEAD_BYTES`, or all), or ""."""
    return next((row.name for row in FORMATS.values() if re.match(row.magic, head, re.DOTALL)), "")


def format_in(window: Window) -> Format | None:
    """The format of a file by its first bytes."""
    return FORMATS.get(sniff(window.at(0, HEAD_BYTES)))


def pages_in(form: str, count: int) -> int:
    """How many of these pages, frames or layers are pictures that lie each its own way: only pages are."""
    row = FORMATS.get(form)
    return count if row and row.holds == "pages" else 1


def format_of_suffix(path: str | os.PathLike[str]) -> Format | None:
    """The format that a file name promises."""
    suffix = PurePath(path).suffix.lower()
    return next((row for row in FORMATS.values() if suffix in row.suffixes.split()), None)
