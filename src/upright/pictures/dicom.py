"""DICOM frames by pydicom (extra ``dicom``): rescaled and windowed as a viewer shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..extras import need
from .colour import to_8_bits
from .picture import Picture
from .source import OpenSource
from .whole import WholePicture

if TYPE_CHECKING:
    from PIL import Image


def open_dicom(source: OpenSource) -> Picture:
    """Open a frame. Values go through the modality's rescaling and the file's first window, else `to_8_bits`."""
    pydicom = need("pydicom", "dicom", source=source.name)
    source.file.seek(0)
    data = pydicom.dcmread(source.file)
    pages = int(data.get("NumberOfFrames") or 1)
    size = int(data.get("Columns") or 0), int(data.get("Rows") or 0)
    source.check_pages(pages)
    source.check_whole(size, int(data.get("SamplesPerPixel") or 1) * int(data.get("BitsAllocated") or 8) / 8)
    return WholePicture(source, size, lambda: _frame(data, source.page), pages)


def _frame(data: Any, page: int) -> Image.Image:
    import numpy as np
    from PIL import Image
    from pydicom import pixels as module

    pixels: Any = module
    values = pixels.pixel_array(data, index=page)
    if values.ndim == 3:
        return Image.fromarray(to_8_bits(values))
    values = pixels.apply_modality_lut(values, data)
    if "WindowCenter" in data or "VOILUTSequence" in data:
        values = np.asarray(pixels.apply_voi_lut(values, data), np.float64)
        values = (values - values.min()) / max(float(np.ptp(values)), 1e-12)
    shown = to_8_bits(values)
    return Image.fromarray(255 - shown if data.get("PhotometricInterpretation") == "MONOCHROME1" else shown)
