"""One outcome, the same in memory, in JSON and in a table."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from upright import Detector
from upright.carriers import sidecar
from upright.correction import Request, Writer, opened, plan
from upright.errors import NotLossless, Overloaded, UprightError, UsageError
from upright.journal import Journal
from upright.results import COLUMNS, Correction, Group, Method, Outcome, columns
from upright.results_file import ResultsFile, read_rows, write_table
from upright.turns import ExifOrientation, Turn

from .conftest import DEMO

ODD = os.fsdecode(b"caf\xe9\n\xff.jpg")


@pytest.fixture(scope="module")
def outcomes(detector: Detector) -> list[Outcome]:
    """A turn with its correction, an answer alone, and an error; all of a file whose name is no text."""
    answer = detector.detect(str(DEMO / "page.jpg"))
    exif = ExifOrientation
    done = Correction(ODD, f"out/{ODD}", Method.TAG, Turn.LEFT, exif.TOP_LEFT, exif.LEFT_BOTTOM, True, True, "a note")
    error = UsageError("no", source=ODD, remedy="yes")
    return [Outcome(ODD, answer, correction=done), Outcome(ODD, answer), Outcome(ODD, error=error)]


def test_outcomes_come_back_as_they_were(outcomes: list[Outcome]) -> None:
    for given in outcomes:
        again = Outcome.from_dict(json.loads(json.dumps(given.to_dict())))
        assert again.to_dict() == given.to_dict()
        assert (again.source, again.group, again.correction) == (ODD, given.group, given.correction)
        assert again.words == given.words
    assert [each.group for each in outcomes] == ["turned", "would turn", "failed"]


@pytest.mark.parametrize("name", ["NoSuchError", "printable", "UprightError", "Overloaded"])
def test_errors_of_any_name_come_back_as_errors(name: str) -> None:
    row = {"source": "a.jpg", "error": name, "cause": "it broke", "remedy": "mend it"}
    again = Outcome.from_dict(row)
    assert isinstance(again.error, UprightError) and isinstance(again.error, Overloaded) == (name == "Overloaded")
    assert str(again.error) == "a.jpg: it broke; mend it"


def test_columns_have_one_value_each_and_names_that_are_text(outcomes: list[Outcome]) -> None:
    for given in outcomes:
        flat = columns(given.to_dict())
        assert list(flat) == list(COLUMNS)
        assert all(value is None or type(value) is COLUMNS[name] for name, value in flat.items())
        assert flat["source"] == "caf\\udce9\n\\udcff.jpg"
    turned, alone, failed = (columns(each.to_dict()) for each in outcomes)
    assert (turned["method"], turned["target"], turned["written"]) == ("tag", "out/" + turned["source"], True)
    assert turned["score_270"] == max(turned[f"score_{turn}"] for turn in (0, 90, 180, 270))
    assert (turned["outcome"], alone["outcome"], failed["outcome"]) == ("turned", "would turn", "failed")
    missing = dict.fromkeys(("method", "target", "lossless", "written"))
    assert alone == turned | missing | {"outcome": "would turn"}
    known = {"source", "outcome", "error", "cause", "remedy"}
    assert {name for name, value in failed.items() if value is not None} == known


def test_a_picture_is_counted_by_what_was_done(outcomes: list[Outcome]) -> None:
    turned, decided, failed = outcomes
    assert turned.correction is not None
    kept = replace(turned.correction, method=Method.KEEP, note="why", remedy="do this")
    refused = replace(decided, error=NotLossless("blocks", remedy="use --method tag"))
    expected = {
        "turned": turned,
        "would turn": replace(turned, correction=replace(turned.correction, written=False)),
        "cannot be turned": replace(turned, correction=kept),
        "failed": failed,
    }
    assert {each.group: each for each in expected.values()} == expected
    assert (refused.group, replace(decided, error=UsageError("no")).group) == (Group.CANNOT, Group.FAILED)
    row = columns(expected["cannot be turned"].to_dict())
    assert (row["outcome"], row["cause"], row["remedy"]) == ("cannot be turned", "why", "do this")
    assert expected["cannot be turned"].words.endswith("why; do this")


def test_what_was_passed_over_is_a_group_of_its_own() -> None:
    passed = Outcome(str(Path("a") / "notes.txt"), skipped="not a picture")
    assert (passed.group, passed.words) == ("skipped", "not a picture")


ROW = '{"source": "a.jpg", "outcome": "unsure"}\n'
NO_ROWS = (
    "[" * 100_000,
    '{"source": "\\ud800", "outcome": "unsure"}',
    '{"source": 1, "outcome": "unsure"}',
    '{"source": "b.jpg", "label": 90}',
    '{"source": "b.jpg", "outcome": "bought"}',
    '{"source": "b.jpg", "outcome": "unsure", "correction": 1}',
    "[]",
    "{}",
    "\0",
)


@pytest.mark.parametrize("line", NO_ROWS)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(ROW + line + "\n")
    with pytest.raises(UsageError, match="line 2 is not a row of results"):
        ResultsFile(path)
    assert path.read_text() == ROW + line + "\n"


@pytest.mark.parametrize("text", ["a note without an end of line", '{"sources"', '{"source": "a.jpg", "label": 90}\n'])
def test_a_file_of_another_program_is_never_written_to(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match="line 1 is not a row of results"):
        ResultsFile(path)
    with pytest.raises(UsageError, match="line 1 is not a row of results"):
        ResultsFile(path, retry_errors=True)
    assert path.read_text() == text


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").symlink_to("/dev/full")  # of which there is no end
    with pytest.raises(UsageError, match="no regular file"):
        ResultsFile(tmp_path / "rows.jsonl")


def test_what_a_killed_run_left_of_a_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for torn in ("{", '{"source":', '{"source":"b.jpg","turn":9'):
        path.write_text(ROW + torn)
        with ResultsFile(path) as results:
            assert "a.jpg" in results and "b.jpg" not in results
        assert path.read_text() == ROW


def test_a_damaged_row_makes_no_table(tmp_path: Path) -> None:
    row = {"source": "a.jpg", "error": "TooLarge", "cause": "\ud800", "remedy": ""}
    for path in (tmp_path / "t.csv", tmp_path / "t.parquet"):
        with pytest.raises(UsageError, match="a row of the results is damaged"):
            write_table([row], path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_anew_stays_private_and_behind_its_link(tmp_path: Path) -> None:
    (real := tmp_path / "disk").mkdir()
    row = {"source": "a.jpg", "outcome": "would turn"}
    failed = {"source": "b.jpg", "outcome": "failed", "error": "NotAPicture"}
    for name, text in (("r.jsonl", f"{json.dumps(row)}\n{json.dumps(failed)}\n"), ("r.csv", "")):
        (real / name).write_text(text)
        (real / name).chmod(0o600)
        (tmp_path / name).symlink_to(real / name)
    with ResultsFile(tmp_path / "r.jsonl", retry_errors=True) as results:
        assert "a.jpg" in results and "b.jpg" not in results
    assert write_table([row], tmp_path / "r.csv") == 1
    for name in ("r.jsonl", "r.csv"):
        assert (tmp_path / name).readlink() == real / name and (real / name).stat().st_mode & 0o777 == 0o600
    assert (real / "r.jsonl").read_text().count("\n") == 1 and "a.jpg" in (real / "r.csv").read_text()
    assert sorted(each.name for each in real.iterdir()) == ["r.csv", "r.jsonl"]


def killed_after_a_change(photo: Path, rows: Path, journal: Journal) -> dict[str, Any]:
    """The row that a run owes which turned a picture and was killed."""
    results = ResultsFile(rows)
    results.note_in(journal)
    with opened(str(photo)) as file:
        file.look()
        change = plan(file, Request(Turn.RIGHT, in_place=True))
        row = Outcome(str(photo), correction=replace(change.correction, written=True)).to_dict()
        Writer(journal).write(replace(change, rows=[row]))
    results.close()
    return row


def test_a_killed_run_owes_nothing_of_another_one_in_its_journal(tmp_path: Path) -> None:
    journal, owed = Journal(tmp_path / "journal"), {}
    for name in "ab":
        shutil.copy(DEMO / "page.jpg", tmp_path / f"{name}.jpg")
        owed[name] = killed_after_a_change(tmp_path / f"{name}.jpg", tmp_path / name, journal)
    for name, row in owed.items():
        with ResultsFile(tmp_path / name):
            assert list(read_rows(tmp_path / name)) == [row]


@pytest.mark.parametrize("changed", ["a.jpg", "a.jpg.xmp", "both", "none"])
def test_a_killed_run_owes_a_picture_whose_sidecar_is_changed_too(tmp_path: Path, changed: str) -> None:
    photo, beside = tmp_path / "a.jpg", tmp_path / "a.jpg.xmp"
    before = {photo: (DEMO / "page.jpg").read_bytes(), beside: sidecar.written(None, ExifOrientation.TOP_LEFT)}
    for path, data in before.items():
        path.write_bytes(data)
    row = killed_after_a_change(photo, tmp_path / "r.jsonl", Journal(tmp_path / "journal"))
    after = {path: path.read_bytes() for path in before}
    assert all(after[path] != before[path] for path in before)
    for path in before:
        path.write_bytes((after if changed in (path.name, "both") else before)[path])
    with ResultsFile(tmp_path / "r.jsonl"):
        assert list(read_rows(tmp_path / "r.jsonl")) == ([row] if changed == "both" else [])
    assert {path: path.read_bytes() for path in before} == (after if changed == "both" else before)
