"""What the browser keeps of a visit: in a private window, without room, and after its data were cleared."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import CDPSession, expect

from .conftest import Visit, comes_to, kept_files
from .pictures import sky, turned

Visiting = Callable[..., Visit]
QUOTA = 12_000_000


def noise(path: Path, side: int) -> Path:
    """A picture of about ``3 * side ** 2`` bytes."""
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(path)
    return path


def set_quota(devtools: CDPSession, site: str, size: int | None) -> None:
    devtools.send(
        "Storage.overrideQuotaForOrigin", {"origin": site.rstrip("/"), **({"quotaSize": size} if size else {})}
    )


def test_a_private_window_needs_the_original_no_more(
    visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path
) -> None:
    opened = visit(tiny_site)
    paths = [tmp_path / name for name in ("gone.png", "changed.png")]
    for path in paths:
        path.write_bytes((pictures / "sky-90.png").read_bytes())
    opened.add(*paths)
    opened.wait_decided(2)
    expect(opened.page.locator("#kept")).to_contain_text("Kept in this browser")
    paths[0].unlink()
    paths[1].write_bytes(b"another")
    for _ in range(2):
        for path in paths:
            assert opened.save(path.name, tmp_path / "saved").stat().st_size > 100
        opened.page.reload()
        opened.wait_decided(2)


def test_what_there_is_no_room_for_is_told_and_the_rest_is_kept(
    visit: Visiting, tiny_site: str, tmp_path: Path
) -> None:
    opened = visit(tiny_site)
    for name in ("first", "last"):
        turned(sky(120, 90), 90).save(tmp_path / f"{name}.png")
    devtools = opened.page.context.new_cdp_session(opened.page)
    set_quota(devtools, tiny_site, QUOTA)
    opened.add(tmp_path / "first.png", noise(tmp_path / "large.png", 2300), tmp_path / "last.png")
    opened.wait_decided(3)
    kept = opened.page.locator("#kept")
    expect(kept).to_contain_text("1 of 3 files are not kept, as this browser has no room for them")
    opened.page.locator("#language").click()
    expect(kept).to_contain_text("3 个文件中有 1 个未能保存")
    set_quota(devtools, tiny_site, None)
    opened.add(noise(tmp_path / "later.png", 2200))
    opened.wait_decided(4)
    expect(kept).to_contain_text("4 个文件中有 1 个未能保存")
    comes_to(opened.page, lambda: kept_files(opened.page), [3, 3])
    opened.page.reload()
    opened.wait_decided(3)
    assert list(opened.cards()) == ["first.png", "last.png", "later.png"]


def test_a_store_that_the_browser_closes_is_opened_again(
    visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path
) -> None:
    opened = visit(tiny_site)
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    kept = opened.page.locator("#kept")
    expect(kept).to_contain_text("Kept in this browser")
    # As somebody does who clears the data of this site.
    devtools = opened.page.context.new_cdp_session(opened.page)
    devtools.send("Storage.clearDataForOrigin", {"origin": tiny_site.rstrip("/"), "storageTypes": "indexeddb"})
    opened.page.wait_for_timeout(300)
    opened.add(pictures / "sky-180.png")
    opened.wait_decided(2)
    expect(kept).to_contain_text("1 of 2 files are no longer kept, as another window or the browser has cleared them")
    comes_to(opened.page, lambda: kept_files(opened.page), [1, 1])
    opened.page.reload()
    opened.wait_decided(1)
    assert list(opened.cards()) == ["sky-180.png"]
