"""What was done in place can be undone byte for byte."""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import upright.atomic
from upright.correction import correct
from upright.errors import JournalError, UprightError, WriteFailed
from upright.journal import Intent, Journal, read_journal, run_journal, undo

NOISE = Image.effect_noise((64, 96), 60).convert("RGB")


def saved(form: str, **options: object) -> bytes:
    out = io.BytesIO()
    NOISE.save(out, form, **options)
    return out.getvalue()


def exif(value: int | None) -> bytes:
    block = Image.Exif()
    block[0x010F] = "A maker of cameras"
    if value:
        block[0x0112] = value
    return block.tobytes()


SOURCES = {
    "a.jpg": lambda: saved("JPEG"),
    "b.jpg": lambda: saved("JPEG", exif=exif(6)),
    "c.jpg": lambda: saved("JPEG", exif=exif(None)),
    "d.png": lambda: saved("PNG"),
    "e.webp": lambda: saved("WEBP"),
    "f.tif": lambda: saved("TIFF"),
    "g.bmp": lambda: saved("BMP"),
}


@pytest.fixture
def pictures(tmp_path: Path) -> dict[Path, bytes]:
    found = {tmp_path / name: make() for name, make in SOURCES.items()}
    for path, data in found.items():
        path.write_bytes(data)
    return found


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "turned.jsonl"


def outcomes(journal: Path) -> list[str | UprightError]:
    return [entry.outcome for entry in undo(journal)]


@pytest.mark.parametrize("method", [None, "turn", "reencode"])
def test_undo_restores_every_byte(pictures: dict[Path, bytes], journal: Path, method: str | None) -> None:
    for path in pictures:
        assert correct(path, in_place=True, turn=90, method=method, journal=journal).written
        assert path.read_bytes() != pictures[path]
    before = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["step"] for line in before] == ["intent", "done"] * len(pictures)
    assert outcomes(journal) == ["restored"] * len(pictures)
    assert {path: path.read_bytes() for path in pictures} == pictures
    assert outcomes(journal) == ["as it was"] * len(pictures)
    assert {path: path.read_bytes() for path in pictures} == pictures


@pytest.mark.parametrize("torn", [b"", b'{"journal": 1, "step": "int'])
def test_what_was_written_before_can_be_left(pictures: dict[Path, bytes], journal: Path, torn: bytes) -> None:
    """A line that a crash cut short is cut off by the next one, and counts for nothing."""
    assert Journal(journal).written() == 0
    first, second, *_ = pictures
    correct(first, in_place=True, turn=90, journal=journal)
    turned = first.read_bytes()
    with journal.open("ab") as file:
        file.write(torn)
    written = Journal(journal).written()
    assert written == journal.stat().st_size - len(torn)
    for path in (second, first):
        correct(path, in_place=True, turn=180, journal=journal)
    assert [entry.outcome for entry in undo(journal, changes=read_journal(journal, written))] == ["restored"] * 2
    assert (first.read_bytes(), second.read_bytes()) == (turned, pictures[second])
    assert undo(journal, changes=read_journal(journal, Journal(journal).written())) == []


def test_a_tag_needs_no_copy(pictures: dict[Path, bytes], journal: Path) -> None:
    for path in list(pictures)[:6]:
        correct(path, in_place=True, turn=90, journal=journal)
    assert [path.name for path in journal.parent.iterdir()] == ["turned.jsonl"]
    assert journal.stat().st_size < 6 * 1000


def test_a_copy_of_it_that_is_damaged_is_made_again(pictures: dict[Path, bytes], journal: Path) -> None:
    path, data = next(iter(pictures.items()))
    (backups := journal.with_name(f"{journal.name}.d")).mkdir()
    (backups / hashlib.sha256(data).hexdigest()).write_bytes(data[:100])
    correct(path, in_place=True, turn=90, method="turn", journal=journal)
    assert outcomes(journal) == ["restored"] and path.read_bytes() == data


