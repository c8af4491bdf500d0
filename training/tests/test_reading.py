"""Windows of native files: found where there is text, and judged all four ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from training import reading
from training.measures import Floats


class Marked:
    """Says which way up a view is by its brightest corner: the upper left one of what is upright."""

    size_px = 64

    def logits(self, views: np.ndarray) -> Floats:
        corners = [views[:, rows, columns].mean(axis=(1, 2, 3)) for rows, columns in _CORNERS]
        return np.stack(corners, axis=1)


#: Where the upper left corner of an upright view is when it takes 0, 90, 180, 270 degrees clockwise to set it upright.
_HALF, _OTHER = slice(0, 32), slice(32, 64)
_CORNERS = ((_HALF, _HALF), (_OTHER, _HALF), (_OTHER, _OTHER), (_HALF, _OTHER))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A page of text, its upper left quarter bright, and a blank one, of a source that shows print."""
    page = Image.new("RGB", (600, 800), (120, 120, 120))
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 300, 400), fill=(255, 255, 255))
    font = ImageFont.load_default(14)
    for top in range(10, 790, 20):
        draw.text((10, top), "the quick brown fox jumps over the lazy dog " * 3, font=font, fill=(0, 0, 0))
    folder = tmp_path / "doc" / "argus"
    folder.mkdir(parents=True)
    page.save(folder / "page.png")
    Image.new("RGB", (600, 800), "white").save(folder / "blank.png")
    return tmp_path


def test_the_whole_is_one_look_and_windows_are_found_only_where_there_is_text(files: Path) -> None:
    found = reading.judge(Marked(), [files], [0.3, 1], seed=0)["print"]
    assert len(found[0.3]) == 4 * reading.EACH  # none of the blank page
    assert len(found[1]) == 4 * 2
    assert found[1][4:] == [True] * 4  # the page; nothing tells the blank one


def test_a_file_of_a_source_that_is_not_one_sort_is_left_out(files: Path) -> None:
    (files / "doc" / "argus").rename(files / "doc" / "receipts-de")
    assert not any(row for rows in reading.judge(Marked(), [files], [1], seed=0).values() for row in rows.values())


def test_a_share_of_which_there_is_nothing_is_a_dash(files: Path) -> None:
    table = reading.markdown(reading.judge(Marked(), [files], [1], seed=0))
    assert "| print | 62.5 (2) |" in table  # the page four ways, the blank one as it lies
    assert "| handwriting | - |" in table


def test_sources_are_those_of_the_list() -> None:
    found = reading.sorts()
    assert set(found.values()) == set(reading.SORTS)
    assert found["berlioz"] == "handwriting" and found["galli15"] == "blackletter" and "receipts-de" not in found
