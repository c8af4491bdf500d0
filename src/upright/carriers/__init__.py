"""The EXIF orientation tag, read from and written into bytes: no pixels, no other byte.

XMP may carry a copy (``tiff:Orientation``). The rule: the EXIF tag alone says how a picture is shown, as browsers,
libvips and the Metadata Working Group have it; an XMP value without an EXIF tag is reported and not applied. Whenever
the EXIF tag is written, an XMP value that is there is set to the same digit, so that no reader turns twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import BrokenPicture, CorrectionError, Damaged
from ..formats import (
    HEAD_BYTES,
    Blocks,
    Bytes,
    Container,
    Edit,
    Span,
    Window,
    applied,
    format_of,
    heif,
    jpeg,
    sniff,
    tiff,
)
from ..formats.edits import MAX_BLOCK
from ..turns import ExifOrientation

__all__ = [
    "ExifTag",
    "exif_edits",
    "has_page",
    "patch_exif_orientation",
    "read_exif_orientation",
    "sides_swapped",
]

_XMP_VALUE = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([0-9])\s*["'<]""")


@dataclass(frozen=True, slots=True)
class ExifTag:
    """What a file says about how its stored pixels are shown.

    ``orientation`` is TOP_LEFT where the tag is absent or not ``valid`` (1 to 8). ``offset`` is where the value's
    bytes (two, as a rule) begin in the file, ``byte_order`` "little" or "big", ``raw`` the number they hold.
    ``applied`` says that decoders of this format show the pixels so by themselves (HEIC, AVIF). ``xmp`` is the number
    in an XMP packet and ``xmp_offset`` where its digit stands.
    """

    format: str = ""
    orientation: ExifOrientation = ExifOrientation.TOP_LEFT
    present: bool = False
    valid: bool = False
    raw: int | None = None
    offset: int | None = None
    byte_order: str = ""
    applied: bool = False
    xmp: int | None = None
    xmp_offset: int | None = None
    warning: str = ""

    @property
    def to_apply(self) -> ExifOrientation:
        """What is still to be done to decoded pixels to show them."""
        return ExifOrientation.TOP_LEFT if self.applied else self.orientation


def read_exif_orientation(source: Bytes | BinaryIO | Window, *, page: int = 0) -> ExifTag:
    """Read the tag of a picture in bytes or in a seekable binary file, of which only the metadata is read.

    ``page`` matters to TIFF. Never fails on damaged bytes: the warning says what is wrong. Source: EXIF 2.32, 4.6.4 A.
    """
    window = source if isinstance(source, Window) else Window(source)
    form, container = _sniffed(window)
    if form in ("HEIC", "AVIF"):
        shown = heif.orientation(window)
        return ExifTag(form, shown, shown != 1, shown != 1, int(shown) if shown != 1 else None, applied=True)
    return _read(window, form, container.find(window, page), page) if container else ExifTag(form)


def _sniffed(window: Window) -> tuple[str, Container | None]:
    row = format_of(sniff(window.at(0, HEAD_BYTES)))
    return (row.name, row.container) if row else ("", None)


def _read(window: Window, form: str, blocks: Blocks, page: int) -> ExifTag:
    xmp_offset, xmp = _xmp(window, blocks.xmp)
    absent = "an XMP orientation without an EXIF tag is not applied" if xmp not in (None, 1) else ""
    if blocks.tiff is None:
        return ExifTag(form, xmp=xmp, xmp_offset=xmp_offset, warning=absent)
    try:
        directory = tiff.directory(window, blocks.tiff, page)
        value = tiff.read(directory)
    except Damaged as error:
        return ExifTag(form, xmp=xmp, xmp_offset=xmp_offset, warning=error.cause)
    if value is None:
        return ExifTag(form, xmp=xmp, xmp_offset=xmp_offset, warning=absent)
    raw, offset, _ = value
    valid = raw is not None and 1 <= raw <= 8
    return ExifTag(
        form,
        ExifOrientation(raw or 1) if valid else ExifOrientation.TOP_LEFT,
        True,
        valid,
        raw,
        offset,
        "little" if directory.order == "<" else "big",
        xmp=xmp,
        xmp_offset=xmp_offset,
        warning="" if valid else f"EXIF orientation {raw} is not one of 1 to 8; taken as 1",
    )


def _xmp(window: Window, span: Span | None) -> tuple[int | None, int | None]:
    if span is None:
        return None, None
    found = _XMP_VALUE.search(window.at(span.start, min(span.end - span.start, MAX_BLOCK)))
    return (span.start + found.start(1), int(found[1])) if found else (None, None)


def exif_edits(source: Bytes | BinaryIO | Window, orientation: ExifOrientation, *, page: int = 0) -> list[Edit]:
    """The edits that make the file say ``orientation``: none where it already does.

    An existing tag changes in its value bytes alone (in PNG, in the chunk's check sum too); otherwise the smallest
    tag is inserted. Raises CorrectionError for formats without a tag, BrokenPicture for damaged metadata.
    """
    window = source if isinstance(source, Window) else Window(source)
    form, container = _sniffed(window)
    if container is None:
        raise CorrectionError(
            f"no orientation can be written into {form or 'this format'}",
            remedy="turn the pixels instead (--method turn or reencode)",
        )
    blocks = container.find(window, page)
    tag = _read(window, form, blocks, page)
    edits = _tag_edits(window, container, blocks, tag, orientation, page)
    if tag.xmp_offset is not None and tag.xmp != orientation:
        edits.append(window.edit(tag.xmp_offset, b"%d" % orientation))
    edits += container.seal(window, blocks, edits)
    return sorted(edits, key=lambda e: e.offset)


def _tag_edits(
    window: Window, container: Container, blocks: Blocks, tag: ExifTag, orientation: ExifOrientation, page: int
) -> list[Edit]:
    if tag.raw == orientation or (not tag.present and orientation == ExifOrientation.TOP_LEFT):
        return []
    if blocks.tiff is None:
        return container.insert(window, blocks, tiff.block(orientation))
    directory = tiff.directory(window, blocks.tiff, page)
    if tag.present:
        return tiff.change(window, directory, orientation)
    pointer, addition = tiff.grow(window, directory, blocks.tiff.end, orientation)
    return container.enlarge(window, blocks, pointer, addition)


def has_page(source: Bytes | BinaryIO | Window, page: int) -> bool:
    """Whether a TIFF file has this page, counted from 0."""
    window = source if isinstance(source, Window) else Window(source)
    try:
        tiff.directory(window, Span(0, window.size), page)
    except Damaged:
        return False
    return True


def sides_swapped(data: bytes) -> bytes:
    """The same JPEG, PNG or WebP with what its metadata say of width and height exchanged, for turned pixels.

    Damaged metadata stay as they are.
    """
    window = Window(data)
    form, container = _sniffed(window)
    assert container is not None
    blocks = container.find(window)
    try:
        edits = jpeg.swap_density(window) if form == "JPEG" else []
        if blocks.tiff is not None:
            edits += tiff.swap_sides(window, blocks.tiff)
        edits += container.seal(window, blocks, edits)
        return b"".join(applied(window, edits))
    except Damaged:
        return data


def patch_exif_orientation(data: Bytes, orientation: ExifOrientation, *, page: int = 0) -> bytes:
    """The same file with its orientation tag set; see :func:`exif_edits` for what changes and what is raised."""
    patched = b"".join(applied(Window(data), exif_edits(data, orientation, page=page)))
    if read_exif_orientation(patched, page=page).orientation != orientation:
        raise BrokenPicture("the tag cannot be read back", remedy="turn the pixels instead (--method turn)")
    return patched
