"""Metadata that say how a picture lies, read from and written into bytes: no pixel and no other byte changes.

One carrier of a file leads: the EXIF orientation of its first directory (`exif`), or the header of HEIC and AVIF
(`heif`) and of JPEG XL (`jxl`), where an EXIF orientation is one of the others. The others follow (`xmp`, `thumbnail`,
`texts`, `previews`): they are reported and not applied, as browsers, libvips and the Metadata Working Group have it;
and when the leader is written or pixels move, those that are there are changed along (`Moved`), so that no reader turns
twice. A new follower is a module here with a function ``follow``, and its name in `_FOLLOWERS` and in the rows of the
formats that have it. A page of a PDF has its own carrier (`rotate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import ModuleType
from typing import BinaryIO

from ..errors import TAG, TURN_INSTEAD, BrokenPicture, CorrectionError, Damaged, NotLossless
from ..formats import Blocks, Bytes, Container, Edit, Format, Overlay, Span, Window, applied, format_in
from ..formats.raw import Raw
from ..formats.tiff import directory
from ..turns import ExifOrientation
from . import exif, heif, jxl, previews, texts, thumbnail, xmp
from .moved import Moved, Thumbnail

__all__ = [
    "ExifTag",
    "exif_edits",
    "has_page",
    "page_edits",
    "patch_exif_orientation",
    "read_exif_orientation",
    "thumbnails",
    "with_pixels_moved",
    "with_sides",
]

_LEADERS = {"irot": heif, "codestream": jxl}
_FOLLOWERS = {"xmp": xmp, "thumbnail": thumbnail, "texts": texts, "previews": previews}


@dataclass(frozen=True, slots=True)
class ExifTag:
    """What a file says about how its stored pixels are shown.

    ``orientation`` is TOP_LEFT where the tag is absent or not ``valid`` (1 to 8). ``offset`` is where the value's
    bytes (two, as a rule) begin in the file, ``byte_order`` "little" or "big", ``raw`` the number they hold.
    ``applied`` says that decoders of this format show the pixels so by themselves (HEIC, AVIF, JPEG XL). ``xmp`` is the
    number in an XMP packet and ``xmp_offset`` the position of its digit.
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


def _tagged(window: Window, page: int = 0) -> tuple[Format | None, Container | None, int]:
    """The format, its container where that has a place for an EXIF orientation, and the page that this is of.

    Frames have one tag: its second directory is a thumbnail.
    """
    row = format_in(window)
    container = row.container if row and "exif" in row.carriers else None
    return row, container, page if row and row.holds == "pages" else 0


def read_exif_orientation(source: Bytes | BinaryIO | Window, *, page: int = 0) -> ExifTag:
    """Read the tag of a picture in bytes or in a seekable binary file, of which only the metadata is read.

    ``page`` matters where pages have a tag each. Never fails on damaged bytes: the warning says what is wrong. Source:
    EXIF 2.32, 4.6.4 A.
    """
    window = source if isinstance(source, Window) else Window(source)
    row, container, own = _tagged(window, page)
    if row is None:
        return ExifTag()
    if container is not None:
        return _read(window, row.name, container.find(window, own), own)
    if "raw" in row.carriers:
        return _raw(window, row.name)
    if (leader := _leader(row)) is None:
        return ExifTag(row.name)
    shown = leader.orientation(window, page)
    return ExifTag(row.name, shown, shown != 1, shown != 1, int(shown) if shown != 1 else None, applied=True)


def _raw(window: Window, form: str) -> ExifTag:
    try:
        value = Raw().orientation(window)
    except Damaged as error:
        return ExifTag(form, warning=error.cause)
    valid = 1 <= value <= 8
    return ExifTag(form, ExifOrientation(value if valid else 1), present=True, valid=valid, raw=value)


def _raw_edits(window: Window, orientation: ExifOrientation) -> list[Edit]:
    """The edit of a raw photograph's own tag: only where its file is a TIFF whose first directory has one."""
    plain = window.at(0, 4) in (b"II*\0", b"MM\0*")
    found = directory(window, Span(0, window.size)) if plain else None
    value = exif.read(window, found) if found else None
    if found is None or value is None or value.raw is None:
        remedy = "leave --method out: a sidecar is written then"
        raise NotLossless("this raw photograph has no tag that can be changed", remedy=remedy)
    return [] if value.raw == orientation else exif.change(window, found, orientation)


