"""What every opened picture can do, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from ..errors import BrokenPicture, UsageError
from ..turns import ExifOrientation, show_box, show_pillow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from .source import OpenSource

#: A part of a picture as shown: left, top, right, bottom in pixels; right and bottom lie outside.
Box: TypeAlias = tuple[int, int, int, int]


class Picture(ABC):
    """An opened picture; its pixels are read when they are asked for, and only as many as needed.

    Attributes:
        name: what messages call it: its path, ``-``, ``<bytes>``, ``<stream>``, ``<array>``.
        path: the file of its bytes, if it is in a file.
        format: ``JPEG``, ``PNG``, ``TIFF``, ``WEBP``, ``GIF``, ``BMP``, ``AVIF``, ``HEIC``, ``PDF``, ``ARRAY`` …
        exif: how the stored pixels are shown.
        page, pages: which page or frame this is, of how many.
        warnings: what was odd about it; grows while pixels are read.
        progress: called with the share, 0 to 1, of a large picture that is decoded; 1 ends each pass over it.

    Not to be shared between threads at the same time; different pictures are independent of each other.
    """

    progress: Callable[[float], object] | None = None
    #: Whether it has pixels of its own, and is not drawn in any size that is asked for.
    has_pixels = True

    def __init__(self, source: OpenSource, size: tuple[int, int], pages: int = 1) -> None:
        self._source = source
        self._stored_size = size
        self.name, self.path, self.format = source.name, source.path, source.format
        self.exif, self.page, self.pages = source.exif, source.page, pages
        self._warnings: list[str] = []
        self._expected: list[Box] = []
        self._parts: dict[Box, Image.Image] = {}
        self._squashed: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self._decoded: tuple[tuple[int, int], Image.Image] | None = None
        if min(size) < 1:
            raise BrokenPicture(f"its size is {size[0]} x {size[1]}", source=self.name, remedy="fetch it again")
        source.check_claim(size)

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored pixels."""
        return self._stored_size

    @property
    def width_px(self) -> int:
        """Width as shown."""
        return self._stored_size[1 if self.exif.swaps_sides else 0]

    @property
    def height_px(self) -> int:
        """Height as shown."""
        return self._stored_size[0 if self.exif.swaps_sides else 1]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was odd about it so far."""
        return tuple(self._warnings)

    def image(self, side_px: int | tuple[int, int]) -> Image.Image:
        """The whole picture as shown, a Pillow image of mode RGB in sRGB, shrunk while it is decoded.

        Neither side is under ``side_px`` (or width and height) where the picture has as many pixels; the two sides may
        be shrunk by different factors, since a view is a square whatever the picture's shape.

        Raises:
            BrokenPicture, TooLarge: it cannot be decoded; see `upright.errors`.
        """
        with self._source.decoding():
            return show_pillow(self._decode(*self._stored_side(_pair(side_px))), self.exif)

    def squashed(self, size_px: int | tuple[int, int]) -> NDArray[np.uint8]:
        """The whole picture as shown, squashed to ``[S, S, 3]`` (or to width and height); kept: turned views are free.

        The resampler is Pillow's 8-bit ``BILINEAR``, a triangle as wide as the shrinking asks for (antialiased).
        """
        key = _pair(size_px)
        if key not in self._squashed:
            import numpy as np

            with self._source.decoding():
                self._squashed[key] = np.asarray(self.squash(key))
        return self._squashed[key]

    def squash(self, size: tuple[int, int]) -> Image.Image:
        """The whole picture as shown, squashed to this width and height; not kept. Raises what decoders do.

        What it was decoded to for the view before is used again where this one would be cut from the same.
        """
        wanted = self._stored_side(size)
        if not (self._decoded and self._gives_as_much(*self._decoded, wanted)):
            self._decoded = None
            self._decoded = wanted, show_pillow(self._decode(*wanted), self.exif)
        return _resized(self._decoded[1], size)

    def _stored_side(self, shown: tuple[int, int]) -> tuple[int, int]:
        """How many stored pixels a view of this width and height asks for."""
        wanted = shown[::-1] if self.exif.swaps_sides else shown
        return min(self._stored_size[0], wanted[0]), min(self._stored_size[1], wanted[1])

    def _gives_as_much(self, asked: tuple[int, int], image: Image.Image, wanted: tuple[int, int]) -> bool:
        """Whether what was decoded for one size is what would be decoded for another: all pixels that there are."""
        complete = self.has_pixels and image.size == (self.width_px, self.height_px)
        return wanted == asked or (complete and wanted[0] >= asked[0] and wanted[1] >= asked[1])

    def grey(self, most_px: int) -> Image.Image:
        """The whole picture as shown, grey, in its own shape; its longer side has at most so many pixels."""
        from PIL import Image

        scale = min(1.0, most_px / max(self.width_px, self.height_px))
        size = max(1, round(self.width_px * scale)), max(1, round(self.height_px * scale))
        return Image.fromarray(self.squashed(size)).convert("L")

    def small(self, size_px: int) -> NDArray[np.uint8]:
        """Any squashed view that is kept already, else one of this size: to look for detail at no further cost."""
        return next(iter(self._squashed.values())) if self._squashed else self.squashed(size_px)

    def region(self, box: Box, side_px: int) -> NDArray[np.uint8]:
        """A part of the picture as shown, sRGB ``[h, w, 3]``.

        Shrunk while it is decoded so that neither side is under ``side_px`` where the part has as many pixels.

        Raises:
            UsageError: the box is empty or not inside the picture.
        """
        import numpy as np

        left, top, right, bottom = box
        if not (0 <= left < right <= self.width_px and 0 <= top < bottom <= self.height_px):
            raise UsageError(f"the box {box} is not inside {self.width_px} x {self.height_px}", source=self.name)
        if box not in self._parts:
            together = self._expected if box in self._expected else [box]
            self._parts = self._read_parts(together, side_px)
            self._expected = []
        return np.asarray(self._parts[box])

    def expect(self, boxes: Sequence[Box]) -> None:
        """Announce the regions that will be asked for, so that one pass through the file reads them all."""
        self._expected = list(boxes)

    def _read_parts(self, boxes: Sequence[Box], side_px: int) -> dict[Box, Image.Image]:
        self._decoded = None  # parts are asked for last
        stored = {stored_box(box, self._stored_size, self.exif): box for box in boxes}
        with self._source.decoding():
            parts = self._decode_parts(list(stored), side_px, side_px)
            return {stored[box]: show_pillow(image, self.exif) for box, image in parts.items()}

    def stored(self, width_px: int, height_px: int) -> Image.Image:
        """All stored pixels as an RGB image, shrunk to at least this size (which the picture has)."""
        return self._decode(width_px, height_px)

    def stored_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        """Each box of stored pixels as an RGB image, shrunk to at least this size where the box has as many pixels."""
        return self._decode_parts(boxes, width_px, height_px)

    def read_bytes(self) -> bytes:
        """The source's own bytes, for corrections."""
        return self._source.read_bytes()

    def close(self) -> None:
        """Close the file and free what was cached."""
        self._squashed.clear()
        self._parts.clear()
        self._decoded = None
        self._source.file.close()

    def __enter__(self) -> Picture:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _decode(self, width_px: int, height_px: int) -> Image.Image:
        """All stored pixels as an RGB image, shrunk to at least this size (which the picture has)."""
        box = (0, 0, *self._stored_size)
        return self._decode_parts([box], width_px, height_px)[box]

    @abstractmethod
    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        """What `stored_parts` gives."""

    def warn(self, warning: str) -> None:
        """Add a warning, once."""
        if warning and warning not in self._warnings:
            self._warnings.append(warning)


def squash(image: Image.Image, size_px: int | tuple[int, int]) -> NDArray[np.uint8]:
    """An RGB image squashed to ``[S, S, 3]``, or to width and height, by the one resampler of training and browser."""
    import numpy as np

    return np.asarray(_resized(image, _pair(size_px)))


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    from PIL.Image import Resampling

    return image.resize(size, Resampling.BILINEAR)


def reduced(image: Image.Image, factor: int) -> Image.Image:
    """An image about so many times smaller; the same where this is less than 2.

    `Image.reduce` squashes what is left over at the right and the bottom into a last pixel, and so moves all others: by
    up to 0.4 pixels of a view of 224.
    """
    from PIL import Image as module

    if factor < 2:
        return image
    size = image.width // factor, image.height // factor
    return image.resize(size, module.Resampling.BILINEAR, reducing_gap=1.0)


def stored_box(box: Box, stored_size: tuple[int, int], exif: ExifOrientation) -> Box:
    """Where a box of shown pixels lies among the stored ones."""
    return show_box(box, exif.inverse, stored_size[::-1] if exif.swaps_sides else stored_size)


def _pair(size_px: int | tuple[int, int]) -> tuple[int, int]:
    return (size_px, size_px) if isinstance(size_px, int) else size_px
