"""What a file format is: the table of formats, and one module for each container whose structure is understood.

Nothing here decodes pixels (`upright.pictures`) or knows what an orientation means (`upright.carriers`).
"""

from __future__ import annotations

from .container import Blocks, Container
from .edits import Bytes, Edit, Overlay, Span, Window, applied, inverse
from .table import FORMATS, HEAD_BYTES, Format, format_in, format_of_suffix, named, pages_in, sniff

__all__ = [
    "FORMATS",
    "HEAD_BYTES",
    "Blocks",
    "Bytes",
    "Container",
    "Edit",
    "Format",
    "Overlay",
    "Span",
    "Window",
    "applied",
    "format_in",
    "format_of_suffix",
    "inverse",
    "named",
    "pages_in",
    "sniff",
]
