"""Flat giants: TIFF without small levels, shrunk without decoding every pixel.

libvips decodes each JPEG tile whole; here each tile is decoded at 1/8. Uncompressed rows are sampled: two for each
row that is asked for, instead of all.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, BinaryIO

from ..errors import Damaged
from ..formats import Span, Window, tiff
from ..formats.jpeg import END, Frame, read_header, segments
from ..formats.tiff import Directory, directory

if TYPE_CHECKING:
    from PIL import Image

_JPEG, _RAW = 7, 1
_SUBFILE_TYPE = 254
_RGB, _YCBCR = 2, 6
#: Below this a raw picture is streamed whole: sampling rows is coarser, and the time is small.
_LEAST_SAMPLED_PIXELS = 100_000_000
_ROWS_FOR_EACH = 2
_ROWS_AT_ONCE = 64
_DAMAGED = "damaged tiles are shown white"
#: A JPEG has at most 65,535 lines.
_MOST_LINES = 65_000
#: An Adobe segment says which colours three components are; TIFF has a tag for that.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"


@dataclass(frozen=True)
class Flat:
    """Where the tiles (strips are tiles as wide as the picture) of one TIFF page lie."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    compression: int
    photometric: int
    samples: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    tables: bytes

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return ceil(self.width / self.tile_width)


def read_flat(file: BinaryIO) -> Flat | None:
    """The layout of a TIFF's first page if it is one that this module shrinks, else ``None``."""
    window = Window(file)
    try:
        found = directory(window, Span(0, window.size))
        flat = _layout(window, found)
    except Damaged:
        return None
    return flat if flat is not None and _is_ours(flat) else None


def is_reduced(file: BinaryIO, page: int) -> bool:
    """Whether a page is marked as a smaller form of another page (NewSubfileType)."""
    window = Window(file)
    try:
        found = directory(window, Span(0, window.size), page)
        return bool(found.number(window, _SUBFILE_TYPE, 0) & 1)
    except Damaged:
        return False


