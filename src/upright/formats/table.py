"""The table of formats: one row each. Whatever has to know which formats there are reads it here.

A new format is one row, and a module where its bytes have to be understood or changed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from .bmp import Bmp
from .container import Container
from .gif import Gif
from .heif import Heif
from .jpeg import Jpeg
from .pdf import Pdf
from .png import Png
from .tiff import Tiff
from .webp import Webp

#: What `sniff` wants of a file's beginning: a PDF may begin this far into it.
HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Format:
    """What is known of a format.

    Attributes:
        name: as Pillow has it, where Pillow knows the format.
        suffixes: of file names, the usual one first.
        magic: what its files begin with; the first row of the table that matches has the file.
        opener: ``module:function`` that opens a picture of it, imported when the first one is opened.
        decoder: the library that decodes it; ``extra`` is the extra of this package that installs it.
        container: what reads and changes its structure.
        carriers: what in it says how its picture lies.
        turner: ``module:function`` that turns its stored pixels without loss.
        whole: whether it has to be decoded whole before it can be shrunk.
        holds: several ``pages`` or ``frames``, or one picture ("").
        bands: whether three of more bands can be chosen.
        written: whether its pixels can be encoded anew.
    """

    name: str
    suffixes: tuple[str, ...]
    magic: re.Pattern[bytes]
    opener: str
    decoder: str
    extra: str = ""
    container: Container | None = None
    carriers: tuple[str, ...] = ()
    turner: str = ""
    whole: bool = False
    holds: Literal["", "pages", "frames"] = ""
    bands: bool = False
    written: bool = False


_TIFF = rb"II[*+]\0|MM\0[*+]"
#: One of the first four brands, the major one among them.
_HEIF = rb"....ftyp(?:|.{8}(?:.{4}){0,3})"
#: ISO 32000-2 puts the header at the very start; readers look for it in the first kilobyte. After white space or a
#: byte order mark it is one wherever it stands. After anything else (a mail's head, a printer's commands) it must begin
#: a line and be followed by what a header is followed by, or every text that quotes a PDF would be one.
_PDF = (
    rb"(?:\xef\xbb\xbf)?[\0\t\n\f\r ]*%PDF-"
    rb"|(?>.{0,1000}?[\0\r\n]%PDF-)\d\.\d[^\r\n]{0,80}(?:[\r\n]+[\0\t\f ]*%[^\r\n]*)*?"
    rb"[\r\n]+[\0\t\f ]*(?:%[^\r\n]*[\x80-\xff]|\d+ +\d+ +obj)"
)
_EXIF = ("exif", "xmp")


def _row(
    name: str, suffixes: str, begins: bytes, opener: str, decoder: str, *, turner: str = "", **others: Any
) -> Format:
    magic = re.compile(begins, re.DOTALL)
    turner = turner and f"upright.lossless.{turner}"
    opener = f"upright.pictures.{opener}"
    return Format(name, tuple(suffixes.split()), magic, opener, decoder, turner=turner, **others)


def _pillow(name: str, suffixes: str, begins: bytes, **others: Any) -> Format:
    return _row(name, suffixes, begins, "whole:open_pillow", "PIL", whole=True, **others)


def _vips(name: str, suffixes: str, begins: bytes, **others: Any) -> Format:
    return _row(name, suffixes, begins, "vips:open_vips", "pyvips", bands=True, written=True, **others)


def _frames(name: str, suffixes: str, begins: bytes, **others: Any) -> Format:
    return _vips(name, suffixes, begins, whole=True, holds="frames", **others)


_ROWS = (
    _row(
        "JPEG",
        ".jpg .jpeg .jpe .jfif",
        rb"\xff\xd8\xff",
        "jpeg:open_jpeg",
        "PIL",
        container=Jpeg(),
        carriers=_EXIF,
        turner="jpeg:turned",
        written=True,
    ),
    _vips("PNG", ".png", rb"\x89PNG\r\n\x1a\n", container=Png(), carriers=_EXIF, turner="png:turned"),
    _vips("TIFF", ".tif .tiff", _TIFF, container=Tiff(), carriers=_EXIF, turner="tiff:turned", holds="pages"),
    _frames("WEBP", ".webp", rb"RIFF....WEBP", container=Webp(), carriers=_EXIF, turner="pillow:turned"),
    _frames("GIF", ".gif", rb"GIF8[79]a", container=Gif(), turner="pillow:turned"),
    _pillow("BMP", ".bmp", rb"BM", container=Bmp(), turner="pillow:turned", written=True),
    _frames("AVIF", ".avif", _HEIF + rb"avi[fs]", container=Heif(), carriers=("irot",)),
    _row(
        "HEIC",
        ".heic .heif",
        _HEIF + rb"(?:hei[cxms]|hev[cxms]|mif[12]|msf1)",
        "whole:open_heif",
        "pi_heif",
        container=Heif(),
        carriers=("irot",),
        whole=True,
        holds="pages",
    ),
    _row("DICOM", ".dcm", rb".{128}DICM", "dicom:open_dicom", "pydicom", extra="dicom", whole=True, holds="frames"),
    _pillow("PPM", ".ppm .pgm .pbm .pnm", rb"P[1-6]\s", written=True),
    _pillow("JPEG2000", ".jp2 .j2k .jpx", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", written=True),
    _pillow("PSD", ".psd", rb"8BPS"),
    _pillow("QOI", ".qoi", rb"qoif"),
    _pillow("ICO", ".ico", rb"\x00\x00\x01\x00"),
    _pillow("DDS", ".dds", rb"DDS "),
    _pillow("PCX", ".pcx", rb"\x0a\x05\x01"),
    # The last, because its header need not come first: what begins as another format is that.
    _row(
        "PDF",
        ".pdf",
        _PDF,
        "pdf:open_pdf",
        "pypdfium2",
        extra="pdf",
        holds="pages",
        container=Pdf(),
        carriers=("rotate",),
    ),
)

FORMATS: dict[str, Format] = {row.name: row for row in _ROWS}


def sniff(head: bytes) -> str:
    """The name of the format of a file that begins with these bytes (`HEAD_BYTES`, or all), or ""."""
    return next((row.name for row in FORMATS.values() if row.magic.match(head)), "")


def format_of(name: str) -> Format | None:
    """The row of a name that `sniff` gave."""
    return FORMATS.get(name)


def format_of_suffix(path: str | os.PathLike[str]) -> Format | None:
    """The format that a file name promises."""
    suffix = PurePath(path).suffix.lower()
    return next((row for row in FORMATS.values() if suffix in row.suffixes), None)
