"""The renderer of upright pictures: same seed same bytes, every letter has a glyph, nothing but content has an up."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.synth import KINDS, degrade, render
from training.synth.canvas import Style, cut, set_text, snapped
from training.synth.draft import Draft
from training.synth.scripts import BY_NAME, SCRIPTS, Script
from training.synth.windows import render_window
from training.synth.words import Writer

MISSING = "\U000e1234\U000e1235"  # unassigned: no font has it, pango draws a box with its code


@functools.cache
def covered(family: str) -> frozenset[int]:
    """Code points of the fonts that fontconfig lists for `family`."""
    listed = subprocess.run(
        ["fc-list", family, "charset"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    points: set[int] = set()
    for line in listed.splitlines():
        for run in line.partition("=")[2].split():
            low, _, high = run.partition("-")
            points.update(range(int(low, 16), int(high or low, 16) + 1))
    return frozenset(points)


def letters(script: Script, seed: int) -> str:
    writer = Writer(script, np.random.default_rng(seed))
    return "".join(sorted(set(writer.prose(1500)) - set(" \u200b\u200c\u200d")))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_renders_the_same_bytes_twice(kind: str) -> None:
    first, again = render(7, kind), render(7, kind)
    assert first.shape == (288, 288, 3)
    assert first.dtype == np.uint8
    assert first.tobytes() == again.tobytes()
    assert first.std() > 3, "a blank picture teaches nothing"
    assert first.tobytes() != render(8, kind).tobytes()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_fonts_have_every_letter(script: Script) -> None:
    noto = [family for family in script.text if "Noto" in family] or list(script.text)
    own = [ord(letter) for letter in letters(script, 1) if any(a <= ord(letter) <= b for a, b in script.ranges)]
    assert len(own) > 10
    assert set(own) <= frozenset().union(
        *(covered(family.removesuffix(" Bold").removesuffix(" Light")) for family in noto)
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_no_letter_is_drawn_as_the_missing_glyph_box(script: Script) -> None:
    """Unlike boxes, which differ only in the code inside, different words have inks of different width."""
    writer = Writer(script, np.random.default_rng(3))
    words = [word for word in (writer.word() for _ in range(40)) if len(word) > 1][:6]  # an i is narrow in any font
    inks = [set_text(word, Style(script.text[0], 40)) for word in words]
    box = set_text(MISSING[:1], Style(script.text[0], 40))
    outline = np.asarray(box.mask)
    assert (outline[:, :4] > 100).mean() > 0.2, "this test no longer knows what a missing glyph looks like"
    for word, ink in zip(words, inks, strict=True):
        assert ink.width > 5
        left = np.asarray(ink.mask)[:, :4]
        assert not (ink.height == box.height and (left > 100).all(axis=0).any()), word


def test_render_in_every_script() -> None:
    for script in BY_NAME:
        assert render(5, "article", script).std() > 3


def test_at_least_twenty_scripts() -> None:
    assert len(SCRIPTS) >= 20
    assert {script.name for script in SCRIPTS if script.vertical} >= {"japanese", "chinese"}
    assert {script.name for script in SCRIPTS if script.rtl} >= {"arabic", "hebrew"}


def test_vertical_text_runs_down_and_its_columns_to_the_left() -> None:
    style = Style("Noto Sans CJK JP", 20, vertical=True)
    one, two = set_text("日本", style, 200), set_text("日本語の本を読む人は山の川で", style, 100)
    assert one.height > 1.7 * one.width
    columns = np.asarray(two.mask).any(axis=0)
    last = np.asarray(two.mask)[:, : two.width // 4].any(axis=1)
    assert columns.nonzero()[0].max() > 0.85 * two.width
    assert last.nonzero()[0].max() < two.height - 10, "the last, shorter column stands on the left"


def test_vertical_glyphs_stand_upright() -> None:
    """A vertical 一 is a flat stroke, as in horizontal text; turned it would be tall."""
    for vertical in (False, True):
        ink = set_text("一", Style("Noto Sans CJK JP", 40, vertical=vertical), 100)
        assert ink.width > 3 * ink.height


def test_right_to_left_paragraphs_end_on_the_left() -> None:
    mask = np.asarray(set_text("سلام " * 9 + "سلام", Style("Noto Naskh Arabic", 20), 200).mask)
    rows = np.flatnonzero(mask.any(axis=1))
    last = mask[rows[-1] - 12 : rows[-1]].any(axis=0).nonzero()[0]
    assert last.max() > mask.shape[1] * 0.9


def test_lines_are_never_cut_through() -> None:
    lines = np.array([1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1], bool)
    assert cut(lines, 11) == 11
    assert cut(lines, 9) == 7
    assert cut(lines, 2) == 0


def test_type_sizes_are_few() -> None:
    sizes = {snapped(size) for size in np.linspace(1, 500, 5000)}
    assert len(sizes) <= 41
    assert snapped(20) == pytest.approx(20, rel=0.06)


def slopes(finish: object, number: int = 200) -> np.ndarray:
    """[number, 2] of each finished blank paper's mean brightness: right minus left, bottom minus top."""
    found = []
    for seed in range(number):
        d = Draft(np.random.default_rng(seed), BY_NAME["latin"])
        blank = Image.new("RGB", (360, 360), (200, 200, 200))
        x = finish(d, blank).astype(float).mean(axis=2)  # type: ignore[operator]
        found.append((x[:, 144:].mean() - x[:, :144].mean(), x[144:].mean() - x[:144].mean()))
    return np.array(found)


