"""“Clear all” clears, whatever is being done meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .conftest import Visit, comes_to, kept_files
from .pictures import sky, turned

Visiting = Callable[..., Visit]

#: Presses "Clear all" as soon as a card says this.
CLEAR_WHEN = """badge => new MutationObserver((_, observer) => {
    if (![...document.querySelectorAll('.badge')].some(each => each.textContent === badge)) return;
    observer.disconnect();
    document.querySelector('#clear').click();
}).observe(document.body, { subtree: true, childList: true, characterData: true })"""


def assert_clear(page: Page) -> None:
    comes_to(page, lambda: kept_files(page), [0, 0])
    page.wait_for_timeout(1500)
    assert kept_files(page) == [0, 0], "nothing comes after it"
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator("#results")).to_be_hidden()
    page.reload()
    expect(page.locator("#engine")).to_contain_text("WebAssembly")
    page.wait_for_timeout(300)
    expect(page.locator(".card")).to_have_count(0)


def document(path: Path, pages: int, size: tuple[int, int] = (300, 200)) -> Path:
    """A PDF whose pages each need a turn by 90°."""
    sheets = [turned(sky(*size), 90) for _ in range(pages)]
    sheets[0].save(path, save_all=True, append_images=sheets[1:])
    return path


def test_while_the_first_page_of_a_document_is_looked_at(
    visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path
) -> None:
    opened = visit(tiny_site)
    opened.page.evaluate(CLEAR_WHEN, "Looking")
    opened.add(document(tmp_path / "six.pdf", 6))
    assert_clear(opened.page)
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    expect(opened.page.locator("#download")).to_have_text("Download 1 as zip")


def test_while_answers_are_kept(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    opened = visit(tiny_site)
    opened.add(document(tmp_path / "thirty.pdf", 30, (1600, 1200)))
    expect(opened.page.locator(".card")).to_have_count(30)
    opened.page.wait_for_timeout(700)
    opened.page.get_by_role("button", name="Clear all").click()
    assert_clear(opened.page)


def test_while_cards_are_made(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    opened = visit(tiny_site)
    paths = [tmp_path / f"{number}.png" for number in range(200)]
    for path in paths:
        sky(60, 40).save(path)
    opened.page.evaluate(CLEAR_WHEN, "Waiting")
    opened.add(*paths)
    assert_clear(opened.page)


def test_an_answer_without_its_file_goes_at_the_next_visit(visit: Visiting, tiny_site: str, pictures: Path) -> None:
    opened = visit(tiny_site)
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    expect(opened.page.locator("#kept")).to_contain_text("Kept")
    comes_to(opened.page, lambda: kept_files(opened.page), [1, 1])
    opened.page.evaluate(
        """() => new Promise(done => {
            const asked = indexedDB.open('upright');
            asked.onsuccess = () => {
                const writing = asked.result.transaction('files', 'readwrite');
                writing.objectStore('files').clear();
                writing.oncomplete = done;
            };
        })"""
    )
    opened.page.reload()
    assert_clear(opened.page)


def test_another_window_says_that_its_pictures_are_no_longer_kept(
    visit: Visiting, tiny_site: str, pictures: Path
) -> None:
    opened = visit(tiny_site)
    opened.add(pictures / "sky-90.png", pictures / "sky-0.png")
    opened.wait_decided(2)
    other = Visit(opened.page.context.new_page())
    other.page.goto(tiny_site)
    other.wait_decided(2)
    expect(other.page.locator("#kept")).to_contain_text("Kept in this browser")
    opened.page.get_by_role("button", name="Clear all").click()
    expect(other.page.locator("#kept")).to_contain_text("2 of 2 files are no longer kept")
    other.page.get_by_role("button", name="Turn sky-0.png left").click()
    other.add(pictures / "sky-180.png")
    other.wait_decided(3)
    expect(other.page.locator("#kept")).to_contain_text("2 of 3 files are no longer kept")
    # What was not cleared is kept, and nothing of the rest.
    comes_to(other.page, lambda: kept_files(other.page), [1, 1])
    other.page.wait_for_timeout(300)
    assert kept_files(other.page) == [1, 1]
    other.page.get_by_role("button", name="Clear all").click()
    assert_clear(opened.page)


def test_a_page_whose_store_the_browser_clears_says_so(visit: Visiting, tiny_site: str, pictures: Path) -> None:
    opened = visit(tiny_site)
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    expect(opened.page.locator("#kept")).to_contain_text("Kept in this browser")
    devtools = opened.page.context.new_cdp_session(opened.page)
    devtools.send("Storage.clearDataForOrigin", {"origin": tiny_site.rstrip("/"), "storageTypes": "indexeddb"})
    expect(opened.page.locator("#kept")).to_contain_text("1 of 1 files are no longer kept")
