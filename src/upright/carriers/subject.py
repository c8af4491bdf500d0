"""Where a photograph's main subject is, as its EXIF block says in pixels: it moves where stored pixels do."""

from __future__ import annotations

from ..errors import Damaged
from ..formats import Window, applied, format_in
from ..turns import ExifOrientation
from . import exif


def with_subject_moved(data: bytes, pixels: ExifOrientation) -> bytes:
    """The same file, still with its old pixels, that says where the subject is once they are as ``pixels`` shows them.

    Damaged EXIF stays as it is.
    """
    window = Window(data)
    row = format_in(window)
    container = row.container if row and "exif" in row.carriers else None
    if container is None or pixels == ExifOrientation.TOP_LEFT:
        return data
    try:
        blocks = container.find(window)
        edits = list(exif.move_subject(window, blocks.tiff, pixels, container.size_px(window))) if blocks.tiff else []
        return b"".join(applied(window, [*edits, *container.seal(window, blocks, edits)]))
    except Damaged:
        return data
