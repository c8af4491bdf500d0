"""Whatever is dropped: PDF, TIFF, HEIC and AVIF are turned as the command turns them, or refused in true words."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pypdfium2
import pytest
import pyvips
from PIL import Image
from playwright.sync_api import expect

from upright import Detector, Orientation, correct
from upright.carriers import exif_edits, read_exif_orientation
from upright.errors import NotLossless
from upright.formats import Window, applied
from upright.formats.heif import Meta
from upright.pictures import open_picture
from upright.results import Method
from upright.turns import Turn

from ..attacks.make import files as attacks
from ..fuzz.seeds import saved
from ..test_heif import made, with_tone_map
from ..test_instead import old_jpeg, planes_apart
from .conftest import Visit
from .pictures import page, sky, turned

Visiting = Callable[..., Visit]
HEIC = Path(__file__).parents[1] / "data/turned.heic"


def sheets(turns: Sequence[int]) -> list[Image.Image]:
    """Pictures of which `tiny_model` says what turn they need."""
    return [turned(sky(240, 160, 20 + 10 * at), turn) for at, turn in enumerate(turns)]


def same_as_the_command(saved: Path, source: Path, turn: int) -> bool:
    """Whether these are the bytes that `upright correct --turn` writes."""
    wanted = saved.with_name(f"command-{source.name}")
    correct(source, wanted, turn=turn)
    return saved.read_bytes() == wanted.read_bytes()


def test_pages_of_a_pdf_are_turned_by_an_update_at_its_end(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    turns = [90, 0, 180, 270]
    source = tmp_path / "scan.pdf"
    first, *rest = sheets(turns)
    first.save(source, save_all=True, append_images=rest)
    opened = visit(tiny_site)
    opened.add(source)
    opened.wait_decided(4)
    cards = opened.cards()
    assert {name: card["turn"] for name, card in cards.items()} == {
        f"scan.pdf, page {at + 1}": turn for at, turn in enumerate(turns)
    }
    assert "added at its end" in cards["scan.pdf, page 1"]["note"]
    expect(opened.page.locator("#download")).to_have_text("Download 1 as zip")
    (tmp_path / "saved").mkdir()
    saved = opened.save("scan.pdf, page 3", tmp_path / "saved")
    assert saved.read_bytes().startswith(source.read_bytes()), "nothing in the file changes"
    with pikepdf.open(saved) as read:
        assert [int(sheet.obj.get("/Rotate", 0)) for sheet in read.pages] == turns
        assert not read.check_pdf_syntax()
    document = pypdfium2.PdfDocument(saved)
    for at in range(4):
        grey = np.asarray(document[at].render(scale=1).to_pil().convert("L"))
        assert grey[:20].mean() > 150 > grey[-20:].mean(), f"page {at + 1} is upright"
    opened.page.reload()
    opened.wait_decided(4)
    assert opened.cards() == cards


def test_pdfs_that_viewers_would_not_agree_on_are_left_alone(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    whole = io.BytesIO()
    sheets([90])[0].save(whole, "PDF")
    (tmp_path / "damaged.pdf").write_bytes(whole.getvalue().replace(b"startxref", b"startxxxx"))
    with pikepdf.open(io.BytesIO(whole.getvalue())) as read:
        read.save(tmp_path / "encrypted.pdf", encryption=pikepdf.Encryption(owner="o", user=""))
        read.save(tmp_path / "locked.pdf", encryption=pikepdf.Encryption(owner="o", user="u"))
    (tmp_path / "marked.pdf").write_bytes(b"\xef\xbb\xbf" + whole.getvalue())
    (tmp_path / "cut.pdf").write_bytes(whole.getvalue())
    opened = visit(tiny_site)
    opened.add(*(tmp_path / f"{name}.pdf" for name in ("damaged", "encrypted", "locked", "marked", "cut")))
    opened.wait_decided(5)
    cards = opened.cards()
    groups = {name: card["group"] for name, card in cards.items()}
    cannot = dict.fromkeys(["damaged.pdf", "encrypted.pdf", "marked.pdf"], "cannot")
    assert groups == cannot | {"locked.pdf": "failed", "cut.pdf": "turned"}
    assert "cross-references" in cards["damaged.pdf"]["note"]
    assert "qpdf --decrypt" in cards["encrypted.pdf"]["note"]
    assert "needs a password" in cards["locked.pdf"]["detail"]
    assert "tail -c +4 IN" in cards["marked.pdf"]["note"], "which makes cut.pdf of it"
    (tmp_path / "saved").mkdir()
    for name in cannot:
        assert opened.save(name, tmp_path / "saved").read_bytes() == (tmp_path / name).read_bytes(), "the file itself"
        expect(opened.page.locator("#trouble")).to_have_text("")


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "group4", "jpeg", "packbits"])
def test_a_tiff_is_turned_as_the_command_turns_it(
    visit: Visiting, tiny_site: str, tmp_path: Path, compression: str | None
) -> None:
    (tmp_path / "saved").mkdir()
    source = tmp_path / "scan.tif"
    picture = turned(sky(240, 160), 90)
    picture.convert("1" if compression == "group4" else "RGB").save(source, compression=compression)
    opened = visit(tiny_site)
    opened.add(source)
    opened.wait_decided(1)
    card = opened.cards()["scan.tif"]
    assert (card["turn"], card["group"]) == (90, "turned")
    assert same_as_the_command(opened.save("scan.tif", tmp_path / "saved"), source, 90)


def test_a_tiff_is_decided_from_what_others_show_or_not_at_all(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    picture = turned(sky(240, 160), 90)
    shown = {mode: saved(picture.convert(mode), "TIFF") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")}
    shown["old-jpeg"] = old_jpeg(picture)
    grey = pyvips.Image.new_from_array(np.asarray(picture.convert("L"))).copy(interpretation="b-w")
    for white in (False, True):
        shown[f"grey-4-{white}"] = grey.tiffsave_buffer(bitdepth=4, miniswhite=white)
        for bits, factor in ((12, 16), (16, 257)):
            wide = (grey * factor).cast("ushort").copy(interpretation="grey16")
            options = {"compression": "lzw", "predictor": "horizontal", "tile": white}
            shown[f"grey-{bits}-{white}"] = wide.tiffsave_buffer(miniswhite=white, **options)
    refused = {
        "planes": planes_apart(picture),
        "big": saved(picture, "TIFF", big_tiff=True),
        "cmyk": saved(picture.convert("CMYK"), "TIFF", compression="jpeg"),
        "fraction": saved(picture.convert("F"), "TIFF"),
    }
    for name, data in (shown | refused).items():
        (tmp_path / f"{name}.tif").write_bytes(data)
    opened = visit(tiny_site)
    opened.add(*tmp_path.iterdir())
    opened.wait_decided(len(shown | refused))
    cards = opened.cards()
    assert {name: cards[f"{name}.tif"]["turn"] for name in shown} == dict.fromkeys(shown, 90)
    words = "This browser does not read TIFF. The command “upright correct” does."
    assert {name: cards[f"{name}.tif"]["detail"] for name in refused} == dict.fromkeys(refused, words)


def test_pages_of_a_tiff_are_turned_each(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    turns = [0, 270, 180]
    source = tmp_path / "scan.tif"
    first, *rest = sheets(turns)
    first.save(source, save_all=True, append_images=rest)
    opened = visit(tiny_site)
    opened.add(source)
    opened.wait_decided(3)
    assert [card["turn"] for card in opened.cards().values()] == turns
    saved = opened.save("scan.tif, page 1", tmp_path / "saved")
    for at in range(3):
        with open_picture(saved, page=at) as picture:
            grey = np.asarray(picture.squashed(64)).mean(axis=2)
        assert grey[:8].mean() > 150 > grey[-8:].mean(), f"page {at + 1} is upright"


def test_heic_and_avif_are_turned_by_irot(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = sky(240, 160)
    picture.save(tmp_path / "tagged.avif", exif=exif)
    picture.save(tmp_path / "plain.avif")  # has no turn: the first one is added
    clear = picture.convert("RGBA")
    clear.putalpha(picture.convert("L"))
    clear.save(tmp_path / "clear.avif")  # its alpha is a picture that turns with it
    exif[0x0112] = 5
    picture.save(tmp_path / "mirrored.avif", exif=exif)  # turned and mirrored it needs neither turn nor mirror
    exif[0x0112] = 1
    picture.save(tmp_path / "upright.avif", exif=exif)  # its EXIF orientation follows
    (tmp_path / "mapped.avif").write_bytes(with_tone_map((tmp_path / "clear.avif").read_bytes()))
    (tmp_path / "cut.avif").write_bytes(made("avifenc", "a.avif", "-s", "10", "--crop", "8,6,48,32", mode="RGBA"))
    added = [tmp_path / f"{name}.avif" for name in ("plain", "clear", "mirrored", "upright", "mapped", "cut")]
    opened = visit(tiny_site)
    opened.add(HEIC, tmp_path / "tagged.avif", *added)
    opened.wait_decided(8)
    assert not [card for card in opened.cards().values() if card["group"] == "failed"], opened.cards()
    for source in (HEIC, tmp_path / "tagged.avif", *added):
        button = opened.page.get_by_role("button", name=f"Turn {source.name} right")
        before = opened.cards()[source.name]["turn"]
        while opened.cards()[source.name]["turn"] != 90:
            button.click()
            assert opened.cards()[source.name]["turn"] != before
        assert "irot" in opened.cards()[source.name]["note"]
        assert same_as_the_command(opened.save(source.name, tmp_path / "saved"), source, 90), source.name
        opened.page.get_by_role("button", name=f"Mirror {source.name}").click()
        lies = read_exif_orientation(source.read_bytes()).orientation
        wanted = lies.then(Turn.RIGHT).mirror()
        mirrored = b"".join(applied(Window(source.read_bytes()), exif_edits(source.read_bytes(), wanted)))
        assert opened.save(source.name, tmp_path / "saved").read_bytes() == mirrored, source.name


def test_frames_beside_a_still_picture_are_not_broken(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    """Where its frames lie stands in a box of their own, which a longer table of items would leave wrong."""
    first, *rest = sheets([90, 90, 90])
    first.save(tmp_path / "frames.avif", save_all=True, append_images=rest)
    frames = (tmp_path / "frames.avif").read_bytes()
    assert frames[8:12] == b"avis" and b"moov" in frames
    still = frames[:8] + b"avif" + frames[12:]  # as avifenc writes them, but for the brand that comes first
    other = still.replace(b"avis", b"miaf")
    beside = {"fragments": b"moof", "index": b"mfra", "items": b"meco"}  # with those items the page makes a PNG
    files = {"still": still} | {name: other.replace(b"moov", kind) for name, kind in beside.items()}
    for name, data in files.items():
        (tmp_path / f"{name}.avif").write_bytes(data)
    opened = visit(tiny_site)
    opened.add(*(tmp_path / f"{name}.avif" for name in ("frames", *files)))
    opened.wait_decided(1 + len(files))
    (tmp_path / "saved").mkdir()
    for name, card in opened.cards().items():
        source = tmp_path / name
        assert re.search("animation|further items", correct(source, tmp_path / "saved" / name, turn=90).note)
        if name == "items.avif":
            assert (card["group"], card["note"][:18]) == ("turned", "Saved as a new PNG"), card
            continue
        with pytest.raises(NotLossless, match="animation"):
            correct(source, tmp_path / "again.avif", turn=90, method=Method.REENCODE)
        assert (card["group"], card["note"][:15]) == ("cannot", "Left as it is: "), card
        assert opened.save(name, tmp_path / "saved").read_bytes() == source.read_bytes(), name


def test_page_one_of_a_heic_is_its_primary_picture(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    program = shutil.which("heif-enc") or pytest.skip("heif-enc is not installed")
    for needed in (0, 90):
        turned(sky(240, 160), needed).save(tmp_path / f"{needed}.png")
    source = tmp_path / "two.heic"
    subprocess.run([program, tmp_path / "0.png", tmp_path / "90.png", "-o", source], check=True, capture_output=True)
    data = bytearray(source.read_bytes())
    first, second = Meta(Window(bytes(data))).masters()
    at = data.index(b"pitm") + 8
    assert data[at : at + 2] == first.to_bytes(2, "big")
    data[at : at + 2] = second.to_bytes(2, "big")
    source.write_bytes(data)
    opened = visit(tiny_site)
    opened.add(source)
    opened.wait_decided(2)
    assert [card["best"] for card in opened.cards().values()] == [90, 0]


def decided_by_both(opened: Visit, source: Path) -> tuple[dict[str, Any], Orientation]:
    """The page's card of a picture and Python's answer, which are the same turn."""
    opened.add(source)
    opened.wait_decided(1)
    card = opened.cards()[source.name]
    with Detector() as detector:
        wanted = detector.detect(source)
    assert (card["best"], card["turn"]) == (wanted.best, wanted.turn or 0)
    return card, wanted


def test_heic_is_decided_as_python_decides(visit: Visiting, site: str, tmp_path: Path) -> None:
    source = tmp_path / "letter.heic"
    turned(page(900, 1200, 4), 270).save(tmp_path / "letter.png")
    program = shutil.which("heif-enc") or pytest.skip("heif-enc is not installed")
    subprocess.run([program, tmp_path / "letter.png", "-o", source], check=True, capture_output=True)
    card, wanted = decided_by_both(visit(site), source)
    assert card["confidence"] == pytest.approx(wanted.confidence, abs=0.03)


def test_a_page_of_text_in_a_pdf_is_decided_as_python_decides(visit: Visiting, site: str, tmp_path: Path) -> None:
    source = tmp_path / "letter.pdf"
    turned(page(900, 1200, 4), 270).save(source, resolution=110)
    decided_by_both(visit(site), source)


def test_strips_of_gigabytes_and_directories_in_a_circle_are_damage(
    visit: Visiting, tiny_site: str, tmp_path: Path
) -> None:
    data = bytearray(saved(Image.new("1", (200, 100)), "TIFF", compression="tiff_ccitt"))
    claim = data.find(struct.pack("<HHI", 279, 4, 1)) + 8
    assert claim > 8
    struct.pack_into("<I", data, claim, 3_900_000_000)
    (tmp_path / "strip.tif").write_bytes(data)
    (tmp_path / "circle.tif").write_bytes(attacks()["loop.tif"])
    opened = visit(tiny_site)
    opened.add(tmp_path / "strip.tif", tmp_path / "circle.tif")
    opened.wait_decided(2, timeout_ms=30_000)
    assert all("damaged, or not a picture" in card["detail"] for card in opened.cards().values())


def test_what_does_not_come_to_an_end_is_given_up(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    opened = visit(tiny_site)
    opened.page.clock.install()
    opened.page.context.route("**/libheif.wasm.gz*", lambda _: None)  # never answered, so its decoder never ends
    sky(240, 160, 20).save(tmp_path / "sky.png")
    workers = int(opened.page.evaluate("Math.min(6, navigator.hardwareConcurrency)"))
    endless = [Path(shutil.copy(HEIC, tmp_path / f"{number}.heic")) for number in range(workers)]
    with opened.page.expect_request("**/libheif.wasm.gz*"):
        opened.add(*endless, tmp_path / "sky.png")
    opened.page.clock.fast_forward(90_000)  # beside what a busy machine needs until here
    assert "0.heic" in {name for name, card in opened.cards().items() if card["group"] == "waiting"}
    for _ in range(100):
        opened.page.clock.fast_forward(2_000)
        opened.page.wait_for_timeout(200)
        if not opened.page.locator(".card[data-group=waiting]").count():
            break
    opened.wait_decided(workers + 1)
    cards = opened.cards()
    assert cards.pop("sky.png")["group"] == "kept", "new workers take the place of those that were stopped"
    assert all("Given up after 120 seconds" in card["detail"] for card in cards.values()), cards


@pytest.mark.parametrize("name", ["libheif", "pdfium"])
@pytest.mark.parametrize("portal", [False, True], ids=["no network", "a portal's page"])
def test_what_could_not_be_fetched_is_fetched_the_next_time(
    visit: Visiting, tiny_site: str, tmp_path: Path, name: str, portal: bool
) -> None:
    ending = "heic" if name == "libheif" else "pdf"
    before, after = tmp_path / f"before.{ending}", tmp_path / f"after.{ending}"
    sky(240, 160).save(tmp_path / "sky.pdf")
    for path in (before, after):
        shutil.copy(HEIC if name == "libheif" else tmp_path / "sky.pdf", path)
    opened = visit(tiny_site)
    context, address = opened.page.context, f"**/{name}.wasm.gz*"
    context.route(address, lambda route: route.fulfill(body="<html>Log in") if portal else route.abort())
    opened.add(before)
    opened.wait_decided(1)
    detail = opened.cards()[before.name]["detail"]
    assert f"could not be fetched ({name}: " in detail and "when there is a network" in detail
    context.unroute(address)
    opened.add(after)
    opened.wait_decided(2)
    cards = opened.cards()
    assert cards[before.name]["group"] == "failed" and cards[after.name]["group"] != "failed"
    # The browser itself reports what it could not load.
    opened.complaints[:] = [text for text in opened.complaints if "ERR_FAILED" not in text]


def test_an_old_tab_says_that_the_page_is_to_be_reloaded(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    """After an update what it has not fetched yet is gone from the server."""
    picture = turned(sky(240, 160), 90)
    for name in ("a.tif", "b.tif", "c.pdf"):
        picture.save(tmp_path / name)
    opened = visit(tiny_site, service_workers="block")
    opened.add(tmp_path / "a.tif")
    opened.wait_decided(1)
    opened.page.reload()
    opened.wait_decided(1)
    for part in ("tiff", "pdf", "heic", "libheif"):
        opened.page.context.route(f"**/assets/{part}-*.js", lambda route: route.fulfill(status=404))
    opened.add(tmp_path / "b.tif", tmp_path / "c.pdf", HEIC)
    opened.wait_decided(4)
    words = "A part of this page could not be fetched: it was updated, or there is no network. Reload it."
    cards = opened.cards()
    assert all(words in cards[name]["detail"] for name in ("b.tif", "c.pdf", HEIC.name)), cards
    opened.page.get_by_role("button", name="Download a.tif", exact=True).click()
    expect(opened.page.locator("#trouble")).to_have_text(f"a.tif could not be saved: {words}")
    # The browser itself reports what it could not load, Playwright what it blocks.
    opened.complaints[:] = [text for text in opened.complaints if not re.search("404|Service Worker", text)]


def test_what_is_longer_than_a_canvas_is_seen(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    """A canvas of over 65,535 pixels is none, and says nothing of it: the picture was called blank."""
    wanted = {}
    for size in ((70_000, 60), (60, 70_000), (10, 140_000)):
        for turn in (90, 180):
            name = f"{size[0]}x{size[1]}-{turn}.png"
            turned(sky(240, 160), turn).resize(size).save(tmp_path / name)
            wanted[name] = turn
    opened = visit(tiny_site)
    opened.add(*tmp_path.iterdir())
    opened.wait_decided(len(wanted))
    assert {name: card["turn"] for name, card in opened.cards().items()} == wanted


def test_what_no_browser_reads_is_named(visit: Visiting, tiny_site: str, tmp_path: Path) -> None:
    (tmp_path / "a.jp2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n")
    (tmp_path / "b.jxl").write_bytes(b"\xff\x0a\xfa\x7f")
    (tmp_path / "c.psd").write_bytes(b"8BPS\0\1")
    (tmp_path / "d.jpg").write_bytes(b"no picture")
    opened = visit(tiny_site)
    opened.add(*sorted(tmp_path.iterdir()))
    opened.wait_decided(4)
    details = {name: card["detail"] for name, card in opened.cards().items()}
    assert details["a.jp2"] == "This browser does not read JPEG 2000. The command “upright correct” does."
    assert "PSD" in details["c.psd"] and "damaged, or not a picture" in details["d.jpg"]
