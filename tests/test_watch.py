"""A folder that is watched: whole files only, once, by one process, and on after a restart."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from upright.carriers import read_exif_orientation, sidecar
from upright.cli import cli
from upright.turns import ExifOrientation

from .conftest import DEMO

pytestmark = pytest.mark.slow
WATCH = [sys.executable, "-m", "upright", "watch"]
#: The same, with short intervals.
SOON = "from upright.cli import main, watch; watch.EVERY_S = 0.1; watch.AGAIN_AFTER_S = 0.5; main()"
#: The same, killed when its first file has its name and is not noted yet.
KILLED = f"import os; from upright.cli import watched; watched._is = lambda *_: os.kill(os.getpid(), 9); {SOON}"


@contextlib.contextmanager
def watching(
    folder: Path | str, out: Path, *more: str, start: tuple[str, ...] = tuple(WATCH), settle_s: float = 1.5
) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"XDG_STATE_HOME": str(out.parent / "state")}
    command = [*start, str(folder), "-o", str(out), "--settle-s", str(settle_s), *more]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stderr is not None and "watching" in process.stderr.readline()
            yield process
        finally:  # a failed test would wait for it for ever
            process.kill()


def watching_closely(
    folder: Path | str, out: Path, *more: str
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return watching(folder, out, *more, start=(sys.executable, "-c", SOON, "watch"), settle_s=0.3)


def until(reached: Callable[[], object], process: subprocess.Popen[str], seconds: float = 60) -> None:
    last = time.monotonic() + seconds
    while not reached():
        assert process.poll() is None and time.monotonic() < last
        time.sleep(0.05)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    until(path.exists, process)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """How a watch ends, and what it said."""
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def is_turned(path: Path) -> bool:
    with path.open("rb") as file:
        return read_exif_orientation(file).orientation is ExifOrientation.LEFT_BOTTOM


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


@pytest.mark.parametrize("name", ["./in", "in//", "in/../in", "."])
def test_a_folder_is_watched_however_it_is_written(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder if name == "." else tmp_path)
    with watching_closely(name, tmp_path / "out") as process:
        wait_for(tmp_path / "out" / "page.jpg", process)
        assert ended(process)[0] == 0


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").touch()
    for words, cause in (
        ([tmp_path, "-o", tmp_path], "is the folder that is watched"),
        ([tmp_path / "page.jpg", "-o", tmp_path / "out"], "page.jpg: a file, not a folder; name the folder to watch"),
        ([tmp_path / "scans", "-o", tmp_path / "out"], "scans: there is no such folder; name the folder to watch"),
        ([tmp_path, tmp_path, "-o", tmp_path / "out"], "one folder can be watched"),
        ([tmp_path, "-o", tmp_path / "out", "--in-place"], "--in-place does not go with watch"),
    ):
        done = subprocess.run([*WATCH, *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and cause in done.stderr, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a picture that needs a turn."""
    (tmp_path / "in").mkdir()
    shutil.copy(DEMO / "page.jpg", tmp_path / "in")
    return tmp_path / "in"


def test_a_file_from_the_future_is_taken(folder: Path, tmp_path: Path) -> None:
    later = time.time() + 10**6
    os.utime(folder / "page.jpg", (later, later))
    with watching_closely(folder, tmp_path / "out") as process:
        wait_for(tmp_path / "out" / "page.jpg", process)
        assert ended(process)[0] == 0
    assert is_turned(tmp_path / "out" / "page.jpg")