def _read(window: Window, form: str, blocks: Blocks, page: int) -> ExifTag:
    copy, copy_offset = xmp.read(window, blocks)
    tag = ExifTag(form, xmp=copy, xmp_offset=copy_offset)
    try:
        found = directory(window, blocks.tiff, page) if blocks.tiff else None
        value = exif.read(window, found) if found else None
    except Damaged as error:
        return replace(tag, warning=error.cause)
    if found is None or value is None:
        ignored = copy not in (None, 1)
        return replace(tag, warning="an XMP orientation without an EXIF tag is not applied") if ignored else tag
    valid = value.raw is not None and 1 <= value.raw <= 8
    return replace(
        tag,
        orientation=ExifOrientation(value.raw or 1) if valid else ExifOrientation.TOP_LEFT,
        present=True,
        valid=valid,
        raw=value.raw,
        offset=value.offset,
        byte_order="little" if found.order == "<" else "big",
        warning="" if valid else f"EXIF orientation {value.raw} is not one of 1 to 8; taken as 1",
    )


def exif_edits(source: Bytes | BinaryIO | Window, orientation: ExifOrientation, *, page: int = 0) -> list[Edit]:
    """The edits that make the file say ``orientation``: none where it already does.

    An existing tag changes in its value bytes alone (in PNG, in the chunk's check sum too); otherwise the smallest
    tag is inserted. Raises CorrectionError for formats without a tag, BrokenPicture for damaged metadata.
    """
    window = source if isinstance(source, Window) else Window(source)
    row, container, own = _tagged(window, page)
    if row is not None and _leader(row):
        return _headers(window, row, {page: orientation})
    if row is not None and "raw" in row.carriers:
        return _raw_edits(window, orientation)
    if row is None or container is None:
        raise CorrectionError(
            f"no orientation can be written into {row.name if row else 'this format'}",
            remedy="turn the pixels instead (--method turn or reencode)",
        )
    blocks = container.find(window, own)
    moved = Moved(_read(window, row.name, blocks, own).orientation, orientation)
    edits = _lead(window, container, blocks, orientation, own) + _followers(window, row, blocks, moved)
    return sorted([*edits, *container.seal(window, blocks, edits)], key=lambda e: e.offset)


def _followers(window: Window, row: Format, blocks: Blocks, moved: Moved) -> list[Edit]:
    followers = (_FOLLOWERS[carrier] for carrier in row.carriers if carrier in _FOLLOWERS)
    return [edit for follower in followers for edit in follower.follow(window, blocks, moved)]


def page_edits(window: Window, wanted: Mapping[int, ExifOrientation]) -> list[Edit]:
    """The edits that make pages, counted from 0, say these orientations. Raises as `exif_edits` does."""
    row = format_in(window)
    if row is not None and _leader(row):
        return _headers(window, row, wanted)
    overlay = Overlay(window)
    for page, orientation in wanted.items():
        overlay.apply(exif_edits(overlay, orientation, page=page))
    return overlay.edits()


def _leader(row: Format | None) -> ModuleType | None:
    """What reads and changes how a format's own header shows the picture, which its decoders apply."""
    return next((_LEADERS[carrier] for carrier in row.carriers if carrier in _LEADERS), None) if row else None


def _headers(window: Window, row: Format, wanted: Mapping[int, ExifOrientation]) -> list[Edit]:
    """The edits of such a picture. A copy that differs from its header follows no program, and is left."""
    leader, container = _leader(row), row.container
    assert leader is not None and container is not None
    turned: list[Edit] = leader.edits(window, wanted)
    edits, inserted = {edit.offset: edit for edit in turned if edit.old}, [edit for edit in turned if not edit.old]
    for page, orientation in wanted.items():
        before, blocks = leader.orientation(window, page), container.find(window, page)
        copies = []
        try:
            found = directory(window, blocks.tiff) if blocks.tiff else None
            value = exif.read(window, found) if found else None
        except Damaged:
            found = value = None
        if found is not None and value is not None and value.raw == before:
            copies = exif.change(window, found, orientation)
        if xmp.read(window, blocks)[0] == before:
            copies += xmp.follow(window, blocks, Moved(before, orientation))
        # Pages may share a description; it is that of the first.
        edits = {edit.offset: edit for edit in copies if edit.old != edit.new} | edits
    return sorted([*inserted, *edits.values()], key=lambda e: e.offset)


