"""JPEG: marker segments, with EXIF in the first APP1 of its kind and XMP in another.

A new segment goes after SOI and the APP0 segments. The index of a multi-picture file has the length of the first
picture and counts the offsets of the others from itself; both are kept true.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import Damaged
from .container import Blocks, Container
from .edits import Edit, Span, Window
from .tiff import directory

DQT, SOS, _EOI = 0xDB, 0xDA, 0xD9
#: What ends a picture, as bytes.
END = b"\xff\xd9"
_APP0, _APP1, _APP2 = 0xE0, 0xE1, 0xE2
#: SOF0 to SOF15: the range without DHT, JPG and DAC.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
#: What pixels depend on: frames, DHT, DAC, DQT, DRI, and those application segments that say what colours mean.
_KEPT = _FRAMES | {0xC4, 0xCC, 0xDB, 0xDD}
_COLOURS = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
#: TEM, the restart markers and SOI have no length.
_BARE = {0x01, *range(0xD0, 0xD9)}
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED, _PHOTOSHOP = b"http://ns.adobe.com/xmp/extension/\0", b"Photoshop 3.0\0"
#: Marker, beginning, and where what follows that is of use: extended XMP, Photoshop's resources, JFIF and JFXX.
_OTHERS = ((_APP1, _EXTENDED, len(_EXTENDED)), (0xED, _PHOTOSHOP, len(_PHOTOSHOP)), (_APP0, b"JF", 0))
_MAX_SEGMENTS = 4096
_MP_ENTRY = 0xB002
_CHUNK = 1 << 16
#: Inside entropy-coded data FF is followed by 00 or by a restart marker; anything else ends the scan.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class Segment(NamedTuple):
    """A marker segment: ``start`` is its 0xFF, ``body`` follows the length, ``head`` begins the body."""

    marker: int
    start: int
    body: int
    end: int
    head: bytes


class Frame(NamedTuple):
    """A frame header: its marker, bits of a sample, the picture's size; numbers and sampling of its components."""

    marker: int
    precision: int
    width: int
    height: int
    components: bytes
    sampling: bytes

    @property
    def baseline(self) -> bool:
        """Whether the coefficients come in one scan, coded by Huffman."""
        return self.marker in (0xC0, 0xC1)

    @property
    def progressive(self) -> bool:
        """Whether the coefficients come in several scans, each more exact."""
        return self.marker & 3 == 2

    @property
    def lossless(self) -> bool:
        """Whether there are no coefficients: each sample is foretold from its neighbours."""
        return self.marker & 3 == 3

    @property
    def arithmetic(self) -> bool:
        """Whether the coefficients are coded arithmetically."""
        return self.marker > 0xC8

    @property
    def samples_of_pixel(self) -> float:
        """How many samples there are for each pixel: 1 of grey, 1.5 or 3 of colours."""
        most = max((s >> 4 for s in self.sampling), default=1) * max((s & 15 for s in self.sampling), default=1)
        return sum((s >> 4) * (s & 15) for s in self.sampling) / most if most and len(self.sampling) > 1 else 1.0

    @property
    def unit_px(self) -> tuple[int, int]:
        """Width and height of the smallest unit of blocks of all components."""
        # A single component is coded block by block, whatever its sampling says (ITU T.81, A.2.2).
        if len(self.sampling) == 1:
            return 8, 8
        return 8 * max(s >> 4 for s in self.sampling), 8 * max(s & 15 for s in self.sampling)


@dataclass(frozen=True)
class Header:
    """What precedes the first scan, whose marker is at ``scan_at``: the segments that pixels depend on."""

    frame: Frame
    kept: bytes
    scan_at: int


