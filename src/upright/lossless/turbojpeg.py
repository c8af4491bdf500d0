"""The lossless transform of the system's libturbojpeg by ctypes: ``tj3Transform``, or ``tjTransform`` of version 2."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache

from ..errors import TAG, EngineError, NotLossless, Remedy
from ..formats import Window
from ..formats.jpeg import frame
from ..turns import TURBOJPEG_OPERATION, ExifOrientation

# turbojpeg.h
PERFECT, TRIM, CROP, _PROGRESSIVE, COPY_NONE, _ARITHMETIC = 1, 2, 4, 32, 64, 128
_STOP_ON_WARNING_FLAG = 8192
_INIT_TRANSFORM, _PARAM_STOP_ON_WARNING = 2, 0


class _Transform(ctypes.Structure):
    _fields_ = (
        ("x", ctypes.c_int),
        ("y", ctypes.c_int),
        ("w", ctypes.c_int),
        ("h", ctypes.c_int),
        ("op", ctypes.c_int),
        ("options", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("custom_filter", ctypes.c_void_p),
    )


@cache
def _library() -> tuple[ctypes.CDLL, bool]:
    """The library, and whether it speaks version 3."""
    name = ctypes.util.find_library("turbojpeg")
    for candidate in (name, "libturbojpeg.so.0", "libturbojpeg.dylib", "turbojpeg.dll"):
        try:
            library = ctypes.CDLL(candidate) if candidate else None
        except OSError:
            continue
        if library is not None:
            break
    else:
        raise EngineError(
            "libturbojpeg is not installed, and without it the pixels of a JPEG cannot be turned without loss",
            remedy="apt-get install libturbojpeg0, or use --method tag",
        )
    modern = hasattr(library, "tj3Transform")
    prefix = "tj3" if modern else "tj"
    for verb, result in (("Init" if modern else "InitTransform", ctypes.c_void_p), ("Destroy", None), ("Free", None)):
        function = getattr(library, prefix + verb)
        function.restype = result
        function.argtypes = [ctypes.c_int] if verb == "Init" else [] if result else [ctypes.c_void_p]
    error = library.tj3GetErrorStr if modern else library.tjGetErrorStr2
    error.restype, error.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    if modern:
        library.tj3Set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    return library, modern


def transform(
    data: bytes,
    operation: ExifOrientation,
    options: int = 0,
    size_px: tuple[int, int] | None = None,
    progressive: bool = True,
) -> bytes:
    """Make the coefficients of a JPEG what ``operation`` shows; ``size_px`` crops to (width, height) from the left top.

    Progressive files stay ``progressive``, all markers are kept unless ``options`` has COPY_NONE. Raises NotLossless
    with the library's own words, EngineError where the library is missing.
    """
    library, modern = _library()
    found = frame(Window(data))
    if found:
        options |= _PROGRESSIVE * (progressive and found.progressive) | _ARITHMETIC * (modern and found.arithmetic)
    job = _Transform(op=TURBOJPEG_OPERATION[operation], options=options)
    if size_px:
        job.w, job.h, job.options = *size_px, options | CROP
    handle = ctypes.c_void_p(library.tj3Init(_INIT_TRANSFORM) if modern else library.tjInitTransform())
    result, size = ctypes.c_void_p(), (ctypes.c_size_t if modern else ctypes.c_ulong)()
    try:
        arguments = (
            handle,
            data,
            type(size)(len(data)),
            1,
            ctypes.byref(result),
            ctypes.byref(size),
            ctypes.byref(job),
        )
        if modern:
            library.tj3Set(handle, _PARAM_STOP_ON_WARNING, 1)
            failed = library.tj3Transform(*arguments)
        else:
            failed = library.tjTransform(*arguments, _STOP_ON_WARNING_FLAG)
        if failed:
            words = library.tj3GetErrorStr(handle) if modern else library.tjGetErrorStr2(handle)
            raise _explained(words.decode(errors="replace"))
        return ctypes.string_at(result, size.value)
    finally:
        (library.tj3Free if modern else library.tjFree)(result)
        (library.tj3Destroy if modern else library.tjDestroy)(handle)


def _explained(words: str) -> NotLossless:
    if "not perfect" in words:
        cause = "its sides are not whole numbers of blocks, and the blocks at the edge cannot move"
        error = NotLossless(cause, remedy=Remedy("use --edge trim or --method tag", "tag"))
        error.at_edge = True
        return error
    return NotLossless(f"libturbojpeg says: {words}", remedy=TAG)
