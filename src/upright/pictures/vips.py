"""PNG, TIFF, WebP, GIF, AVIF and odd JPEG by libvips: in strips, never whole in memory where the format allows it."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import BrokenPicture, UprightError
from ..formats import FORMATS, Format, Window, cost
from ..formats.heif import is_animation
from ..formats.tiff import Tiff
from ..formats.webp import Webp
from ..machine import libvips
from .apart import opened_alone
from .colour import is_flat, samples, to_8_bits, to_srgb
from .flat import is_reduced, read_flat, shrink
from .picture import Box, Picture, reduced
from .source import OpenSource
from .stream import stream_of
from .whole import open_pillow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from PIL import Image

#: libvips shrinks to this many times the size asked for; the resampler that training used does the rest.
_SPARE = 2
_WHITE = {"uchar": 255, "ushort": 65535}
_DTYPES = {
    "uchar": "u1",
    "char": "i1",
    "ushort": "u2",
    "short": "i2",
    "uint": "u4",
    "int": "i4",
    "float": "f4",
    "double": "f8",
}
#: Only what has this many pixels can take long enough to be worth a watching thread.
_LEAST_WATCHED_PIXELS = 20_000_000
#: A pass over more pixels takes half a second: there is one for all that views of the whole show.
_LEAST_ONE_PASS_PIXELS = 400_000_000
#: The longest side of any of these, and how many times the first of them the others' shorter side is at most.
_ONE_PASS_PX, _ONE_PASS_TIMES = 2048, 2
#: A TIFF with a shorter side is decoded whole by libvips in little time.
_LEAST_FLAT_PX = 4096
#: Parts of at most this many pixels are read together, each held in memory; a tile has 1,048,576.
_MOST_PIXELS_OF_PART = 1 << 20
#: Lines read at once for parts: 64 of a picture 60,000 pixels wide are 12 MB.
_BAND_PX = 64
_Read = TypeVar("_Read")


def open_vips(source: OpenSource) -> Picture:
    """Open what libvips reads."""
    row = FORMATS[source.format]
    if row.name == "AVIF" and is_animation(Window(source.file)):
        return open_pillow(source)  # libvips does not know animations by their brand
    if row.name == "WEBP":  # libvips walks through all frames before each: 99,999 took two minutes
        source.check_pages(Webp().pages(Window(source.file)))
    try:
        first = _loaded(source)
    except BrokenPicture as error:
        return opened_alone(source, error)
    pages = first.get("n-pages") if row.holds and first.get_typeof("n-pages") else 1
    source.check_pages(pages)
    options = {"page": _counted(first, source.page)} if source.page else {}
    header = _loaded(source, "none", **options) if options else first
    source.check_bands(header.bands)
    _check_memory(source, row, header)
    levels = list(_pyramid(source, header, pages)) if source.format == "TIFF" and not source.page else []
    one = any("page" in options for _, options in levels)
    return VipsPicture(source, (header.width, header.height), levels, 1 if one else pages, options)


def _counted(first: Any, page: int) -> int:
    """How libvips counts a page: of an AVIF with several pictures the primary one, which is our first, may be any."""
    primary: int = first.get("heif-primary") if first.get_typeof("heif-primary") else 0
    return page - 1 if page <= primary else page


def _loaded(source: OpenSource, fail_on: str = "none", **options: Any) -> Any:
    pyvips = libvips()
    pyvips.vips_lib.vips_error_clear()  # of what its threads still had to say of a picture before
    stream, options = stream_of(source, options)
    try:
        return pyvips.Image.new_from_source(stream, "", access="sequential", fail_on=fail_on, **options)
    except pyvips.Error as error:
        raise source.broken(error) from error


def _check_memory(source: OpenSource, row: Format, header: Any) -> None:
    size, pixel_bytes = (header.width, header.height), _line_bytes(header) / header.width
    if row.held:
        source.check_whole(size, pixel_bytes)
        return
    rows = header.height if header.get_typeof("interlaced") else 1
    if source.format == "TIFF":
        rows = Tiff().rows_together(Window(source.file), source.page)
    needed = cost.streamed_bytes(header.width, pixel_bytes, rows)
    source.limits.check_memory(size, needed, source.name)


def _pyramid(source: OpenSource, header: Any, pages: int) -> Iterator[tuple[int, dict[str, int]]]:
    """Smaller levels of a TIFF: how many times smaller, and libvips' options to load them."""
    subs = header.get("n-subifds") if header.get_typeof("n-subifds") else 0
    choices = [{"subifd": i} for i in range(min(subs, 32))] or [{"page": i} for i in range(1, min(pages, 32))]
    before = header.width
    for options in choices:
        if "page" in options and not is_reduced(source.file, options["page"]):
            return
        level = _loaded(source, "none", **options)
        times = round(header.width / level.width)
        if level.width >= before or abs(level.height * times - header.height) > times:
            return
        before = level.width
        yield times, options