def segments(window: Window, start: int = 2, *, scans: bool = False) -> Iterator[Segment]:
    """The segments up to the first SOS or EOI, or with ``scans`` all of them, those two included.

    Padding and garbage before a marker are passed over as libjpeg does. Ends quietly where the file does.
    """
    position = start
    for _ in range(_MAX_SEGMENTS):
        head = window.at(position, 48)
        if len(head) < 2 or head[0] != 0xFF or head[1] in (0, 0xFF):
            moved = _next_marker(window, position)
            if moved is None:
                return
            position, head = moved, window.at(moved, 48)
        marker = head[1]
        if marker in _BARE:
            position += 2
            continue
        if marker == _EOI:
            yield Segment(marker, position, position + 2, position + 2, b"")
            return
        length = int.from_bytes(head[2:4], "big")
        if len(head) < 4 or length < 2:
            return
        end = position + 2 + length
        yield Segment(marker, position, position + 4, min(end, window.size), head[4 : 2 + length])
        if end >= window.size or (marker == SOS and not scans):
            return
        after = _scan_end(window, end) if marker == SOS else end
        if after is None:
            return
        position = after


def _next_marker(window: Window, position: int) -> int | None:
    stretch = window.at(position, _CHUNK)
    at = stretch.find(b"\xff")
    while 0 <= at < len(stretch) - 1:
        if 0 < stretch[at + 1] < 0xFF:
            return position + at
        at = stretch.find(b"\xff", at + 1)
    return None


def _scan_end(window: Window, position: int) -> int | None:
    """Where the marker after a scan's data begins."""
    while len(stretch := window.at(position, _CHUNK)) > 1:
        found = _SCAN_END.search(stretch)
        if found:
            return position + found.start()
        position += len(stretch) - 1
    return None


def whole_end(window: Window) -> int | None:
    """Behind the first picture of a file; ``None`` where that is cut short."""
    return next((segment.end for segment in segments(window, scans=True) if segment.marker == _EOI), None)


def frame(window: Window) -> Frame | None:
    """The first frame header, or ``None`` where there is none before the first scan."""
    return next((_frame(segment) for segment in segments(window) if segment.marker in _FRAMES), None)


def _frame(segment: Segment) -> Frame:
    body = segment.head
    if len(body) < 6 or len(body) < 6 + 3 * body[5] or not body[5]:
        raise Damaged("a damaged frame header")
    precision, height, width, count = struct.unpack_from(">BHHB", body)
    components = body[6 : 6 + 3 * count]
    return Frame(segment.marker, precision, width, height, components[::3], components[1::3])


def read_header(window: Window, max_bytes: int) -> Header:
    """Read up to the first scan. Raises `Damaged`, also where the metadata are over ``max_bytes``."""
    kept, found = bytearray(b"\xff\xd8"), None
    for segment in segments(window):
        if segment.start > max_bytes:
            raise Damaged(f"more than {max_bytes:,} bytes of metadata (limit max_metadata_bytes)")
        marker = segment.marker
        if marker == SOS:
            if found is None:
                raise Damaged("a scan before the frame header")
            return Header(found, bytes(kept), segment.start)
        if marker in _FRAMES:
            if found is not None:
                raise Damaged("a damaged frame header")
            found = _frame(segment)
        if marker in _KEPT or (marker in _COLOURS and segment.head.startswith(_COLOURS[marker])):
            body = window.at(segment.body, segment.end - segment.body)
            kept += b"\xff%c" % marker + (len(body) + 2).to_bytes(2, "big") + body
    raise Damaged(f"it ends before its first scan, or has more than {_MAX_SEGMENTS} segments there")


def first_scans(window: Window, header: Header) -> bytes | None:
    """The bytes from the first scan's marker to the end of the scan with which every component has its mean values.

    Only these bytes are read. ``None`` where a scan does not begin with mean values (DC coefficients), or where the
    file ends first.
    """
    missing = set(header.frame.components)
    for segment in segments(window, header.scan_at, scans=True):
        body = segment.head
        if segment.marker != SOS:
            continue
        if len(body) < 4 or len(body) != 4 + 2 * body[0] or body[-3] != 0:
            return None
        missing -= set(body[1:-3:2])
        if not missing:
            end = _scan_end(window, segment.end)
            return None if end is None else window.at(header.scan_at, end - header.scan_at)
    return None


