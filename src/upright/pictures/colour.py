"""Any Pillow or libvips image as the sRGB that a person would see; values of more than 8 bits as 8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from .source import Bands

#: An alpha picture that is of one colour over white (white text on nothing) is shown over black instead.
_FLAT_RANGE = 10
#: Larger fractions are infinite, or mark what was not measured; where most are such, all are made smaller.
_LARGEST = 1e30
#: Fractions are bounded before they are added up: one that is no number would spread over all of a small picture.
_BOUNDS = {"float": 3.4e38, "double": 1e300}
_NOT_PILLOWS = {"lab", "labs", "xyz", "hsv", "scrgb", "lch", "cmc", "yxy"}
_WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def to_srgb(image: Image.Image, icc: bytes | None, warn: Callable[[str], None]) -> Image.Image:
    """A Pillow image of any mode as RGB: transparency over white, ICC profile applied, wide values mapped to 8 bits.

    A damaged profile is ignored, with a warning.
    """
    if image.mode in _WIDE_MODES:
        image = _from_wide(image)
    elif image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("PA", "LA", "RGBa") or (image.mode in ("L", "P", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    if alpha:
        image = image.convert("RGB")
    if icc and not is_srgb(icc):
        image = _through_profile(image, icc, warn)
    image = image if image.mode == "RGB" else image.convert("RGB")
    return _over_ground(image, alpha) if alpha else image


def is_flat(image: Image.Image) -> bool:
    """Whether an image shows nothing: no band's values are further apart than paper noise."""
    extrema: Any = image.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(high - low < _FLAT_RANGE for low, high in bands)


def is_srgb(icc: bytes) -> bool:
    """Whether a profile says that it is sRGB, so that it need not be applied (which costs 1 to 3 ms)."""
    return b"sRGB" in icc[:4096] or "sRGB".encode("utf-16-be") in icc[:4096]


def samples(image: Any, bands: Bands | None) -> Any:
    """A libvips image in a colour space that Pillow knows, of real and finite numbers; or just these ``bands``."""
    if bands is not None:
        red, green, blue = (image[band - 1] for band in bands)
        return red.bandjoin([green, blue]).copy(interpretation="multiband")
    if image.interpretation in _NOT_PILLOWS:
        image = image.colourspace("srgb")
    if image.format in ("complex", "dpcomplex"):
        image = image.abs()
    if image.format in _BOUNDS:
        bound = _BOUNDS[image.format]
        image = (image == image).ifthenelse(image, 0).cast("double").clamp(min=-bound, max=bound)
    return image


def to_8_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Values ``[h, w, ...]`` of any number type as uint8.

    uint8 stays. uint16 that use at least a quarter of their range are divided by 257, floats inside 0 to 1 multiplied
    by 255. Everything else (12-bit scans, medical and satellite pictures, signed values) is stretched: the 0.5th
    percentile of all values becomes 0, the 99.5th 255. What is no number counts as 0.
    """
    import numpy as np

    if values.dtype == np.uint8:
        return values
    values = _bounded(values) if values.dtype.kind == "f" else values
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    if values.dtype == np.uint16 and high - low >= 65535 / 4:
        low, high = 0.0, 65535.0
    elif values.dtype.kind == "f" and low >= 0 and 0.25 <= high <= 1:
        low, high = 0.0, 1.0
    scaled = (values.astype(np.float32) - low) * (255.0 / max(high - low, 1e-12))
    mapped: NDArray[np.uint8] = (np.clip(scaled, 0, 255) + 0.5).astype(np.uint8)
    return mapped


def _bounded(values: NDArray[Any]) -> NDArray[np.float32]:
    """Fractions as numbers of which the difference of two is one, too; few that are far off count as the outermost."""
    import numpy as np

    values = np.nan_to_num(values)
    far = np.abs(values) > _LARGEST
    if far.mean() > 0.5:
        values = values * (_LARGEST / np.abs(values).max())
    elif far.any():
        others = values[~far]
        values = np.clip(values, others.min(), others.max())
    bounded: NDArray[np.float32] = values.astype(np.float32)
    return bounded


def _from_wide(image: Image.Image) -> Image.Image:
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    if image.mode == "I" and values.min() >= 0 and values.max() <= 65535:
        values = values.astype(np.uint16)
    return Image.fromarray(to_8_bits(values))


def _through_profile(image: Image.Image, icc: bytes, warn: Callable[[str], None]) -> Image.Image:
    import io

    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        warn(f"the colour profile cannot be used ({error})")
        return image
    assert converted is not None
    return converted


def _over_ground(image: Image.Image, alpha: Image.Image) -> Image.Image:
    from PIL import Image

    shown = Image.new("RGB", image.size, "white")
    shown.paste(image, mask=alpha)
    low, high = alpha.getextrema()
    if low != high and is_flat(shown):
        shown.paste("black", (0, 0, *image.size))
        shown.paste(image, mask=alpha)
    return shown
