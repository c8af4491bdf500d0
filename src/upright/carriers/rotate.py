"""The /Rotate of a PDF page, a clockwise turn: the counterpart of a picture's EXIF orientation; and its straightening.

A page is straightened by a matrix before its contents, which stay as they are: text stays text, and nothing is encoded.

An incremental update is appended, and no byte that was there changes; undo cuts the file off where it
ended before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Damaged, NotLossless, no_page
from ..formats.pdf import Document, readable
from ..formats.pdf_objects import Dictionary, Reference, with_values
from ..turns import Fill, Turn, pdf_tilt_matrix, straightened_size

_NONE: Mapping[int, float] = {}
#: Of a page that says nothing (ISO 32000-1, 7.7.3.3 has no such page; viewers show a letter).
_LETTER = [0, 0, 612, 792]


def rotated(
    data: bytes, turns: Mapping[int, Turn], tilts: Mapping[int, float] = _NONE, fill: Fill = "white"
) -> tuple[bytes, list[int]]:
    """The bytes to append so that pages (from 0) are shown turned and straightened; the /Rotate of all pages then.

    With the fill "crop" a page becomes smaller, else so large that nothing of it is cut off.

    Raises:
        NotLossless: the file is not one that can be appended to.
    """
    try:
        with readable():
            return _rotated(data, turns, tilts, fill)
    except Damaged as error:
        cause = f"/Rotate cannot be appended to this PDF: {error.cause}"
        raise NotLossless(cause, remedy=_remedy(data)) from error


def _remedy(data: bytes) -> str:
    if not data.startswith(b"%PDF-"):
        at = data.find(b"%PDF-")
        return f"cut off the {at:,} bytes before %PDF- (tail -c +{at + 1} IN > OUT), and correct that"
    return "write it again with qpdf --decrypt IN OUT, and correct that"


def crooked_pages(data: bytes) -> set[int]:
    """Pages that cannot be straightened: their links, notes or form fields would stay where they are."""
    try:
        with readable():
            document = Document(data)
            pages = enumerate(document.pages())
            return {page for page, (_, content, _) in pages if document.value(content.get(b"/Annots"))}
    except Damaged:
        return set()  # turning it says why


def _rotated(data: bytes, turns: Mapping[int, Turn], tilts: Mapping[int, float], fill: Fill) -> tuple[bytes, list[int]]:
    document = Document(data)
    pages = list(document.pages())
    if missing := [page for page in {*turns, *tilts} if page >= len(pages)]:
        raise no_page(missing[0], len(pages))
    after = [rotate for _, _, rotate in pages]
    objects: dict[Reference, bytes] = {}
    ending = Reference(document.free(), 0)
    if tilts:
        objects[ending] = _stream(b"Q")
    for page in sorted({*turns, *tilts}):
        reference, content, before = pages[page]
        after[page] = (before + turns.get(page, Turn.NONE).value) % 360
        values = {b"/Rotate": b"%d" % after[page]} if page in turns else {}
        if page in tilts:
            beginning = Reference(document.free() + len(objects), 0)
            matrix, boxes = _straightening(document, content, tilts[page], fill)
            objects[beginning] = _stream(b"q %s cm" % matrix)
            values |= boxes | {b"/Contents": _between(document, content, beginning, ending)}
        if objects.setdefault(reference, new := with_values(content, values)) != new:
            raise Damaged("pages of different turns are one object")
    added = document.update(objects)
    if [rotate for _, _, rotate in Document(data + added).pages()] != after:
        raise Damaged("what was appended cannot be read back")
    return added, after


def _straightening(
    document: Document, content: Dictionary, tilt: float, fill: Fill
) -> tuple[bytes, dict[bytes, bytes]]:
    """The matrix that straightens a page around its middle, and its boxes then."""
    media = _box(document.inherited(content, b"/MediaBox") or _LETTER)
    crop = _box(document.inherited(content, b"/CropBox") or list(media))
    left, bottom = max(media[0], crop[0]), max(media[1], crop[1])
    width, height = min(media[2], crop[2]) - left, min(media[3], crop[3]) - bottom
    if min(width, height) <= 0:
        raise Damaged("a page shows nothing")
    x, y = left + width / 2, bottom + height / 2
    a, b, c, d = pdf_tilt_matrix(tilt)
    across, down = (side / 2 for side in straightened_size((width, height), tilt, fill))
    new = x - across, y - down, x + across, y + down
    around = min(media[0], new[0]), min(media[1], new[1]), max(media[2], new[2]), max(media[3], new[3])
    matrix = _numbers(a, b, c, d, x - a * x - c * y, y - b * x - d * y)
    return matrix, {b"/MediaBox": b"[%s]" % _numbers(*around), b"/CropBox": b"[%s]" % _numbers(*new)}


def _box(value: Any) -> tuple[float, float, float, float]:
    a, b, c, d = value
    return min(a, c), min(b, d), max(a, c), max(b, d)


def _numbers(*values: float) -> bytes:
    """As PDF writes them: without exponents."""
    return b" ".join(b"%.6f" % value for value in values)


def _between(document: Document, content: Dictionary, beginning: Reference, ending: Reference) -> bytes:
    """A page's contents between two more streams."""
    there = content.get(b"/Contents")
    inner = document.value(there)
    parts = inner if isinstance(inner, list) else [there] if there is not None else []
    if not all(isinstance(part, Reference) for part in parts):
        raise Damaged("a page's contents are no streams")
    return b"[%s]" % b" ".join(b"%d %d R" % part for part in (beginning, *parts, ending))


def _stream(text: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text) + 1, text + b"\n")