def _index(window: Window, blocks: Blocks, at: int, by: int) -> list[Edit]:
    """The edits of a multi-picture index where the first picture, which has it, becomes larger.

    The length of the first picture grows. The offsets of the others count from the index (CIPA DC-007, 5.2.3.3).
    """
    if blocks.mpf is None:
        return []
    segment = next(segments(window, blocks.mpf))
    span = Span(segment.body + 4, segment.end)
    try:
        found = directory(window, span)
        entry = found.find(_MP_ENTRY)
    except Damaged:
        entry = None
    if entry is None:
        if at <= span.start:
            return []
        raise Damaged("a multi-picture index (MPF) that cannot be read precedes the EXIF segment")
    edits = []
    for number in range(min(entry.number // 16, _MAX_SEGMENTS)):
        place = entry.value.start + 16 * number
        length, offset = struct.unpack(found.order + "II", window.exactly(place + 4, 8))
        if number == 0:
            edits.append(window.edit(place + 4, struct.pack(found.order + "I", length + by)))
        elif offset and at > span.start:
            edits.append(window.edit(place + 8, struct.pack(found.order + "I", offset + by)))
    return edits


class Jpeg(Container):
    """JPEG, one picture."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """From the frame header."""
        found = frame(window)
        return (found.width, found.height) if found else (0, 0)

    def pixel_bytes(self, window: Window, page: int = 0) -> float:
        """Samples for each pixel, those of colour are fewer."""
        found = frame(window)
        return found.samples_of_pixel if found else 3

    def find(self, window: Window, page: int = 0) -> Blocks:
        """The first EXIF block, the first XMP packet, where a multi-picture index begins, and all others."""
        tiff = xmp = mpf = None
        others: dict[bytes, list[Span]] = {_EXTENDED: [], _PHOTOSHOP: [], b"JF": []}
        for segment in segments(window):
            if segment.marker == _APP1 and tiff is None and segment.head.startswith(b"Exif\0"):
                tiff = Span(segment.body + 6, segment.end)
            elif segment.marker == _APP1 and xmp is None and segment.head.startswith(_XMP):
                xmp = Span(segment.body + len(_XMP), segment.end)
            elif segment.marker == _APP2 and mpf is None and segment.head.startswith(b"MPF\0"):
                mpf = segment.start
            for marker, head, at in _OTHERS:
                if segment.marker == marker and segment.head.startswith(head):
                    others[head].append(Span(segment.body + at, segment.end))
        return Blocks(tiff, xmp, mpf, *map(tuple, others.values()))

    def insert(self, window: Window, blocks: Blocks, block: bytes) -> list[Edit]:
        """A new APP1 segment after SOI and APP0."""
        position = 2
        for segment in segments(window):
            if segment.marker != _APP0:
                break
            position = segment.end
        if window.size < position + 2:
            raise Damaged("the JPEG is cut short")
        payload = b"Exif\0\0" + block
        new = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
        return [Edit(position, b"", new), *_index(window, blocks, position, len(new))]

    def enlarge(self, window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
        """The EXIF segment grows at its end."""
        assert blocks.tiff is not None
        length_at = blocks.tiff.start - 8
        length = int.from_bytes(window.exactly(length_at, 2), "big")
        if length_at + length != blocks.tiff.end:
            raise Damaged("the EXIF segment is cut short")
        if length + len(addition) > 0xFFFF:
            raise Damaged("the EXIF segment has no room for the tag")
        grown = window.edit(length_at, struct.pack(">H", length + len(addition)))
        index = _index(window, blocks, blocks.tiff.end, len(addition))
        return [*edits, grown, Edit(blocks.tiff.end, b"", addition), *index]

    def swap_sides(self, window: Window) -> list[Edit]:
        """The density in a JFIF header."""
        first = next(segments(window), None)
        if first is None or first.marker != _APP0 or not first.head.startswith(b"JFIF\0") or len(first.head) < 12:
            return []
        x, y = first.head[8:10], first.head[10:12]
        return [Edit(first.body + 8, x + y, y + x)] if x != y else []
