"""JPEG: decoded at 1/8 to 1/1 of its size by libjpeg-turbo's scaled inverse transform, progressive files from their
first scan alone.

Pillow is handed just the segments that pixels depend on. So no metadata is parsed, and a file may be cut after its
first scan or mended at its end without a copy of it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import BrokenPicture, UsageError
from ..turns import ExifOrientation
from .colour import to_srgb
from .picture import DECODE_ERRORS, Bands, Box, Picture

if TYPE_CHECKING:
    from PIL import Image

    from .limits import Limits
    from .source import OpenSource

END = b"\xff\xd9"
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_DQT = 0xDB
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xCA}
#: DHT, DAC, DQT, DRI, and those of the application segments that say what the colours mean.
_TABLES = {0xC4, 0xCC, 0xDB, 0xDD}
_COLOURS = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
_MAX_SEGMENTS = 4096
#: Encoders write some 10. Each costs a pass over all coefficients, however few bytes it has.
_MAX_SCANS = 100
_CHUNK = 1 << 16
#: Parts of a picture are cut from the whole where it has no more pixels once shrunk; above it is streamed.
_MOST_PIXELS_AT_ONCE = 6_000_000
#: Inside entropy-coded data FF is followed by 00 or by a restart marker; anything else ends the scan.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass
class Header:
    """What stands before the first scan: the size, and the segments that pixels depend on."""

    kept: bytearray = field(default_factory=lambda: bytearray(b"\xff\xd8"))
    width: int = 0
    height: int = 0
    precision: int = 8
    components: tuple[int, ...] = ()
    progressive: bool = False
    #: Offset of the first scan's marker.
    scan_at: int = 0


def read_header(file: BinaryIO, max_bytes: int) -> Header:
    """Read up to the first scan. Raises ValueError where the file is damaged or its metadata are over ``max_bytes``."""
    header = Header()
    at = 2
    for _ in range(_MAX_SEGMENTS):
        if at > max_bytes:
            raise ValueError(f"more than {max_bytes:,} bytes of metadata (limit max_metadata_bytes)")
        file.seek(at)
        marker, size, skipped = _segment(file)
        at += skipped
        if marker == _START_OF_SCAN:
            if not header.components:
                raise ValueError("a scan before the frame header")
            header.scan_at = at
            return header
        body = file.read(size) if _matters(marker) else b""
        if marker in _FRAMES:
            _read_frame(header, marker, body)
        if marker in _FRAMES or marker in _TABLES or (marker in _COLOURS and body.startswith(_COLOURS[marker])):
            header.kept += b"\xff%c" % marker + (size + 2).to_bytes(2, "big") + body
        at += size + 4
    raise ValueError(f"more than {_MAX_SEGMENTS} segments before the first scan")


def first_scans(file: BinaryIO, header: Header) -> bytes | None:
    """The bytes from the first scan's marker to the end of the scan with which every component has its mean values.

    Only these bytes are read. ``None`` where a scan does not begin with mean values (DC coefficients), or where the
    file ends first.
    """
    file.seek(header.scan_at)
    data = bytearray()
    missing = set(header.components)
    at = 0
    for _ in range(_MAX_SEGMENTS):
        while len(data) < at + 4 or len(data) < at + 2 + int.from_bytes(data[at + 2 : at + 4], "big"):
            if not _grow(file, data):
                return None
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at] != 0xFF or marker == _END_OF_IMAGE or size < 2:
            return None
        body = bytes(data[at + 4 : at + 2 + size])
        at += 2 + size
        if marker != _START_OF_SCAN:
            continue
        if len(body) < 4 or len(body) != 4 + 2 * body[0] or body[-3] != 0:
            return None
        missing -= set(body[1:-3:2])
        end = _scan_end(file, data, at)
        if end is None:
            return None
        if not missing:
            return bytes(data[:end])
        at = end
    return None


def open_jpeg(
    source: OpenSource, limits: Limits, page: int, exif: ExifOrientation, bands: Bands | None = None
) -> Picture:
    """Open a JPEG; of 8 bits a sample here, of others by libvips."""
    if page:
        raise UsageError(f"it has no page {page}", source=source.name, remedy="a JPEG is one page")
    try:
        header = read_header(source.file, limits.max_metadata_bytes)
    except ValueError as error:
        raise BrokenPicture(f"damaged JPEG: {error}", source=source.name, remedy="fetch or scan it again") from error
    if header.precision != 8:
        from .vips import open_vips

        return open_vips(source, limits, page, exif, bands)
    return JpegPicture(source, limits, header, exif)


class JpegPicture(Picture):
    """A JPEG of 8 bits a sample, of any kind that libjpeg-turbo reads."""

    def __init__(self, source: OpenSource, limits: Limits, header: Header, exif: ExifOrientation) -> None:
        super().__init__(source, limits, (header.width, header.height), exif=exif)
        self._file = source.file
        self._header = header

    def _decode(self, width_px: int, height_px: int) -> Image.Image:
        cut = self._decode_first_scan(width_px, height_px) if self._header.progressive else None
        return cut or self._decode_whole(width_px, height_px)

    def _decode_whole(self, width_px: int, height_px: int) -> Image.Image:
        if self._header.progressive:
            self._check_progressive()
            if _scans(self._file, self._header) > _MAX_SCANS:
                raise self._broken(f"more than {_MAX_SCANS} scans")
        head = bytes(self._header.kept)
        try:
            return self._load(_Spliced(head, self._file, self._header.scan_at), width_px, height_px)
        except OSError as error:
            if "truncated" not in str(error) and "not processed" not in str(error):
                raise self._broken(error) from error
        except DECODE_ERRORS as error:
            raise self._broken(error) from error
        self.warn("truncated: decided from the part that is there")
        try:
            return self._load(_Spliced(head, self._file, self._header.scan_at, END), width_px, height_px)
        except DECODE_ERRORS as error:
            raise self._broken(error) from error

    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        width, height = self._stored_size
        times = max(1, min(min((b[2] - b[0]) // width_px, (b[3] - b[1]) // height_px) for b in boxes))
        if width * height > _MOST_PIXELS_AT_ONCE * min(times, 8) ** 2:
            from .vips import open_vips

            assert self._source is not None
            streamed = open_vips(self._source, self._limits, 0, ExifOrientation.TOP_LEFT)
            return streamed._decode_parts(boxes, width_px, height_px)
        whole = self._decode_whole(width // times, height // times)
        across, down = whole.width / width, whole.height / height
        return {
            box: whole.crop((int(box[0] * across), int(box[1] * down), ceil(box[2] * across), ceil(box[3] * down)))
            for box in boxes
        }

    def _decode_first_scan(self, width_px: int, height_px: int) -> Image.Image | None:
        """Mean values of 8 x 8 blocks are all that a picture at 1/8 needs; the first scan is some 7 % of a file."""
        if min(self._stored_size[0] // width_px, self._stored_size[1] // height_px) < 8:
            return None
        self._check_progressive()
        scans = first_scans(self._file, self._header)
        if scans is None:
            return None
        try:
            return self._load(io.BytesIO(_without_ac(self._header.kept) + scans + END), width_px, height_px)
        except DECODE_ERRORS:
            return None

    def _check_progressive(self) -> None:
        """libjpeg holds all coefficients of a progressive file: 2 bytes for each of 1.5 to 3 samples of a pixel."""
        self._limits.check_whole(*self._stored_size, self.name, "a progressive JPEG")

    def _load(self, file: Any, width_px: int, height_px: int) -> Image.Image:
        # Not Image.open: it asks each format's plugin and applies a process-wide limit of pixels that is not ours.
        from PIL.JpegImagePlugin import JpegImageFile

        with JpegImageFile(file) as image:
            # Pillow hands libjpeg 64 kB at a time; 1 MB saves 0.5 of 28 ms on 12 megapixels, 4 MB costs 1 more.
            image.decodermaxblock = 1 << 20
            image.draft(None, (width_px, height_px))
            image.load()
            return to_srgb(image, image.info.get("icc_profile"), self.warn)


class _Spliced:
    """A file whose beginning and end are replaced, as Pillow reads one."""

    def __init__(self, head: bytes, file: BinaryIO, offset: int, tail: bytes = b"") -> None:
        self._head, self._file, self._offset, self._tail = head, file, offset, tail
        self._at = 0

    def read(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        data = self._head[start : start + size]
        if len(data) < size:
            self._file.seek(self._offset + start + len(data) - len(self._head))
            data += self._file.read(size - len(data))
        if len(data) < size and self._tail:
            # Repeated at every read past the end: libjpeg fills what is missing with the last grey.
            data += self._tail
        self._at = start + len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        pass


def _segment(file: BinaryIO) -> tuple[int, int, int]:
    """A segment's marker, the size of its body, and how many fill bytes stood before it."""
    found = file.read(4)
    skipped = 0
    while found[:2] == b"\xff\xff" and skipped < _CHUNK:
        found = found[1:] + file.read(1)
        skipped += 1
    if len(found) < 4:
        raise ValueError("it ends before its first scan")
    size = int.from_bytes(found[2:], "big")
    if found[0] != 0xFF or found[1] in (0, _END_OF_IMAGE) or size < 2:
        raise ValueError("no marker where one must be")
    return found[1], size - 2, skipped


