"""Sources of pictures: files, folders, ``-``, lists, tar shards, Parquet files, object stores; each picture has a key.

`find_items` yields an `Item` for every picture, and for everything else one with the reason why it is passed over.
"""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from ..errors import SourceError, SourceMissing, UprightError, UsageError
from .excluded import Excluded, lines_of
from .folders import STANDARD_STREAM, local_items
from .item import Item, Wanted
from .shards import PARQUET_ENDINGS, TAR_ENDINGS, parquet_cell, parquet_count, parquet_items, tar_items, tar_member
from .stores import filesystem, is_remote, kind_of, listed, read

__all__ = [
    "STANDARD_STREAM",
    "Item",
    "count_items",
    "filesystem",
    "find_items",
    "is_remote",
    "item_of",
    "key_hash",
    "named",
    "shard_filter",
]


def find_items(
    names: Iterable[str],
    *,
    wanted: Wanted = lambda key: True,
    lists: Iterable[str] = (),
    load: bool = True,
    once: bool = False,
    exclude: Sequence[str] = (),
    output: str | None = None,
) -> Iterator[Item]:
    """Every picture of the sources, in their order, whose key is wanted; of others no byte is kept.

    Args:
        names: files, folders, ``-`` for standard input, tar shards, Parquet files, or URLs of them.
        wanted: says of a key whether its picture is to be worked on.
        lists: text files with one such name a line.
        load: whether items of shards come with their bytes; without, `Item.load` finds them again.
        once: a file on this machine comes once, whatever it is called: corrected in place by two answers to the same
            question it would be turned twice.
        exclude: patterns of names, and of paths below what is named, that are passed over (`Excluded`).
        output: the folder that corrected pictures are written into, which is not searched.

    What is no picture is an item with the reason in ``skipped``. A shard that cannot be read, or only in part, yields
    what can be read and then an item with the error.
    """
    seen: set[str] | None = set() if once else None
    written = os.path.realpath(output) if output else None
    excluded = Excluded([pattern.removesuffix("/") for pattern in exclude], output=written)
    everything = list(named(names, lists))
    if (
        same := next((name for name in everything if Path(name).is_dir() and excluded.is_output(name)), None)
    ) is not None:
        cause = "the folder that corrected pictures are written into is a source"
        raise UsageError(cause, source=same, remedy="name another folder to write into, or correct it in place")
    for name in everything:
        for item in _guarded(name, _items(name, wanted, load, seen, excluded), wanted):
            passed = not item.skipped and not item.error and excluded.matches(str(item.relative))
            yield Item(item.key, item.relative, skipped="excluded") if passed else item


def named(names: Iterable[str], lists: Iterable[str] = ()) -> Iterator[str]:
    """Every name of a source that is given, and that lists give."""
    yield from names
    yield from _listed(lists)


def _items(name: str, wanted: Wanted, load: bool, seen: set[str] | None, excluded: Excluded) -> Iterator[Item]:
    lower = name.lower()
    if lower.endswith(TAR_ENDINGS) and not Path(name).is_dir():
        yield from tar_items(name, wanted, load)
    elif lower.endswith(PARQUET_ENDINGS) and not Path(name).is_dir():
        yield from parquet_items(name, wanted, load)
    elif not is_remote(name):
        yield from local_items(name, wanted, seen, excluded)
    else:
        # Whether a file in a store is a picture is seen when it is read.
        for key, below in listed(name):
            if key != name and key.lower().endswith(TAR_ENDINGS + PARQUET_ENDINGS):
                yield from _guarded(key, _items(key, wanted, load, seen, excluded), wanted)
            elif wanted(key):
                yield Item(key, PurePosixPath(below), fetch=partial(read, key))


def _listed(lists: Iterable[str]) -> Iterator[str]:
    for name in lists:
        try:
            data = Path(name).read_bytes().removeprefix(codecs.BOM_UTF8)
        except OSError as error:
            raise SourceMissing(f"the list cannot be read: {error.strerror}", source=name) from error
        if b"\0" in data:
            remedy = "write one name a line, in UTF-8 (`find -print`); give pictures themselves without --list"
            raise UsageError("not a list of names: it holds null bytes", source=name, remedy=remedy)
        yield from filter(None, lines_of(os.fsdecode(data)))


def _guarded(name: str, items: Iterator[Item], wanted: Wanted) -> Iterator[Item]:
    """Items up to where the source breaks, then one with the error."""
    try:
        yield from items
    except UsageError:
        raise
    except UprightError as error:
        broken = error
    except (OSError, ValueError) as error:
        broken = SourceError(f"cannot be read to its end: {error}", source=name, remedy="fetch or write it again")
    else:
        return
    if wanted(name):
        yield Item(name, PurePosixPath(name), error=broken)


def item_of(key: str) -> Item:
    """The picture that `find_items` gave this key, found again by the key alone (slow in compressed shards)."""
    name = PurePosixPath(PurePosixPath(key).name)
    if is_remote(key) or (not os.path.lexists(key) and (_is_row(key) or _shard_of(key))):
        return Item(key, name, fetch=partial(_stored, key))
    return Item(key, name, path=key)


def _stored(key: str) -> bytes:
    if _is_row(key) and kind_of(key) != "file":
        at, _, row = key.rpartition("#")
        return parquet_cell(at, int(row))
    shard = _shard_of(key)
    return tar_member(shard, key[len(shard) + 1 :]) if shard else read(key)


def _is_row(key: str) -> bool:
    at, _, row = key.rpartition("#")
    return at.lower().endswith(PARQUET_ENDINGS) and row.isdecimal()


def _shard_of(key: str) -> str:
    """The shard that a key leads into, or nothing: folders, and those in a shard, may be called like shards, too."""
    named = [key[:at] for at, letter in enumerate(key) if letter == "/" and key[:at].lower().endswith(TAR_ENDINGS)]
    kinds = {name: kind_of(name) for name in named}
    return next((name for wanted in ("file", "") for name in named if kinds[name] == wanted), "")


def count_items(names: Iterable[str]) -> int | None:
    """About how many pictures there are, without opening any; ``None`` if that would take reading everything."""
    total = 0
    try:
        for name in names:
            if Path(name).is_dir():
                total += sum(len(files) for *_, files in os.walk(name))
            elif name.lower().endswith(TAR_ENDINGS):
                return None
            elif name.lower().endswith(PARQUET_ENDINGS):
                total += parquet_count(name)
            elif is_remote(name):
                total += sum(1 for _ in listed(name))
            else:
                total += 1
    except (OSError, ValueError, UprightError):
        return None  # The run itself says what is wrong with a source.
    return total


def shard_filter(shard: str) -> Wanted:
    """For ``i/n``: whether a key belongs to the ``i``-th of ``n`` parts (from 1), by hash. Raises `UsageError`."""
    part, _, parts = shard.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UsageError(f"{shard!r} is not a shard", remedy="use --shard 1/4 to --shard 4/4 for four parts")
    return lambda key: key_hash(key) % int(parts) == int(part) - 1


def key_hash(key: str) -> int:
    """A 64-bit hash of a key, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(key), digest_size=8).digest(), "big")
