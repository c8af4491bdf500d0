"""What a user hands in, opened: a name for messages, a file to read, and the options for reading it."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from .. import workers
from ..errors import (
    AGAIN,
    BrokenPicture,
    NotAPicture,
    SourceMissing,
    TooLarge,
    UprightError,
    UsageError,
    no_page,
    printable,
)
from ..formats import FORMATS, HEAD_BYTES, cost, sniff
from ..limits import Limits, text_stream
from ..turns import ExifOrientation

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from PIL import Image

#: A path, bytes, an open binary file or stream, an array ``[h, w]`` or ``[h, w, 1 to 4]``, or a Pillow image.
Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[Any] | Image.Image"

#: What a decoder says of a picture that may be whole and is of a kind that it does not know.
_LACKING = re.compile(
    "supported|implemented|configured|can ?not handle|whole number|field [0-9]+ missing|labq|samples out of range"
    "|not [0-9] bands|unable to call VipsForeignLoad",
    re.IGNORECASE,
)

#: Which bands of a picture with many are shown as red, green and blue, counted from 1.
Bands: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class OpenSource:
    """A readable, seekable file, what is known about it and how it is wanted.

    ``exif`` is what is still to be done to decoded pixels; ``path`` is ``None`` for what is no file, and ``in_memory``
    says that there are pixels and no bytes.
    """

    name: str
    path: str | None
    file: BinaryIO
    format: str
    limits: Limits
    page: int = 0
    bands: Bands | None = None
    exif: ExifOrientation = ExifOrientation.TOP_LEFT
    in_memory: bool = False

    def read_bytes(self) -> bytes:
        """All bytes of the source."""
        if self.in_memory:
            raise UsageError("pixels in memory have no file bytes", source=self.name, remedy="save the picture first")
        self.file.seek(0)
        return self.file.read()

    def broken(self, why: object) -> BrokenPicture:
        """The error that says that it cannot be decoded, in the line of what a decoder says that tells most."""
        lines = [line.strip() for line in str(why).splitlines() if line.strip()] or [type(why).__name__]
        if len(lines) > 1 and lines[0].startswith("unable to "):
            del lines[0]  # pyvips names the operation, and its cause below where it has one
        lacking = next((line for line in lines if _LACKING.search(line)), None)
        if lacking:
            cause = f"a kind of {self.format} that cannot be decoded ({lacking})"
            error = BrokenPicture(cause, source=self.name, remedy=AGAIN)
            error.unknown_kind = True
            return error
        said = "its pixels cannot be decoded" if lines[-1].startswith("unable to ") else lines[-1]
        return BrokenPicture(f"damaged {self.format}: {said}", source=self.name, remedy="fetch or scan it again")

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Turn whatever a decoder raises into this package's errors; decoders promise no type."""
        try:
            yield
        except UprightError:
            raise
        except OSError as error:
            if not error.errno:
                raise self.broken(error) from error
            with reading(self.name):
                raise
        except MemoryError as error:
            cause, remedy = "there is not enough memory to decode it", "give the process more, or shrink the picture"
            if workers.bounded():
                cause = f"decoding needs more memory than the limit max_memory_mb of {self.limits.max_memory_mb:g}"
                remedy = "raise it with --max-memory-mb if you trust the file"
            raise TooLarge(cause, source=self.name, remedy=remedy) from error
        except Exception as error:
            raise self.broken(error) from error

    def check_pages(self, pages: int) -> None:
        """Raise `TooLarge` if there are too many pages, `UsageError` if the wanted one is not there."""
        most = self.limits.max_pages
        if pages > most:
            cause = f"{pages:,} pages are over the limit max_pages of {most:,}"
            raise TooLarge(cause, source=self.name, remedy="raise max_pages if you trust the file")
        if not 0 <= self.page < pages:
            raise no_page(self.page, pages, self.name)

    def check_bands(self, count: int) -> None:
        """Raise `UsageError` where a picture of ``count`` bands lacks a wanted one."""
        missing = [band for band in self.bands or () if not 1 <= band <= count]
        if missing:
            raise UsageError(f"it has no band {missing[0]}", source=self.name, remedy=f"its bands are 1 to {count}")

    def check_whole(self, size: tuple[int, int], pixel_bytes: float = 4) -> None:
        """Raise `TooLarge` if a picture that has to be decoded whole, of so many bytes a pixel, is over the limit."""
        self.limits.check_memory(size, cost.whole_bytes(FORMATS[self.format], size, pixel_bytes), self.name)

    def check_claim(self, size: tuple[int, int]) -> None:
        """Raise `BrokenPicture` if the file is too small for the pixels that it claims."""
        if self.in_memory:
            return
        file_bytes = self.file.seek(0, io.SEEK_END)
        if cost.is_cut_short(FORMATS[self.format], size, file_bytes):
            raise self.broken(f"{size[0]} x {size[1]} pixels do not fit into {file_bytes:,} bytes")


