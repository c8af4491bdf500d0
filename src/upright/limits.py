"""Resource limits for opening pictures, each of which can be raised."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import TooLarge, UsageError


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits against hostile and absurd pictures; every one can be raised.

    Attributes:
        max_megapixels: for pictures that have to be decoded whole before they can be shrunk: interlaced PNG, WebP,
            AVIF, HEIC, GIF, JPEG 2000, progressive JPEG (of which libjpeg holds all coefficients), and what Pillow
            alone reads. Baseline JPEG, PNG, TIFF and BMP stream through bounded memory and need no such limit.
        max_pages: pages or frames that a file may claim.
        max_metadata_bytes: bytes before the pixels (EXIF, XMP, ICC profiles, comments) that are looked through.
        max_stream_bytes: bytes taken from a stream that is not a file, which are all held in memory.
        timeout_s: seconds that decoding one view of one picture may take; what streams has no other bound.
    """

    max_megapixels: float = 256.0
    max_pages: int = 100_000
    max_metadata_bytes: int = 64 << 20
    max_stream_bytes: int = 1 << 30
    timeout_s: float = 300.0

    def check_pages(self, page: int, pages: int, source: str) -> None:
        """Raise `TooLarge` if a file claims too many pages, `UsageError` if it has no such page."""
        if pages > self.max_pages:
            raise TooLarge(
                f"{pages:,} pages are over the limit max_pages of {self.max_pages:,}",
                source=source,
                remedy="raise max_pages if you trust the file",
            )
        if not 0 <= page < pages:
            raise UsageError(f"it has no page {page}", source=source, remedy=f"its pages are 0 to {pages - 1}")

    def check_whole(self, width_px: int, height_px: int, source: str, why: str) -> None:
        """Raise `TooLarge` if a picture that has to be decoded whole, because of ``why``, is over the limit."""
        megapixels = width_px * height_px / 1e6
        if megapixels > self.max_megapixels:
            raise TooLarge(
                f"{width_px} x {height_px} is {megapixels:.0f} megapixels and {why} has to be decoded whole; the limit"
                f" max_megapixels is {self.max_megapixels:g}",
                source=source,
                remedy=f"raise it with --max-megapixels {megapixels + 1:.0f} if you trust the file",
            )
