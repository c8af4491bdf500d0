"""The tilt of text: its sense, its size, its error, and where there is none."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import pyvips
from click.testing import CliRunner
from PIL import Image, ImageDraw, ImageFilter

from tests.integrations.scans import LATIN, SCRIPTS, page
from upright import Detector, Orientation, Turn
from upright.cli import cli
from upright.pictures import open_picture
from upright.results import Outcome
from upright.tilt import MOST, Tilt, measured
from upright.turns import turn_array


def crooked(tilt: float, turn: Turn = Turn.NONE, script: str = "Latin") -> Image.Image:
    """A page that needs that turn, and is then straightened by so many degrees clockwise."""
    straight = Image.fromarray(page(script))
    leaning = straight.rotate(tilt, Image.Resampling.BICUBIC, expand=True, fillcolor=255)  # Pillow turns the other way
    return Image.fromarray(np.ascontiguousarray(turn_array(np.asarray(leaning), turn.inverse))).convert("RGB")


def tilt_of(image: Image.Image) -> Tilt | None:
    with open_picture(image) as picture:
        return measured(picture)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("tilt", [-19.5, -7.3, -0.4, 0.0, 1.25, 3.0, 14.9])
def test_a_page_is_straightened_clockwise_by_its_tilt(script: str, tilt: float) -> None:
    found = tilt_of(crooked(tilt, script=script))
    assert found is not None
    assert found.degrees == pytest.approx(tilt, abs=0.1)
    assert abs(found.degrees - tilt) < 4 * found.error < 0.5


@pytest.mark.parametrize("turn", Turn)
def test_a_tilt_is_the_same_whichever_way_the_page_lies(turn: Turn) -> None:
    found = tilt_of(crooked(-2.6, turn))
    assert found is not None and found.degrees == pytest.approx(-2.6, abs=0.1)


def test_the_scale_of_the_file_changes_nothing() -> None:
    small = crooked(4.4)
    large = small.resize((small.width * 3, small.height * 3), Image.Resampling.BICUBIC)
    found = tilt_of(large)
    assert found is not None and found.degrees == pytest.approx(4.4, abs=0.1)


def test_lines_that_run_down_tell_it_too() -> None:
    markup = f"<span gravity='east' gravity_hint='strong'>{'日本語の文章が縦に書かれている。' * 40}</span>"
    ink = pyvips.Image.text(markup, font="Noto Serif CJK JP 12", width=900, dpi=110, wrap="char").numpy()
    sheet = np.full((1100, 780), 255, np.uint8)
    columns = np.rot90(255 - ink, -1)[:950, :640]
    sheet[70 : 70 + columns.shape[0], 70 : 70 + columns.shape[1]] = columns
    leaning = Image.fromarray(sheet).rotate(5.2, Image.Resampling.BICUBIC, fillcolor=255)
    found = tilt_of(leaning)
    assert found is not None and found.degrees == pytest.approx(5.2, abs=0.1)


def test_noise_does_not_hide_it() -> None:
    clean = crooked(3.3)
    noise = np.random.default_rng(19).normal(0, 40, (clean.height, clean.width, 3))
    noisy = Image.fromarray(
        np.clip(np.asarray(clean.filter(ImageFilter.GaussianBlur(1.5))) + noise, 0, 255).astype("u1")
    )
    found = tilt_of(noisy)
    assert found is not None and found.degrees == pytest.approx(3.3, abs=min(0.3, 3 * found.error))


@pytest.mark.parametrize("kind", ["blank", "noise", "clouds", "one line", "tiny"])
def test_nothing_tells_the_tilt_where_there_are_no_lines_of_text(kind: str) -> None:
    rng = np.random.default_rng(3)
    image = Image.new("RGB", (900, 700), "white")
    if kind == "noise":
        image = Image.fromarray(rng.integers(0, 256, (700, 900, 3), np.uint8))
    elif kind == "clouds":
        image = Image.fromarray(rng.integers(0, 256, (7, 9, 3), np.uint8)).resize((900, 700), Image.Resampling.BICUBIC)
    elif kind == "one line":
        ImageDraw.Draw(image).line((0, 300, 900, 340), "black", 5)
    elif kind == "tiny":
        image = Image.new("RGB", (3, 20), "white")
    assert tilt_of(image) is None


def test_more_than_it_looks_for_is_never_answered() -> None:
    for tilt in (25.0, 33.0, 45.0):
        found = tilt_of(crooked(tilt))
        assert found is None or abs(found.degrees) <= MOST


def test_answers_have_it_only_where_it_is_asked_for(detector: Detector) -> None:
    image = crooked(2.5, Turn.HALF)
    assert "tilt" not in detector.detect(image).to_dict()
    answer = detector.detect(image, tilt=True)
    assert answer.turn == Turn.HALF
    assert answer.tilt == pytest.approx(2.5, abs=0.1)
    assert answer.tilt_error is not None and answer.tilt_words == f"{answer.tilt:+.2f}° ± {answer.tilt_error:.2f}°"
    values = answer.to_dict()
    again = Orientation.from_dict(json.loads(json.dumps(values)))
    assert (again.tilt, again.tilt_error) == (round(answer.tilt, 3), round(answer.tilt_error, 3))
    assert f"tilt {answer.tilt_words}" in Outcome("a", answer).words


def test_the_command_shows_it_in_every_form(tmp_path: Path) -> None:
    path = tmp_path / "crooked.png"
    crooked(-6.5, Turn.RIGHT).save(path)
    (tmp_path / "blank.png").write_bytes(_png(Image.new("RGB", (400, 300), "white")))

    def printed(*options: str) -> str:
        return CliRunner().invoke(cli, ["detect", str(path), str(tmp_path / "blank.png"), *options]).stdout

    head, row, blank = printed("--tilt").splitlines()
    assert head.split() == ["turn", "sure", "tilt", "outcome", "picture"]
    assert row.split()[0] == "90°" and float(row.split()[2].rstrip("°")) == pytest.approx(-6.5, abs=0.1)
    assert head.index("outcome") == row.index("would turn") == blank.index("unsure")
    assert "tilt" not in printed()
    lines = [json.loads(line) for line in printed("--tilt", "--json").splitlines()]
    assert lines[0]["tilt"] == pytest.approx(-6.5, abs=0.1) and "tilt" not in lines[1]
    rows = list(csv.DictReader(io.StringIO(printed("--tilt", "--csv"))))
    assert float(rows[0]["tilt"]) == lines[0]["tilt"] and float(rows[0]["tilt_error"]) > 0 and not rows[1]["tilt"]
    by_hand = CliRunner().invoke(cli, ["correct", str(path), "--turn", "90", "--dry-run", "--tilt", "--json"]).stdout
    assert json.loads(by_hand)["tilt"] == lines[0]["tilt"]


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_the_drawn_page_is_as_straight_as_it_says() -> None:
    assert LATIN in SCRIPTS["Latin"][1]
    found = tilt_of(crooked(0.0))
    assert found is not None and abs(found.degrees) < 0.03