@pytest.mark.parametrize("finish", [degrade.plain, degrade.scan, degrade.photograph, degrade.photographed_screen])
def test_degradations_have_no_preferred_direction(finish: object) -> None:
    """Gradients are there, but their mean over many papers is zero within 3.5 standard errors, along both axes."""
    found = slopes(finish)
    error = found.std(axis=0) / np.sqrt(len(found)) + 0.02
    assert (np.abs(found.mean(axis=0)) < 3.5 * error).all()
    spread = found.std(axis=0)
    if finish is not degrade.plain:
        assert spread.min() > 0.5
        assert 0.6 < spread[0] / spread[1] < 1.7


def test_backdrops_have_no_preferred_direction() -> None:
    from training.synth.figures import backdrop

    found = []
    for seed in range(200):
        x = np.asarray(backdrop(Draft(np.random.default_rng(seed)), 64, 64), float).mean(axis=2)
        found.append((x[:, 32:].mean() - x[:, :32].mean(), x[32:].mean() - x[:32].mean()))
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0)) < 3.5 * error).all()


def test_shape_does_not_tell_the_layout() -> None:
    """Each kind is drawn on canvases both wider than tall and taller than wide."""
    for kind, (draw, _, _) in KINDS.items():
        ratios = []
        for seed in range(60):
            d = Draft(np.random.default_rng(seed))
            d.sheet, kept = _only_the_sheet(d), ratios
            try:
                draw(d)
            except _Enough as enough:
                kept.append(enough.args[0])
        assert min(ratios) < 1 < max(ratios), kind


class _Enough(Exception):
    """Raised with height / width as soon as a canvas is made."""


def _only_the_sheet(d: Draft):  # type: ignore[no-untyped-def]
    make = d.sheet

    def sheet(*args: object, **kwargs: object) -> None:
        canvas = make(*args, **kwargs)  # type: ignore[arg-type]
        raise _Enough(canvas.height / canvas.width)

    return sheet


def test_photos_lend_backgrounds() -> None:
    red = np.zeros((1, 16, 16, 3), np.uint8)
    red[..., 0] = 255
    with_red = [render(seed, "poster", photos=red) for seed in range(12)]
    assert any((x[..., 0].mean() - x[..., 1].mean()) > 100 for x in with_red)


def test_unknown_kind_and_script_are_refused() -> None:
    with pytest.raises(KeyError):
        render(0, "papyrus")
    with pytest.raises(KeyError):
        render(0, "page", "linear a")


def test_command_writes_pool_and_sheet(tmp_path: Path) -> None:
    out, sheet = tmp_path / "pool.npy", tmp_path / "sheet.png"
    command = [
        sys.executable,
        "-m",
        "training.synth",
        "--number",
        "3",
        "--seed",
        "40",
        "--out",
        str(out),
        "--sheet",
        str(sheet),
    ]
    root = Path(__file__).resolve().parents[2]
    subprocess.run([*command, "--kind", "sign", "--kind", "plate"], check=True, cwd=root, timeout=120)
    pool = np.load(out)
    assert pool.shape == (3, 288, 288, 3)
    assert pool[1].tobytes() == render(41, "plate").tobytes()
    with Image.open(sheet) as shown:
        for place in range(3):
            left = 2 + place * (288 + 4)
            assert np.array_equal(np.asarray(shown.crop((left, 2, left + 288, 2 + 288))), pool[place])


def test_windows_are_reproducible_and_hold_ink() -> None:
    for seed in range(6):
        window = render_window(seed)
        assert window.shape == (224, 224, 3) and window.dtype == np.uint8
        assert np.array_equal(window, render_window(seed)) and window.std() > 5
    assert not np.array_equal(render_window(0), render_window(1))
