"""PDF pages by pypdfium2 (extra ``pdf``): rendered at the size that a view needs, as /Rotate shows them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ..errors import BrokenPicture
from ..extras import need
from .picture import Box, Picture
from .source import OpenSource

if TYPE_CHECKING:
    from PIL import Image


#: A page's size in pixels is given for this resolution; views are rendered from the page, not from such pixels.
_DPI = 150
#: PDFium may not be called from two threads at once, whatever the document.
_pdfium = threading.Lock()


def open_pdf(source: OpenSource) -> Picture:
    """Open a page."""
    pypdfium2 = need("pypdfium2", "pdf", source=source.name)
    source.file.seek(0)
    with _pdfium:
        # Of some damage PDFium says nothing, and gives the error of the document before; that of none is "damaged".
        pypdfium2.raw.FPDF_LoadMemDocument(b"", 0, None)
        try:
            document = pypdfium2.PdfDocument(source.file)
        except pypdfium2.PdfiumError as error:
            if "password" not in str(error).lower():
                raise
            remedy = "write it again with qpdf --decrypt --password=… IN OUT"
            raise BrokenPicture("it needs a password to be opened", source=source.name, remedy=remedy) from None
        pages = len(document)
        source.check_pages(pages)
        sheet = document[source.page]
        points = sheet.get_size()
    width, height = (max(1, round(length * _DPI / 72)) for length in points)
    return PdfPicture(source, (width, height), document, sheet, pages)


class PdfPicture(Picture):
    """One page of a PDF."""

    has_pixels = False

    def __init__(self, source: OpenSource, size: tuple[int, int], document: Any, sheet: Any, pages: int) -> None:
        super().__init__(source, size, pages)
        self._document, self._sheet = document, sheet

    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        return {box: self._rendered(box, width_px, height_px) for box in boxes}

    def _rendered(self, box: Box, width_px: int, height_px: int) -> Image.Image:
        """A part of the page, its shorter side at twice the pixels asked for, never more than the limit allows."""
        left, top, right, bottom = box
        width, height = self._stored_size
        scale = max(2 * width_px / (right - left), 2 * height_px / (bottom - top))
        self._source.check_whole((round((right - left) * scale), round((bottom - top) * scale)))
        unit = 72 / _DPI
        crop = (left * unit, (height - bottom) * unit, (width - right) * unit, top * unit)
        with _pdfium:
            image: Image.Image = self._sheet.render(scale=scale / unit, crop=crop).to_pil().convert("RGB")
        return image

    def close(self) -> None:
        """Let go of the document and of the file."""
        with _pdfium:
            self._sheet.close()
            self._document.close()
        super().close()
