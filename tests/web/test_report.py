"""The report in a browser: accessible, on a phone, filtered, enlarged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from upright import Detector
from upright.report import About, write_report
from upright.run import work
from upright.sources import find_items

from .conftest import Visit
from .reference import DEMO
from .test_review import AXE


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    shutil.copytree(DEMO, folder / "my photos & scans")
    (folder / "my photos & scans" / "broken.jpg").write_bytes((DEMO / "page.jpg").read_bytes()[:300])
    with Detector() as detector:
        about = About("upright detect photos/ --report report.html", "upright-1", 0.992, "", "upright review photos/")
        found = work(find_items([str(folder / "my photos & scans")]), detector)
        write_report(found, folder / "report.html", about=about)
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_is_accessible_and_fits(
    report: Path, visit: Callable[..., Visit], node_modules: Path, screenshots: Path, scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 800}
    page: Page = visit(report.as_uri(), ready=False, viewport=viewport, color_scheme=scheme).page
    page.add_script_tag(path=node_modules / "axe-core/axe.min.js")
    assert page.evaluate(AXE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    page.screenshot(path=screenshots / f"report-{scheme}-{width}.png", full_page=True)


def test_a_click_enlarges_the_file_itself_and_groups_are_filtered(
    report: Path, visit: Callable[..., Visit], screenshots: Path
) -> None:
    page: Page = visit(report.as_uri(), ready=False).page
    page.get_by_role("button", name="page.jpg").click()
    images = page.locator("dialog img")
    expect(images).to_have_count(2)
    page.wait_for_function(
        "() => [...document.querySelectorAll('dialog img')].every(image => image.naturalWidth === 1754)"
    )
    expect(images.last).to_have_class("turn270")
    expect(page.locator("dialog p")).to_contain_text("sure")
    page.screenshot(path=screenshots / "report-large.png")
    page.keyboard.press("Escape")
    # Browsers know no TIFF: the small picture stands in.
    page.get_by_role("button", name="chart.tif").click()
    page.wait_for_function("() => [...document.querySelectorAll('dialog img')].every(image => image.naturalWidth > 50)")
    expect(images.last).to_have_class("turn90")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Unsure").click()
    expect(page.locator("section:visible")).to_have_count(1)
    expect(page.locator("#unsure")).to_be_visible()
    page.get_by_role("button", name="All").click()
    assert page.locator("section:visible").count() >= 3
