"""Which run is taken back, and where its files are found."""

import hashlib
import io
import os
import time
from pathlib import Path

import pytest
from PIL import Image

from upright.correction import correct
from upright.errors import JournalError
from upright.formats import Edit
from upright.journal import Intent, Journal, run_journal, runs, undo

from .conftest import upright


def saved(form: str) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 96), 60).convert("RGB").save(out, form)
    return out.getvalue()


SOURCES = {name: saved(form) for name, form in (("a.jpg", "JPEG"), ("d.png", "PNG"), ("g.bmp", "BMP"))}


@pytest.fixture
def pictures(tmp_path: Path) -> dict[Path, bytes]:
    found = {tmp_path / name: data for name, data in SOURCES.items()}
    for path, data in found.items():
        path.write_bytes(data)
    return found


def test_the_last_run_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with pytest.raises(JournalError, match="no run has left a journal"):
        undo()
    originals = {name: SOURCES[name] for name in ("a.jpg", "g.bmp")}
    for name, data in originals.items():
        (tmp_path / name).write_bytes(data)
        correct(tmp_path / name, in_place=True, turn=90, journal=run_journal())
    run_journal()  # a run without a change leaves nothing
    last, first = runs()
    assert (last.changes, first.changes, first.backup_bytes) == (1, 1, 0)
    assert last.backup_bytes == len(originals["g.bmp"])
    for expected in ("restored", "as it was"):
        assert [entry.outcome for entry in undo()] == [expected]
    assert (tmp_path / "g.bmp").read_bytes() == originals["g.bmp"]
    assert (tmp_path / "a.jpg").read_bytes() != originals["a.jpg"]


