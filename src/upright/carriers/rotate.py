"""The /Rotate of a PDF page, a clockwise turn: the counterpart of a picture's EXIF orientation.

An incremental update is appended, and no byte that was there changes; undo cuts the file off where it
ended before.
"""

from __future__ import annotations

from ..errors import Damaged, NotLossless
from ..formats.pdf import Document, readable
from ..formats.pdf_objects import Dictionary
from ..turns import Turn


def rotated(data: bytes, page: int, turn: Turn) -> tuple[bytes, int, int]:
    """The bytes to append so that a page (from 0) is shown turned; its /Rotate then; how many pages there are.

    Raises:
        NotLossless: the file is not one that can be appended to.
    """
    try:
        with readable():
            return _rotated(data, page, turn)
    except Damaged as error:
        cause = f"/Rotate cannot be appended to this PDF: {error.cause}"
        raise NotLossless(cause, remedy="turn the page in a PDF editor") from error


def _rotated(data: bytes, page: int, turn: Turn) -> tuple[bytes, int, int]:
    document = Document(data)
    pages = list(document.pages())
    if page >= len(pages):
        raise Damaged(f"it has no page {page}")
    reference, content, before = pages[page]
    after = (before + turn.value) % 360
    added = document.update(reference, _with_rotate(content, after))
    now = [rotate for _, _, rotate in Document(data + added).pages()]
    if now != [after if index == page else rotate for index, (_, _, rotate) in enumerate(pages)]:
        raise Damaged("what was appended cannot be read back")
    return added, after, len(pages)


def _with_rotate(content: Dictionary, rotate: int) -> bytes:
    start, end = content.spans.get(b"/Rotate", (2, 2))
    value = b"%d" % rotate if end > start else b" /Rotate %d" % rotate
    gap = b" " if end > start and content.raw[start - 1 : start].isalpha() else b""
    return content.raw[:start] + gap + value + content.raw[end:]
