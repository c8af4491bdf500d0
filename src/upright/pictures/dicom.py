"""DICOM frames by pydicom (extra ``dicom``): rescaled and windowed as a viewer shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..extras import need
from .arrays import cut
from .colour import to_8_bits
from .picture import DECODE_ERRORS, Box, Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from ..turns import ExifOrientation
    from .limits import Limits
    from .picture import Bands
    from .source import OpenSource


def open_dicom(
    source: OpenSource, limits: Limits, page: int, exif: ExifOrientation, bands: Bands | None
) -> DicomPicture:
    """Open a frame of a DICOM file."""
    return DicomPicture(source, limits, page)


class DicomPicture(Picture):
    """One frame. Values go through the modality's rescaling and the file's first window; without one, `to_8_bits`."""

    def __init__(self, source: OpenSource, limits: Limits, page: int) -> None:
        pydicom = need("pydicom", "dicom", source=source.name)
        self.format, self.name = source.format, source.name
        source.file.seek(0)
        try:
            self._data: Any = pydicom.dcmread(source.file)
            pages = int(self._data.get("NumberOfFrames") or 1)
            size = int(self._data.get("Columns") or 0), int(self._data.get("Rows") or 0)
        except (*DECODE_ERRORS, AttributeError) as error:
            raise self._broken(error) from error
        limits.check_pages(page, pages, self.name)
        super().__init__(source, limits, size, page=page, pages=pages)
        limits.check_whole(*size, source.name, "DICOM")

    def _decode(self, width_px: int, height_px: int) -> Image.Image:
        box = (0, 0, *self._stored_size)
        return self._decode_parts([box], width_px, height_px)[box]

    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        from PIL import Image

        try:
            image = Image.fromarray(self._values())
        except (*DECODE_ERRORS, AttributeError) as error:
            raise self._broken(error) from error
        return {box: cut(image, box, width_px, height_px, self.warn) for box in boxes}

    def _values(self) -> NDArray[Any]:
        """The frame as uint8 ``[h, w]`` or ``[h, w, 3]``."""
        import numpy as np
        from pydicom import pixels as module

        pixels: Any = module
        values = pixels.pixel_array(self._data, index=self.page)
        if values.ndim == 3:
            return to_8_bits(values)
        values = pixels.apply_modality_lut(values, self._data)
        if "WindowCenter" in self._data or "VOILUTSequence" in self._data:
            values = np.asarray(pixels.apply_voi_lut(values, self._data), np.float64)
            values = (values - values.min()) / max(float(np.ptp(values)), 1e-12)
        shown = to_8_bits(values)
        return 255 - shown if self._data.get("PhotometricInterpretation") == "MONOCHROME1" else shown
