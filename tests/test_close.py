"""The step `close`: where text is looked for, at which size, in which turns."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from upright.pictures import open_picture
from upright.steps import LADDER, Looks, View
from upright.steps.close import MOST_WINDOWS, STROKE_PX, evidence, text_strokes, windows
from upright.turns import Turn

SIZE_PX = 224


def page(height_px: int = 1500, type_px: int = 30, ink: int = 0, paper: int = 255) -> Image.Image:
    """A page of words in lines, with a blank lower third."""
    image = Image.new("L", (height_px * 5 // 7, height_px), paper)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(type_px)
    for y in range(type_px, height_px * 2 // 3, type_px * 3 // 2):
        draw.text((type_px, y), "The pages of one scan job share how they lie. " * 4, ink, font)
    return image.convert("RGB")


def planned(image: Image.Image) -> list[View]:
    with open_picture(image) as picture:
        return list(windows(picture, SIZE_PX))


def strokes_of(image: Image.Image) -> float:
    return text_strokes(image.convert("L"))[0]


def test_strokes_grow_with_the_type() -> None:
    small, large = strokes_of(page(type_px=24)), strokes_of(page(type_px=48))
    assert large / small == pytest.approx(2, rel=0.2)


def test_light_text_on_a_dark_ground_has_the_same_strokes() -> None:
    assert strokes_of(page(ink=255, paper=0)) == pytest.approx(strokes_of(page()), rel=0.1)


@pytest.mark.parametrize("height_px", [900, 1500, 3000])
def test_text_is_equally_large_in_the_windows_whatever_the_resolution(height_px: int) -> None:
    image = page(height_px, type_px=height_px // 50)
    with open_picture(image) as picture:
        view = windows(picture, SIZE_PX)[0]
        shown = Image.fromarray(picture.squashed(view.squashed or SIZE_PX))
    assert strokes_of(shown) == pytest.approx(STROKE_PX, rel=0.35)


def test_windows_lie_on_text_and_hardly_overlap() -> None:
    views = planned(page())
    assert 4 <= len(views) <= MOST_WINDOWS
    assert views[0].squashed is not None
    width, height = views[0].squashed
    lowest = max(view.corner[1] + SIZE_PX for view in views)
    assert lowest < height * 0.8, "the lower third is blank"
    for i, one in enumerate(views):
        assert 0 <= one.corner[0] <= width - SIZE_PX and 0 <= one.corner[1] <= height - SIZE_PX
        for other in views[:i]:
            apart = [abs(a - b) for a, b in zip(one.corner, other.corner, strict=True)]
            assert max(apart) > SIZE_PX * 0.6


def test_the_windows_of_each_quarter_are_seen_in_changing_turns() -> None:
    """What the model prefers by habit cancels out, also on a page whose text lies in one corner."""
    views = planned(page())
    assert views[0].squashed is not None
    width, height = views[0].squashed
    quarters: dict[tuple[bool, bool], list[Turn]] = {}
    for view in views:
        middle = view.corner[0] + SIZE_PX / 2, view.corner[1] + SIZE_PX / 2
        quarters.setdefault((middle[0] >= width / 2, middle[1] >= height / 2), []).append(view.turn)
    for turns in quarters.values():
        assert all((b - a) % 360 == 90 for a, b in itertools.pairwise(turns))
    assert {view.turn for view in views} == set(Turn)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: Image.new("RGB", (1000, 800), "white"),
        lambda: Image.linear_gradient("L").resize((1200, 900)).convert("RGB"),
        lambda: Image.effect_noise((900, 900), 6).convert("RGB"),
    ],
    ids=["blank", "sky", "paper noise"],
)
def test_where_there_is_no_text_there_are_no_windows(draw: Callable[[], Image.Image]) -> None:
    assert planned(draw()) == []


def test_a_strip_is_seen_along_its_length() -> None:
    strip = page().crop((0, 20, 1071, 110))
    views = planned(strip)
    assert views and views[0].squashed is not None and views[0].squashed[1] == SIZE_PX
    assert len({view.corner[0] for view in views}) == len(views) > 2


def test_windows_add_up() -> None:
    """Each window as sure as the eight looks: together they are surer, more of them still, never as if independent."""
    row = np.log(np.array([0.7, 0.1, 0.1, 0.1], np.float32))

    def together(count: int) -> float:
        looks = {
            step.name: Looks([View()] * n, np.stack([row] * n))
            for step, n in zip(LADDER, (1, 1, 2, 4, count), strict=True)
        }
        said = evidence(looks)
        return float(said[0] - said[1])

    alone = float(row[0] - row[1])
    assert alone < together(1) < together(3) < together(12) < 13 * alone
