"""Pictures inside one file: members of a tar shard, rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from itertools import repeat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ..errors import BrokenPicture, SourceError, SourceMissing, TooLarge, UsageError
from ..extras import need
from ..formats import HEAD_BYTES
from .folders import no_picture
from .item import Item, Wanted
from .stores import HELD, opened

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo
    from typing import Self

TAR_ENDINGS = (".tar", ".tar.gz", ".tgz")
PARQUET_ENDINGS = (".parquet", ".pq")
_PARQUET_ROWS = 16
_UNPACK = "unpack the shard to files: a file may be of any size"
#: Of a long name, or of a pax head: some kilobytes.
_MOST_HEAD_BYTES = 1 << 20


def tar_items(name: str, wanted: Wanted, load: bool) -> Iterator[Item]:
    """Members of a tar shard; skipped where they are no pictures by their first bytes (labels, JSON).

    With ``load`` they come with their bytes, in one pass.
    """
    with _opened_tar(name, "r|*") as shard:
        for member in shard:
            key = f"{name}/{member.name}"
            if member.isdir() or not wanted(key):
                continue
            relative = PurePosixPath(PurePosixPath(name).name) / member.name.lstrip("/")
            if not member.isfile():
                yield Item(key, relative, skipped="no regular file")
                continue
            try:
                HELD.check_held(member.size, key, _UNPACK)
            except TooLarge as large:
                yield Item(key, relative, error=large)
                continue
            stored = shard.extractfile(member)
            data = stored.read(-1 if load else HEAD_BYTES) if stored else b""
            if len(data) < (member.size if load else min(member.size, HEAD_BYTES)):
                yield Item(key, relative, error=_cut_off(key))
            elif reason := no_picture(data[:HEAD_BYTES]):
                yield Item(key, relative, skipped=reason)
            else:
                again = partial(tar_member, name, member.name)
                yield Item(key, relative, fetch=again, data=data if load else None)


@cache
def _head() -> type[TarInfo]:
    """The heads of members as `tarfile` reads them, whose long names are no longer than names are."""
    import tarfile

    heads = (
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    )

    class Head(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            found = super().frombuf(buf, encoding, errors)
            if found.type in heads and found.size > _MOST_HEAD_BYTES:
                raise tarfile.ReadError(f"a head of {found.size:,} bytes")
            return found

    return Head


def parquet_items(name: str, wanted: Wanted, load: bool) -> Iterator[Item]:
    """Rows of a Parquet file with a column of bytes. Raises `UsageError` where there is none."""
    with _opened_parquet(name) as table:
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
                again = partial(parquet_cell, name, row)
                try:
                    yield Item(key, relative, fetch=again, data=_cell_bytes(cell, key) if load else None)
                except TooLarge as large:
                    yield Item(key, relative, error=large)


def parquet_count(name: str) -> int:
    """How many rows a Parquet file has."""
    with _opened_parquet(name) as table:
        return int(table.metadata.num_rows)


@contextmanager
def _opened_parquet(name: str) -> Iterator[Any]:
    with opened(name) as file:
        yield need("pyarrow.parquet", "parquet", source=name).ParquetFile(file)


def tar_member(name: str, member: str) -> bytes:
    """The bytes of one member (a shard that is compressed, or damaged, is read from its beginning: slow)."""
    try:
        place = _tar_index(name).get(member) if name.lower().endswith(".tar") else None
    except SourceError:
        place = None
    if place is None:
        return _searched(name, member)
    start, size = place
    HELD.check_held(size, f"{name}/{member}", _UNPACK)
    with opened(name) as file:
        file.seek(start)
        data = file.read(size)
    if len(data) < size:
        raise _cut_off(f"{name}/{member}")
    return data


def _searched(name: str, member: str) -> bytes:
    with _opened_tar(name, "r|*") as shard:
        for each in shard:
            if each.name == member and (stored := shard.extractfile(each)):
                return HELD.read_whole(stored, f"{name}/{member}", _UNPACK)
    raise SourceMissing("no longer in the shard", source=f"{name}/{member}", remedy="list the shard again")


def _cut_off(key: str) -> BrokenPicture:
    return BrokenPicture("the shard ends inside it", source=key, remedy="fetch or write the shard again")


@contextmanager
def _opened_tar(name: str, mode: Any) -> Iterator[TarFile]:
    import tarfile  # 4 ms that pictures need not wait for

    try:
        with opened(name) as file, tarfile.open(fileobj=file, mode=mode, tarinfo=_head()) as shard:
            yield shard
    except (tarfile.TarError, EOFError) as error:
        cause = f"cannot be read to its end: {error}"
        raise SourceError(cause, source=name, remedy="fetch or write it again") from error


@lru_cache(maxsize=4)
def _tar_index(name: str) -> dict[str, tuple[int, int]]:
    with _opened_tar(name, "r:") as shard:
        return {member.name: (member.offset_data, member.size) for member in shard}


def parquet_cell(name: str, row: int) -> bytes:
    """The bytes in one row."""
    key = f"{name}#{row}"
    with _opened_parquet(name) as table:
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if row < rows:
                return _cell_bytes(_row_group(name, group)[row].as_py(), key)
            row -= rows
    return b""


@lru_cache(maxsize=2)
def _row_group(name: str, group: int) -> Any:
    with _opened_parquet(name) as table:
        return table.read_row_group(group, columns=[_image_column(table.schema_arrow, name)]).column(0)


def _image_column(schema: Any, name: str) -> str:
    """The first column of bytes, or of structs with bytes as Hugging Face ``datasets`` writes pictures."""
    types = need("pyarrow", "parquet", source=name).types
    for field in schema:
        inner = field.type.field("bytes").type if types.is_struct(field.type) and _has_bytes(field.type) else field.type
        if types.is_binary(inner) or types.is_large_binary(inner):
            return f"{field.name}.bytes" if inner is not field.type else str(field.name)
    raise UsageError("no column holds bytes", source=name, remedy="give a Parquet file with a column of image bytes")


def _has_bytes(struct: Any) -> bool:
    return any(struct.field(i).name == "bytes" for i in range(struct.num_fields))


def _cell_bytes(cell: Any, key: str) -> bytes:
    data = cell["bytes"] if isinstance(cell, dict) else cell
    held = data if isinstance(data, bytes) else b""
    HELD.check_held(len(held), key, "write it to a file: a file may be of any size")
    return held
