"""Mirrored pictures on the page: found when asked for, set right by hand, written without loss or refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageOps
from playwright.sync_api import expect

from upright import Detector, correct
from upright.carriers import read_exif_orientation
from upright.turns import ExifOrientation, Turn, show_pillow

from .conftest import Visit
from .pictures import page, sky, turned

Visiting = Callable[..., Visit]
#: Of the tag that sets it right: whether it mirrors, and the turn after that.
WAYS = {f"{int(way)}.png": (way.mirrored, int(way.turn)) for way in ExifOrientation}


def readable(width: int, height: int) -> Image.Image:
    """Bright above, as `tiny_model` wants it, and brighter on the left, as its second network reads it."""
    fading = Image.linear_gradient("L").rotate(90).resize((width, height)).point(lambda value: value // 5)
    return ImageChops.subtract(sky(width, height), Image.merge("RGB", [fading] * 3))


def lying(upright: Image.Image, way: ExifOrientation) -> Image.Image:
    """The picture so that this sets it right."""
    lies = (show_pillow(upright, before) for before in ExifOrientation)
    return next(each for each in lies if show_pillow(each, way).tobytes() == upright.tobytes())


def shown(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def look_for_mirrors(opened: Visit) -> None:
    opened.page.get_by_role("switch", name="Also look for mirrored pictures").click()


def ways(opened: Visit) -> dict[str, tuple[bool, int]]:
    found = opened.page.eval_on_selector_all(
        ".card",
        """cards => cards.map(({ dataset, querySelector: find }, at) =>
            [cards[at].querySelector('.name').textContent, dataset.mirrored === 'true', Number(dataset.turn)])""",
    )
    return {name: (mirrored, turn) for name, mirrored, turn in found}


def heads_of(opened: Visit) -> list[str]:
    """What was fetched of the second network."""
    return [url.rpartition("/")[2].partition("?")[0] for url in opened.requests if "/heads." in url]


def test_each_of_the_eight_ways_is_found_when_asked_and_written_by_its_tag(
    visit: Visiting, tiny_site: str, tmp_path: Path
) -> None:
    upright, saved = readable(120, 80), tmp_path / "saved"
    saved.mkdir()
    for name in WAYS:
        lying(upright, ExifOrientation(int(name[0]))).save(tmp_path / name)
    opened = visit(tiny_site)
    opened.add(*(tmp_path / name for name in WAYS))
    opened.wait_decided(8)
    assert not any(mirrored for mirrored, _ in ways(opened).values())
    assert not heads_of(opened), "nothing is fetched unasked"
    assert not any("mirrored" in card["detail"] for card in opened.cards().values())
    look_for_mirrors(opened)
    expect(opened.page.locator(".card[data-mirrored=true]")).to_have_count(4)
    opened.wait_decided(8)
    assert ways(opened) == WAYS
    assert heads_of(opened).count("heads.onnx") == 1
    cards = opened.cards()
    assert [cards[f"{way}.png"]["badge"] for way in (1, 2, 7)] == [
        "Already upright",
        "Mirrored",
        "Mirrored and turned 90° right",
    ]
    assert "not mirrored" in cards["3.png"]["detail"] and "mirrored" not in cards["2.png"]["detail"]
    for name in WAYS:
        path = opened.save(name, saved)
        assert np.array_equal(shown(path), np.asarray(upright)), name
        assert read_exif_orientation(path.read_bytes()).orientation == int(name[0])
    opened.page.reload()
    opened.wait_decided(8)
    assert ways(opened) == WAYS and opened.cards() == cards
    opened.page.locator("#mirrors").uncheck()
    opened.wait_decided(8)
    assert not any(mirrored for mirrored, _ in ways(opened).values())


def test_a_mirrored_page_is_found_by_the_model_that_ships(visit: Visiting, site: str, tmp_path: Path) -> None:
    upright = page(1211, 1657, 2).rotate(-3, Image.Resampling.BICUBIC, fillcolor=(250, 249, 245))
    exif = Image.Exif()
    exif[0x0112] = 8
    stored = turned(ImageOps.mirror(upright), 180).transpose(Image.Transpose.ROTATE_270)
    stored.save(tmp_path / "slide.jpg", quality=90, exif=exif)
    upright.save(tmp_path / "plain.jpg", quality=90)
    sky(640, 480).save(tmp_path / "sky.png")
    with Detector(mirror=True, tilt=True) as detector:
        wanted = detector.detect(tmp_path / "slide.jpg")
    assert (wanted.mirrored, wanted.turn, wanted.tilt) == (True, 180, pytest.approx(-3, abs=0.1))
    opened = visit(site)
    look_for_mirrors(opened)
    opened.add(*(tmp_path / name for name in ("slide.jpg", "plain.jpg", "sky.png")))
    opened.wait_decided(3)
    assert ways(opened) == {"slide.jpg": (True, 180), "plain.jpg": (False, 0), "sky.png": (False, 0)}
    cards = opened.cards()
    assert cards["slide.jpg"]["badge"] == "Mirrored and turned by 180°"
    assert cards["slide.jpg"]["confidence"] == pytest.approx(wanted.confidence, abs=0.02)
    assert "not mirrored" in cards["plain.jpg"]["detail"] and "nothing tells" in cards["sky.png"]["detail"]
    opened.page.get_by_role("switch", name="Show how crooked text lies").check()
    slide = opened.page.locator(".card").filter(has_text="slide.jpg").locator(".detail")
    expect(slide).to_contain_text(f"tilt −{-(wanted.tilt or 0):.2f}°")
    (tmp_path / "saved").mkdir()
    saved = opened.save("slide.jpg", tmp_path / "saved")
    correct(tmp_path / "slide.jpg", tmp_path / "command.jpg", turn=wanted)
    assert saved.read_bytes() == (tmp_path / "command.jpg").read_bytes()
    assert read_exif_orientation(saved.read_bytes()).orientation == ExifOrientation.LEFT_TOP


def test_a_hand_mirrors_turns_and_undoes(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    readable(120, 80).save(tmp_path / "a.png")
    opened = visit(tiny_site)
    opened.add(tmp_path / "a.png")
    opened.wait_decided(1)
    keys = opened.page.keyboard
    opened.page.get_by_role("button", name="Turn a.png right").click()
    keys.press("m")
    assert ways(opened) == {"a.png": (True, 270)}, "what is seen, turned right, is mirrored"
    keys.press("r")
    assert ways(opened) == {"a.png": (True, 0)}
    expect(opened.page.locator(".detail")).to_have_text("Mirrored")
    saved = opened.save("a.png", tmp_path)
    assert np.array_equal(shown(saved), np.asarray(ImageOps.mirror(readable(120, 80))))
    keys.press("e")
    expect(opened.page.locator("#viewer img")).to_have_css("scale", "-1 1")
    opened.page.get_by_role("button", name="Mirror it").click()
    expect(opened.page.locator("#viewer img")).to_have_css("scale", "none")
    assert ways(opened) == {"a.png": (False, 0)} and opened.cards()["a.png"]["badge"] == "Left as it was, by hand"
    keys.press("z")
    assert opened.cards()["a.png"]["badge"] == "Already upright"


def test_what_has_no_tag_that_mirrors_becomes_a_png_or_is_refused(
    visit: Visiting, tiny_site: str, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    upright = readable(240, 160)
    slide = lying(upright, ExifOrientation.BOTTOM_LEFT)
    for name in ("a.avif", "b.webp", "c.tif"):
        slide.save(tmp_path / name, **({"lossless": True} if name == "b.webp" else {}))
    slide.save(tmp_path / "d.pdf", save_all=True, append_images=[turned(upright, 180)])
    opened = visit(tiny_site)
    look_for_mirrors(opened)
    opened.add(*(tmp_path / name for name in ("a.avif", "b.webp", "c.tif", "d.pdf")))
    opened.wait_decided(5)
    names = ["a.avif", "b.webp", "c.tif", "d.pdf, page 1"]
    assert ways(opened) == dict.fromkeys(names, (True, 180)) | {"d.pdf, page 2": (False, 180)}
    cards = opened.cards()
    assert "irot, imir" in cards["a.avif"]["note"] and "new PNG" in cards["b.webp"]["note"]
    assert cards["d.pdf, page 1"]["group"] == "cannot" and "cannot mirror a page" in cards["d.pdf, page 1"]["note"]
    assert "needs to be mirrored, then 180°" in cards["d.pdf, page 1"]["detail"]
    assert np.array_equal(shown(opened.save("b.webp", saved)), np.asarray(upright)), "b.png"
    avif = opened.save("a.avif", saved)
    assert np.abs(shown(avif).astype(int) - np.asarray(upright)).max() < 12, "AVIF is lossy"
    for file in (avif, opened.save("c.tif", saved)):
        with Detector(Path(__file__).parent / "tiny_model") as detector:
            answer = replace(detector.detect(tmp_path / file.name), turn=Turn.HALF, mirrored=True)
        correct(tmp_path / file.name, saved / f"command-{file.name}", turn=answer)
        assert file.read_bytes() == (saved / f"command-{file.name}").read_bytes(), file.name
    document = opened.save("d.pdf, page 1", saved).read_bytes()
    assert document.startswith((tmp_path / "d.pdf").read_bytes())
    import pikepdf

    with pikepdf.open(io.BytesIO(document)) as read:
        assert [int(sheet.obj.get("/Rotate", 0)) for sheet in read.pages] == [0, 180], "a page that is mirrored stays"


def test_it_works_offline_once_it_was_asked_for(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    lying(readable(120, 80), ExifOrientation.LEFT_TOP).save(tmp_path / "a.png")
    opened = visit(tiny_site)
    opened.page.evaluate("() => navigator.serviceWorker.ready")
    opened.add(tmp_path / "a.png")
    opened.wait_decided(1)
    opened.page.context.set_offline(True)
    look_for_mirrors(opened)
    expect(opened.page.get_by_role("alert")).to_contain_text("cannot be looked for")
    expect(opened.page.locator("#mirrors")).not_to_be_checked()
    opened.page.context.set_offline(False)
    look_for_mirrors(opened)
    expect(opened.page.locator(".card")).to_have_attribute("data-mirrored", "true")
    opened.page.get_by_role("button", name="Clear all").click()
    opened.page.context.set_offline(True)
    opened.page.reload()
    expect(opened.page.locator("#engine")).to_contain_text("WebAssembly", timeout=60_000)
    opened.add(tmp_path / "a.png")
    opened.wait_decided(1)
    assert ways(opened) == {"a.png": (True, 270)}
    opened.complaints[:] = [text for text in opened.complaints if "ERR_INTERNET_DISCONNECTED" not in text]


def test_a_model_without_a_second_network_says_so(visit: Visiting, tiny_site: str, pictures: Path) -> None:
    opened = visit(tiny_site)
    opened.page.context.route("**/model/heads.json", lambda route: route.fulfill(status=404))
    look_for_mirrors(opened)
    expect(opened.page.get_by_role("alert")).to_contain_text("bright-side-up cannot tell what is mirrored")
    expect(opened.page.locator("#mirrors")).not_to_be_checked()
    opened.add(pictures / "sky-90.png")
    opened.wait_decided(1)
    assert ways(opened) == {"sky-90.png": (False, 90)}
    # The browser itself reports the missing file.
    opened.complaints[:] = [text for text in opened.complaints if "404" not in text]
