"""The page on a network that breaks off, in a browser without room, and while the site is updated."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import ISOLATED, PAGE, TINY_MODEL, Static, Visit, serve
from .reference import DEMO

Visiting = Callable[..., Visit]
KEPT = "() => caches.open('upright-model').then(cache => cache.keys()).then(all => all.map(({ url }) => url))"
READY = "WebAssembly"


@dataclass
class Site:
    """A site whose files break off, by a part of their address, after so many bytes."""

    address: str
    folder: Path
    cut: dict[str, int] = field(default_factory=dict)


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Site]:
    site = Site("", tmp_path / "site")
    shutil.copytree(PAGE, site.folder)

    class Cutting(Static):
        def copyfile(self, source: Any, outputfile: Any) -> None:
            most = next((size for part, size in site.cut.items() if part in self.path), -1)
            outputfile.write(source.read(most))

    with contextlib.closing(
        serve(ISOLATED | {"Cache-Control": "no-store"}, TINY_MODEL, site.folder, Cutting)
    ) as served:
        site.address = next(served)
        yield site


@pytest.mark.parametrize("part", ["model.json", "model.onnx", "xnnpack.wasm", "assets/worker"])
def test_what_breaks_off_is_fetched_with_the_next_picture(
    visit: Visiting, broken: Site, pictures: Path, part: str
) -> None:
    broken.cut = {part: 300}
    opened = visit(broken.address, ready=False)
    trouble = opened.page.locator("#trouble")
    expect(trouble).to_contain_text("The model could not be loaded; the next picture that you add tries again: ")
    expect(trouble).to_contain_text("Reload it" if part == "assets/worker" else part)
    broken.cut.clear()
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    assert opened.cards()["sky-90.png"]["turn"] == 90
    expect(trouble).to_be_hidden()
    opened.complaints = [each for each in opened.complaints if "CONTENT_LENGTH_MISMATCH" not in each]


def test_the_model_is_tried_again_when_the_network_is_back(visit: Visiting, broken: Site) -> None:
    broken.cut = {"model.onnx": 300}
    opened = visit(broken.address, ready=False)
    expect(opened.page.locator("#trouble")).to_contain_text("model.onnx")
    broken.cut.clear()
    opened.page.context.set_offline(True)
    opened.page.context.set_offline(False)
    expect(opened.page.locator("#engine")).to_contain_text(READY)


def test_what_breaks_off_replaces_nothing_that_is_kept(visit: Visiting, broken: Site) -> None:
    opened = visit(broken.address)
    kept = opened.page.evaluate(KEPT)
    assert len(kept) == 4
    broken.cut = {"model.json": 100}
    opened.page.reload()
    expect(opened.page.locator("#engine")).to_contain_text(READY)
    assert sorted(opened.page.evaluate(KEPT)) == sorted(kept)


def test_a_browser_without_room_decides(visit: Visiting, tiny_site: str, pictures: Path) -> None:
    opened = visit("about:blank", ready=False)
    devtools = opened.page.context.new_cdp_session(opened.page)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": tiny_site.rstrip("/"), "quotaSize": 1000})
    opened.page.goto(tiny_site)
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    assert opened.cards()["sky-90.png"]["turn"] == 90
    expect(opened.page.locator("#kept")).to_contain_text("keeps nothing")


def test_a_first_visit_whose_script_breaks_off_says_so(visit: Visiting, broken: Site) -> None:
    broken.cut = {"assets/index": 3000}
    opened = visit(broken.address, ready=False)
    stalled = opened.page.locator("#stalled")
    expect(stalled).to_have_css("max-height", "none", timeout=30_000)
    expect(stalled).to_contain_text("Reload the page")
    opened.complaints.clear()
    broken.cut.clear()
    opened.page.reload()
    expect(opened.page.locator("#engine")).to_contain_text(READY)
    expect(stalled).to_have_count(0)


def test_a_page_without_scripts_says_so(visit: Visiting, tiny_site: str) -> None:
    opened = visit(tiny_site, ready=False, java_script_enabled=False, reduced_motion="reduce")
    expect(opened.page.locator("#stalled")).to_have_css("max-height", "none", timeout=30_000)


def test_a_page_whose_model_is_not_kept_does_not_say_that_it_works_offline(visit: Visiting, broken: Site) -> None:
    opened = visit(broken.address)
    engine = opened.page.locator("#engine")
    expect(engine).to_contain_text("works offline")
    opened.page.evaluate("() => caches.delete('upright-model')")
    devtools = opened.page.context.new_cdp_session(opened.page)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": broken.address.rstrip("/"), "quotaSize": 1000})
    opened.page.reload()
    expect(engine).to_contain_text(READY)
    opened.page.evaluate("() => navigator.serviceWorker.ready.then(() => undefined)")
    expect(engine).not_to_contain_text("offline")
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": broken.address.rstrip("/")})
    opened.page.reload()
    expect(engine).to_contain_text("works offline")


def test_an_update_takes_no_part_from_pages_that_are_open(visit: Visiting, broken: Site, pictures: Path) -> None:
    first = visit(broken.address)
    expect(first.page.locator("#engine")).to_contain_text("works offline")
    first.page.reload()
    _update(broken.folder)
    second = Visit(first.page.context.new_page())
    second.page.goto(broken.address)
    second.page.wait_for_function("() => caches.has('upright-page-new')")
    second.page.wait_for_function(
        "() => navigator.serviceWorker.getRegistration().then(one => !one.waiting && one.active)"
    )
    for opened in (first, second):
        assert opened.page.title() == "upright"
        opened.add(DEMO / "chart.tif", *(pictures / f"sky-{turn}.png" for turn in (0, 90, 180)))
        opened.wait_decided(4)
        assert "failed" not in {card["group"] for card in opened.cards().values()}
        assert len({worker.url for worker in opened.page.workers}) == 1, "no page has parts of two versions"
        opened.page.wait_for_timeout(300)
    first.page.reload()
    assert first.page.title() == "new"
    first.wait_decided(8)
    assert all("-new" in worker.url for worker in first.page.workers)


def _update(folder: Path) -> None:
    """Put another version of the page there: what has a version in its name has another name."""
    old = [path.name for path in (folder / "assets").iterdir()]
    texts = [path for path in folder.rglob("*") if path.suffix in (".html", ".js", ".css")]
    for path in texts:
        text = path.read_text("utf-8")
        for name in old:
            text = text.replace(name, _renamed(name))
        path.write_text(text.replace("<title>upright<", "<title>new<"), "utf-8")
    for name in old:
        (folder / "assets" / name).rename(folder / "assets" / _renamed(name))
    worker = (folder / "sw.js").read_text("utf-8")
    version = worker.split('VERSION = "')[1].split('"')[0]
    (folder / "sw.js").write_text(worker.replace(version, "new"), "utf-8")


def _renamed(name: str) -> str:
    return name.replace(".", "-new.")
