"""Uploads of jobs on disk: a full disk, hostile tars, long names."""

from __future__ import annotations

import tarfile
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from upright.service.problems import BodyTooLarge, ClientGone, Refused, StorageFull
from upright.service.spool import Spool


def test_an_upload_that_finds_the_disk_full_is_told(tmp_path):
    spool = Spool(tmp_path, 10, 1, 2)
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
    spool = Spool(tmp_path, 10, 1, 2)
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


def link(name: str, to: str) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.LNKTYPE, to
    return entry.tobuf(tarfile.GNU_FORMAT)


TWO = tar(head("a.jpg", 1), b"x", head("b.jpg", 1), b"y")


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        (TWO[:1024] + b"\1" + TWO[1025:], "damaged"),  # the head of b.jpg, whose sum is now wrong
        (TWO[:1024] + bytes(512) + TWO[1536:], "damaged, or goes on behind its end, after 1 pictures"),
        (TWO + TWO, "goes on behind its end, after 2 pictures"),
        (TWO[:2048], "cut off: it has no end"),
        (TWO[:1600], "cut off|unexpected end"),
        (TWO[:1200], "damaged|cut off"),
        (TWO[:2048] + bytes(100), "cut off"),
    ],
)
def test_a_tar_that_is_not_whole_is_refused(spool, sent, cause):
    spool.write(sent)
    with pytest.raises(Refused, match=cause):
        spool.index_tar()


def test_a_tar_may_be_filled_with_zeros(spool):
    spool.write(TWO + bytes(3 << 20))
    spool.index_tar()
    assert list(spool.pictures()) == [("a.jpg", b"x"), ("b.jpg", b"y")]


def test_the_second_name_of_a_picture_is_a_picture(spool):
    spool.write(tar(head("a.jpg", 1), b"x", link("b.jpg", "a.jpg"), link("c.jpg", "b.jpg")))
    spool.index_tar()
    assert list(spool.pictures()) == [("a.jpg", b"x"), ("b.jpg", b"x"), ("c.jpg", b"x")]


def test_a_link_to_nothing_and_a_sparse_file_are_refused_by_name(tmp_path):
    for sent, cause in [
        (link("b.jpg", "a.jpg"), "b.jpg is a link to a.jpg, which is not before it"),
        (head("s.jpg", 0, tarfile.GNUTYPE_SPARSE), "s.jpg is packed as a sparse file"),
    ]:
        spool = Spool(tmp_path, 10, 1, 2)
        spool.write(tar(sent))
        with spool.file, pytest.raises(Refused, match=cause):
            spool.index_tar()


def test_links_do_not_make_a_job_larger_than_it_may_be(spool):
    links = [link(f"{number}.jpg", "a.jpg") for number in range(3)]
    spool.write(tar(head("a.jpg", 1 << 20), bytes(1 << 20), *links))
    with pytest.raises(BodyTooLarge, match="over 2 MiB together"):
        spool.index_tar()


@pytest.mark.parametrize(("sent", "zeros"), [(head("a.jpg", 0) * 9_000, 1024), (TWO, 4 << 30)])
def test_a_request_that_ends_while_its_tar_is_read_leaves_other_files_alone(tmp_path, sent, zeros):
    """The next file gets the number of the one that is closed: reading on would move its place."""
    first = Spool(tmp_path, 100_000, 1, 2)
    first.write(sent)
    first.file.truncate(len(sent) + zeros)
    raised: list[BaseException] = []

    def index() -> None:
        try:
            first.index_tar()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=index)
    thread.start()
    time.sleep(0.05)
    number = first.file.fileno()
    first.close()
    second = Spool(tmp_path, 10, 1, 2)
    with second.file:
        assert second.file.fileno() == number
        second.begin("a.jpg")
        for letter in b"abcdefghij":
            second.write(bytes([letter]) * 1000)
            time.sleep(0.005)
        assert list(second.pictures()) == [("a.jpg", b"".join(bytes([letter]) * 1000 for letter in b"abcdefghij"))]
        thread.join()
    assert [type(error) for error in raised] == [ClientGone]
    with pytest.raises(ClientGone):
        first.write(b"x")
