"""What people decided in a review trains the model, as long as the files are still what they decided about."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from training import data, finetune
from upright.journal import Journal, undo
from upright.results import Outcome
from upright.review import Session
from upright.review.session import Choice
from upright.turns import Turn, turn_array

DEMO = Path(__file__).parents[2] / "testdata" / "demo"
NEEDED = {"astronaut.jpg": Turn.HALF, "receipt.png": Turn.RIGHT, "cat.gif": Turn.LEFT}


def test_decisions_are_upright_pictures_written_or_not(tmp_path: Path) -> None:
    session = Session(Journal(tmp_path / "journal"), tmp_path / "decisions.jsonl")
    for at, (name, turn) in enumerate(NEEDED.items()):
        shutil.copy(DEMO / name, tmp_path)
        session.add(Outcome(str(tmp_path / name)), Path(name))
        session.decide([Choice(at, 0, turn, mirrored=name == "cat.gif")])
    assert (tmp_path / "cat.gif").read_bytes() == (DEMO / "cat.gif").read_bytes(), "a GIF cannot be mirrored"

    def shown() -> dict[str, data.Pixels]:
        pool = finetune.decided(session.decisions, 64)
        return {
            Path(name).name.removesuffix(" p1"): pixels for name, pixels in zip(pool.names, pool.pixels, strict=True)
        }

    (tmp_path / "other").mkdir()
    expected = {}
    for name, turn in NEEDED.items():
        shutil.copy(DEMO / name, tmp_path / "other")
        pixels = data.read_folder(tmp_path / "other", 64).pixels[0]
        (tmp_path / "other" / name).unlink()
        expected[name] = turn_array(pixels[:, ::-1] if name == "cat.gif" else pixels, turn)
    for _ in range(2):  # as written, and taken back
        found = shown()
        assert found.keys() == expected.keys()
        for name, pixels in expected.items():
            assert np.abs(found[name].astype(int) - pixels).mean() < 3, name
        undo(session.journal.path)

    shutil.copy(DEMO / "page.jpg", tmp_path / "astronaut.jpg")
    (tmp_path / "receipt.png").unlink()
    assert shown().keys() == {"cat.gif"}
    (tmp_path / "cat.gif").unlink()
    with pytest.raises(FileNotFoundError, match="no picture is as it was decided"):
        shown()