def test_corrected_copies_are_in_no_journal(pictures: dict[Path, bytes], journal: Path, tmp_path: Path) -> None:
    correct(next(iter(pictures)), tmp_path / "copy.jpg", turn=90, journal=journal)
    assert (tmp_path / "copy.jpg").exists() and not journal.exists()


def test_a_file_that_changes_while_it_is_taken_back_is_left_alone(
    pictures: dict[Path, bytes], journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fsync = next(iter(pictures)), os.fsync
    correct(path, in_place=True, turn=90, journal=journal)

    def meanwhile(handle: int) -> None:
        path.write_bytes(b"precious")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", meanwhile)
    (found,) = outcomes(journal)
    assert isinstance(found, JournalError) and path.read_bytes() == b"precious"


def test_several_changes_of_one_file(pictures: dict[Path, bytes], journal: Path) -> None:
    path = next(iter(pictures))
    for method in ("tag", "turn", "tag", "turn", None):
        correct(path, in_place=True, turn=270, method=method, journal=journal)
    undo(journal)
    assert path.read_bytes() == pictures[path]


def test_changed_files_are_left_alone_and_the_others_restored(pictures: dict[Path, bytes], journal: Path) -> None:
    changed, gone, *others = pictures
    for path in pictures:
        correct(path, in_place=True, turn=180, journal=journal)
    changed.write_bytes(b"something else")
    gone.unlink()
    found = {entry.path: entry for entry in undo(journal)}
    assert isinstance(found[str(changed)].outcome, JournalError)
    assert "changed since" in str(found[str(changed)].outcome)
    assert isinstance(found[str(gone)].outcome, JournalError)
    assert found[str(changed)].to_dict()["error"] == "JournalError"
    assert changed.read_bytes() == b"something else"
    assert all(path.read_bytes() == pictures[path] for path in others)


def test_torn_last_line(pictures: dict[Path, bytes], journal: Path) -> None:
    first, second, *_ = pictures
    correct(first, in_place=True, turn=90, journal=journal)
    whole = journal.read_bytes()
    for kept in range(len(whole)):
        journal.write_bytes(whole[:kept])
        found = outcomes(journal)
        assert found in ([], ["restored"], ["as it was"])
    journal.write_bytes(whole + b'{"journal": 1, "step": "int')
    correct(second, in_place=True, turn=90, journal=journal)
    assert all(json.loads(line) for line in journal.read_text().splitlines())
    undo(journal)
    assert (first.read_bytes(), second.read_bytes()) == (pictures[first], pictures[second])


def test_not_a_journal(tmp_path: Path, journal: Path, pictures: dict[Path, bytes]) -> None:
    with pytest.raises(JournalError, match="cannot be read"):
        undo(tmp_path / "nothing")
    (tmp_path / "text").write_text("a\nb\n[]\n7\n")
    with pytest.raises(JournalError, match="not a journal"):
        undo(tmp_path / "text")
    path = next(iter(pictures))
    correct(path, in_place=True, turn=90, journal=journal)
    with journal.open("a") as file:
        file.write("rubbish\n")
    found = outcomes(journal)
    assert isinstance(found[0], JournalError) and found[1] == "restored"


@pytest.mark.parametrize("text", [b"my notes, without a newline at the end", b"{}\n", b'{"name": 1}\nx'])
def test_another_file_is_never_written_to(pictures: dict[Path, bytes], tmp_path: Path, text: bytes) -> None:
    notes, path = tmp_path / "notes.txt", next(iter(pictures))
    notes.write_bytes(text)
    with pytest.raises(JournalError, match="not a journal"):
        correct(path, in_place=True, turn=90, journal=notes)
    assert (notes.read_bytes(), path.read_bytes()) == (text, pictures[path])
    book = Journal(tmp_path / "new")
    notes.rename(book.path)  # since it was looked at
    with pytest.raises(JournalError, match="not a journal"):
        correct(path, in_place=True, turn=90, journal=book)
    assert (book.path.read_bytes(), path.read_bytes()) == (text, pictures[path])


def test_backups_that_were_tampered_with(journal: Path, pictures: dict[Path, bytes]) -> None:
    path = next(iter(pictures))
    correct(path, in_place=True, turn=90, method="turn", journal=journal)
    turned = path.read_bytes()
    (backup,) = (journal.parent / "turned.jsonl.d").iterdir()
    backup.write_bytes(b"other")
    (found,) = outcomes(journal)
    assert isinstance(found, JournalError) and path.read_bytes() == turned


@pytest.mark.parametrize("name", [b"new\nline.jpg", b"caf\xe9 \xff\xfe.jpg", "日本.jpg".encode()])
def test_names_round_trip(tmp_path: Path, journal: Path, name: bytes) -> None:
    path, journal = tmp_path / os.fsdecode(name), Path(f"{journal}{os.fsdecode(name)}")
    source = saved("JPEG")
    path.write_bytes(source)
    correct(path, in_place=True, turn=90, journal=journal)
    assert path.read_bytes() != source
    (entry,) = undo(journal)
    assert entry.outcome == "restored" and os.fsencode(Path(entry.path).name) == name
    assert entry.to_dict()["path"].isprintable()
    assert path.read_bytes() == source


def test_nothing_is_changed_when_the_journal_cannot_be_written(pictures: dict[Path, bytes], tmp_path: Path) -> None:
    path = next(iter(pictures))
    with pytest.raises(WriteFailed, match="journal"):
        correct(path, in_place=True, turn=90, journal=tmp_path / "no" / "such" / "folder")
    assert path.read_bytes() == pictures[path]
    assert not list(tmp_path.glob(".upright*"))


class FullOnceChanged(Journal):
    """A journal whose disk is full from the moment that a picture has been changed."""

    def done(self, intent: Intent) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(upright.atomic, "sync", raising(OSError(28, "No space left on device")))
            super().done(intent)


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("method", ["tag", "turn"])
def test_a_journal_that_is_full_after_the_change_does_not_make_it_a_failure(
    pictures: dict[Path, bytes], journal: Path, method: str
) -> None:
    path = next(iter(pictures))
    done = correct(path, in_place=True, turn=90, method=method, journal=FullOnceChanged(journal))
    assert done.written and path.read_bytes() != pictures[path]
    why = f"the journal {journal} could not be written (No space left on device)"
    assert done.note == f"it is changed, and undo can take it back, but {why}"
    assert outcomes(journal) == ["restored"] and path.read_bytes() == pictures[path]


def test_what_cannot_be_written_speaks_of_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upright.atomic, "sync", raising(OSError(28, "No space left on device")))
    with pytest.raises(WriteFailed) as failed:
        upright.atomic.write(str(tmp_path / "a"), [b"x"])
    assert (
        str(failed.value)
        == f"{tmp_path}/a: the new file could not be written (No space left on device); free disk space"
    )


