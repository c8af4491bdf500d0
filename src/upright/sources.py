"""Where many pictures lie: folders, file lists, tar shards, Parquet files, object stores; each picture with one key.

A key names a picture for good, so that a run can be resumed and split: the path, ``shard.tar/member.jpg``, or
``table.parquet#row``. Anything but a plain path may be a URL that fsspec knows (``s3://bucket/folder/``).
"""

from __future__ import annotations

import hashlib
import os
import random
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from .errors import BrokenPicture, SourceError, SourceMissing, TooLarge, UprightError, UsageError
from .extras import need
from .folders import find_pictures
from .formats import HEAD_BYTES, sniff
from .pictures import Limits

T = TypeVar("T")
Wanted = Callable[[str], bool]

TAR_ENDINGS = (".tar", ".tar.gz", ".tgz")
PARQUET_ENDINGS = (".parquet", ".pq")
#: Seconds before the second, third … try of a remote read; a store that is away for longer than all of it is an error.
RETRY_AFTER_S = (0.5, 1.0, 2.0, 4.0)
_MEMBER_LIMIT_BYTES = Limits().max_stream_bytes
_PARQUET_ROWS = 16


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to work on: a local ``path``, or ``data`` once it is loaded; or the error of a whole shard."""

    key: str
    relative: PurePosixPath
    path: str | None = None
    data: bytes | None = None
    error: UprightError | None = None

    def load(self) -> Item:
        """The item with its bytes, where it is no local file: those are opened by who decodes them."""
        if self.path or self.error or self.data is not None:
            return self
        try:
            return replace(self, data=read_key(self.key))
        except UprightError as error:
            return replace(self, error=error)

    @property
    def source(self) -> str | bytes:
        """What `Detector.detect` takes."""
        if self.path:
            return self.path
        assert self.data is not None
        return self.data


def shard_filter(shard: str) -> Wanted:
    """For ``i/n``: whether a key belongs to the ``i``-th of ``n`` parts (from 1), by hash. Raises `UsageError`."""
    part, _, parts = shard.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UsageError(f"{shard!r} is no shard", remedy="say --shard 1/4 to --shard 4/4 for four parts")
    return lambda key: key_hash(key) % int(parts) == int(part) - 1


def key_hash(key: str) -> int:
    """64 bits that stand for a key: the same on every machine."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(key), digest_size=8).digest(), "big")


def find_items(
    names: Iterable[str],
    *,
    wanted: Wanted = lambda key: True,
    lists: Iterable[str] = (),
    load: bool = True,
    seen: set[str] | None = None,
) -> Iterator[Item]:
    """Every picture of the sources, in their order, whose key is wanted; of others no byte is kept.

    Args:
        names: folders, pictures, tar shards, Parquet files, or URLs of them.
        wanted: says of a key whether its picture is to be worked on.
        lists: text files with one such name a line.
        load: whether items of shards come with their bytes; without, `Item.load` finds them again.
        seen: of `find_pictures`: with it no file comes twice, whatever it is called.

    A shard that cannot be read, or only in part, yields what can be read and then an item with the error.
    """
    for name in [*names, *_listed(lists)]:
        lower = name.lower()
        if lower.endswith(TAR_ENDINGS):
            yield from _guarded(name, _tar_items(name, wanted, load), wanted)
        elif lower.endswith(PARQUET_ENDINGS):
            yield from _guarded(name, _parquet_items(name, wanted, load), wanted)
        elif is_remote(name):
            yield from _guarded(name, _remote_items(name, wanted, load), wanted)
        else:
            for found in find_pictures([name], seen=seen):
                if wanted(found.path):
                    yield Item(found.path, PurePosixPath(found.relative), path=found.path)


def count_items(names: Iterable[str], lists: Iterable[str] = ()) -> int | None:
    """About how many pictures there are, without opening any; ``None`` where only reading everything would tell."""
    total = 0
    try:
        for name in [*names, *_listed(lists)]:
            if name.lower().endswith(TAR_ENDINGS):
                return None
            if name.lower().endswith(PARQUET_ENDINGS):
                with _opened(name) as file:
                    total += need("pyarrow.parquet", "parquet").ParquetFile(file).metadata.num_rows
            elif is_remote(name):
                system, path = filesystem(name)
                total += len(system.find(path)) or 1
            else:
                total += sum(len(files) for *_, files in os.walk(name)) if Path(name).is_dir() else 1
    except (OSError, ValueError, UprightError):
        return None  # The run itself says what is wrong with a source.
    return total


