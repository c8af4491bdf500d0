"""Uploads of jobs on disk: a full disk, hostile tars, long names."""

from __future__ import annotations

import resource
import shutil
import subprocess
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


def test_an_upload_of_which_the_disk_takes_a_part_alone_is_told(tmp_path):
    spool, (soft, hard) = Spool(tmp_path, 10, 1, 2), resource.getrlimit(resource.RLIMIT_FSIZE)
    with spool.file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(StorageFull):
                spool.write(bytes(1500))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert spool.file.tell() == 1000


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
    with pytest.raises(Refused, match="a head of over 1,048,576 bytes"):
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


def link(name: str, to: str, kind: bytes = tarfile.LNKTYPE) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, to
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


def test_members_that_cannot_be_read_say_why_beside_those_that_can(spool):
    kinds = [link("s.jpg", "a.jpg", tarfile.SYMTYPE), link("h.jpg", "s.jpg"), head("dev", 0, tarfile.CHRTYPE)]
    kinds += [head("pipe", 0, tarfile.FIFOTYPE), head("d", 0, tarfile.DIRTYPE), head("label", 0, b"V")]
    spool.write(tar(link("b.jpg", "a.jpg"), head("a.jpg", 1), b"x", *kinds, link("c.jpg", "a.jpg")))
    spool.index_tar()
    found = [(name, data if isinstance(data, bytes) else str(data)) for name, data in spool.pictures()]
    assert found == [
        ("b.jpg", "b.jpg: a link to a.jpg, which is no file before it; pack it with --hard-dereference"),
        ("a.jpg", b"x"),
        ("s.jpg", "s.jpg: a symbolic link to a.jpg; pack what it leads to: with --dereference"),
        ("h.jpg", "h.jpg: a link to s.jpg, which is no file before it; pack it with --hard-dereference"),
        ("dev", "dev: no regular file; leave it out"),
        ("pipe", "pipe: no regular file; leave it out"),
        ("c.jpg", b"x"),
    ]


@pytest.mark.skipif(not shutil.which("tar"), reason="has tar pack them")
@pytest.mark.parametrize("form", ["gnu", "pax --sparse-version=0.0", "pax --sparse-version=0.1", "pax"])
def test_a_sparse_file_and_what_a_symbolic_link_leads_to(spool, tmp_path, form):
    with (tmp_path / "s.bmp").open("wb") as file:
        for at in range(1, 60):
            file.seek(at << 16)
            file.write(b"x")
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "b.jpg").write_bytes(b"yy")
    command = ["tar", "-c", "--sparse", f"--format={form}".split()[0], *form.split()[1:], "-C", str(tmp_path)]
    packed = subprocess.run([*command, "s.bmp", "a.jpg", "b.jpg"], stdout=subprocess.PIPE, check=True).stdout
    assert len(packed) < 1 << 20
    spool.write(packed)
    spool.index_tar()
    (sparse, link, data) = spool.pictures()
    assert sparse[0] == "s.bmp" and str(sparse[1]) == "s.bmp: packed as a sparse file; pack it without --sparse"
    assert link[0] == "a.jpg" and "a symbolic link to b.jpg" in str(link[1])
    assert data == ("b.jpg", b"yy")


def test_the_map_of_a_sparse_file_takes_no_memory(spool):
    records = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    spool.write(tar(head("x", len(records), tarfile.XHDTYPE), records)[:1024])
    spool.write(head("s.bmp", 20_000_000) + b"10000000\n" + b"1\n" * 10_000_000)
    spool.write(bytes(2048))
    tracemalloc.start()
    with pytest.raises(Refused, match="a head of over 1,048,576 bytes"):
        spool.index_tar()
    assert tracemalloc.get_traced_memory()[1] < 30 << 20
    tracemalloc.stop()


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
