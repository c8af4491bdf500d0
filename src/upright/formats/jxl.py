"""JPEG XL (ISO/IEC 18181): a bare codestream, or one in boxes. Its header says how the picture lies.

A header that says so is changed in three bits. One that leaves it out has to say more: it grows by three bytes, for
which an empty extension (18181-1, C.3: readers pass over those that they do not know) fills up the last one. So all
that follows moves by whole bytes and is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Damaged
from .boxes import Box, boxes, enlarged, exif_in
from .container import Blocks, Container
from .edits import Edit, Span, Window

_BARE = b"\xff\x0a"
#: A header has some ten bytes; names of extra channels make it longer.
_MOST_HEADER = 1 << 13
#: Widths over heights that a header names by number, from 1.
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
#: A number's four forms: how many bits, and what is added to them.
_SIZES = ((9, 1), (13, 1), (18, 1), (30, 1))
_ENUM = ((0, 0), (0, 1), (4, 2), (6, 18))
_XYB, _GREY, _CUSTOM, _ALPHA, _SPOT, _CFA = 2, 1, 2, 0, 2, 5
#: All that a picture with no more to say than how it lies says from its extra fields to its tone mapping: 8 bits a
#: sample, XYB, sRGB.
_PLAIN = "000" + "1" + "00" + "1" + "1" + "1"
#: Extension 0, of no bits, and of 7.
_EXTENSION, _EXTENSION_OF_7 = "100000" + "00", "100000" + "100110" + "0" * 7


@dataclass(frozen=True, slots=True)
class Header:
    """What the codestream says before its pixels. Places are in bits, from the codestream's first.

    ``orientation`` is the number of EXIF's tag, and ``at`` where its three bits are or would be. ``extra`` says whether
    there are fields for such things, ``plain`` whether all is as usual and nothing is said. Of others ``end`` is the
    end of what the pixels are like, before ``extensions``.
    """

    orientation: int
    at: int
    end: int
    extra: bool
    plain: bool
    extensions: bool = False


class Jxl(Container):
    """JPEG XL, one picture."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """From the codestream's header (18181-1, D.2), as stored. Raises `Damaged`."""
        return _size(_Bits(window.at(_codestream(window).start, _MOST_HEADER)[2:]))

    def find(self, window: Window, page: int = 0) -> Blocks:
        """The first EXIF block and the first XMP packet that are not compressed."""
        tiff = xmp = None
        for box in boxes(window) if window.at(0, 2) != _BARE else ():
            if box.kind == b"Exif" and tiff is None and box.end - box.body > 4:
                tiff = exif_in(window, Span(box.body, box.end))
            elif box.kind == b"xml " and xmp is None:
                xmp = Span(box.body, box.end)
        return Blocks(tiff, xmp)


def gives_a_jpeg_back(window: Window) -> bool:
    """Whether a file can become the very JPEG again that it was made from, whose own EXIF is compressed here."""
    kinds = {box.kind for box in boxes(window)} if window.at(4, 4) == b"JXL " else set[bytes]()
    return b"jbrd" in kinds and b"Exif" not in kinds


def header(window: Window) -> Header:
    """What the codestream's header says. Raises `Damaged`."""
    bits = _Bits(window.at(_codestream(window).start, _MOST_HEADER))
    if bits.take(16) != int.from_bytes(_BARE, "little"):
        raise Damaged("its codestream has no header", remedy="copy it again from its origin")
    _size(bits)
    plain = bool(bits.take(1))
    extra = not plain and bool(bits.take(1))
    at = bits.place
    if plain or extra:
        return Header(1 + bits.take(3) if extra else 1, at, at, extra, plain)
    _depth(bits)
    bits.take(1)
    for _ in range(bits.number((0, 0), (0, 1), (4, 2), (12, 1))):
        _extra_channel(bits)
    bits.take(1)
    _colours(bits)
    return Header(1, at, bits.place, extra, plain, extensions=bits.take(2) != 0)


def oriented(window: Window, orientation: int) -> list[Edit]:
    """The edits that make the header say this. Raises `Damaged`."""
    found, stream = header(window), _codestream(window)
    if found.orientation == orientation:
        return []
    said = "".join(str(orientation - 1 >> n & 1) for n in range(3))
    if found.extra:
        return _rewritten(window, stream, found.at, found.at + 3, said)
    if found.extensions or any(box.kind == b"jxli" for box in boxes(window)):
        raise Damaged("an index of its frames or an extension is in the way", remedy="use --sidecar")
    fields = "1" + said + "000"
    if found.plain:
        return _rewritten(window, stream, found.at - 1, found.at, "0" + fields + _PLAIN + _EXTENSION)
    described = _Bits(window.at(stream.start, _MOST_HEADER)).text(found.at, found.end)
    return _rewritten(window, stream, found.at - 1, found.end + 2, fields + described + "1" + _EXTENSION_OF_7)


