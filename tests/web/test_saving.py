"""Downloads: what cannot be had, what is not known yet, and files that change on the disk meanwhile."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pikepdf
from playwright.sync_api import Browser, expect

from .conftest import CHROMIUM_OPTIONS, Visit, comes_to
from .pictures import sky, turned
from .test_clear import document

Visiting = Callable[..., Visit]
KEEPS_NOTHING = "IDBFactory.prototype.open = () => { throw Error(); }"
#: Holds back what the worker is asked about pages after the first, until `release()` is called.
HOLDS_BACK = """const { postMessage } = Worker.prototype;
const held = [];
window.release = () => held.splice(0).forEach(send => send());
Worker.prototype.postMessage = function (message) {
    const send = () => postMessage.call(this, message);
    if (message.call === 'look' && message.args[1] > 0) held.push(send);
    else send();
};"""


def copied(source: Path, target: Path) -> Path:
    target.write_bytes(source.read_bytes())
    return target


def keeping_nothing(visit: Visiting, site: str) -> Visit:
    opened = visit(site, ready=False)
    opened.page.add_init_script(KEEPS_NOTHING)
    opened.page.reload()
    return opened


def packed(opened: Visit, target: Path) -> zipfile.ZipFile:
    with opened.page.expect_download() as waiting:
        opened.page.locator("#download").click()
    waiting.value.save_as(target)
    return zipfile.ZipFile(target)


def test_a_zip_goes_on_without_what_cannot_be_read(
    visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path
) -> None:
    opened = keeping_nothing(visit, tiny_site)
    names = ["first.png", "gone.png", "changed.png", "last.png"]
    paths = [copied(pictures / "sky-90.png", tmp_path / name) for name in names]
    opened.add(*paths)
    opened.wait_decided(4)
    paths[1].unlink()
    paths[2].write_bytes(b"another")
    with packed(opened, tmp_path / "all.zip") as found:
        assert found.testzip() is None
        assert found.namelist() == ["first.png", "last.png"]
    alert = opened.page.get_by_role("alert")
    expect(alert).to_have_text(
        "The zip is without gone.png (No longer where it was when it was added. Add it again.); "
        "changed.png (Changed on the disk since it was added, or not to be read any more. Add it again.)"
    )
    opened.page.locator("#language").click()
    expect(alert).to_contain_text("zip 中缺少 gone.png（文件已不在添加时的位置")
    expect(opened.page.locator("#kept")).to_contain_text("此浏览器不保存内容")
    opened.page.locator("#language").click()
    opened.page.get_by_role("button", name="Download gone.png").click()
    expect(alert).to_contain_text("gone.png could not be saved: No longer where it was")
    opened.save("first.png", tmp_path / "saved")
    expect(alert).to_be_hidden()


def test_what_cannot_be_looked_at_again_keeps_its_answer(
    visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path
) -> None:
    opened = keeping_nothing(visit, tiny_site)
    path = copied(pictures / "sky-90.png", tmp_path / "gone.png")
    opened.add(path)
    opened.wait_decided(1)
    before = opened.cards()
    path.unlink()
    opened.page.get_by_role("switch", name="Also look for mirrored pictures").check()
    expect(opened.page.get_by_role("alert")).to_contain_text("gone.png could not be looked at again")
    opened.wait_decided(1)
    assert opened.cards() == before


def test_what_is_kept_needs_its_original_no_more(
    browser: Browser, tiny_site: str, pictures: Path, tmp_path: Path
) -> None:
    """With a profile on the disk, as people have one: a private window keeps a reference alone."""
    context = browser.browser_type.launch_persistent_context(
        tmp_path / "profile", executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS, locale="en-GB"
    )
    opened = Visit(context.pages[0])
    opened.page.goto(tiny_site)
    paths = [copied(pictures / f"sky-{needed}.png", tmp_path / f"sky-{needed}.png") for needed in (90, 180)]
    opened.add(*paths)
    opened.wait_decided(2)
    expect(opened.page.locator("#kept")).to_contain_text("Kept in this browser")
    paths[0].unlink()
    paths[1].write_bytes(b"another")
    opened.page.get_by_role("switch", name="Also look for mirrored pictures").check()
    opened.wait_decided(2)
    for needed in (90, 180):
        assert opened.cards()[f"sky-{needed}.png"]["turn"] == needed
        assert opened.save(f"sky-{needed}.png", tmp_path / "saved").stat().st_size > 100
    with packed(opened, tmp_path / "all.zip") as found:
        assert found.namelist() == ["sky-90.png", "sky-180.png"]
    expect(opened.page.get_by_role("alert")).to_be_hidden()
    context.close()


def test_a_document_is_saved_when_all_its_pages_are_known(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    opened = visit(tiny_site, ready=False)
    opened.page.add_init_script(HOLDS_BACK)
    opened.page.reload()
    turned(sky(300, 200), 90).save(tmp_path / "one.png")
    opened.add(document(tmp_path / "three.pdf", 3), tmp_path / "one.png")
    page = opened.page
    expect(page.locator(".card[data-group=turned]")).to_have_count(2)
    download, saving = page.locator("#download"), page.get_by_role("button", name="Download three.pdf, page 1")
    expect(download).to_have_text("Download 1 as zip")
    expect(saving).to_be_disabled()
    page.get_by_role("button", name="Turn three.pdf, page 1 right").focus()
    page.keyboard.press("d")
    page.wait_for_timeout(300)
    # As often as it takes: a page held back holds its worker.
    waiting = page.locator(".card[data-group=waiting]")
    comes_to(page, lambda: page.evaluate("release()") or waiting.count(), 0)
    opened.wait_decided(4)
    expect(download).to_have_text("Download 2 as zip")
    expect(saving).to_be_enabled()
    with packed(opened, tmp_path / "all.zip") as found, pikepdf.open(io.BytesIO(found.read("three.pdf"))) as pdf:
        assert [sheet.get("/Rotate", 0) for sheet in pdf.pages] == [90] * 3


def test_packing_is_shown_until_it_is_done(visit: Visiting, tiny_site: str, pictures: Path) -> None:
    opened = visit(tiny_site, ready=False)
    # The worker never gets to packing; what comes meanwhile goes to another.
    opened.page.add_init_script(
        """Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 });
        const { postMessage } = Worker.prototype;
        Worker.prototype.postMessage = function (message) {
            if (message.call !== 'zip') postMessage.call(this, message);
        };"""
    )
    opened.page.reload()
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    download = opened.page.locator("#download")
    download.click()
    opened.add(pictures / "sky-0.png")
    opened.wait_decided(2)
    opened.page.wait_for_timeout(400)
    expect(download).to_be_disabled()
    expect(download).to_have_text("Packing 0 of 1")