def _lead(window: Window, container: Container, blocks: Blocks, orientation: ExifOrientation, page: int) -> list[Edit]:
    try:
        found = directory(window, blocks.tiff, page) if blocks.tiff else None
    except Damaged:
        if orientation == ExifOrientation.TOP_LEFT:
            return []
        raise
    value = exif.read(window, found) if found else None
    if value is not None and found is not None:
        return [] if value.raw == orientation else exif.change(window, found, orientation)
    if orientation == ExifOrientation.TOP_LEFT:
        return []
    if blocks.tiff is None or found is None:
        return container.insert(window, blocks, exif.block(orientation))
    return container.enlarge(window, blocks, *exif.add(window, found, blocks.tiff.end, orientation))


def has_page(window: Window, page: int) -> bool:
    """Whether a file of pages that have a tag each has this one, counted from 0."""
    row = format_in(window)
    return bool(row and row.container and row.holds == "pages" and page < row.container.pages(window))


def thumbnails(source: Bytes | Window) -> int:
    """How many small pictures a file has beside its pixels: in EXIF, in XMP, Photoshop's, a JPEG's own."""
    window = source if isinstance(source, Window) else Window(source)
    row, container, _ = _tagged(window)
    if row is None or container is None:
        return 0
    blocks = container.find(window)
    inside = "thumbnail" in row.carriers and blocks.tiff is not None and thumbnail.present(window, blocks.tiff)
    return xmp.thumbnails(window, blocks) + previews.present(window, blocks) + inside


def with_pixels_moved(data: bytes, pixels: ExifOrientation, turned: Thumbnail) -> bytes:
    """The same file with all that its metadata say as it is once the stored pixels are as ``pixels`` shows them.

    Damaged EXIF stays as it is; so does what a TIFF says of its layout, which its writer writes again. ``turned`` turns
    a thumbnail. Raises `Damaged` or `NotLossless` where something cannot be brought along.
    """
    window = Window(data)
    row, container, _ = _tagged(window)
    if row is None or container is None:
        return data
    blocks = container.find(window)
    try:
        size = container.size_px(window)
    except Damaged:
        size = (0, 0)
    moved = Moved(_read(window, row.name, blocks, 0).orientation, ExifOrientation.TOP_LEFT, pixels, turned, size)
    edits = _lead(window, container, blocks, ExifOrientation.TOP_LEFT, 0) + _followers(window, row, blocks, moved)
    edits += _beside(window, container, blocks, moved, sides="thumbnail" in row.carriers)
    result = b"".join(applied(window, [*edits, *container.seal(window, blocks, edits)]))
    if read_exif_orientation(result).orientation != ExifOrientation.TOP_LEFT:
        raise BrokenPicture("the tag cannot be read back", remedy=TAG)
    return result


def with_sides(data: bytes, size: tuple[int, int]) -> bytes:
    """The same JPEG, PNG or WebP whose EXIF block and XMP say of its width and height what they are."""
    window = Window(data)
    row, container, _ = _tagged(window)
    if row is None or container is None or "thumbnail" not in row.carriers:
        return data
    blocks = container.find(window)
    edits = list[Edit]()
    with suppress(Damaged):
        edits += exif.set_sides(window, blocks.tiff, size) if blocks.tiff else []
    with suppress(Damaged):
        edits += xmp.set_sides(window, blocks, size)
    return b"".join(applied(window, [*edits, *container.seal(window, blocks, edits)]))


def _beside(window: Window, container: Container, blocks: Blocks, moved: Moved, sides: bool) -> list[Edit]:
    """The edits of what container and EXIF block say of pixels that move: of places, and of ``sides``."""
    try:
        swapped = container.swap_sides(window) if moved.pixels.swaps_sides else []
        return swapped + (exif.follow(window, blocks.tiff, moved, sides) if blocks.tiff else [])
    except Damaged:
        return []


def patch_exif_orientation(data: Bytes, orientation: ExifOrientation, *, page: int = 0) -> bytes:
    """The same file with its orientation tag set; see :func:`exif_edits` for what changes and what is raised."""
    patched = b"".join(applied(Window(data), exif_edits(data, orientation, page=page)))
    if read_exif_orientation(patched, page=page).orientation != orientation:
        raise BrokenPicture("the tag cannot be read back", remedy=TURN_INSTEAD)
    return patched