def test_the_original_cannot_be_copied(pictures: dict[Path, bytes], journal: Path) -> None:
    path = next(iter(pictures))
    Path(f"{journal}.d").touch()
    with pytest.raises(
        WriteFailed, match=r"could not be copied beside the journal .*turned.jsonl.*name another journal"
    ):
        correct(path, in_place=True, turn=90, method="turn", journal=journal)
    assert path.read_bytes() == pictures[path]


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="Windows has no such modes")
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_nobody_else_can_read_what_is_kept(pictures: dict[Path, bytes], journal: Path, mode: int) -> None:
    path = next(iter(pictures))
    path.chmod(mode)
    correct(path, in_place=True, turn=90, method="turn", journal=journal)
    folder = Path(f"{journal}.d")
    assert [each.stat().st_mode & 0o777 for each in (folder, *folder.iterdir(), path)] == [0o700, 0o600, mode]
    undo(journal)
    assert path.read_bytes() == pictures[path] and path.stat().st_mode & 0o777 == mode


def test_a_move_of_the_folder_is_reported(tmp_path: Path, journal: Path, pictures: dict[Path, bytes]) -> None:
    path = next(iter(pictures))
    correct(path, in_place=True, turn=90, journal=journal)
    path.rename(tmp_path / "moved.jpg")
    (found,) = outcomes(journal)
    assert isinstance(found, JournalError) and "gone" in str(found)


