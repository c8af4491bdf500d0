import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from upright_benchmark import render
from upright_benchmark.capture import CAPTURES
from upright_benchmark.harden import HARD
from upright_benchmark.layouts import KINDS
from upright_benchmark.pictures import GROUPS, PLAIN, TURNS, open_upright, read_list, save_shown, sha256_of, turned
from upright_benchmark.scripts import SCRIPTS
from upright_benchmark.words import vocabulary


def test_the_plan_has_every_script_with_every_kind() -> None:
    tasks = render.plan()
    assert len(tasks) == len({task.id for task in tasks}) == 605
    plain = [task for task in tasks if task.hardness == PLAIN]
    assert {(task.kind, task.script) for task in plain} == {(k, s.code) for k in KINDS for s in SCRIPTS}
    assert len(SCRIPTS) == 40 and len(KINDS) == 12
    assert Counter(task.dpi for task in plain) == {150: 320, 300: 160}
    assert {task.capture for task in plain} == set(CAPTURES)
    assert {group for _, group, _ in KINDS.values()} < set(GROUPS)
    assert Counter(task.hardness for task in tasks)["mirrored"] == 20
    few = render.smaller(tasks, 30)
    assert len(few) == 30 and len({task.kind for task in few}) >= 12 and any(t.hardness != PLAIN for t in few)


def test_every_script_has_words_of_its_own() -> None:
    for script in SCRIPTS:
        for locale in script.words:
            words = vocabulary(locale, script.letters)
            assert len(words) > 35, (script.code, locale, len(words))
            inside = [
                any(low <= ord(letter) <= high for low, high in script.letters) for word in words for letter in word
            ]
            assert all(inside), script.code


def test_the_same_seed_gives_the_same_picture_and_what_is_there_stays(tmp_path: Path) -> None:
    tasks = [t for t in render.plan() if t.id in ("receipt-Arab", "web-Hang", "no-up-08", "sign-Telu-strip")]
    first = render.render_all(tasks, tmp_path / "a", 1)
    second = [render.render(task, tmp_path) for task in tasks]
    assert [p.sha256 for p in first] == [p.sha256 for p in second] == [sha256_of(tmp_path / p.file) for p in second]
    assert read_list(tmp_path / "a") == sorted(first, key=lambda p: p.id)
    (tmp_path / "a" / "no-up-08.jpg").write_bytes(b"cut off")
    written = (tmp_path / "a" / "web-Hang.jpg").stat().st_mtime_ns
    assert render.render_all(tasks, tmp_path / "a", 1) == first
    assert (tmp_path / "a" / "web-Hang.jpg").stat().st_mtime_ns == written
    assert sha256_of(tmp_path / "a" / "no-up-08.jpg") == first[-1].sha256


def test_a_missing_font_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = subprocess.run(["fc-list", ":", "family"], capture_output=True, text=True, check=True).stdout
    render.check_fonts()
    without = "\n".join(line for line in listed.splitlines() if "Vai" not in line)
    monkeypatch.setattr(render.subprocess, "run", lambda *a, **k: SimpleNamespace(stdout=without))
    with pytest.raises(render.MissingFonts, match=r"no font Noto Sans Vai: apt-get install .*fonts-noto-core"):
        render.check_fonts()


def ruled(width: int = 400, height: int = 300) -> Image.Image:
    """White paper with thick level lines."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for y in range(20, height, 40):
        draw.rectangle((0, y, width, y + 9), (30, 30, 30))
    return image


def straightness(image: Image.Image, clockwise: float) -> float:
    """How level the lines are once the picture is turned clockwise by so many degrees (Pillow turns the other way)."""
    w, h = image.size
    level = image.convert("L").rotate(-clockwise, Image.Resampling.BICUBIC, fillcolor=128)
    middle = np.asarray(level.crop((w // 4, h // 4, w * 3 // 4, h * 3 // 4)), float)
    return float(middle.mean(axis=1).std())


@pytest.mark.parametrize("name", ["flatbed", "phone", "fax", "thermal"])
def test_the_stated_tilt_straightens_a_captured_page(name: str) -> None:
    found = []
    for seed in range(8):
        image, tilt = CAPTURES[name](np.random.default_rng(seed), ruled(), 150)
        best = max(np.arange(-8, 8.1, 0.5), key=lambda angle: straightness(image, float(angle)))
        found.append((tilt, float(best)))
    tilts, bests = np.array(found).T
    assert np.abs(tilts - bests).max() < 2.6 and np.corrcoef(tilts, bests)[0, 1] > 0.5


def test_the_stated_tilt_straightens_a_tilted_picture() -> None:
    for seed in range(6):
        image, tilt = HARD["tilted"](np.random.default_rng(seed), ruled())
        assert tilt is not None and 4 <= abs(tilt) <= 15
        assert straightness(image, tilt) > 2 * straightness(image, -tilt)
        assert (np.asarray(image)[[0, 0, -1, -1], [0, -1, 0, -1]].sum(axis=1) > 0).all()  # no black corner


def test_strips_are_long_and_small_ones_are_small() -> None:
    for seed in range(6):
        part, _ = HARD["strip"](np.random.default_rng(seed), ruled())
        assert 5.5 < max(part.size) / min(part.size) < 8.5
        assert max(HARD["small"](np.random.default_rng(seed), ruled())[0].size) <= 320


def test_what_is_shown_needs_the_turn_that_is_stated(tmp_path: Path) -> None:
    image = ruled()
    image.paste((255, 0, 0), (0, 0, 400, 30))
    for turn in TURNS:
        save_shown(image, turn, tmp_path / "shown.jpg", 150)
        with Image.open(tmp_path / "shown.jpg") as shown:
            assert shown.info["dpi"] == (150, 150) and not shown.getexif()
            again = turned(shown.convert("RGB"), turn)
        assert again.size == image.size
        red, green, _ = again.getpixel((200, 10))
        assert red > 200 and green < 60


def test_exif_and_depth_are_applied_when_a_picture_is_opened(tmp_path: Path) -> None:
    image = ruled(60, 40)
    image.paste((255, 0, 0), (0, 0, 60, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by 90
    image.save(tmp_path / "lying.jpg", exif=exif)
    shown = open_upright(tmp_path / "lying.jpg", 270)
    assert shown.size == (60, 40) and shown.getpixel((30, 3))[0] > 200 > shown.getpixel((30, 3))[1] + 100
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(tmp_path / "deep.png")
    assert open_upright(tmp_path / "deep.png").getpixel((0, 0)) == (156, 156, 156)
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert open_upright(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
