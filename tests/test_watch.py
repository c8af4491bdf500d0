"""A folder that is watched: whole files only, once, by one process, and on after a restart."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from upright.carriers import read_exif_orientation
from upright.turns import ExifOrientation

from .conftest import DEMO

pytestmark = pytest.mark.slow
WATCH = [sys.executable, "-m", "upright", "watch"]


@contextmanager
def watching(folder: Path, out: Path) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"XDG_STATE_HOME": str(out.parent / "state")}
    command = [*WATCH, str(folder), "-o", str(out), "--settle-s", "1.5"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None and "watching" in process.stderr.readline()
        yield process
        process.kill()


def wait_for(path: Path, process: subprocess.Popen[str], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until, path
        time.sleep(0.05)


def test_a_scanner_s_folder(tmp_path: Path) -> None:
    folder, out = tmp_path / "scanner", tmp_path / "out"
    folder.mkdir()
    shutil.copy(DEMO / "receipt.png", folder)
    with watching(folder, out) as process:
        wait_for(out / "receipt.png", process)
        data = (DEMO / "page.jpg").read_bytes()
        with (folder / "page.jpg").open("wb") as file:
            for start in range(0, len(data), len(data) // 8):
                file.write(data[start : start + len(data) // 8])
                file.flush()
                time.sleep(0.3)
                assert not (out / "page.jpg").exists(), "it was still being written"
        wait_for(out / "page.jpg", process)
        environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}
        command = [*WATCH, str(folder), "-o", str(tmp_path / "other")]
        second = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert second.returncode == 2 and "being watched already" in second.stderr
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0 and "2 turned" in said
    with (out / "page.jpg").open("rb") as file:
        assert read_exif_orientation(file).orientation is ExifOrientation.LEFT_BOTTOM
    assert (folder / "page.jpg").read_bytes() == data

    written = {path.name: path.stat().st_ctime_ns for path in out.iterdir()}
    shutil.copy(DEMO / "settings.png", folder)
    with watching(folder, out) as process:
        wait_for(out / "settings.png", process)
        process.send_signal(signal.SIGINT)
        assert "1 already upright" in process.communicate(timeout=60)[1]
    assert {path.name: path.stat().st_ctime_ns for path in out.iterdir() if path.name in written} == written


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    for words, cause in (
        ([tmp_path, "-o", tmp_path], "is the folder that is watched"),
        ([tmp_path / "page.jpg", "-o", tmp_path / "out"], "one folder can be watched"),
        ([tmp_path, "-o", tmp_path / "out", "--in-place"], "--in-place does not go with watch"),
    ):
        done = subprocess.run([*WATCH, *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and cause in done.stderr, done.stderr
