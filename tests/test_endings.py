"""However a command ends, it says what was done and how to take it back, and nothing else goes where answers go."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import upright.atomic
import upright.cli.running
from upright.errors import UsageError, WriteFailed
from upright.journal import journals_of, runs
from upright.machine import cache_folder, state_folder

from .conftest import DEMO
from .conftest import upright as command

COMMAND = [sys.executable, "-m", "upright"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (folder := tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        shutil.copy(DEMO / "page.jpg", folder / name)
    return folder


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def full_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the report is written."""
    write = upright.atomic.write

    def full(target: str, *rest: Any, **how: Any) -> list[str]:
        if target.endswith(".html"):
            raise WriteFailed("the new file could not be written (No space left on device)", source=target)
        return write(target, *rest, **how)

    monkeypatch.setattr(upright.atomic, "write", full)


@pytest.mark.usefixtures("full_at_the_end")
def test_a_report_that_fails_in_the_end_hides_nothing(photos: Path, tmp_path: Path) -> None:
    before = bytes_in(photos)
    done = command("correct", photos, "--in-place", "--turn", 90, "--report", tmp_path / "r.html")
    (run,) = runs()
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            f"`upright undo` takes this back; the journal is {run.journal}",
            "done until then, at least: 3 turned, 0 unsure, 0 failed",
            f"upright: {tmp_path}/r.html: the new file could not be written (No space left on device)",
        ],
    )
    assert command("undo").returncode == 0 and bytes_in(photos) == before
    done = command("batch", photos, "-o", tmp_path / "rows.jsonl", "--in-place", "--report", tmp_path / "r.html")
    assert done.returncode == 1 and "takes this back" in done.stderr
    assert f"3 turned, 0 unsure, 0 failed; 0 were done before: {tmp_path}/rows.jsonl" in done.stderr


def test_a_turn_by_hand_that_was_stopped_is_taken_back_first(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = upright.cli.running.work

    def stopped(*given: Any, **how: Any) -> Iterator[Any]:
        for outcome in work(*given, **how):
            os.kill(os.getpid(), signal.SIGTERM)
            yield outcome
            return

    words = ("correct", photos, "--in-place", "--turn", 90, "--method", "turn", "--workers", 1)
    before = bytes_in(photos)
    monkeypatch.setattr(upright.cli.running, "work", stopped)
    done = command(*words)
    monkeypatch.setattr(upright.cli.running, "work", work)
    (run,) = runs()
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 130 and f"; run `upright undo {run.journal}` first, then run the same command" in last
    assert command("undo", run.journal).returncode == 0 and bytes_in(photos) == before
    assert command(*words).returncode == 0
    assert command("correct", DEMO / "page.jpg", "-o", photos.parent / "once.jpg", *words[3:]).returncode == 0
    assert set(bytes_in(photos).values()) == {(photos.parent / "once.jpg").read_bytes()}


def test_ctrl_c_while_the_model_is_loaded_ends_the_run(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = upright.cli.running.open_detector

    def interrupted(*given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return opened(*given)

    monkeypatch.setattr(upright.cli.running, "open_detector", interrupted)
    done = command("detect", photos)
    assert done.returncode == 130 and "stopped: 0 unsure, 0 failed; run the same command again" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_one_line_and_the_way_back(photos: Path, unbuffered: str) -> None:
    environment, before = os.environ | {"PYTHONUNBUFFERED": unbuffered}, bytes_in(photos)

    def said(*words: object) -> list[str]:
        with Path("/dev/full").open("w") as full:
            how: dict[str, Any] = {"stdout": full, "stderr": subprocess.PIPE, "env": environment, "timeout": 60}
            done = subprocess.run([*COMMAND, *map(str, words)], text=True, check=False, **how)
        assert done.returncode == 1
        return str(done.stderr).splitlines()

    why = "standard output cannot be written (No space left on device); make room where it goes, or send it elsewhere"
    undo_line, counts, error = said("correct", photos, "--in-place", "--turn", "90")
    assert undo_line.startswith("`upright undo` takes this back; the journal is ") and error == f"upright: {why}"
    assert counts.startswith("done until then, at least: ")
    assert said("undo")[-1] == f"upright: {why}" and bytes_in(photos) == before
    for words in (("detect", photos, "--csv"), ("--help",)):
        assert said(*words)[-1] == f"upright: {why}"
    assert said("correct", photos / "a.jpg", "--turn", "90", "-o", "-")[-1].endswith(f"a.jpg: {why}")


@pytest.mark.slow
@pytest.mark.parametrize("words", [["correct", "--in-place", "--turn", "90"], ["correct", "-o", "-", "--turn", "90"]])
def test_nobody_reads_the_output(photos: Path, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    source = photos if "--in-place" in words else photos / "a.jpg"
    done = subprocess.run([*COMMAND, *words, source], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.returncode == 141 and "Traceback" not in done.stderr
    assert ("`upright undo` takes this back" in done.stderr) == ("--in-place" in words)


@pytest.mark.parametrize("form", ["--table", "--json", "--csv"])
def test_nothing_but_the_picture_goes_where_it_is_piped(tmp_path: Path, form: str) -> None:
    (tmp_path / "n.jpg").write_text("hello\n")
    done = command("correct", tmp_path / "n.jpg", "-o", "-", form)
    assert (done.returncode, done.stdout) == (1, "") and "n.jpg" in done.stderr


@pytest.mark.parametrize(("folder", "variable"), [(state_folder, "XDG_STATE_HOME"), (cache_folder, "XDG_CACHE_HOME")])
def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch, folder: Any, variable: str) -> None:
    def homeless(_: object = None) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UsageError, match=f"no home folder; set {variable} to"):
        folder()
    if folder is state_folder:
        for words in (["undo"], ["undo", "--list"], ["correct", DEMO / "page.jpg", "--in-place"]):
            done = command(*words)
            assert (done.returncode, done.stdout) == (2, "") and "set XDG_STATE_HOME to" in done.stderr
        assert journals_of("review") == [], "a review whose journal and decisions are named needs no home"


def test_a_watch_without_a_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "below"))
    (tmp_path / "file").touch()
    done = command("watch", tmp_path, "-o", tmp_path / "out")
    assert done.returncode == 2 and "set XDG_STATE_HOME to a folder that can be" in done.stderr