def _scans(file: BinaryIO, header: Header) -> int:
    """How many scans the file has, or claims in its metadata after the first one, which is close enough."""
    file.seek(header.scan_at)
    count, before = 0, b""
    while chunk := file.read(1 << 20):
        count += (before + chunk).count(b"\xff\xda")
        before = chunk[-1:]
    return count


def _without_ac(head: bytearray) -> bytes:
    """The same segments with quantisers of 0 for all but the mean values.

    Those are not used when there are mean values alone; but where they are 0, libjpeg-turbo leaves out its smoothing
    of blocks (jdcoefct.c, smoothing_ok): measured 8 instead of 20 ms for 12 megapixels, and nearer to the whole file's
    picture (1.0 instead of 2.7 of 255 on average).
    """
    out, at = bytearray(head), 2
    while at < len(out):
        end = at + 2 + int.from_bytes(out[at + 2 : at + 4], "big")
        table = at + 4
        while out[at + 1] == _DQT and table < end:
            value_bytes = 2 if out[table] >> 4 else 1
            after = min(table + 1 + 64 * value_bytes, end)
            out[table + 1 + value_bytes : after] = bytes(max(0, after - table - 1 - value_bytes))
            table = after
        at = end
    return bytes(out)


def _matters(marker: int) -> bool:
    return marker in _FRAMES or marker in _TABLES or marker in _COLOURS


def _read_frame(header: Header, marker: int, body: bytes) -> None:
    if len(body) < 6 or len(body) < 6 + 3 * body[5] or not body[5] or header.components:
        raise ValueError("a damaged frame header")
    header.precision = body[0]
    header.height, header.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    header.components = tuple(body[6 : 6 + 3 * body[5] : 3])
    header.progressive = marker in _PROGRESSIVE


def _grow(file: BinaryIO, data: bytearray) -> bool:
    more = file.read(_CHUNK)
    data += more
    return bool(more)


def _scan_end(file: BinaryIO, data: bytearray, at: int) -> int | None:
    while True:
        found = _SCAN_END.search(data, at)
        if found:
            return found.start()
        at = max(at, len(data) - 1)
        if not _grow(file, data):
            return None
