"""The copy of the orientation in an XMP packet (``tiff:Orientation``), which follows the EXIF tag and never leads."""

from __future__ import annotations

import re

from ..formats import Blocks, Edit, Window
from ..formats.edits import MAX_BLOCK
from ..turns import ExifOrientation

_VALUE = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([0-9])\s*["'<]""")


def read(window: Window, blocks: Blocks) -> tuple[int | None, int | None]:
    """The number, and the position of its digit."""
    span = blocks.xmp
    found = _VALUE.search(window.at(span.start, min(span.end - span.start, MAX_BLOCK))) if span else None
    return (int(found[1]), span.start + found.start(1)) if span and found else (None, None)


def follow(window: Window, blocks: Blocks, orientation: ExifOrientation) -> list[Edit]:
    """The edits that make an existing copy say what the tag says."""
    value, offset = read(window, blocks)
    return [] if offset is None or value == orientation else [window.edit(offset, b"%d" % orientation)]
