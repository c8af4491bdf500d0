"""What people decided in a review trains the model, as long as the files are still what they decided about."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from training import data, finetune
from upright.journal import Journal, undo
from upright.results import Outcome
from upright.review import Session
from upright.review.session import Choice
from upright.turns import Turn, turn_array

DEMO = Path(__file__).parents[2] / "testdata" / "demo"
NEEDED = {"astronaut.jpg": Turn.HALF, "receipt.png": Turn.RIGHT, "cat.gif": Turn.LEFT}


def _placed(name: str, folder: Path) -> None:
    """A picture of the demo; the GIF has two frames, so that it can only be looked at."""
    folder.mkdir(exist_ok=True)
    if name != "cat.gif":
        shutil.copy(DEMO / name, folder)
        return
    with Image.open(DEMO / name) as image:
        image.save(folder / name, save_all=True, append_images=[ImageOps.flip(image)])


def test_decisions_are_upright_pictures_written_or_not(tmp_path: Path) -> None:
    session = Session(Journal(tmp_path / "journal"), tmp_path / "decisions.jsonl")
    for at, (name, turn) in enumerate(NEEDED.items()):
        _placed(name, tmp_path)
        session.add(Outcome(str(tmp_path / name)), Path(name))
        session.decide([Choice(at, 0, turn, mirrored=name == "cat.gif")])
    _placed("cat.gif", tmp_path / "other")
    assert (tmp_path / "cat.gif").read_bytes() == (tmp_path / "other" / "cat.gif").read_bytes(), "it is not turned"
    (tmp_path / "other" / "cat.gif").unlink()

    def shown() -> dict[str, data.Pixels]:
        pool = finetune.decided(session.decisions, 64)
        return {
            Path(name).name.removesuffix(" p1"): pixels for name, pixels in zip(pool.names, pool.pixels, strict=True)
        }

    expected = {}
    for name, turn in NEEDED.items():
        _placed(name, tmp_path / "other")
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
