"""Drives that are not ext4, by a shim that refuses what theirs refuse: corrections and undo work all the same."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path, PurePath

import pytest

from upright import atomic, correct, undo
from upright.atomic import PREFIX
from upright.errors import WriteFailed

from .conftest import DEMO

#: What drives answer: CIFS and exFAT to chmod, chown and link, gvfs and FUSE to fsync, times and locks.
SHIM = """
#include <errno.h>
#include <sys/types.h>
#include <sys/stat.h>
#include <time.h>
#define REFUSE(name, error, ...) int name(__VA_ARGS__) { errno = error; return -1; }
REFUSE(fchmod, EPERM, int handle, mode_t mode)
REFUSE(fchown, EPERM, int handle, uid_t user, gid_t group)
REFUSE(futimens, EPERM, int handle, const struct timespec times[2])
REFUSE(fsync, EINVAL, int handle)
REFUSE(flock, ENOTSUP, int handle, int operation)
REFUSE(link, EPERM, const char *old, const char *new)
REFUSE(linkat, EPERM, int a, const char *old, int b, const char *new, int flags)
REFUSE(fsetxattr, ENOTSUP, int handle, const char *name, const void *value, size_t size, int flags)
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> str:
    compiler = shutil.which("cc") or pytest.skip("cc is not installed")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "shim.so", folder / "shim.c"], check=True)
    return str(folder / "shim.so")


def upright(shim: str, *words: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LD_PRELOAD": shim}
    command = [sys.executable, "-m", "upright", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


@pytest.mark.parametrize("method", ["tag", pytest.param("turn", marks=pytest.mark.slow)])
def test_a_drive_that_refuses_everything_but_bytes(shim: str, tmp_path: Path, method: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    before = (DEMO / "receipt.png").read_bytes()
    (photos / "a.png").write_bytes(before)
    (photos / "a.png").chmod(0o640)
    os.utime(photos / "a.png", ns=(10**18, 10**18))
    journal = tmp_path / "journal.jsonl"
    done = upright(shim, "correct", photos, "--in-place", "--method", method, "--journal", journal, "--json")
    row = json.loads(done.stdout)
    assert (done.returncode, row["outcome"]) == (0, "turned"), done.stderr
    assert row["correction"]["note"].endswith("its mode, times could not be kept")
    assert (photos / "a.png").read_bytes() != before
    assert not list(photos.glob(f"{PREFIX}*"))
    done = upright(shim, "correct", photos / "a.png", "-o", tmp_path / "copies" / "b.png", "--json")
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "already upright"), done.stderr
    done = upright(shim, "undo", journal)
    assert (done.returncode, (photos / "a.png").read_bytes()) == (0, before), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")
def test_what_cannot_be_kept_of_a_file_of_another_user_is_said() -> None:
    folder = Path(tempfile.mkdtemp())
    photo = folder / "a.png"
    shutil.copy(DEMO / "receipt.png", photo)
    correct(photo, turn=90, in_place=True)  # what is imported is imported as the user who may
    os.chown(photo, 12345, 12345)
    photo.chmod(0o6755)
    folder.chmod(0o777)
    os.setegid(65534), os.seteuid(65534)
    try:
        done = correct(photo, turn=90, in_place=True)
    finally:
        os.seteuid(0), os.setegid(0)
    assert done.note == "its owner could not be kept"
    facts = photo.stat()
    assert (facts.st_uid, facts.st_mode & 0o7777) == (65534, 0o755), "the old owner's setuid is not the new one's"
    shutil.rmtree(folder)


def test_nobody_else_reads_what_is_private_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = tmp_path / "a.png"
    shutil.copy(DEMO / "receipt.png", photo)
    photo.chmod(0o600)
    modes = []
    dress = atomic._dress

    def seen(handle: int, like: str | None, keep_times: bool) -> list[str]:
        modes.append(os.fstat(handle).st_mode & 0o777)
        return dress(handle, like, keep_times)

    monkeypatch.setattr(atomic, "_dress", seen)
    correct(photo, turn=90, in_place=True, journal=tmp_path / "j")
    assert modes == [0o600]
    assert [each.outcome for each in undo(tmp_path / "j")] == ["restored"]
    assert photo.stat().st_mode & 0o777 == 0o600


def test_bytes_are_on_the_disk_before_their_name_is_and_the_name_before_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced, fsync = tmp_path / "a", [], os.fsync

    def noted(handle: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), target.exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    atomic.write(str(target), [b"new"])
    assert synced == [(False, False), (True, True)]


@pytest.mark.parametrize(("error", "remedy"), [(errno.ENOSPC, "free disk space"), (errno.EIO, "is writable")])
def test_what_does_not_reach_the_disk_takes_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, remedy: str
) -> None:
    def full(_: int) -> None:
        raise OSError(error, os.strerror(error))

    (target := tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteFailed, match=remedy):
        atomic.write(str(target), [b"new"])
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_without_hard_links_nothing_is_replaced_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    (target := tmp_path / "a").write_bytes(b"another's")
    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(WriteFailed, match="another file of this name"):
        atomic.write(str(target), [b"new"], overwrite=False)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"another's"]
    atomic.write(str(tmp_path / "b"), [b"new"], overwrite=False)
    assert (tmp_path / "b").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["..", "a/../../b", "/etc/passwd", "a\0b", ""])
def test_no_name_leads_out_of_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(WriteFailed, match="leads out"):
        atomic.below(tmp_path, PurePath(name))
    assert atomic.below(tmp_path, PurePath("a/b..c")) == tmp_path / "a/b..c"


@pytest.mark.slow
def test_names_that_a_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    shutil.copy(DEMO / "settings.png", tmp_path / "日本.png")
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "upright", "detect", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=300, check=False)
    assert (done.returncode, b"\\u65e5\\u672c.png" in done.stdout) == (0, True), done.stderr
    assert "0°".encode("latin-1") in done.stdout
