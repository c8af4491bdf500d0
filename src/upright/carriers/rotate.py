"""The /Rotate of a PDF page, a clockwise turn: the counterpart of a picture's EXIF orientation.

An incremental update is appended, and no byte that was there changes; undo cuts the file off where it
ended before.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Damaged, NotLossless
from ..formats.pdf import Document, readable
from ..formats.pdf_objects import Dictionary, Reference
from ..turns import Turn


def rotated(data: bytes, turns: Mapping[int, Turn]) -> tuple[bytes, list[int]]:
    """The bytes to append so that pages (from 0) are shown turned; the /Rotate of all pages then.

    Raises:
        NotLossless: the file is not one that can be appended to.
    """
    try:
        with readable():
            return _rotated(data, turns)
    except Damaged as error:
        cause = f"/Rotate cannot be appended to this PDF: {error.cause}"
        raise NotLossless(cause, remedy=_remedy(data)) from error


def _remedy(data: bytes) -> str:
    if not data.startswith(b"%PDF-"):
        at = data.find(b"%PDF-")
        return f"cut off the {at:,} bytes before %PDF- (tail -c +{at + 1} IN > OUT), and correct that"
    return "write it again with qpdf --decrypt IN OUT, and correct that"


def _rotated(data: bytes, turns: Mapping[int, Turn]) -> tuple[bytes, list[int]]:
    document = Document(data)
    pages = list(document.pages())
    if missing := [page for page in turns if page >= len(pages)]:
        raise Damaged(f"it has no page {missing[0] + 1}")
    after = [rotate for _, _, rotate in pages]
    objects: dict[Reference, bytes] = {}
    for page, turn in turns.items():
        reference, content, before = pages[page]
        after[page] = (before + turn.value) % 360
        if objects.setdefault(reference, new := _with_rotate(content, after[page])) != new:
            raise Damaged("pages of different turns are one object")
    added = document.update(objects)
    if [rotate for _, _, rotate in Document(data + added).pages()] != after:
        raise Damaged("what was appended cannot be read back")
    return added, after


def _with_rotate(content: Dictionary, rotate: int) -> bytes:
    start, end = content.spans.get(b"/Rotate", (2, 2))
    value = b"%d" % rotate if end > start else b" /Rotate %d" % rotate
    gap = b" " if end > start and content.raw[start - 1 : start].isalpha() else b""
    return content.raw[:start] + gap + value + content.raw[end:]