class VipsPicture(Picture):
    """A picture that libvips reads; ``levels`` are smaller forms of it in the file."""

    def __init__(
        self,
        source: OpenSource,
        size: tuple[int, int],
        levels: list[tuple[int, dict[str, int]]],
        pages: int,
        options: dict[str, int],
    ) -> None:
        super().__init__(source, size, pages)
        self._levels = levels
        self._page = options
        self._error: Exception | None = None
        self._had_alpha = False
        self._ground = "white"
        self._all: Image.Image | None = None
        self._instead: Picture | None = None

    def _load(self, **options: Any) -> Any:
        self._image = _loaded(self._source, "none" if self._error else "error", **options)
        return self._image

    def _smaller(self, width: int, height: int) -> Any:
        """The picture or a smaller form of it that the file holds or libvips decodes to at less cost."""
        most = min(self._stored_size[0] / width, self._stored_size[1] / height)
        fitting = [options for times, options in self._levels if times <= most]
        if fitting:
            return self._load(**fitting[-1])
        return self._load(**self._page, **({"scale": 1 / most} if self.format == "WEBP" and most > 1 else {}))

    def _decode(self, width_px: int, height_px: int) -> Image.Image:
        return self._or_instead(
            lambda: self._decode_here(width_px, height_px), lambda other: other.stored(width_px, height_px)
        )

    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        return self._or_instead(
            lambda: self._decode_parts_here(boxes, width_px, height_px),
            lambda other: other.stored_parts(boxes, width_px, height_px),
        )

    def _or_instead(self, here: Callable[[], _Read], there: Callable[[Picture], _Read]) -> _Read:
        """What libvips gives; where it cannot decode the picture, what `opened_alone` does, for good."""
        if self._instead is None:
            try:
                return here()
            except BrokenPicture as error:
                self._instead = opened_alone(self._source, error)
        found = there(self._instead)
        for warning in self._instead.warnings:
            self.warn(warning)
        return found

    def close(self) -> None:
        """Close what took its place, too."""
        if self._instead is not None:
            self._instead.close()
        super().close()

    def _decode_here(self, width_px: int, height_px: int) -> Image.Image:
        width = min(self._stored_size[0], _SPARE * width_px)
        height = min(self._stored_size[1], _SPARE * height_px)

        def whole() -> Image.Image:
            flat = self._decode_flat(width, height)
            return self._streamed(width, height) if flat is None else flat

        shown = self._tolerant(whole)
        if self._had_alpha and self._ground == "white" and is_flat(shown):
            # White text on nothing: over white it would be a blank page.
            self._ground, self._all = "black", None
            shown = self._tolerant(whole)
        if self._error and is_flat(shown):
            raise self._source.broken(self._error)
        return shown

    def _streamed(self, width: int, height: int) -> Image.Image:
        """All of it in this size; where a pass takes long, out of a larger form that is kept."""
        from PIL.Image import Resampling

        if self._levels or self._stored_size[0] * self._stored_size[1] < _LEAST_ONE_PASS_PIXELS:
            return self._pixels(_resized(self._flattened(self._smaller(width, height)), width, height))
        if self._all is None or width > self._all.width or height > self._all.height:
            scale, sides = _SPARE * _ONE_PASS_PX / max(self._stored_size), (width, height)
            most = [max(round(n * scale), _ONE_PASS_TIMES * px) for n, px in zip(self._stored_size, sides, strict=True)]
            most_width, most_height = map(min, self._stored_size, most)
            image = self._flattened(self._smaller(most_width, most_height))
            self._all = self._pixels(_resized(image, most_width, most_height))
        return self._all.resize((width, height), Resampling.LANCZOS)

    def _decode_flat(self, width: int, height: int) -> Image.Image | None:
        """A TIFF without small levels by `flat`, where that is quicker; ``None`` where not, or where it is damaged."""
        small = max(self._stored_size) < _LEAST_FLAT_PX
        if self.format != "TIFF" or self.page or self._levels or self._source.bands or small:
            return None
        layout = read_flat(self._source.file)
        if layout is None or (layout.width, layout.height) != self._stored_size:
            return None
        deadline = self._deadline()
        try:
            return shrink(self._source.file, layout, width, height, partial(self._check, deadline), self.warn)
        except UprightError:
            raise
        except Exception:
            return None

    def _decode_parts_here(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        most = max(1, min(min((b[2] - b[0]) // width_px, (b[3] - b[1]) // height_px) for b in boxes))
        choices = (1, 2, 4, 8) if self.format == "JPEG" else (1, *(level for level, _ in self._levels))
        times = max(level for level in choices if level <= most)
        size = self._stored_size
        if times > 1:
            smaller = self._load_divided(times)
            size = smaller.width, smaller.height
        places = {box: _divided(box, times, size) for box in boxes}
        if len(boxes) > 1 and all((b[2] - b[0]) * (b[3] - b[1]) <= _MOST_PIXELS_OF_PART for b in places.values()):
            return self._tolerant(lambda: self._stream(places, times, width_px, height_px))
        return {
            box: self._tolerant(partial(self._part, place, times, width_px, height_px)) for box, place in places.items()
        }

    def _part(self, place: Box, times: int, width_px: int, height_px: int) -> Image.Image:
        """One part of any size, shrunk while it is read."""
        left, top, right, bottom = place
        width, height = min(right - left, _SPARE * width_px), min(bottom - top, _SPARE * height_px)
        whole = self._flattened(self._load_divided(times))
        return self._pixels(_resized(whole.crop(left, top, right - left, bottom - top), width, height))

    def _stream(self, places: dict[Box, Box], times: int, width_px: int, height_px: int) -> dict[Box, Image.Image]:
        """Many small parts in one pass from top to bottom, each let go of and shrunk where its last line is read.

        By one region in this thread: in a pipeline libvips' threads run ahead of each other, and a file that can just
        be read forwards has no way back.
        """
        import numpy as np
        import pyvips

        whole = self._flattened(self._load_divided(times))
        dtype = np.dtype(_DTYPES[whole.format])
        region = pyvips.Region.new(whole)
        values: dict[Box, NDArray[Any]] = {}
        parts: dict[Box, Image.Image] = {}
        deadline = self._deadline()
        first_line, last_line = min(p[1] for p in places.values()), max(p[3] for p in places.values())
        for top in range(first_line, last_line, _BAND_PX):
            self._check(deadline, (top - first_line) / (last_line - first_line))
            bottom = min(top + _BAND_PX, whole.height)
            here = {b: p for b, p in places.items() if p[1] < bottom and p[3] > top}
            if not here:
                continue
            left, right = min(p[0] for p in here.values()), max(p[2] for p in here.values())
            fetched = region.fetch(left, top, right - left, bottom - top)
            band = np.frombuffer(fetched, dtype).reshape(bottom - top, right - left, whole.bands)
            for box, (x, y, x_end, y_end) in here.items():
                if box not in values:
                    values[box] = np.empty((y_end - y, x_end - x, whole.bands), dtype)
                first, last = max(top, y), min(bottom, y_end)
                values[box][first - y : last - y] = band[first - top : last - top, x - left : x_end - left]
                if last == y_end:
                    part = self._as_rgb(values.pop(box), whole)
                    factor = min(part.width // width_px, part.height // height_px) // _SPARE
                    parts[box] = reduced(part, factor)
        return parts

    def _load_divided(self, times: int) -> Any:
        if self._levels:
            return self._load(**dict(self._levels).get(times, {}))
        return self._load(**self._page, **({"shrink": times} if times > 1 else {}))

    def _tolerant(self, read: Callable[[], _Read]) -> _Read:
        """What ``read`` gives; where the file is damaged, what it gives of the part that is there."""
        import pyvips

        try:
            try:
                return read()
            except pyvips.Error as error:
                if self._error:
                    raise
                self._error = error
            found = read()
        except pyvips.Error as error:
            raise self._source.broken(error) from error
        finally:
            self._tell(1.0)
        self.warn("truncated or damaged: decided from the part that is there")
        return found

    def _flattened(self, image: Any) -> Any:
        """As `samples` gives it, without transparency."""
        image = samples(image, self._source.bands)
        if image.hasalpha() and image.format in _WHITE:
            self._had_alpha = True
            return image.flatten(background=_WHITE[image.format] if self._ground == "white" else 0)
        return image

    def _pixels(self, image: Any) -> Image.Image:
        """A lazy libvips image computed within the time limit, as a Pillow one of mode RGB."""
        import pyvips

        late = threading.Event()
        watch = threading.Timer(self._source.limits.timeout_s, self._stop, (late, image))
        if self._stored_size[0] * self._stored_size[1] >= _LEAST_WATCHED_PIXELS:
            watch.start()
            if self.progress:
                image.set_progress(True)
                image.signal_connect("eval", lambda _, done: self._tell(done.percent / 100))
        try:
            values = image.numpy()
        except pyvips.Error as error:
            if late.is_set():
                raise self._source.limits.too_long(self.name) from error
            raise
        finally:
            watch.cancel()
        return self._as_rgb(values.reshape(image.height, image.width, image.bands), image)

    def _stop(self, late: threading.Event, image: Any) -> None:
        """Stop libvips: the loader, which it calls for each strip, and the result."""
        late.set()
        self._image.set_kill(True)
        image.set_kill(True)

    def _as_rgb(self, values: NDArray[Any], image: Any) -> Image.Image:
        from PIL import Image

        profiled = self._source.bands is None and image.get_typeof("icc-profile-data")
        icc = image.get("icc-profile-data") if profiled else None
        bands = 4 if image.interpretation == "cmyk" and values.shape[2] >= 4 else 3 if values.shape[2] >= 3 else 1
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[bands]
        kept = to_8_bits(values[:, :, :bands])
        return to_srgb(Image.frombuffer(mode, kept.shape[1::-1], kept.tobytes(), "raw", mode, 0, 1), icc, self.warn)

    def _deadline(self) -> float:
        return time.monotonic() + self._source.limits.timeout_s

    def _check(self, deadline: float, share: float) -> None:
        if time.monotonic() > deadline:
            raise self._source.limits.too_long(self.name)
        self._tell(share)

    def _tell(self, share: float) -> None:
        if self.progress:
            self.progress(share)


def _divided(box: Box, times: int, size: tuple[int, int]) -> Box:
    """A box in a picture that is ``times`` smaller, and of this size then."""
    width, height = size
    left, top = min(box[0] // times, width - 1), min(box[1] // times, height - 1)
    return left, top, min(-(-box[2] // times), width), min(-(-box[3] // times), height)


def _line_bytes(image: Any) -> int:
    return int(image.width * image.bands) * int(_DTYPES.get(image.format, "f16")[1:])


def _resized(image: Any, width: int, height: int) -> Any:
    if (image.width, image.height) == (width, height):
        return image
    if (across := image.width // (2 * width)) > 1 and _line_bytes(image) > cost.LONG_LINE_BYTES:
        # Lines are shrunk before they are added up: of a line of 6 MB libvips would hold some thousand.
        image = image.shrinkh(across)
    return image.resize(width / image.width, vscale=height / image.height)