@pytest.fixture
def no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def run_in(zone: str, path: Path) -> Path:
    """The journal of a run that turns this picture, where clocks show the time of this zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        correct(path, in_place=True, turn=90, journal=(book := run_journal()))
    time.tzset()
    return book.path


@pytest.mark.usefixtures("no_runs")
def test_the_last_run_is_the_last_by_time_wherever_the_clock_was(pictures: dict[Path, bytes]) -> None:
    first, second, third, *_ = pictures
    early = run_in("Asia/Tokyo", first)
    # As older versions named them: by the time that the clock shows.
    early = early.rename(early.with_name("2999-01-01-000000-000000000.jsonl"))
    late = run_in("America/New_York", second)
    os.utime(early, (2e9, 2e9))
    os.utime(late, (2e9 + 1, 2e9 + 1))
    assert [run.journal for run in runs()] == [late, early]
    assert [entry.path for entry in undo()] == [str(second)]
    names = [run_in(zone, third).name for zone in ("Asia/Tokyo", "America/New_York")]
    assert names == sorted(names) and "Z-" in names[0]


@pytest.mark.usefixtures("no_runs")
def test_the_last_run_is_the_last_though_the_clock_was_set_back(pictures: dict[Path, bytes]) -> None:
    first, second, third, *_ = pictures
    ahead = run_in("UTC", first)
    os.utime(ahead, (4e9, 4e9))  # the clock was wrong then
    later = [run_in("UTC", path) for path in (second, third)]
    assert [run.journal for run in runs()] == [*reversed(later), ahead]
    assert [entry.path for entry in undo()] == [str(third)]


@pytest.mark.usefixtures("no_runs")
def test_a_last_journal_that_cannot_be_read_is_listed_and_stops_undo(pictures: dict[Path, bytes]) -> None:
    path = next(iter(pictures))
    correct(path, in_place=True, turn=90, journal=(book := run_journal()))
    turned = path.read_bytes()
    later = book.path.with_name("2999-01-01-000000-000000000.jsonl")
    later.write_text('{"journal": 2, "step": "intent", "where": "/a.jpg"}\n')
    os.utime(later, (4e9, 4e9))
    with pytest.raises(JournalError, match=r"last run's journal cannot be used.*version 2.*undo --list"):
        undo()
    done = upright("undo")
    assert (done.returncode, path.read_bytes()) == (1, turned) and str(later) in done.stderr
    listed = upright("undo", "--list").stdout.splitlines()
    assert listed[0].startswith(f"{later}: not a journal") and listed[1].startswith(f"{book.path}: 1 change, ")
    assert upright("undo", book.path).returncode == 0 and path.read_bytes() == pictures[path]


@pytest.mark.usefixtures("no_runs")
def test_undo_says_which_run_it_takes_back(pictures: dict[Path, bytes]) -> None:
    path = next(iter(pictures))
    correct(path, in_place=True, turn=90, journal=(book := run_journal()))
    (empty := run_journal().path).touch()  # of a run that was killed before its first change
    os.utime(empty, (4e9, 4e9))
    done = upright("undo")
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(book.path.stat().st_mtime))
    said = f"taking back the last run: 1 change, {when} in {path.parent}; the journal is {book.path}\n"
    assert (done.returncode, done.stderr, done.stdout) == (0, said, f"{path}: restored\n")
    assert path.read_bytes() == pictures[path]


def test_what_was_moved_is_named_as_people_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, book = tmp_path / "disk", tmp_path / "turned.jsonl"
    (disk / "photos").mkdir(parents=True)
    (tmp_path / "home").symlink_to(disk)
    (tmp_path / "photos").symlink_to(disk / "photos")
    monkeypatch.chdir(tmp_path)
    old, new = Path("disk/photos"), Path("elsewhere/2019")
    for name in ("disk/photos", "./home/photos", "home/../disk/photos/", "photos", str(tmp_path / "home" / "photos")):
        (old / "a.jpg").write_bytes(SOURCES["a.jpg"])
        correct("home/photos/a.jpg", in_place=True, turn=90, journal=book)
        new.mkdir(parents=True)
        (old / "a.jpg").rename(new / "a.jpg")
        assert [entry.outcome for entry in undo(book, moved=[(name, "elsewhere/2019")])] == ["restored"], name
        assert (new / "a.jpg").read_bytes() == SOURCES["a.jpg"]
        (new / "a.jpg").unlink()
        new.rmdir()
        book.unlink()


def test_a_folder_that_was_moved_and_left_a_link(tmp_path: Path) -> None:
    (old := tmp_path / "photos").mkdir()
    (old / "a.jpg").write_bytes(SOURCES["a.jpg"])
    correct(old / "a.jpg", in_place=True, turn=90, journal=(book := tmp_path / "j.jsonl"))
    old.rename(new := tmp_path / "new")
    old.symlink_to(tmp_path / "another")
    assert [entry.outcome for entry in undo(book, moved=[(old, new)])] == ["restored"]
    assert (new / "a.jpg").read_bytes() == SOURCES["a.jpg"]


def test_undo_twice_of_a_file_that_was_changed_several_times(tmp_path: Path) -> None:
    (folder := tmp_path / "photos").mkdir()
    (path := folder / "a.jpg").write_bytes(source := SOURCES["a.jpg"])
    for method in ("tag", "turn", "tag"):
        correct(path, in_place=True, turn=90, method=method, journal=(book := tmp_path / "j.jsonl"))
    turned = path.read_bytes()
    for expected in ("restored", "as it was", "as it was"):
        assert [entry.outcome for entry in undo(book)] == [expected] * 3
        assert path.read_bytes() == source
    folder.rename(tmp_path / "renamed")
    assert [entry.outcome for entry in undo(book)] == ["as it was"] * 3
    (tmp_path / "renamed" / "a.jpg").write_bytes(b"something else")
    assert all(isinstance(entry.outcome, JournalError) for entry in undo(book))
    (tmp_path / "renamed").rename(folder)
    path.write_bytes(turned)
    assert [entry.outcome for entry in undo(book)] == ["restored"] * 3 and path.read_bytes() == source


def test_undo_twice_of_a_file_that_a_run_made_and_changed(tmp_path: Path) -> None:
    made, book = tmp_path / "a.jpg.xmp", Journal(tmp_path / "j.jsonl")
    first, second = (hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))
    book.intend(Intent(str(made), None, first, None), None)
    book.intend(Intent(str(made), first, second, (Edit(0, b"one", b"two"),)), None)
    made.write_bytes(b"two")
    for expected in (["restored", "removed"], ["as it was"] * 2):
        assert [entry.outcome for entry in undo(book.path)] == expected and not made.exists()