def test_another_file_in_its_place_is_told_once_and_the_picture_comes_when_it_has_gone(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy2(folder / "page.jpg", out)  # of the same size and times
    lying = (out / "page.jpg").read_bytes()
    with watching_closely(folder, out) as process:
        shutil.copy(DEMO / "settings.png", folder)
        wait_for(out / "settings.png", process)
        time.sleep(1.5)
        assert (out / "page.jpg").read_bytes() == lying
        (out / "page.jpg").unlink()
        wait_for(out / "page.jpg", process)
        code, said = ended(process)
    assert said.count("another file is at the target") == 1
    assert code == 0 and "1 already upright, 1 turned, 0 unsure, 0 failed" in said, said
    assert is_turned(out / "page.jpg")


def test_a_folder_that_cannot_be_written_is_tried_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("in the way")
    with watching_closely(folder, out) as process:
        assert process.stderr is not None and "the folder cannot be made" in process.stderr.readline()
        out.unlink()
        wait_for(out / "page.jpg", process)
        code, said = ended(process)
    assert code == 0 and "1 turned, 0 unsure, 0 failed" in said and is_turned(out / "page.jpg")


@pytest.mark.parametrize("restarted", [False, True])
def test_a_writer_that_pauses_has_its_half_picture_replaced(folder: Path, tmp_path: Path, restarted: bool) -> None:
    out, whole = tmp_path / "out" / "page.jpg", (folder / "page.jpg").read_bytes()
    (folder / "page.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(watching_closely(folder, out.parent))
        wait_for(out, process)
        if restarted:
            assert ended(process)[0] == 0
            process = stack.enter_context(watching_closely(folder, out.parent))
        with (folder / "page.jpg").open("ab") as file:
            file.write(whole[len(whole) * 2 // 3 :])
        until(lambda: out.stat().st_size >= len(whole), process)
        assert is_turned(out)
        # What somebody changed since is not replaced.
        out.write_bytes(b"precious")
        (folder / "page.jpg").write_bytes((DEMO / "astronaut.jpg").read_bytes())
        assert process.stderr is not None
        until(lambda: "another file is at the target" in process.stderr.readline(), process)
        assert ended(process)[0] == 1
    assert out.read_bytes() == b"precious"


def test_a_watch_that_was_killed_as_it_wrote_knows_its_file(folder: Path, tmp_path: Path) -> None:
    """Between the file's having its name and the note of what it then is."""
    out, whole = tmp_path / "out" / "page.jpg", (folder / "page.jpg").read_bytes()
    (folder / "page.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    with watching(folder, out.parent, start=(sys.executable, "-c", KILLED, "watch"), settle_s=0.3) as process:
        assert process.wait(60) == -signal.SIGKILL
    half = out.read_bytes()
    with (folder / "page.jpg").open("ab") as file:
        file.write(whole[len(whole) * 2 // 3 :])
    with watching_closely(folder, out.parent) as process:
        until(lambda: out.stat().st_size >= len(whole), process)
        assert ended(process)[0] == 0
    assert is_turned(out) and len(half) < len(whole)


def test_what_somebody_put_in_place_of_a_file_of_a_killed_watch_stays(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "page.jpg"
    with watching(folder, out.parent, start=(sys.executable, "-c", KILLED, "watch"), settle_s=0.3) as process:
        assert process.wait(60) == -signal.SIGKILL
    out.write_bytes(b"precious")
    with watching_closely(folder, out.parent) as process:
        assert process.stderr is not None
        until(lambda: "another file is at the target" in process.stderr.readline(), process)
    assert out.read_bytes() == b"precious"


def test_a_sidecar_that_it_wrote_goes_with_its_picture(folder: Path, tmp_path: Path) -> None:
    beside = tmp_path / "out" / "page.jpg.xmp"
    with Image.open(folder / "page.jpg") as image:
        turned = {1: image.transpose(Image.Transpose.ROTATE_90), 6: image.transpose(Image.Transpose.ROTATE_180)}
    with watching_closely(folder, beside.parent, "--sidecar") as process:
        wait_for(beside, process)
        assert sidecar.read(beside) == 8
        for orientation, picture in turned.items():
            picture.save(folder / "page.jpg", quality=90)
            until(lambda wanted=orientation: sidecar.read(beside) == wanted, process)
        assert ended(process)[0] == 0


def test_what_is_done_is_not_done_again_and_what_was_removed_is(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copy(DEMO / "settings.png", folder)
    with watching_closely(folder, out) as process:
        until(lambda: out.is_dir() and len(list(out.glob("*.*g"))) == 2, process)
        assert ended(process)[0] == 0
    (out / "settings.png").unlink()
    with watching_closely(folder, out) as process:
        wait_for(out / "settings.png", process)
        code, said = ended(process)
    assert code == 0 and "1 already upright, 0 unsure" in said


def test_help_shows_no_option_that_is_refused() -> None:
    def shown(command: str) -> set[str]:
        words = CliRunner().invoke(cli, [command, "--help"]).output.split()
        return {"--in-place", "--dry-run", "--journal", "--list", "--report"}.intersection(words)

    assert shown("watch") == set() and len(shown("correct")) == 5
