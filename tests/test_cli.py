"""The command, as a person uses it: real pictures, wrong input, pipes, an environment."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from upright.carriers import read_exif_orientation
from upright.cli import main

from .conftest import DEMO, demo_turns


class Outcome(NamedTuple):
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text.splitlines()]


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    def command(*words: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["upright", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Outcome(code, out, err.decode())

    return command


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "photos"))


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_detect_json_answers_each_picture(run: Run) -> None:
    done = run("detect", DEMO, "--json", "--best")
    assert done.code == 0
    assert {Path(str(row["source"])).name: row["turn"] for row in done.rows} == demo_turns()


def test_detect_csv_has_a_header_and_all_rows(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("detect", DEMO, "--csv", "--best").text)))
    assert {Path(row["source"]).name: int(row["turn"]) for row in rows} == demo_turns()
    assert all(abs(sum(float(row[f"score_{turn}"]) for turn in (0, 90, 180, 270)) - 1) < 1e-4 for row in rows)


def test_detect_table_and_timing(run: Run) -> None:
    done = run("detect", DEMO, "--timing", "--best")
    assert "270°" in done.text
    assert "2 already upright, 8 would turn, 0 unsure, 0 failed" in done.err
    assert [line.split()[0] for line in done.err.splitlines()[1:]] == [
        "stage",
        "load",
        "fetch",
        "read",
        "infer",
        "write",
        "total",
    ]


def test_correct_into_a_folder_leaves_the_originals(run: Run, photos: Path, tmp_path: Path) -> None:
    before = bytes_below(photos)
    done = run("correct", photos, "-o", tmp_path / "out", "--best", "--report", tmp_path / "r.html")
    assert done.code == 0, done.err
    assert bytes_below(photos) == before
    assert (tmp_path / "out" / "coffee.jpg").read_bytes() == before["coffee.jpg"]
    assert "<img" in (tmp_path / "r.html").read_text()
    with Image.open(tmp_path / "r.png") as sheet:
        assert sheet.width > 600
    again = run("detect", tmp_path / "out", "--json", "--best")
    assert {row["turn"] for row in again.rows} == {0}
    assert len(again.rows) == len(before)


def test_the_demo_leaves_at_most_one_unsure(run: Run, tmp_path: Path) -> None:
    done = run("correct", DEMO, "-o", tmp_path / "out", "--json")
    assert done.code == 0 and len(done.rows) == len(demo_turns()), done.err
    left = {Path(str(row["source"])).name for row in done.rows if row["turn"] is None}
    assert len(left) <= 1, left
    turns = {Path(str(row["source"])).name: row["turn"] for row in done.rows}
    assert {name: turns[name] for name in turns.keys() - left} == {
        name: turn for name, turn in demo_turns().items() if name not in left
    }


def test_correct_one_file_as_in_the_readme(run: Run, photos: Path, tmp_path: Path) -> None:
    assert run("correct", photos / "page.jpg", "-o", tmp_path / "output.jpeg", "--best").code == 0
    with (tmp_path / "output.jpeg").open("rb") as file:
        assert read_exif_orientation(file).orientation == 8


def test_correct_in_place_and_undo(run: Run, photos: Path, tmp_path: Path) -> None:
    before = bytes_below(photos)
    journal = tmp_path / "turned.jsonl"
    assert run("correct", photos, "--in-place", "--best", "--journal", journal).code == 0
    changed = {name for name, data in bytes_below(photos).items() if data != before[name]}
    assert changed == {name for name, turn in demo_turns().items() if turn}
    assert run("undo", journal).code == 0
    assert bytes_below(photos) == before
    assert {row["outcome"] for row in run("undo", journal, "--json").rows} == {"as it was"}


def test_a_run_in_place_keeps_a_journal_by_itself(run: Run, photos: Path) -> None:
    before = bytes_below(photos)
    done = run("correct", photos, "--in-place", "--best")
    journal = re.search(r"`upright undo` takes this back; the journal is (\S+)", done.err)
    assert journal and f"{journal[1]}: 8 changes, " in run("undo", "--list").text
    assert run("detect", photos, "--best").code == 0
    photos.rename(photos.with_name("pictures"))
    done = run("undo")
    assert (done.code, done.text.count("pictures/"), done.text.count("restored")) == (0, 8, 8)
    assert done.err.endswith("8 restored\n")
    assert bytes_below(photos.with_name("pictures")) == before
    assert run("undo").err.endswith("nothing was left to take back; `upright undo --list` names earlier runs\n")
    (row,) = run("undo", "--list", "--json").rows
    assert (row["journal"], row["changes"], row["folder"]) == (journal[1], 8, str(photos))


def test_a_file_named_twice_is_turned_once(run: Run, photos: Path) -> None:
    page = photos / "page.jpg"
    (photos / "link.jpg").symlink_to(page)
    assert run("correct", page, page, photos / "link.jpg", "--in-place", "--best").code == 0
    with page.open("rb") as file:
        assert read_exif_orientation(file).orientation == 8


def test_undo_leaves_what_changed_since(run: Run, photos: Path, tmp_path: Path) -> None:
    before = bytes_below(photos)
    journal = tmp_path / "turned.jsonl"
    run("correct", photos, "--in-place", "--best", "--journal", journal)
    (photos / "page.jpg").write_bytes(b"mine")
    done = run("undo", journal)
    assert done.code == 1
    assert "page.jpg" in done.err
    assert bytes_below(photos) == before | {"page.jpg": b"mine"}


def test_dry_run_writes_nothing(run: Run, photos: Path) -> None:
    before = bytes_below(photos.parent)
    done = run("correct", photos, "--in-place", "--dry-run", "--json", "--best")
    assert {row["correction"]["written"] for row in done.rows} == {False}  # type: ignore[index]
    assert bytes_below(photos.parent) == before


def test_pipe_through(run: Run) -> None:
    data = (DEMO / "page.jpg").read_bytes()
    done = run("correct", "-", "-o", "-", "--best", stdin=data)
    assert done.code == 0
    assert read_exif_orientation(done.out).orientation == 8
    assert run("detect", "-", "--json", "--best", stdin=done.out).rows[0]["turn"] == 0


def test_bad_pictures_do_not_stop_the_others(run: Run, photos: Path) -> None:
    (photos / "text.jpg").write_text("hello")
    (photos / "empty.jpg").touch()
    odd = os.fsdecode(b"odd\n\xff.jpg")
    (photos / odd).write_bytes((photos / "page.jpg").read_bytes())
    (photos / "dangling.jpg").symlink_to("nowhere")
    names = [photos / "text.jpg", photos / "empty.jpg", photos / "missing.jpg", photos]
    done = run("detect", *names, "--best")
    assert done.code == 1
    assert "odd\\n\\udcff.jpg" in done.text
    names_again = {row["source"] for row in run("detect", *names, "--json").rows}
    assert str(photos / odd) in names_again, "programs get the exact name"
    for name, cause in (
        ("text.jpg", "not a picture format"),
        ("empty.jpg", "empty"),
        ("missing.jpg", "no such file"),
        ("dangling.jpg", "link"),
    ):
        line = next(line for line in done.err.splitlines() if name in line)
        assert cause in line
        assert "; " in line, "the remedy is missing"
    assert "2 already upright, 9 would turn, 0 unsure, 4 failed" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["correct", DEMO], "where to write is not said; give -o OUT or --in-place"),
        (["correct", DEMO, "--in-place", "-o", "x"], "-o and --in-place contradict each other"),
        (["correct", "-", "--in-place"], "standard input"),
        (["correct", DEMO, "-o", "-"], "only one picture"),
        (["correct", DEMO, "-o", "x", "--journal", "j"], "notes changes in place"),
        (["detect", DEMO, "--model", "nowhere"], "no model here"),
        (["detect"], "nothing to work on"),
        (["detect", DEMO, "--effort", "4"], "4 is not in the range 0<=x<=3"),
        (["nonsense"], "no command and no file"),
        (["detect", DEMO, "--model", "nowhere"], "or one that comes with upright: upright-1"),
    ],
)
def test_wrong_use_is_one_clear_line(run: Run, words: list[object], message: str) -> None:
    done = run(*words)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_picture_is_not_written_onto_a_terminal() -> None:
    terminal, end = os.openpty()
    command = [sys.executable, "-m", "upright", "correct", DEMO / "page.jpg", "-o", "-"]
    done = subprocess.run(command, stdout=end, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(end)
    os.close(terminal)
    assert (done.returncode, done.stderr.partition(";")[0]) == (2, "upright: standard output is a terminal")


def test_what_is_unsure_is_reviewed_where_it_was_written(run: Run, photos: Path, tmp_path: Path) -> None:
    hint = "`upright review {}` shows you what is unsure, one key each"
    done = run("correct", photos / "rocket.jpg", photos / "page.jpg", "-o", tmp_path / "o ut")
    assert hint.format(f"'{tmp_path}/o ut'") in done.err.splitlines() and "(best guess 90, left alone)" in done.text
    assert hint.format(photos / "rocket.jpg") in run("correct", photos / "rocket.jpg", "--in-place").err.splitlines()
    assert "review" not in run("correct", photos / "rocket.jpg", "--in-place", "--json").err


def test_existing_targets_are_not_replaced_unasked(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "output.jpeg"
    target.write_bytes(b"precious")
    done = run("correct", DEMO / "page.jpg", "-o", target, "--best")
    assert done.code == 1
    assert "--overwrite" in done.err
    assert target.read_bytes() == b"precious"
    assert run("correct", DEMO / "page.jpg", "-o", target, "--best", "--overwrite").code == 0


def test_what_cannot_be_written_is_said_before_anything_is(run: Run, photos: Path, tmp_path: Path) -> None:
    before, notes = bytes_below(photos), tmp_path / "notes"
    notes.write_text("mine")
    for words, message in (
        (["-o", tmp_path / "one.jpg"], "is the name of one picture, and there are several"),
        (["-o", photos], "the folder that corrected pictures are written into is a source"),
        (["--in-place", "--journal", notes], "not a journal of upright"),
    ):
        result = run("correct", photos, "--turn", "90", *words)
        assert result.code in (1, 2) and message in result.err and not result.out
    assert bytes_below(photos) == before and notes.read_text() == "mine"
    assert not (tmp_path / "one.jpg").exists()
    # An OUT inside the source is written into, and not searched the next time.
    for _ in range(2):
        result = run("correct", photos, "-o", photos / "out", "--turn", "90")
        assert result.code == 0, result.err
    assert "skipped: 1 the folder of corrected pictures" in result.err
    assert {name for name in bytes_below(photos) if name.startswith("out")} == {f"out/{name}" for name in before}


def test_the_source_is_no_target(run: Run, photos: Path) -> None:
    before = bytes_below(photos)
    for out in (photos, photos / "page.jpg"):
        done = run("correct", photos / "page.jpg", "-o", out, "--best", "--overwrite")
        assert done.code == 1 and "the target is the source" in done.err
    assert bytes_below(photos) == before


def test_what_is_passed_over_is_said(run: Run, tmp_path: Path) -> None:
    assert "no picture was found" in run("detect", tmp_path).err
    (tmp_path / "notes.txt").write_text("nothing to see")
    assert "no picture was found; 0 unsure, 0 failed; skipped: 1 not a picture" in (
        run("detect", tmp_path, "--json").err
    )
    shutil.copy(DEMO / "page.jpg", tmp_path)
    assert "skipped: 1 not a picture" in run("detect", tmp_path).err


def test_a_shard_and_a_list_are_sources_of_every_command(run: Run, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(DEMO / "page.jpg", "scans/page.jpg")
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'a.tar'}\n")
    rows = run("detect", "--list", tmp_path / "list.txt", "--json", "--best").rows
    assert [(row["source"], row["turn"]) for row in rows] == [(f"{tmp_path}/a.tar/scans/page.jpg", 270)]
    assert run("correct", tmp_path / "a.tar", "-o", tmp_path / "out", "--best").code == 0
    with (tmp_path / "out" / "a.tar" / "scans" / "page.jpg").open("rb") as file:
        assert read_exif_orientation(file).orientation == 8


def test_options_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPRIGHT_DETECT_EFFORT", "1")
    assert run("detect", DEMO / "rocket.jpg", "--json").rows[0]["views"] == 4


@pytest.mark.slow
def test_interrupt_stops_with_130_and_loses_nothing(photos: Path) -> None:
    for copy in range(30):
        shutil.copytree(DEMO, photos / f"{copy}")
    before = bytes_below(photos)
    command = [sys.executable, "-m", "upright", "correct", str(photos), "--in-place", "--best", "--json"]
    command += ["--journal", str(photos.parent / "j.jsonl")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, b"Traceback" in err) == (130, False), err.decode()
    undone = subprocess.run([sys.executable, "-m", "upright", "undo", str(photos.parent / "j.jsonl")], timeout=60)
    assert undone.returncode == 0
    assert bytes_below(photos) == before


@pytest.mark.slow
@pytest.mark.slow
def test_two_runs_at_once_turn_nothing_twice(tmp_path: Path) -> None:
    """Each of two processes decides about files that the other is turning."""
    folder, journal = tmp_path / "photos", tmp_path / "turned.jsonl"
    for copy in range(5):
        shutil.copytree(DEMO, folder / f"{copy}", ignore=shutil.ignore_patterns("*.tif", "*.webp", "rocket*"))
    before = bytes_below(folder)
    alone = tmp_path / "alone"
    shutil.copytree(folder / "0", alone)
    command = [sys.executable, "-m", "upright", "correct", "--in-place", "--best", "--json", "--journal"]
    subprocess.run([*command, str(tmp_path / "j"), str(alone)], check=True, stdout=subprocess.DEVNULL, timeout=100)
    expected = bytes_below(alone)
    both = [
        subprocess.Popen([*command, str(journal), str(folder)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    rows = [json.loads(line) for process in both for line in process.communicate(timeout=500)[0].splitlines()]
    assert len(rows) == 2 * len(before)
    assert {copy: bytes_below(folder / f"{copy}") for copy in range(5)} == dict.fromkeys(range(5), expected)
    met = [row["cause"] for row in rows if "error" in row]
    assert all("in the meantime" in cause for cause in met), met
    undone = subprocess.run([sys.executable, "-m", "upright", "undo", str(journal)], timeout=60, capture_output=True)
    assert undone.returncode == 0, undone.stderr
    assert bytes_below(folder) == before


@pytest.mark.slow
def test_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m upright detect {DEMO} {DEMO} --json | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)
    assert done.stderr == ""


@pytest.mark.slow
def test_progress_is_shown_only_to_a_person(tmp_path: Path) -> None:
    """Standard error on a terminal, rows into a file: a bar; without a terminal: none."""
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "upright", "detect", *[str(DEMO)] * 8, "--json"]
    with (tmp_path / "rows").open("wb") as rows:
        subprocess.run(command, stdout=rows, stderr=follower, check=True, timeout=60)
    os.close(follower)
    assert b" of 80 pictures" in os.read(leader, 100_000)
    os.close(leader)
    quiet = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert quiet.stderr == b""
