"""Folders that cannot be made, JSON that is none and encoders that fail are errors with a cause and a remedy."""

import json
import shutil
from pathlib import Path

import pytest

from upright.errors import ModelError, SourceError, UprightError, UsageError
from upright.heads import load_heads
from upright.lossless.proof import decoding
from upright.model import MODELS_FOLDER, load_model
from upright.results_file import read_outcomes
from upright.review.decisions import read_decisions

from .conftest import DEMO, upright

PAGE = DEMO / "page.jpg"
DEEP = b"[" * 100_000


def test_a_folder_for_unsure_pictures_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (blocked := tmp_path / "file").touch()
    monkeypatch.setenv("IMMICH_API_KEY", "x")
    done = upright("photos", "immich", "http://127.0.0.1:9", "--unsure", blocked / "x")
    assert done.returncode == 1
    assert done.stderr == f"upright: {blocked / 'x'}: the folder cannot be made (Not a directory); name another\n"


@pytest.mark.parametrize("words", [("batch", PAGE, "-o"), ("review", PAGE, "--no-browser", "--decisions")])
def test_a_file_that_cannot_be_written_says_what_helps(tmp_path: Path, words: tuple[object, ...]) -> None:
    (tmp_path / "file").touch()
    done = upright(*words, tmp_path / "file" / "x.jsonl")
    assert done.returncode == 1 and "name another" in done.stderr and "Not a directory" in done.stderr


@pytest.mark.parametrize("facts", [DEEP, b"[]", b"{}", b'"x"', b"\xff"])
def test_json_of_a_model_that_is_none(tmp_path: Path, facts: bytes) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODELS_FOLDER / "upright-1", folder)
    (folder / "heads.json").write_bytes(facts)
    with pytest.raises(ModelError, match=r"heads.json or heads.onnx"):
        load_heads(load_model(folder))
    (folder / "model.json").write_bytes(facts)
    with pytest.raises(ModelError, match=r"model.json"):
        load_model(folder)


@pytest.mark.parametrize("line", [DEEP, b'{"path": [], "page": 0}', b'{"path": "/a", "page": [], "turn": 0}'])
def test_decisions_that_are_none(tmp_path: Path, line: bytes) -> None:
    place = tmp_path / "decisions"
    place.write_bytes(b'{"path": ' + DEEP + b"\n" if line == DEEP else line + b"\n")
    with pytest.raises(SourceError, match="line 1 is not a decision"):
        read_decisions(place)


@pytest.mark.parametrize("changed", [{"scores": [0.1]}, {"promise": "sworn"}, {"correction": {}}, {"turn": 45}])
def test_a_row_that_is_damaged_is_named(tmp_path: Path, changed: dict[str, object]) -> None:
    rows = tmp_path / "r.jsonl"
    assert upright("batch", PAGE, "-o", rows, "--dry-run").returncode == 0
    rows.write_text(json.dumps(json.loads(rows.read_text()) | changed) + "\n")
    with pytest.raises(UsageError, match="a row of the results is damaged"):
        list(read_outcomes(rows))


def test_what_libvips_cannot_write_has_a_cause_and_a_remedy() -> None:
    for said, cause in (
        ("unable to call tiffsave_buffer\n  vips2tiff: tile size not a multiple of 16\n", "tile size not a multiple"),
        ("unable to call tiffsave_buffer\n", "their encoder gives no reason"),
    ):
        with pytest.raises(UprightError, match=f"cannot be read or written .*{cause}.*; use --method tag"), decoding():
            raise RuntimeError(said)
