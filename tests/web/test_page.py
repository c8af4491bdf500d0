"""The page as a person uses it: pictures in, turned, corrected, saved."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import expect

from upright import Detector
from upright.carriers import read_exif_orientation
from upright.pictures import open_picture
from upright.tilt import measured

from .conftest import MODEL, Visit, comes_to
from .pictures import page, sky, turned
from .reference import DEMO, answers, kept_answers

Visiting = Callable[..., Visit]

#: Gives the page files as a drop or a paste would: [[name, type, base64]…].
GIVE = """([event, files]) => {
    const data = new DataTransfer();
    for (const [name, type, content] of files) {
        const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
        data.items.add(new File([bytes], name, { type }));
    }
    const init = { bubbles: true, cancelable: true };
    document.querySelector('#drop').dispatchEvent(event === 'paste'
        ? new ClipboardEvent('paste', { ...init, clipboardData: data })
        : new DragEvent('drop', { ...init, dataTransfer: data }));
}"""


def give(visit: Visit, event: str, *paths: Path) -> None:
    types = {
        ".jpg": "image/jpeg",
        ".png": "image/png",
        ".webp": "image/webp",
        ".gif": "image/gif",
        ".tif": "image/tiff",
    }
    files = [[p.name, types[p.suffix], base64.b64encode(p.read_bytes()).decode()] for p in paths]
    visit.page.evaluate(GIVE, [event, files])


def shown(source: Path | bytes) -> np.ndarray:
    """The pixels of a picture as a viewer shows them."""
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def test_the_reference_is_of_this_model() -> None:
    kept = kept_answers()
    assert [row["model"] for row in kept] == [row["model"] for row in answers()], "run: python -m tests.web.reference"
    for row, now in zip(kept, answers(), strict=True):
        assert (row["picture"], row["turn"], row["best"]) == (now["picture"], now["turn"], now["best"])
        assert row["scores"] == pytest.approx(now["scores"], abs=0.005)


def test_dropped_demo_pictures_turn_as_python_says(visit: Visiting, site: str, screenshots: Path) -> None:
    opened = visit(site)
    reference = kept_answers()
    paths = [DEMO / row["picture"] for row in reference]
    give(opened, "drop", *paths)
    opened.wait_decided(len(paths))
    cards = opened.cards()
    for row in reference:
        card = cards[row["picture"]]
        assert (card["best"], card["turn"]) == (row["best"], row["turn"] or 0), row
        assert card["confidence"] == pytest.approx(row["confidence"], abs=0.02), row
        assert (card["group"] == "unsure") == (row["turn"] is None)
    opened.page.screenshot(path=screenshots / "demo.png", full_page=True)


def test_pasted_picture_is_decided(visit: Visiting, tiny_plain_site: str, pictures: Path) -> None:
    opened = visit(tiny_plain_site)
    expect(opened.page.locator("#engine")).to_contain_text("worker")
    give(opened, "paste", pictures / "sky-90.png")
    opened.wait_decided(1)
    card = opened.cards()["sky-90.png"]
    assert (card["turn"], card["group"]) == (90, "turned")


def test_works_by_plain_http_on_a_local_network(visit: Visiting, tiny_plain_site: str, pictures: Path) -> None:
    opened = visit(tiny_plain_site.replace("127.0.0.1", "upright.test"))
    assert not opened.page.evaluate("() => isSecureContext")
    expect(opened.page.locator("#engine")).not_to_contain_text("offline")
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    assert opened.cards()["sky-90.png"]["turn"] == 90


def test_threads_give_the_same_answers(visit: Visiting, site: str, plain_site: str, pictures: Path) -> None:
    found = []
    for address, isolated in ((site, True), (plain_site, False)):
        opened = visit(address)
        assert opened.page.evaluate("() => crossOriginIsolated") is isolated
        opened.add(pictures / "letter-180.jpg", pictures / "sign-0.png")
        opened.wait_decided(2)
        found.append({name: (card["best"], round(card["confidence"], 3)) for name, card in opened.cards().items()})
    assert found[0] == found[1]


def test_downloaded_files_show_upright_pixels(visit: Visiting, site: str, pictures: Path, tmp_path: Path) -> None:
    opened = visit(site)
    names = ["letter-270.jpg", "tagged-180.jpg", "grey-180.jpg", "letter-270.webp", "letter-0.jpg"]
    opened.add(*(pictures / name for name in names))
    opened.wait_decided(len(names))
    for name in names:
        needed = int(name.partition("-")[2].partition(".")[0])
        assert opened.cards()[name]["turn"] == needed
        saved = opened.save(name, tmp_path)
        upright = turned(Image.fromarray(shown(pictures / name)), (360 - needed) % 360)
        assert np.array_equal(shown(saved), np.asarray(upright)), name
    assert (tmp_path / "letter-0.jpg").read_bytes() == (pictures / "letter-0.jpg").read_bytes()
    assert (tmp_path / "letter-270.png").exists(), "what takes no tag becomes a PNG"
    stored, patched = ((folder / "tagged-180.jpg").read_bytes() for folder in (pictures, tmp_path))
    assert [a != b for a, b in zip(stored, patched, strict=True)].count(True) == 1, "one byte changes"
    assert int(read_exif_orientation(patched).orientation) == 8
    with Image.open(tmp_path / "tagged-180.jpg") as image:
        assert image.getexif()[0x010F] == "upright"


def test_hand_corrects_undoes_and_saves(visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path) -> None:
    opened = visit(tiny_site)
    opened.add(pictures / "sky-0.png")
    opened.wait_decided(1)
    page, name = opened.page, "sky-0.png"
    before = opened.cards()[name]["turn"]
    page.get_by_role("button", name=f"Turn {name} right").click()
    assert opened.cards()[name]["turn"] == (before + 90) % 360
    page.keyboard.press("u")
    assert opened.cards()[name]["turn"] == (before + 270) % 360
    page.keyboard.press("r")
    page.keyboard.press("l")
    expect(page.locator(".badge")).to_have_text("Turned by hand")
    saved = opened.save(name, tmp_path)
    wanted = turned(Image.open(pictures / name), (360 - (before + 270)) % 360)
    assert np.array_equal(shown(saved), np.asarray(wanted))
    page.keyboard.press("z")
    assert opened.cards()[name]["turn"] == before
    page.wait_for_timeout(50)
    # The focus is not lost.
    comes_to(page, lambda: page.evaluate("() => document.activeElement.closest('.card') !== null"), True)


def test_zip_holds_every_picture(visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path) -> None:
    opened = visit(tiny_site)
    (tmp_path / "sub").mkdir()
    again = tmp_path / "sub" / "sky-90.png"
    again.write_bytes((pictures / "sky-90.png").read_bytes())
    opened.add(*(pictures / f"sky-{needed}.png" for needed in (0, 90, 180, 270)), again)
    opened.wait_decided(5)
    with opened.page.expect_download() as waiting:
        opened.page.locator("#download").click()
    waiting.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        assert packed.testzip() is None
        names = ["sky-0.png", "sky-90.png", "sky-180.png", "sky-270.png", "sky-90 (2).png"]
        assert packed.namelist() == names
        for name in names[:4]:
            upright = turned(Image.fromarray(shown(pictures / name)), (360 - int(name[4:-4])) % 360)
            assert np.array_equal(shown(packed.read(name)), np.asarray(upright)), name


def test_a_broken_file_stops_nothing(visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((pictures / "letter-0.jpg").read_bytes()[:300])
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    opened = visit(tiny_site)
    opened.add(pictures / "sky-0.png", broken, empty, pictures / "sky-180.png")
    opened.wait_decided(4)
    groups = {name: card["group"] for name, card in opened.cards().items()}
    assert groups == {"sky-0.png": "kept", "broken.jpg": "failed", "empty.png": "failed", "sky-180.png": "turned"}
    assert "Cannot be opened" in opened.cards()["broken.jpg"]["detail"]
    opened.page.get_by_role("button", name="Failed 2").click()
    expect(opened.page.locator(".card:visible")).to_have_count(2)


def test_promise_changes_answers_without_a_new_look(visit: Visiting, site: str, pictures: Path) -> None:
    opened = visit(site)
    opened.add(pictures / "sign-90.png", pictures / "blank.png")
    opened.wait_decided(2)
    with Detector() as detector:
        for promise, label in (("best", "in any case"), ("careful", "certain"), ("balanced", "sure")):
            opened.page.get_by_role("radio", name=label, exact=True).check()
            opened.wait_decided(2)
            for name, card in opened.cards().items():
                wanted = detector.detect(pictures / name, promise=promise)
                assert card["turn"] == (wanted.turn or 0), (promise, name)
                assert (card["group"] == "unsure") == wanted.unsure, (promise, name)


def test_the_guess_can_be_accepted(visit: Visiting, site: str, pictures: Path) -> None:
    opened = visit(site)
    opened.add(DEMO / "rocket.jpg", pictures / "sign-0.png")
    opened.wait_decided(2)
    groups = {name: card["group"] for name, card in opened.cards().items()}
    assert groups["rocket.jpg"] == "unsure" and groups["sign-0.png"] in ("unsure", "kept")
    expect(opened.page.get_by_role("button", name="as guessed")).to_have_count(1)
    opened.page.get_by_role("button", name="as guessed: rocket.jpg").click()
    card = opened.cards()["rocket.jpg"]
    assert (card["turn"], card["group"], card["badge"]) == (90, "turned", "Turned by hand")


def test_works_offline_after_the_first_visit(visit: Visiting, tiny_site: str, pictures: Path) -> None:
    opened = visit(tiny_site)
    opened.page.evaluate("() => navigator.serviceWorker.ready")
    context = opened.page.context
    context.set_offline(True)
    opened.page.reload()
    expect(opened.page.locator("#engine")).to_contain_text("WebAssembly", timeout=60_000)
    assert opened.page.evaluate("() => crossOriginIsolated"), "the kept page is isolated as well"
    opened.add(pictures / "sky-180.png")
    opened.wait_decided(1)
    assert opened.cards()["sky-180.png"]["turn"] == 180


def test_three_hundred_pictures(visit: Visiting, tiny_site: str, screenshots: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:03d}.jpg" for number in range(300)]
    for number, path in enumerate(paths):
        turned(sky(64, 48, 20 + number % 60), number % 4 * 90).save(path)
    opened = visit(tiny_site)
    opened.page.evaluate(
        "() => { window.longTasks = []; new PerformanceObserver(list => "
        "window.longTasks.push(...list.getEntries().map(e => e.duration))).observe({ type: 'longtask' }); }"
    )
    opened.add(*paths)
    opened.wait_decided(300)
    assert all(card["turn"] == int(name[:3]) % 4 * 90 for name, card in opened.cards().items())
    expect(opened.page.locator("#download")).to_have_text("Download 300 as zip")
    # Kept to be read, not asserted: this machine may be busy with other tests.
    long_tasks = sorted(opened.page.evaluate("() => window.longTasks"))
    (screenshots / "longtasks.json").write_text(json.dumps({"pictures": 300, "longer_than_50_ms": long_tasks}))
    opened.page.get_by_role("button", name="Clear").click()
    expect(opened.page.locator(".card")).to_have_count(0)


def test_nothing_leaves_the_device(visit: Visiting, tiny_site: str, pictures: Path) -> None:
    opened = visit(tiny_site)
    sizes: list[tuple[str, str]] = []
    opened.page.context.on("request", lambda request: sizes.append((request.method, request.url)))
    opened.add(pictures / "sign-0.png", pictures / "blank.png")
    opened.wait_decided(2)
    assert not [url for method, url in sizes if method != "GET"]
    assert all(url.startswith((tiny_site, "blob:")) for url in opened.requests)


def test_tilts_are_shown_when_asked(visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path) -> None:
    crooked = tmp_path / "crooked.jpg"
    page(900, 1200, 1).rotate(-4.2, Image.Resampling.BICUBIC, fillcolor="white").save(crooked, quality=90)
    with open_picture(crooked) as picture:
        wanted = measured(picture)
    assert wanted and wanted.degrees == pytest.approx(-4.2, abs=0.1)
    opened = visit(tiny_site)
    opened.add(crooked, pictures / "blank.png")
    opened.wait_decided(2)
    details = opened.page.locator(".detail")
    assert not any("tilt" in text for text in details.all_inner_texts()), "nothing is measured unasked"
    opened.page.get_by_role("switch", name="Show how crooked text lies").check()
    told = f"tilt −{-wanted.degrees:.2f}° ± {wanted.error:.2f}°"
    expect(details.nth(0)).to_contain_text(told)
    expect(details.nth(1)).to_contain_text("no tilt to tell")
    opened.page.reload()
    expect(details.nth(0)).to_contain_text(told)
    opened.page.locator("#tilts").uncheck()
    expect(details.nth(0)).not_to_contain_text("tilt")


def test_without_a_server_the_switch_goes_back(visit: Visiting, tiny_site: str) -> None:
    opened = visit(tiny_site)
    switch = opened.page.locator("#server")
    expect(switch).not_to_be_checked()
    switch.click()
    expect(opened.page.get_by_role("alert")).to_contain_text("no upright server")
    expect(switch).not_to_be_checked()
    # The browser itself reports the missing /readyz.
    opened.complaints[:] = [text for text in opened.complaints if "404" not in text]


def test_a_model_that_is_not_whole_is_refused(visit: Visiting, site: str) -> None:
    opened = visit(site)
    context = opened.page.context
    context.route("**/model/*.onnx*", lambda route: route.fulfill(body=(MODEL / "model.json").read_bytes()))
    opened.page.evaluate("() => caches.delete('upright-model')")
    opened.page.reload()
    expect(opened.page.get_by_role("alert")).to_contain_text("not the weights that model.json names", timeout=60_000)


def test_one_slow_file_holds_up_no_other(visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path) -> None:
    opened = visit(tiny_site, ready=False)
    # Two workers, of which one never comes back from the slow file.
    opened.page.add_init_script(
        """Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 });
        const { postMessage } = Worker.prototype;
        Worker.prototype.postMessage = function (message) {
            if (message.call !== 'look' || message.args[0].name !== 'slow.png') postMessage.call(this, message);
        };"""
    )
    opened.page.reload()
    for name in ("slow.png", "first.png"):
        (tmp_path / name).write_bytes((pictures / "sky-90.png").read_bytes())
    opened.add(tmp_path / "slow.png", tmp_path / "first.png")
    waiting = opened.page.locator(".card[data-group=waiting]")
    expect(waiting).to_have_count(1, timeout=60_000)
    opened.page.wait_for_timeout(300)
    opened.add(*(pictures / f"sky-{needed}.png" for needed in (0, 90, 180, 270)))
    expect(opened.page.locator(".card[data-group=turned]")).to_have_count(4)
    expect(waiting).to_have_count(1)


def test_files_that_are_no_pictures_are_not_passed_over_in_silence(
    visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path
) -> None:
    opened = visit(tiny_site)
    alert = opened.page.get_by_role("alert")
    content = base64.b64encode(b"PK").decode()
    types = {"a.zip": "application/zip", "b.mp4": "video/mp4", "c.txt": "text/plain"}
    opened.page.evaluate(GIVE, ["drop", [[name, kind, content] for name, kind in types.items()]])
    expect(alert).to_have_text("None of these files is a picture, as far as their names tell.")
    opened.page.locator("#language").click()
    expect(alert).to_have_text("从文件名看，这些文件中没有图片。")
    passed = opened.page.locator("#passed")
    expect(passed.locator("summary")).to_contain_text("已略过 3 个")
    opened.page.evaluate(GIVE, ["paste", []])
    opened.add(pictures / "sky-0.png")
    opened.wait_decided(1)
    expect(alert).to_be_hidden()
    opened.page.evaluate(GIVE, ["paste", []])
    expect(alert).to_be_hidden()
    opened.page.evaluate(GIVE, ["drop", []])
    expect(alert).to_contain_text("拖入的不是文件")


def test_what_is_passed_over_among_pictures_is_counted_and_named(
    visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "sky.png").write_bytes((pictures / "sky-90.png").read_bytes())
    for name in ("notes.txt", "clip.mp4", ".DS_Store"):
        (folder / name).write_bytes(b"no picture")
    opened = visit(tiny_site)
    page, passed = opened.page, opened.page.locator("#passed")
    page.set_input_files("#folder", str(folder))
    opened.wait_decided(1)
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(passed.locator("summary")).to_contain_text("Passed over: 3")
    expect(passed.locator("p")).to_be_hidden()
    passed.locator("summary").press("Enter")
    names = passed.locator("p").inner_text().split("\n")
    assert sorted(names) == ["holiday/.DS_Store", "holiday/clip.mp4", "holiday/notes.txt"]
    opened.add(folder / "notes.txt")
    expect(passed.locator("summary")).to_contain_text("Passed over: 4")
    page.get_by_role("button", name="Clear all").click()
    expect(passed).to_be_hidden()


def test_news_counts_what_is_decided(visit: Visiting, tiny_site: str, pictures: Path, tmp_path: Path) -> None:
    opened = visit(tiny_site)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    opened.add(pictures / "sky-0.png", pictures / "blank.png", broken)
    opened.wait_decided(3)
    expect(opened.page.locator("#news")).to_have_text("2 of 3 pictures decided, 1 unsure")
    opened.page.locator("#language").click()
    expect(opened.page.locator("#news")).to_have_text("")
    opened.page.locator("#language").click()
    opened.page.get_by_role("button", name="Clear all").click()
    opened.page.context.route("**/model/**", lambda route: route.fulfill(status=404))
    opened.page.evaluate("() => caches.delete('upright-model')")
    opened.page.reload()
    opened.add(pictures / "sky-0.png", pictures / "blank.png")
    expect(opened.page.locator("#news")).to_have_text("0 of 2 pictures decided, 0 unsure", timeout=30_000)
    # The browser itself reports the missing model.
    opened.complaints[:] = [text for text in opened.complaints if "404" not in text]