def _rewritten(window: Window, stream: Box, start: int, end: int, new: str) -> list[Edit]:
    """The edits that put other bits in the place of some of a codestream's, and their box that grows by them."""
    first, last = start // 8, -(-end // 8)
    old = window.exactly(stream.start + first, last - first)
    if stream.start + last > stream.end:
        raise Damaged("its header is in pieces", remedy="use --sidecar")
    kept = _Bits(old)
    text = kept.text(0, start - 8 * first) + new + kept.text(end - 8 * first, 8 * len(old))
    made = bytes(int(text[at : at + 8][::-1], 2) for at in range(0, len(text), 8))
    edits = [Edit(stream.start + first, old, made)]
    return [*(enlarged(window, stream.body, len(made) - len(old)) if stream.kind else ()), *edits]


def _codestream(window: Window) -> Box:
    """Where the codestream, or its first part, starts and ends; its ``body`` is here where its box begins."""
    if window.at(0, 2) == _BARE:
        return Box(b"", 0, 0, window.size)
    box = next((box for box in boxes(window) if box.kind in (b"jxlc", b"jxlp")), None)
    if box is None:
        raise Damaged("it has no codestream", remedy="copy it again from its origin")
    found = Box(box.kind, box.body + 4 * (box.kind == b"jxlp"), box.start, box.end)
    if window.at(found.start, 2) != _BARE:
        raise Damaged("its codestream has no header", remedy="copy it again from its origin")
    return found


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if small else bits.number(*_SIZES)
    if ratio := bits.take(3):
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return (8 * (bits.take(5) + 1) if small else bits.number(*_SIZES)), height


def _depth(bits: _Bits) -> None:
    if bits.take(1):
        bits.number((0, 32), (0, 16), (0, 24), (6, 1))
        bits.take(4)
    else:
        bits.number((0, 8), (0, 10), (0, 12), (6, 1))


def _extra_channel(bits: _Bits) -> None:
    if bits.take(1):
        return
    kind = bits.number(*_ENUM)
    _depth(bits)
    bits.number((0, 0), (0, 3), (0, 4), (3, 1))
    bits.take(8 * bits.number((0, 0), (4, 0), (5, 16), (10, 48)))
    if kind == _ALPHA:
        bits.take(1)
    elif kind == _SPOT:
        bits.take(4 * 16)
    elif kind == _CFA:
        bits.number((0, 1), (2, 0), (4, 3), (8, 19))


def _colours(bits: _Bits) -> None:
    if bits.take(1):
        return
    profile, space = bits.take(1), bits.number(*_ENUM)
    if profile:
        return
    if space != _XYB and bits.number(*_ENUM) == _CUSTOM:
        _point(bits)
    if space not in (_XYB, _GREY) and bits.number(*_ENUM) == _CUSTOM:
        for _ in range(3):
            _point(bits)
    if space != _XYB:
        if bits.take(1):
            bits.take(24)
        else:
            bits.number(*_ENUM)
    bits.number(*_ENUM)


def _point(bits: _Bits) -> None:
    for _ in range(2):
        bits.number((19, 0), (19, 1 << 19), (20, 1 << 20), (21, 1 << 21))


class _Bits:
    """Bits of bytes, the lowest of each first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._count, self.place = int.from_bytes(data, "little"), 8 * len(data), 0

    def take(self, count: int) -> int:
        """The number that the next bits are. Raises `Damaged`."""
        if self.place + count > self._count:
            raise Damaged("its header is cut short", remedy="copy it again from its origin")
        found = self._value >> self.place & ((1 << count) - 1)
        self.place += count
        return found

    def number(self, *choices: tuple[int, int]) -> int:
        """One of four forms of a number (18181-1, 9.2.2)."""
        count, more = choices[self.take(2)]
        return self.take(count) + more

    def text(self, start: int, end: int) -> str:
        """The bits from one place to another, as a text of 0 and 1."""
        return "".join(str(self._value >> place & 1) for place in range(start, end))
