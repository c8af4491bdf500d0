"""Pictures with more pixels than a browser decodes, or than it can write again."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from upright.carriers import read_exif_orientation

from .conftest import Visit
from .pictures import sky, turned

Visiting = Callable[..., Visit]
HUGE = (30_000, 20_000)


def claiming(kind: str, size: tuple[int, int]) -> bytes:
    """A picture that claims to be so large."""
    file = io.BytesIO()
    sky(300, 200).save(file, kind)
    found = bytearray(file.getvalue())
    if kind == "JPEG":
        struct.pack_into(">HH", found, found.index(b"\xff\xc0") + 5, size[1], size[0])
    elif kind == "BMP":
        struct.pack_into("<ii", found, 18, *size)
    elif kind == "GIF":
        struct.pack_into("<HH", found, 6, *size)
    elif kind == "TIFF":
        for tag, side in ((256, size[0]), (257, size[1])):
            entry = found.index(
                struct.pack("<HH", tag, 4) if struct.pack("<HH", tag, 4) in found else struct.pack("<HH", tag, 3)
            )
            struct.pack_into("<HII", found, entry + 2, 4, 1, side)
    return bytes(found)


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_what_no_browser_decodes_is_named_with_the_command(
    visit: Visiting, tiny_site: str, tmp_path: Path, language: str
) -> None:
    names = {"JPEG": "a.jpg", "BMP": "b.bmp", "GIF": "c.gif", "TIFF": "d.tif"}
    for kind, name in names.items():
        (tmp_path / name).write_bytes(claiming(kind, HUGE))
    opened = visit(tiny_site, locale=language)
    opened.add(*sorted(tmp_path.iterdir()))
    opened.wait_decided(len(names))
    for card in opened.cards().values():
        assert card["group"] == "failed", card
        assert "30000 x 20000" in card["detail"] and "upright correct --max-memory-mb 8000" in card["detail"], card


def test_what_is_larger_than_a_canvas_stays_as_it_is_or_gets_its_tag(
    visit: Visiting, tiny_site: str, tmp_path: Path
) -> None:
    """A canvas that is too large is none, and says so only when it is to become a file."""
    turned(sky(2000, 15), 180).resize((40_000, 300)).save(tmp_path / "long.gif")
    turned(sky(2000, 15), 180).resize((30_000, 225)).save(tmp_path / "fits.gif")
    wide = Image.new("L", (20_000, 13_500), 60)
    wide.paste(220, (0, 0, 20_000, 6_750))
    turned(wide, 180).save(tmp_path / "area.png", compress_level=1)
    opened = visit(tiny_site)
    opened.add(*sorted(tmp_path.iterdir()))
    opened.wait_decided(3)
    cards = opened.cards()
    assert {name: card["group"] for name, card in cards.items()} == {
        "area.png": "turned",
        "fits.gif": "turned",
        "long.gif": "cannot",
    }
    assert "32,767 a side" in cards["long.gif"]["note"] and "PNG or TIFF" in cards["long.gif"]["note"]
    saved = tmp_path / "saved"
    assert opened.save("long.gif", saved).read_bytes() == (tmp_path / "long.gif").read_bytes()
    assert read_exif_orientation(opened.save("area.png", saved).read_bytes()).raw == 3
    with Image.open(opened.save("fits.gif", saved)) as gif:
        assert gif.format == "PNG" and gif.size == (30_000, 225)
        assert gif.convert("L").getpixel((15_000, 5)) > 200