def is_remote(name: str) -> bool:
    """Whether a name is a URL and not a path."""
    return "://" in name


def read_remote(url: str) -> bytes:
    """The bytes of a remote file; tried again with growing pauses where the store fails. Raises `SourceMissing`."""

    def read() -> bytes:
        with _opened(url) as file:
            return file.read(_MEMBER_LIMIT_BYTES)

    return _with_retries(read, url)


def read_key(key: str) -> bytes:
    """The bytes of a picture that `find_items` yielded, found again by its key alone (slow; for a report)."""
    shard, _, row = key.rpartition("#")
    if shard.lower().endswith(PARQUET_ENDINGS) and row.isdecimal():
        return _parquet_cell(shard, int(row))
    for ending in TAR_ENDINGS:
        shard, found, member = key.partition(f"{ending}/")
        if found:
            return _tar_member(shard + ending, member)
    return read_remote(key) if is_remote(key) else Path(key).read_bytes()


def _listed(lists: Iterable[str]) -> Iterator[str]:
    for name in lists:
        try:
            text = os.fsdecode(Path(name).read_bytes())
        except OSError as error:
            raise SourceMissing(f"the list cannot be read: {error.strerror}", source=name) from error
        yield from (line for line in text.splitlines() if line)


def _guarded(name: str, items: Iterator[Item], wanted: Wanted) -> Iterator[Item]:
    """Items up to where the shard breaks, then one with the error."""
    try:
        yield from items
    except UsageError:
        raise
    except UprightError as error:
        broken = error
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        broken = SourceError(f"it cannot be read to its end: {error}", source=name, remedy="fetch or write it again")
    else:
        return
    if wanted(name):
        yield Item(name, PurePosixPath(name), error=broken)


def _tar_items(name: str, wanted: Wanted, load: bool) -> Iterator[Item]:
    """Members of a tar shard that are pictures by their first bytes; others (labels, JSON) are passed over."""
    with _opened(name) as file, tarfile.open(fileobj=file, mode="r|*") as shard:
        for member in shard:
            key = f"{name}/{member.name}"
            if not member.isfile() or not wanted(key):
                continue
            relative = PurePosixPath(PurePosixPath(name).name) / member.name.lstrip("/")
            if member.size > _MEMBER_LIMIT_BYTES:
                large = TooLarge(f"it has {member.size:,} bytes", source=key, remedy="unpack the shard to files")
                yield Item(key, relative, error=large)
                continue
            stored = shard.extractfile(member)
            data = stored.read(-1 if load else HEAD_BYTES) if stored else b""
            if len(data) < (member.size if load else min(member.size, HEAD_BYTES)):
                broken = BrokenPicture("the shard ends inside it", source=key, remedy="fetch or write the shard again")
                yield Item(key, relative, error=broken)
            elif sniff(data[:HEAD_BYTES]) or not data:
                yield Item(key, relative, data=data if load else None)


def _parquet_items(name: str, wanted: Wanted, load: bool) -> Iterator[Item]:
    with _opened(name) as file:
        table = need("pyarrow.parquet", "parquet").ParquetFile(file)
        column = _image_column(table.schema_arrow, name)
        cells = (
            (cell.as_py() for batch in table.iter_batches(_PARQUET_ROWS, columns=[column]) for cell in batch.column(0))
            if load
            else repeat(None, table.metadata.num_rows)
        )
        for row, cell in enumerate(cells):
            key = f"{name}#{row}"
            if wanted(key):
                relative = PurePosixPath(PurePosixPath(name).name) / str(row)
                yield Item(key, relative, data=_cell_bytes(cell) if load else None)


def _image_column(schema: Any, name: str) -> str:
    """The first column of bytes, or of structs with bytes as Hugging Face ``datasets`` writes pictures."""
    types = need("pyarrow", "parquet").types
    for field in schema:
        inner = field.type.field("bytes").type if types.is_struct(field.type) and _has_bytes(field.type) else field.type
        if types.is_binary(inner) or types.is_large_binary(inner):
            return f"{field.name}.bytes" if inner is not field.type else str(field.name)
    raise UsageError("no column holds bytes", source=name, remedy="give a Parquet file with a column of image bytes")