def shrink(
    file: BinaryIO,
    flat: Flat,
    width_px: int,
    height_px: int,
    check: Callable[[float], None],
    warn: Callable[[str], None],
) -> Image.Image | None:
    """The page at no less than this size, or ``None`` where it is not so much larger that this saves anything.

    ``check`` is called between rows of tiles with the share, 0 to 1, that is done. Raises what
    decoders do where a tile is damaged.
    """
    if flat.compression == _RAW:
        return _sampled(file, flat, width_px, height_px, check)
    times = min(flat.width // width_px, flat.height // height_px)
    if times < 8:
        return None
    further = 1
    while times >= 16 * further and flat.tile_width % (16 * further) == 0 == flat.tile_height % (16 * further):
        further *= 2
    return _mosaic(file, flat, further, check, warn)


def _layout(window: Window, found: Directory) -> Flat | None:
    numbers, number = partial(found.numbers, window), partial(found.number, window)
    width, height, tiled = number(tiff.WIDTH, 0), number(tiff.HEIGHT, 0), bool(numbers(tiff.TILES))
    tile_width = number(tiff.TILE_WIDTH, 0) if tiled else width
    tile_height = number(tiff.TILE_HEIGHT, 0) if tiled else min(number(tiff.STRIP_HEIGHT, height), height)
    planar = number(tiff.PLANAR, 1)
    if not (width and height and tile_width and tile_height) or {*numbers(tiff.BITS)} != {8} or planar != 1:
        return None
    return Flat(
        width,
        height,
        tile_width,
        tile_height,
        number(tiff.COMPRESSION, 1),
        number(tiff.PHOTOMETRIC, 0),
        number(tiff.SAMPLES_OF_PIXEL, 1),
        numbers(tiff.TILES if tiled else tiff.STRIPS),
        numbers(tiff.TILE_SIZES if tiled else tiff.STRIP_SIZES),
        bytes(numbers(tiff.JPEG_TABLES)),
    )


def _is_ours(flat: Flat) -> bool:
    down = ceil(flat.height / flat.tile_height)
    whole = len(flat.offsets) == len(flat.sizes) == flat.across * down
    if flat.compression == _JPEG:
        kinds = (flat.photometric in (_RGB, _YCBCR) and flat.samples == 3) or (flat.photometric, flat.samples) == (1, 1)
        return whole and kinds and flat.tile_width % 8 == 0 and (down == 1 or flat.tile_height % 8 == 0)
    raw = flat.compression == _RAW and (flat.photometric, flat.samples) in ((_RGB, 3), (1, 1))
    return whole and raw and flat.across == 1 and flat.width * flat.height >= _LEAST_SAMPLED_PIXELS


def _mosaic(
    file: BinaryIO, flat: Flat, further: int, check: Callable[[float], None], warn: Callable[[str], None]
) -> Image.Image:
    """All tiles decoded at 1/8 and reduced by ``further``, each put where it belongs.

    Absent ones (sparse files) and damaged ones stay white.
    """
    import numpy as np
    from PIL import Image

    width, height = flat.tile_width // 8 // further, ceil(flat.tile_height / 8 / further)
    down = ceil(flat.height / flat.tile_height)
    canvas = np.full((down, height, flat.across, width, flat.samples), 255, np.uint8)
    shows = False
    for start, tiles in _batches(file, flat):
        check(start / (down * flat.across))
        try:
            column = _decoded(tiles.jpeg(flat))
        except Exception:
            warn(_DAMAGED)
            continue
        shows = True
        column = column.reduce(further) if further > 1 else column
        pixels = np.asarray(column).reshape(tiles.count, -1, width, flat.samples)
        for i in range(tiles.count):
            row, place = divmod(start + i, flat.across)
            canvas[row, : pixels.shape[1], place] = pixels[i]
    if not shows:
        raise ValueError("no tile can be decoded")
    shown = canvas.reshape(down * height, flat.across * width, flat.samples)
    shown = shown[: ceil(flat.height / 8 / further), : ceil(flat.width / 8 / further)]
    return Image.fromarray(shown[:, :, 0] if flat.samples == 1 else shown).convert("RGB")


class _Batch:
    """Tiles that follow each other and have the same header, as one JPEG: a column with restart markers between.

    One call of the decoder for some 250 tiles: with one call for each, its overhead is half of the time.
    """

    def __init__(self, first: bytes) -> None:
        self._kept, at, self._most = b"", 0, 1
        self._frame: Frame | None = None
        # A damaged tile stays alone; decoding it will say so.
        with suppress(Damaged):
            header = read_header(Window(first), len(first))
            self._kept, at, self._frame = header.kept[2:], header.scan_at, header.frame
        scan_end = at + 2 + int.from_bytes(first[at + 2 : at + 4], "big")
        self._head, self._scan = first[:scan_end], first[at:scan_end]
        # A tile that has restart markers cannot be joined to others.
        if self._frame and self._frame.baseline and b"\xff\xdd" not in self._head:
            self._most = max(1, _MOST_LINES // max(1, self._frame.height))
        self._data: list[bytes] = []

    @property
    def count(self) -> int:
        return len(self._data)

    def add(self, tile: bytes) -> bool:
        """Take a tile with the same header, as long as there is room."""
        if self.count == self._most or not tile.startswith(self._head):
            return False
        self._data.append(tile[len(self._head) : -2 if tile.endswith(END) else None])
        return True

    def jpeg(self, flat: Flat) -> bytes:
        """The column as a JPEG."""
        colours = b"" if flat.samples == 1 else _ADOBE + (b"\1" if flat.photometric == _YCBCR else b"\0")
        tables = flat.tables[2:-2] if flat.tables.endswith(END) else flat.tables[2:]
        if self.count == 1 or self._frame is None:
            return b"".join((b"\xff\xd8", colours, tables, self._kept, self._scan, self._data[0], END))
        wide, high = self._frame.unit_px
        blocks = (flat.tile_width // wide) * (flat.tile_height // high)
        if flat.tile_width % wide or flat.tile_height % high or not 0 < blocks < 65536:
            raise ValueError("tiles whose blocks are not whole")
        kept = bytearray(self._kept)
        frame = next(s.body for s in segments(Window(kept), 0) if s.marker == self._frame.marker)
        kept[frame + 1 : frame + 3] = (flat.tile_height * self.count).to_bytes(2, "big")
        restarts = b"\xff\xdd\0\4" + blocks.to_bytes(2, "big")
        data = bytearray()
        for i, part in enumerate(self._data):
            data += part + b"\xff%c" % (0xD0 + i % 8)
        return b"".join((b"\xff\xd8", colours, tables, bytes(kept), restarts, self._scan, bytes(data[:-2]), END))


def _batches(file: BinaryIO, flat: Flat) -> Iterator[tuple[int, _Batch]]:
    """All tiles in the order of the file, in batches; each with the number of its first tile."""
    batch: _Batch | None = None
    start = 0
    for index, (offset, size) in enumerate(zip(flat.offsets, flat.sizes, strict=True)):
        tile = b""
        if size > 4:
            file.seek(offset)
            tile = file.read(size)
        if batch is not None and tile and batch.add(tile):
            continue
        if batch is not None:
            yield start, batch
        start, batch = index, _Batch(tile) if tile else None
        if batch is not None:
            batch.add(tile)
    if batch is not None:
        yield start, batch


def _decoded(data: bytes) -> Image.Image:
    from PIL.JpegImagePlugin import JpegImageFile

    with JpegImageFile(io.BytesIO(data)) as tile:
        tile.draft(None, (max(1, tile.width // 8), max(1, tile.height // 8)))
        tile.load()
        return tile.copy()


def _sampled(
    file: BinaryIO, flat: Flat, width_px: int, height_px: int, check: Callable[[float], None]
) -> Image.Image | None:
    """Single rows of a raw picture, each one's pixels averaged."""
    from PIL import Image

    rows = _ROWS_FOR_EACH * height_px
    times = max(1, flat.width // width_px // 2)
    if flat.height < 2 * rows:
        return None
    mode = "L" if flat.samples == 1 else "RGB"
    line_bytes = flat.width * flat.samples
    shown = Image.new(mode, (ceil(flat.width / times), rows))
    for top in range(0, rows, _ROWS_AT_ONCE):
        check(top / rows)
        lines = [_line(file, flat, row, rows, line_bytes) for row in range(top, min(top + _ROWS_AT_ONCE, rows))]
        band = Image.frombuffer(mode, (flat.width, len(lines)), b"".join(lines), "raw", mode, 0, 1)
        shown.paste(band.reduce((times, 1)), (0, top))
    return shown.convert("RGB")


def _line(file: BinaryIO, flat: Flat, row: int, rows: int, line_bytes: int) -> bytes:
    """The middle one of the lines that one row represents."""
    strip, inside = divmod((2 * row + 1) * flat.height // (2 * rows), flat.tile_height)
    file.seek(flat.offsets[strip] + inside * line_bytes)
    line = file.read(line_bytes)
    if len(line) < line_bytes:
        raise ValueError("a row of pixels is missing")
    return line