def no_bands(bands: Bands | None, what: str, name: str) -> None:
    """Raise `UsageError` where bands were chosen."""
    if bands is not None:
        raise UsageError(f"bands of {what} cannot be chosen", source=name, remedy="leave bands out, or give a TIFF")


def open_source(source: object, limits: Limits, page: int = 0, bands: Bands | None = None) -> OpenSource:
    """Open a path, bytes or a stream and sniff its format by content.

    Raises:
        SourceMissing: no such file, a folder, or not readable.
        NotAPicture: empty, or of no known format.
        TooLarge: a stream over ``limits.max_stream_bytes``.
    """
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        name, file = path, open_file(path)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        path, name, file = None, "<bytes>", _in_memory(source)
    elif hasattr(source, "read"):
        path, name, file = None, _stream_name(source), io.BytesIO(read_stream(source, limits))
    else:
        raise UsageError(
            f"{type(source).__name__} is not a picture source",
            remedy="give a path, bytes, a stream, an array or a Pillow image",
        )
    try:
        with reading(name):
            head = file.read(HEAD_BYTES)
        return OpenSource(name, path, file, _sniffed(head, name), limits, page, bands)
    except BaseException:
        file.close()
        raise


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn the system's errors while a file is read into `SourceMissing`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceMissing("there is no such file", source=name, remedy="check the path") from error
    except PermissionError as error:
        raise SourceMissing("it may not be read", source=name, remedy="check its permissions") from error
    except OSError as error:
        raise SourceMissing(
            f"it cannot be read ({error.strerror or error})", source=name, remedy="check the file and its disk"
        ) from error


def open_file(path: str) -> BinaryIO:
    """Open without waiting for a writer where the path is a named pipe."""
    if "\0" in path:
        raise SourceMissing("no file has a null byte in its name", source=path, remedy="check the path")
    with reading(path):
        at = Path(path)
        if at.is_symlink() and not at.exists():
            raise SourceMissing(
                f"a link to {printable(at.readlink())}, which is not there",
                source=path,
                remedy="mend or remove the link",
            )
        mode = at.stat().st_mode
        if stat.S_ISDIR(mode):
            raise SourceMissing("a folder, not a file", source=path, remedy="name the pictures in it")
        if not stat.S_ISREG(mode):
            raise SourceMissing("not a regular file", source=path, remedy="pipe it into - instead")
        return at.open("rb")


def _in_memory(source: bytes | bytearray | memoryview) -> BinaryIO:
    try:
        return io.BytesIO(source)
    except (BufferError, ValueError) as error:  # a memoryview with gaps, or one that was released
        raise UsageError(f"its bytes cannot be read ({error})", source="<bytes>", remedy="give bytes") from error


def read_stream(stream: object, limits: Limits) -> bytes:
    """All bytes of a binary stream. Raises as `open_source` does."""
    name = _stream_name(stream)
    try:
        with reading(name):
            return limits.read_whole(stream, name, "save it to a file first: a file may be of any size")
    except UprightError:
        raise
    except UnicodeDecodeError:
        raise text_stream(name) from None
    except Exception as error:  # streams promise no type
        raise SourceMissing(f"it cannot be read ({error})", source=name, remedy="open it again") from error


def _stream_name(stream: object) -> str:
    name = getattr(stream, "name", None)
    return "-" if name == "<stdin>" else name if isinstance(name, str) else "<stream>"


def _sniffed(head: bytes, name: str) -> str:
    if not head:
        raise NotAPicture("it is empty", source=name, remedy="fetch or scan it again")
    form = sniff(head)
    if not form:
        raise NotAPicture(
            "not a picture format that upright knows",
            source=name,
            remedy="see upright doctor for the formats, or convert it",
        )
    return form
