"""What the page keeps between visits, its samples, and one picture enlarged."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from .conftest import Visit, comes_to, kept_files
from .pictures import sky, turned

Visiting = Callable[..., Visit]


def by_hand(page: Page) -> int:
    """How many of the answers that the browser keeps are by hand."""
    found = page.evaluate(
        """() => new Promise(done => {
            const asked = indexedDB.open('upright');
            asked.onsuccess = () => {
                const all = asked.result.transaction('answers').objectStore('answers').getAll();
                all.onsuccess = () => done(all.result.filter(({ hand }) => hand !== undefined).length);
            };
        })"""
    )
    assert isinstance(found, int)
    return found


def test_a_reload_loses_nothing_and_clear_all_forgets(
    visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path
) -> None:
    opened = visit(tiny_site)
    page = opened.page
    names = ["sky-0.png", "sky-90.png", "sky-180.png"]
    opened.add(*(pictures / name for name in names))
    opened.wait_decided(3)
    page.get_by_role("button", name="Turn sky-180.png left").click()
    expect(page.locator("#kept")).to_contain_text("Kept in this browser")
    before = opened.cards()
    assert before["sky-180.png"]["turn"] == 90
    comes_to(page, lambda: by_hand(page), 1)
    page.reload()
    opened.wait_decided(3)
    assert opened.cards() == before
    assert list(opened.cards()) == names, "in the order in which they came"
    expect(page.locator(".card").first.locator(".before img")).to_have_js_property("complete", True)
    saved = opened.save("sky-180.png", tmp_path)
    assert saved.read_bytes() != (pictures / "sky-180.png").read_bytes()
    page.get_by_role("button", name="Undo your turn of sky-180.png").click()
    comes_to(page, lambda: by_hand(page), 0)
    page.reload()
    opened.wait_decided(3)
    assert opened.cards()["sky-180.png"]["turn"] == 180
    page.get_by_role("button", name="Clear all").click()
    comes_to(page, lambda: kept_files(page), [0, 0])
    page.reload()
    expect(page.locator("#engine")).to_contain_text("WebAssembly")
    expect(page.locator(".card")).to_have_count(0)
    assert kept_files(page) == [0, 0]


def test_pictures_that_wait_are_decided_after_a_reload(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    opened = visit(tiny_site)
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for path in paths:
        sky(300, 200).save(path)
    opened.add(*paths)
    expect(opened.page.locator("#kept")).to_contain_text("Kept")
    opened.page.reload()
    opened.wait_decided(40)
    assert {card["group"] for card in opened.cards().values()} == {"kept"}


def test_a_browser_that_keeps_nothing_says_so(visit: Visiting, tiny_site: str, pictures: Path) -> None:
    opened = visit(tiny_site, ready=False)
    opened.page.add_init_script("IDBFactory.prototype.open = () => { throw Error(); }")
    opened.page.reload()
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    assert opened.cards()["sky-90.png"]["turn"] == 90
    expect(opened.page.locator("#kept")).to_contain_text("keeps nothing")


def test_the_zip_keeps_dates(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    then = datetime(2019, 7, 14, 12, 34, 56, tzinfo=UTC)
    path = tmp_path / "holiday.png"
    sky(120, 90).save(path)
    os.utime(path, (then.timestamp(), then.timestamp()))
    opened = visit(tiny_site, timezone_id="Asia/Tokyo")
    opened.add(path)
    opened.wait_decided(1)
    with opened.page.expect_download() as waiting:
        opened.page.locator("#download").click()
    waiting.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        (member,) = packed.infolist()
    assert member.date_time == (2019, 7, 14, 21, 34, 56), "local time, as zip has it"
    assert int.from_bytes(member.extra[5:9], "little") == int(then.timestamp()), "and the exact one"


def test_samples_can_be_tried(visit: Visiting, site: str) -> None:
    opened = visit(site)
    opened.page.get_by_role("button", name="Try it with samples").click()
    opened.wait_decided(6)
    turns = {name: card["turn"] for name, card in opened.cards().items() if card["group"] != "unsure"}
    assert turns["receipt.png"] == 180 and turns["astronaut.jpg"] == 270 and turns["coffee.jpg"] == 0


def test_a_click_enlarges(visit: Visiting, tiny_site: str, tmp_path: Path, screenshots: Path) -> None:
    large = tmp_path / "large.png"
    sky(3000, 2000).transpose(Image.Transpose.ROTATE_90).save(large)
    sky(600, 400).save(tmp_path / "small.png")
    opened = visit(tiny_site)
    page = opened.page
    opened.add(large, tmp_path / "small.png")
    opened.wait_decided(2)
    page.get_by_role("button", name="Enlarge large.png").click()
    image = page.locator("#viewer img")
    expect(image).to_have_js_property("naturalHeight", 2048)
    page.wait_for_function("() => !document.querySelector('#viewer').getAnimations({ subtree: true }).length")
    page.wait_for_timeout(400)
    box, stage = image.bounding_box(), page.locator(".stage").bounding_box()
    assert box and stage
    assert box["width"] / box["height"] > 1.4, "upright: wide again"
    assert min(abs(box[side] - stage[side]) for side in ("width", "height")) < 2, "as large as there is room"
    assert box["x"] >= stage["x"] - 1 and box["y"] >= stage["y"] - 1
    page.screenshot(path=screenshots / "enlarged.png")
    page.keyboard.press("r")
    expect(page.locator("#viewer .verdict")).to_contain_text("Turned by hand")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer .name")).to_have_text("small.png")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    assert page.evaluate("() => document.activeElement.dataset.act") == "enlarge", "the focus is back"
    assert opened.cards()["large.png"]["turn"] == 180


def test_an_animation_is_not_made_one_picture(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    frames = [sky(120, 90, dark).transpose(Image.Transpose.ROTATE_180) for dark in (40, 90)]
    for name in ("moving.gif", "moving.webp", "moving.avif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=50)
    frames[0].save(tmp_path / "still.gif")
    opened = visit(tiny_site)
    opened.add(*(tmp_path / name for name in ("moving.gif", "moving.webp", "moving.avif", "still.gif")))
    opened.wait_decided(4)
    cards = opened.cards()
    for name in ("moving.gif", "moving.webp", "moving.avif"):
        assert (cards[name]["group"], cards[name]["badge"]) == ("cannot", "Cannot be turned")
        assert "frames" in cards[name]["note"]
        assert opened.save(name, tmp_path / "saved").read_bytes() == (tmp_path / name).read_bytes()
    assert cards["still.gif"]["group"] == "turned"
    expect(opened.page.get_by_role("button", name="Cannot be turned 3")).to_be_visible()


def test_answers_of_another_model_are_not_shown_as_this_ones(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    opened = visit(tiny_site)
    paths = [tmp_path / f"{number}.png" for number in range(100)]
    for path in paths:
        turned(sky(60, 40), 90).save(path)
    opened.add(*paths)
    opened.wait_decided(100)
    comes_to(opened.page, lambda: kept_files(opened.page), [100, 100])
    opened.page.evaluate(
        """() => new Promise(done => {
            const asked = indexedDB.open('upright');
            asked.onsuccess = () => {
                const writing = asked.result.transaction('answers', 'readwrite');
                const walk = writing.objectStore('answers').openCursor();
                walk.onsuccess = () => {
                    const at = walk.result;
                    if (!at) return;
                    at.value.model = 'old 0';
                    at.value.looked.looks = [1, 2, 4].map(count => Array(count).fill([20, 0, 0, 0]));
                    Object.assign(at.value.looked.orientation, { turn: 0, best: 0 });
                    at.update(at.value);
                    at.continue();
                };
                writing.oncomplete = done;
            };
        })"""
    )
    for _ in range(2):
        opened.page.reload()
        opened.wait_decided(100)
        assert {(card["group"], card["turn"]) for card in opened.cards().values()} == {("turned", 90)}
        opened.page.wait_for_timeout(500)