def test_a_renamed_folder_is_found_by_the_bytes_of_its_files(tmp_path: Path, journal: Path) -> None:
    folder = tmp_path / "photos" / "2019"
    folder.mkdir(parents=True)
    originals = {folder / name: SOURCES[name]() for name in ("a.jpg", "d.png", "g.bmp")}
    for path, data in originals.items():
        path.write_bytes(data)
        correct(path, in_place=True, turn=90, journal=journal)
    (tmp_path / "photos").rename(tmp_path / "pictures")
    (tmp_path / "others" / "2019").mkdir(parents=True)
    (tmp_path / "others" / "2019" / "a.jpg").write_bytes(b"another picture of this name")
    assert outcomes(journal) == ["restored"] * 3
    for path, data in originals.items():
        assert (tmp_path / "pictures" / path.relative_to(tmp_path / "photos")).read_bytes() == data
    assert outcomes(journal) == ["as it was"] * 3


def test_of_two_folders_that_fit_none_is_changed(tmp_path: Path, journal: Path) -> None:
    (folder := tmp_path / "photos").mkdir()
    (folder / "a.jpg").write_bytes(before := SOURCES["a.jpg"]())
    correct(folder / "a.jpg", in_place=True, turn=90, journal=journal)
    after = (folder / "a.jpg").read_bytes()
    for name in ("first", "second"):
        shutil.copytree(folder, tmp_path / name)
    shutil.rmtree(folder)
    (found,) = outcomes(journal)
    assert isinstance(found, JournalError) and "several folders have such a file: first, second" in str(found)
    assert {(tmp_path / name / "a.jpg").read_bytes() for name in ("first", "second")} == {after}
    assert [entry.outcome for entry in undo(journal, moved=[(folder, tmp_path / "second")])] == ["restored"]
    assert [(tmp_path / name / "a.jpg").read_bytes() for name in ("first", "second")] == [after, before]


def test_where_no_journal_can_be_kept_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(WriteFailed, match="name a file with --journal"):
        run_journal()


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../victim.jpg"},
        {"path": "/tmp/../victim.jpg"},
        {"path": "victim.jpg"},
        {"path": "/tmp/a\0b"},
        {"path": "/tmp/\ud800"},
        {"path": None},
        {"edits": [[float("inf"), "00", "01"]]},
        {"edits": [[0, "xx", "01"]]},
        {"edits": 1e999},
        {"before": "../../etc/passwd"},
        {"after": []},
        {"journal": 2},
    ],
    ids=str,
)
def test_a_line_that_no_run_writes_changes_nothing(tmp_path: Path, journal: Path, change: dict[str, object]) -> None:
    good = {"journal": 1, "step": "intent", "path": str(tmp_path / "gone.jpg"), "before": "00" * 32, "after": "11" * 32}
    journal.write_text(json.dumps(good | {"edits": []}) + "\n" + json.dumps(good | {"edits": []} | change) + "\n")
    damaged, gone = undo(journal)
    assert isinstance(damaged.outcome, JournalError) and "line 2" in str(damaged.outcome)
    assert isinstance(gone.outcome, UprightError)


def test_deep_json_is_a_damaged_line(journal: Path) -> None:
    journal.write_text('{"journal": ' + "[" * 100_000 + "\n")
    with pytest.raises(JournalError, match="not a journal"):
        undo(journal)
