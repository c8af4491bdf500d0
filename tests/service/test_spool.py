"""Uploads of jobs on disk: a full disk, hostile tars, long names."""

from __future__ import annotations

import tarfile
import tracemalloc
from pathlib import Path

import pytest

from upright.service.problems import BodyTooLarge, Refused, StorageFull
from upright.service.spool import Spool


def test_an_upload_that_finds_the_disk_full_is_told(tmp_path):
    spool = Spool(tmp_path, 10, 1)
    spool.file.close()
    with Path("/dev/full").open("wb", buffering=0) as spool.file, pytest.raises(StorageFull, match="No space left"):
        spool.write(bytes(100))


def tar(*parts: bytes) -> bytes:
    return b"".join(part + bytes(-len(part) % 512) for part in parts) + bytes(1024)


def head(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """One head of a tar, whatever size it declares."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    return entry.tobuf(tarfile.GNU_FORMAT)


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path, 10, 1)
    with spool.file:
        yield spool


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_head_of_hundreds_of_megabytes_is_not_read(spool, kind):
    size = 300 << 20
    spool.write(head("long", size, kind))
    spool.file.seek(size, 1)
    spool.write(tar(head("a.jpg", 1), b"x"))
    tracemalloc.start()
    with pytest.raises(Refused, match="a head of 314,572,800 bytes"):
        spool.index_tar()
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_heads_that_lead_to_heads_are_refused(spool):
    for _ in range(5000):
        spool.write(tar(head("././@PaxHeader", 8, tarfile.XHDTYPE), b"8 a=bcd\n")[:1024])
    spool.write(tar(head("a.jpg", 1), b"x"))
    with pytest.raises(Refused, match="cannot be read"):
        spool.index_tar()


def test_entries_that_are_no_pictures_count_too(spool):
    spool.write(tar(*[head("d", 0, tarfile.DIRTYPE)] * 11))
    with pytest.raises(BodyTooLarge, match="more than 10 pictures"):
        spool.index_tar()


def test_names_that_are_no_text_are_escaped_and_long_ones_refused(spool):
    spool.write(tar(head("\udcff\udcfe.jpg", 1), b"x", head("猫.jpg", 1), b"y"))
    spool.index_tar()
    assert list(spool.pictures()) == [("\\udcff\\udcfe.jpg", b"x"), ("猫.jpg", b"y")]
    with pytest.raises(Refused, match="has 1,025 characters"):
        spool.begin("a" * 1025)


def test_a_picture_over_its_limit_is_refused(spool):
    spool.begin("large.jpg")
    spool.write(bytes((1 << 20) + 1))
    with pytest.raises(BodyTooLarge, match=r"large.jpg is over 1 MiB"):
        spool.begin("next.jpg")