def _has_bytes(struct: Any) -> bool:
    return any(struct.field(i).name == "bytes" for i in range(struct.num_fields))


def _cell_bytes(cell: Any) -> bytes:
    data = cell["bytes"] if isinstance(cell, dict) else cell
    return data if isinstance(data, bytes) else b""


def _parquet_cell(name: str, row: int) -> bytes:
    with _opened(name) as file:
        table = need("pyarrow.parquet", "parquet").ParquetFile(file)
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if row < rows:
                return _cell_bytes(_row_group(name, group)[row].as_py())
            row -= rows
    return b""


@lru_cache(maxsize=2)
def _row_group(name: str, group: int) -> Any:
    with _opened(name) as file:
        table = need("pyarrow.parquet", "parquet").ParquetFile(file)
        return table.read_row_group(group, columns=[_image_column(table.schema_arrow, name)]).column(0)


def _tar_member(name: str, member: str) -> bytes:
    if not name.lower().endswith(".tar"):
        # A compressed shard can only be read from its beginning.
        with _opened(name) as file, tarfile.open(fileobj=file, mode="r:*") as shard:
            stored = shard.extractfile(member)
            return stored.read() if stored else b""
    start, size = _tar_index(name)[member]
    with _opened(name) as file:
        file.seek(start)
        return file.read(size)


@lru_cache(maxsize=4)
def _tar_index(name: str) -> dict[str, tuple[int, int]]:
    with _opened(name) as file, tarfile.open(fileobj=file, mode="r:") as shard:
        return {member.name: (member.offset_data, member.size) for member in shard}


def _remote_items(url: str, wanted: Wanted, load: bool) -> Iterator[Item]:
    """Files below a remote folder, or the one file; whether each is a picture is seen when it is read."""
    system, path = filesystem(url)
    protocol = url.partition("://")[0]
    for found in sorted(_with_retries(lambda: system.find(path), url) or [path]):
        key = f"{protocol}://{str(found).lstrip('/')}" if protocol != "file" else f"file://{found}"
        below = str(found).removeprefix(path.rstrip("/")).lstrip("/") or PurePosixPath(found).name
        lower = key.lower()
        if lower.endswith(TAR_ENDINGS + PARQUET_ENDINGS) and key != url:
            yield from find_items([key], wanted=wanted, load=load)
        elif wanted(key):
            yield Item(key, PurePosixPath(below))


def filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path in it. Raises `UsageError`."""
    fsspec = need("fsspec", "s3", source=url)
    if url.startswith(("s3:", "s3a:")):
        need("s3fs", "s3", source=url)
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise UsageError(f"{error}", source=url, remedy="install the package that it names") from error
    except ValueError as error:
        raise UsageError(f"{error}", source=url, remedy="use a path, or a URL that fsspec knows") from error
    return system, str(path)


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    file: IO[bytes]
    if is_remote(name):
        system, path = filesystem(name)
        file = _with_retries(lambda: system.open(path, "rb"), name)
    else:
        try:
            file = Path(name).open("rb")  # noqa: SIM115 -- closed below
        except OSError as error:
            raise SourceMissing(f"it cannot be read: {error.strerror}", source=name, remedy="check the path") from error
    with file:
        yield file


def _with_retries(call: Callable[[], T], url: str) -> T:
    for pause_s in (*RETRY_AFTER_S, None):
        try:
            return call()
        except (FileNotFoundError, PermissionError) as error:
            raise SourceMissing(f"it cannot be read: {error}", source=url, remedy="check URL and rights") from error
        except Exception as error:
            # fsspec's stores raise what their client libraries raise: no common class says "try again".
            if isinstance(error, UprightError):
                raise
            if pause_s is None:
                tries = len(RETRY_AFTER_S) + 1
                cause = f"it could not be read in {tries} tries: {type(error).__name__}: {error}"
                raise SourceMissing(cause, source=url, remedy="run again when the store answers") from error
            time.sleep(pause_s * random.uniform(0.5, 1.5))
    raise AssertionError("unreachable")
