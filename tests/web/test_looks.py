"""How the page looks and reads: no serious fault by axe-core, in light and dark, both languages, on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import Visit

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone-chinese": {
        "color_scheme": "light",
        "locale": "zh-CN",
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}


@pytest.mark.parametrize("look", LOOKS)
def test_no_serious_accessibility_fault(
    visit: Callable[..., Visit], tiny_site: str, pictures: Path, node_modules: Path, screenshots: Path, look: str
) -> None:
    # axe-core runs inside the page, where the page's own policy would keep it out.
    opened = visit(tiny_site, bypass_csp=True, reduced_motion="reduce", **LOOKS[look])
    page = opened.page
    page.add_script_tag(path=node_modules / "axe-core/axe.min.js")
    page.screenshot(path=screenshots / f"{look}-empty.png")
    _no_serious_fault(opened)
    broken = pictures / "not-a-picture.jpg"
    broken.write_bytes(b"no")
    opened.add(*(pictures / name for name in ("sky-0.png", "letter-90.jpg", "letter-270.webp", "blank.png")), broken)
    opened.wait_decided(5)
    page.locator("[data-act=right]").first.click()
    page.mouse.move(0, 0)
    _no_serious_fault(opened)
    page.screenshot(path=screenshots / f"{look}.png", full_page=True)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off at the side"


def _no_serious_fault(opened: Visit) -> None:
    found = opened.page.evaluate("() => axe.run().then(result => [result.violations, result.passes.length])")
    faults = [(v["id"], v["impact"], [node["html"][:160] for node in v["nodes"]]) for v in found[0]]
    assert found[1] > 20, "axe-core looked at the page"
    assert not [fault for fault in faults if fault[1] in ("serious", "critical")], faults


def test_language_and_theme_are_remembered(visit: Callable[..., Visit], tiny_site: str) -> None:
    opened = visit(tiny_site, color_scheme="light")
    page = opened.page
    page.get_by_role("button", name="中文").click()
    expect(page.locator("#invitation")).to_have_text("把图片拖到这里，它们会自动转正。")
    page.get_by_role("button", name="浅色或深色").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.get_by_role("button", name="English").is_visible()


def test_keyboard_alone_is_enough(visit: Callable[..., Visit], tiny_site: str, pictures: Path) -> None:
    opened = visit(tiny_site)
    page = opened.page
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "files"
    opened.add(pictures / "sky-90.png", pictures / "sky-180.png")
    opened.wait_decided(2)
    first = page.get_by_role("button", name="Turn sky-90.png right")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.closest('.card') !== null"):
            break
    page.keyboard.press("r")
    expect(page.locator("#news")).to_contain_text("sky-90.png: Turned by hand")
    page.keyboard.press("n")
    focused = page.evaluate("() => document.activeElement.closest('.card').querySelector('.name').textContent")
    assert focused == "sky-180.png"
    page.keyboard.press("p")
    expect(first).to_be_visible()
    page.keyboard.press("z")
    assert opened.cards()["sky-90.png"]["turn"] == 90


def test_what_is_chosen_shows_in_forced_colours(
    visit: Callable[..., Visit], tiny_site: str, pictures: Path, screenshots: Path
) -> None:
    opened = visit(tiny_site, forced_colors="active", reduced_motion="reduce")
    page = opened.page
    opened.add(pictures / "sky-90.png", pictures / "sky-0.png")
    opened.wait_decided(2)
    for shown, chosen in {
        "#promise label:has([value=best])": "#promise [value=best]",
        ".switch:has(#tilts)": "#tilts",
        "#filters button:nth-child(3)": "#filters button:nth-child(3)",
    }.items():
        before = page.locator(shown).screenshot()
        page.locator(chosen).click()
        page.mouse.move(0, 0)
        page.evaluate("() => document.activeElement.blur()")
        assert page.locator(shown).screenshot() != before, shown
    page.screenshot(path=screenshots / "forced-colours.png", full_page=True)


def test_what_is_shown_small_is_not_taken_for_the_picture(
    visit: Callable[..., Visit], tiny_site: str, pictures: Path
) -> None:
    opened = visit(tiny_site)
    page = opened.page
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    page.evaluate("() => addEventListener('dragstart', () => (window.dragged = true))")
    for shown in (".before img", ".after img"):
        page.locator(shown).drag_to(page.locator("#drop"))
    assert not page.evaluate("() => window.dragged")
    expect(page.locator("#trouble")).to_be_hidden()
