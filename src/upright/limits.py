"""Resource limits for opening pictures, each of which can be raised."""

from __future__ import annotations

from dataclasses import dataclass


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
