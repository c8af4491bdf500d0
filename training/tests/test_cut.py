"""Windows cut from real pages: upright, of reading size, and none of a page that lies the wrong way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from training import cut
from training.heldout import read
from training.synth.windows import SIZE_PX
from upright import Detector


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """An upright page and one upside down; the upper half of each as written is on darker paper."""
    page = Image.new("RGB", (1500, 2000), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 1500, 1000), fill=(200, 200, 200))
    font = ImageFont.load_default(24)
    words = "In the beginning the page was written by hand and read aloud to all who came to hear it. "
    for number, top in enumerate(range(80, 1920, 40)):
        draw.text((100, top), (words[number % 30 :] + words)[:95], font=font, fill=(20, 20, 20))
    folder = tmp_path / "doc" / "drawn"
    folder.mkdir(parents=True)
    page.save(folder / "upright.png")
    page.transpose(Image.Transpose.ROTATE_180).save(folder / "upside-down.png")
    return tmp_path


def test_windows_are_upright_text_and_a_page_upside_down_is_named(
    pages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Detector() as detector:
        found = list(cut.cut(read(pages), detector, seed=1))
        assert len(found) > 12
        assert all(window.shape == (SIZE_PX, SIZE_PX, 3) for window in found)
        answers = [detector.detect(Image.fromarray(window)) for window in found]
    assert np.mean([answer.best == 0 for answer in answers]) > 0.9
    said = capsys.readouterr().out
    assert "upside-down.png: left out, it may need 180 degrees" in said and "/upright.png" not in said


def test_a_page_without_text_gives_none() -> None:
    assert not list(cut.windows(np.full((1500, 1000, 3), 230, np.uint8), np.random.default_rng(0)))
