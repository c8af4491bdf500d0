"""JPEG: decoded at 1/8 to 1/1 of its size by libjpeg-turbo's scaled inverse transform, progressive files from their
first scan alone.

Pillow gets only the segments that pixels depend on, so no metadata is parsed, and a file may be cut after its
first scan or mended at its end without a copy of it.
"""

from __future__ import annotations

import io
from math import ceil
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import Damaged, no_page
from ..formats import Window, cost
from ..formats.jpeg import DQT, END, Header, first_scans, read_header, segments
from .colour import to_srgb
from .picture import Box, Picture
from .source import OpenSource
from .vips import open_vips

if TYPE_CHECKING:
    from PIL import Image

#: Encoders write some 10. Each costs a pass over all coefficients, however few bytes it has.
_MAX_SCANS = 100
#: Parts of a picture are cut from the whole where it has no more pixels once shrunk; above it is streamed.
_MOST_PIXELS_AT_ONCE = 6_000_000


def open_jpeg(source: OpenSource) -> Picture:
    """Open a JPEG; of 8 bits a sample here, of others by libvips."""
    if source.page:
        raise no_page(source.page, 1, source.name)
    try:
        header = read_header(Window(source.file), source.limits.max_metadata_bytes)
    except Damaged as error:
        raise source.broken(error.cause) from error
    return JpegPicture(source, header) if header.frame.precision == 8 else open_vips(source)


class JpegPicture(Picture):
    """A JPEG of 8 bits a sample, of any kind that libjpeg-turbo reads."""

    def __init__(self, source: OpenSource, header: Header) -> None:
        super().__init__(source, (header.frame.width, header.frame.height))
        self._file = source.file
        self._header = header

    def _decode(self, width_px: int, height_px: int) -> Image.Image:
        cut = self._decode_first_scan(width_px, height_px) if self._header.frame.progressive else None
        return cut or self._decode_whole(width_px, height_px)

    def _decode_whole(self, width_px: int, height_px: int) -> Image.Image:
        if self._header.frame.progressive:
            self._check_progressive()
            if _scans(self._file, self._header) > _MAX_SCANS:
                raise self._source.broken(f"more than {_MAX_SCANS} scans")
        head = self._header.kept
        try:
            return self._load(_Spliced(head, self._file, self._header.scan_at), width_px, height_px)
        except OSError as error:
            if "truncated" not in str(error) and "not processed" not in str(error):
                raise
        self.warn("truncated: decided from the part that is there")
        return self._load(_Spliced(head, self._file, self._header.scan_at, END), width_px, height_px)

    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        width, height = self._stored_size
        times = max(1, min(min((b[2] - b[0]) // width_px, (b[3] - b[1]) // height_px) for b in boxes))
        if width * height > _MOST_PIXELS_AT_ONCE * min(times, 8) ** 2:
            return open_vips(self._source).stored_parts(boxes, width_px, height_px)
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
        scans = first_scans(Window(self._file), self._header)
        if scans is None:
            return None
        try:
            return self._load(io.BytesIO(without_ac(self._header.kept) + scans + END), width_px, height_px)
        except Exception:
            # The whole file may do where its first scan does not; if not, that says why.
            return None

    def _check_progressive(self) -> None:
        (width, height), frame = self._stored_size, self._header.frame
        needed = cost.coefficients_bytes(width * height * frame.samples_of_pixel)
        self._source.limits.check_memory(self._stored_size, needed, self.name)

    def _load(self, file: Any, width_px: int, height_px: int) -> Image.Image:
        # Not Image.open: it asks each format's plugin and applies a process-wide limit of pixels that is not ours.
        from PIL.JpegImagePlugin import JpegImageFile

        with JpegImageFile(file) as image:
            # Pillow hands libjpeg 64 kB at a time; 1 MB saves 0.5 of 28 ms on 12 megapixels, 4 MB costs 1 more.
            image.decodermaxblock = 1 << 20
            if not self._header.frame.lossless:  # of which libjpeg-turbo gives no smaller form
                image.draft(None, (width_px, height_px))
            self._source.limits.check_memory(image.size, cost.shrunk_bytes(image.size), self.name)
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


def _scans(file: BinaryIO, header: Header) -> int:
    """How many scans the file has, or claims in its metadata after the first one, which is close enough."""
    file.seek(header.scan_at)
    count, before = 0, b""
    while chunk := file.read(1 << 20):
        count += (before + chunk).count(b"\xff\xda")
        before = chunk[-1:]
    return count


def without_ac(head: bytes) -> bytes:
    """The same segments with quantisers of 0 for all but the mean values.

    Those are not used when there are mean values alone; but where they are 0, libjpeg-turbo leaves out its smoothing
    of blocks (jdcoefct.c, smoothing_ok): measured 8 instead of 20 ms for 12 megapixels, and nearer to the whole file's
    picture (1.0 instead of 2.7 of 255 on average).
    """
    out = bytearray(head)
    for segment in segments(Window(head)):
        table = segment.body
        while segment.marker == DQT and table < segment.end:
            value_bytes = 2 if out[table] >> 4 else 1
            after = min(table + 1 + 64 * value_bytes, segment.end)
            out[table + 1 + value_bytes : after] = bytes(max(0, after - table - 1 - value_bytes))
            table = after
    return bytes(out)
