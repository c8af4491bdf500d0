"""Work by keyboard: the focus stays where the work is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import Visit, comes_to
from .pictures import sky

Visiting = Callable[..., Visit]
#: What has the focus: a button's name, and the picture of its card.
FOCUS = """() => {
    const { activeElement: at } = document;
    const name = at.closest('.card')?.querySelector('.name').textContent;
    return [at.dataset.act ?? at.dataset.view ?? at.textContent, name];
}"""


def assert_focus(page: Page, *wanted: str | None) -> None:
    page.wait_for_timeout(400)  # it does not go on from there
    comes_to(page, lambda: page.evaluate(FOCUS), list(wanted))


@pytest.fixture
def unsure(visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path) -> Visit:
    """Four pictures that nobody can be sure of, shown alone, and one that is upright."""
    opened = visit(tiny_site)
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        path.write_bytes((pictures / "blank.png").read_bytes())
    opened.add(*paths, pictures / "sky-0.png")
    opened.wait_decided(5)
    button = opened.page.get_by_role("button", name="Unsure 4")
    button.focus()
    opened.page.keyboard.press("Enter")
    expect(opened.page.locator(".card:visible")).to_have_count(4)
    return opened


def test_a_filter_that_was_pressed_keeps_it(unsure: Visit, pictures: Path) -> None:
    assert_focus(unsure.page, "Unsure 4", None)
    unsure.add(pictures / "sky-90.png", pictures / "sky-180.png")
    unsure.wait_decided(7)
    assert_focus(unsure.page, "Unsure 4", None)
    expect(unsure.page.get_by_role("button", name="Unsure 4")).to_have_attribute("aria-pressed", "true")


def test_it_goes_on_from_a_card_that_leaves_the_filter(unsure: Visit) -> None:
    page = unsure.page
    page.get_by_role("button", name="Turn 1.png right").focus()
    page.keyboard.press("r")
    assert_focus(page, "right", "2.png")
    page.keyboard.press("n")
    assert_focus(page, "right", "3.png")
    page.keyboard.press("l")
    assert_focus(page, "right", "2.png")  # after the last, the one before it
    page.keyboard.press("p")
    page.keyboard.press("r")
    assert_focus(page, "right", "2.png")
    page.keyboard.press("u")
    assert_focus(page, "right", "2.png")  # none is unsure any more: all are shown
    expect(page.get_by_role("button", name="All 5")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Unsure")).to_be_hidden()


def test_a_button_that_goes_hands_it_to_its_card(unsure: Visit) -> None:
    page = unsure.page
    page.get_by_role("button", name="All 5").click()
    page.get_by_role("button", name="Turn 1.png right").click()
    page.get_by_role("button", name="Undo your turn of 1.png").click()
    assert_focus(page, "right", "1.png")


def test_the_enlarged_picture_goes_on_within_its_filter(unsure: Visit) -> None:
    page, name = unsure.page, unsure.page.locator("#viewer .name")
    page.get_by_role("button", name="Enlarge 1.png").click()
    page.keyboard.press("u")
    page.wait_for_timeout(400)
    page.keyboard.press("n")
    expect(name).to_have_text("2.png")
    page.keyboard.press("p")
    expect(name).to_have_text("0.png")
    page.keyboard.press("p")
    expect(name).to_have_text("0.png")
    page.keyboard.press("u")
    page.wait_for_timeout(400)
    page.locator("#viewer [data-view=undo]").focus()
    page.keyboard.press("Enter")
    assert_focus(page, "right", None)  # within the dialog still
    page.keyboard.press("u")
    page.wait_for_timeout(400)
    page.keyboard.press("Escape")
    assert_focus(page, "enlarge", "2.png")


def test_thumbnails_outlive_the_enlarged_picture(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    opened = visit(tiny_site, ready=False)
    # Views come late, so that the next picture is asked for while a thumbnail is shown.
    opened.page.add_init_script(
        """const { postMessage } = Worker.prototype;
        Worker.prototype.postMessage = function (message) {
            setTimeout(() => postMessage.call(this, message), message.call === 'view' ? 300 : 0);
        };"""
    )
    opened.page.reload()
    for name in ("first.png", "second.png"):
        sky(900, 600).save(tmp_path / name)
    opened.add(tmp_path / "first.png", tmp_path / "second.png")
    opened.wait_decided(2)
    page = opened.page
    page.get_by_role("button", name="Enlarge first.png").click()
    page.keyboard.press("n")
    page.keyboard.press("p")
    image = page.locator("#viewer img")
    expect(image).to_have_js_property("naturalWidth", 360, timeout=250)
    expect(image).to_have_js_property("naturalWidth", 900)
    decoded = """address => {
        const image = new Image();
        image.src = address;
        return image.decode().then(() => image.naturalWidth);
    }"""
    for card in page.locator(".card .before img").all():
        assert page.evaluate(decoded, card.get_attribute("src")) == 360
