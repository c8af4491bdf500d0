"""Large pictures, written by streaming: decided within bounded memory, and like a small copy of themselves.

The 200-megapixel and 4.8-gigapixel ones are measured by ``bench/pictures.py``; these are their smaller siblings.
"""

import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import pyvips

from upright.pictures import flat, open_picture
from upright.steps import View, render
from upright.turns import ExifOrientation

pytestmark = pytest.mark.slow
WIDTH, HEIGHT = 9216, 6144
TILED = {"tile": True, "compression": "jpeg", "Q": 85}
SAVED = {
    "baseline.jpg": {"Q": 80},
    "progressive.jpg": {"Q": 80, "interlace": True},
    "flat.png": {"compression": 1},
    "lzw.tif": {"compression": "lzw"},
    "raw.tif": {},
    "tiles.tif": TILED | {"tile_width": 256, "tile_height": 256},
    "small-tiles-big.tif": TILED | {"bigtiff": True, "tile_width": 64, "tile_height": 32},
    "strips.tif": {"compression": "jpeg", "Q": 85},
    "pyramid.tif": TILED | {"tile_width": 256, "tile_height": 256, "pyramid": True},
    "sub.tif": TILED | {"tile_width": 256, "tile_height": 256, "pyramid": True, "subifd": True},
}
#: Megabytes over the idle process; a whole picture has 170.
MOST_MB = {"progressive.jpg": 190, "flat.png": 90, "lzw.tif": 90, "raw.tif": 90}


def lazy_picture():
    """Ramps and stripes; the upper right quarter has fine detail."""
    position = pyvips.Image.xyz(WIDTH, HEIGHT)
    ramps = (position * [255 / WIDTH, 255 / HEIGHT]).cast("uchar")
    detail = (position[0] / 6).sin() * ((position[0] > WIDTH / 2) & (position[1] < HEIGHT / 2)) / 255 * 100 + 120
    return ramps.bandjoin(detail.cast("uchar")).copy(interpretation="srgb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    picture = lazy_picture().copy_memory()
    for name, options in SAVED.items():
        save = {"jpg": picture.jpegsave, "png": picture.pngsave, "tif": picture.tiffsave}[name.split(".")[1]]
        save(str(folder / name), **options)
    return folder


@pytest.fixture(scope="module")
def wanted():
    return lazy_picture().thumbnail_image(64, height=64, size="force").numpy().astype(int)


@pytest.mark.parametrize("name", SAVED)
def test_the_whole_view(folder, wanted, name):
    with open_picture(folder / name) as picture:
        assert (picture.width_px, picture.height_px, picture.pages) == (WIDTH, HEIGHT, 1)
        assert np.abs(picture.squashed(64).astype(int) - wanted).mean() < 4
        assert picture.warnings == ()


def tiles_of(picture, number):
    """Squares of 1,024 pixels, all over the picture, which is told of them."""
    across, down = picture.width_px // 1024, picture.height_px // 1024
    places = [(i * (across * down - 1)) // (number - 1) for i in range(number)]
    boxes = [(x, y, x + 1024, y + 1024) for x, y in ((p % across * 1024, p // across * 1024) for p in places)]
    picture.expect(boxes)
    return [View(box) for box in boxes]


@pytest.mark.parametrize("name", ["pyramid.tif", "sub.tif"])
def test_tiles_of_a_pyramid_come_from_its_smaller_levels(folder, name, monkeypatch):
    with open_picture(folder / name) as picture:
        tiles = tiles_of(picture, 4)
        loaded, load = [], picture._load
        monkeypatch.setattr(picture, "_load", lambda **options: loaded.append(load(**options)) or loaded[-1])
        shown = [render(picture, tile, 224) for tile in tiles]
        assert {(image.width, image.height) for image in loaded} == {(WIDTH // 4, HEIGHT // 4)}
    with open_picture(folder / "tiles.tif") as picture:
        for tile, pixels in zip(tiles, shown, strict=True):
            assert np.abs(pixels.astype(int) - render(picture, tile, 224)).mean() < 3


@pytest.mark.parametrize("name", SAVED)
def test_tiles(folder, name):
    whole = lazy_picture()
    with open_picture(folder / name) as picture:
        tiles = tiles_of(picture, 6)
        for tile in tiles:
            left, top, right, bottom = tile.box
            part = whole.crop(left, top, right - left, bottom - top).thumbnail_image(32, height=32, size="force")
            assert np.abs(render(picture, tile, 32).astype(int) - part.numpy()).mean() < 10


def test_the_quick_ways_are_taken(folder, monkeypatch):
    """Tiles at 1/8 and sampled rows are no different in shape, so see that they are used at all."""
    monkeypatch.setattr(flat, "_LEAST_SAMPLED_PIXELS", 1_000_000)
    for name in ("tiles.tif", "small-tiles-big.tif", "strips.tif", "raw.tif"):
        with (folder / name).open("rb") as file:
            layout = flat.read_flat(file)
            assert (layout.width, layout.height) == (WIDTH, HEIGHT)
            shown = flat.shrink(file, layout, 128, 128, lambda _: None, print)
            assert shown is not None
            assert 128 <= shown.width <= WIDTH // 8
    for name in ("lzw.tif", "flat.png", "baseline.jpg"):
        with (folder / name).open("rb") as file:
            assert flat.read_flat(file) is None


def test_sampled_rows_show_the_picture(folder, wanted, monkeypatch):
    monkeypatch.setattr(flat, "_LEAST_SAMPLED_PIXELS", 1_000_000)
    with open_picture(folder / "raw.tif") as picture:
        assert np.abs(picture.squashed(64).astype(int) - wanted).mean() < 4


@pytest.mark.parametrize("colours", ["b-w", "rgb"])
def test_grey_and_rgb_tiles(tmp_path, wanted, colours):
    picture = lazy_picture().colourspace("b-w") if colours == "b-w" else lazy_picture()
    quality = {"Q": 95} if colours == "rgb" else {}  # from Q 90 on, libvips stores RGB instead of YCbCr
    picture.tiffsave(str(tmp_path / "t.tif"), **(TILED | quality))
    shown = wanted if colours == "rgb" else wanted @ np.array([0.2126, 0.7152, 0.0722])[:, None]
    with open_picture(tmp_path / "t.tif") as opened:
        assert np.abs(opened.squashed(64).astype(int) - shown).mean() < (4 if colours == "rgb" else 20)
    with (tmp_path / "t.tif").open("rb") as file:
        assert flat.read_flat(file).samples == (1 if colours == "b-w" else 3)


def test_a_damaged_tile_is_left_white(folder, tmp_path, wanted):
    data = bytearray((folder / "tiles.tif").read_bytes())
    with (folder / "tiles.tif").open("rb") as file:
        offset = flat.read_flat(file).offsets[5]
    data[offset : offset + 64] = bytes(64)
    (tmp_path / "damaged.tif").write_bytes(data)
    with open_picture(tmp_path / "damaged.tif") as picture:
        assert np.abs(picture.squashed(64).astype(int) - wanted).mean() < 6
        assert picture.squashed(64)[0, 9].min() > 220
        assert picture.warnings == ("damaged tiles are shown white",)


def test_a_tagged_giant_is_shown_turned(folder, tmp_path):
    from upright.carriers import patch_exif_orientation

    data = patch_exif_orientation((folder / "tiles.tif").read_bytes(), ExifOrientation.RIGHT_TOP)
    with open_picture(data) as turned, open_picture(folder / "tiles.tif") as plain:
        assert (turned.width_px, turned.height_px) == (HEIGHT, WIDTH)
        assert np.abs(turned.squashed(64).astype(int) - np.rot90(plain.squashed(64), -1)).mean() < 1


CHILD = """
import json, sys
from pathlib import Path
from upright.pictures import open_picture
from upright.steps import View, render

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))

small = Path(sys.argv[1])
for name in ("coffee.jpg", "receipt.png", "chart.tif"):
    with open_picture(small / name) as picture:
        picture.squashed(224)
over = {}
for path in sys.argv[2:]:
    Path("/proc/self/clear_refs").write_text("5")
    idle = memory("VmRSS")
    with open_picture(path) as picture:
        render(picture, View(), 224)
    over[path.rsplit("/")[-1]] = memory("VmHWM") - idle
print(json.dumps(over))
"""


@pytest.mark.parametrize("name", ["lzw.tif", "flat.png", "raw.tif", "tiles.tif"])
def test_a_stream_tells_how_far_it_is(folder, name):
    shares = []
    with open_picture(str(folder / name)) as picture:
        picture.progress = shares.append
        render(picture, View(), 224)
        assert len(shares) > 3 and shares == sorted(shares) and 0 <= shares[0] < 0.5 and shares[-1] == 1
        del shares[:]
        for tile in tiles_of(picture, 4):
            render(picture, tile, 224)
        assert all(0 <= share <= 1 for share in shares)


def test_a_bar_is_shown_on_a_terminal(folder):
    code = "import upright.cli.progress as o; o.MOMENT_S = 0; from upright.cli import main; main()"
    command = shlex.join([sys.executable, "-c", code, "detect", str(folder / "lzw.tif"), "--effort", "0"])
    done = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, timeout=100, check=True)
    assert re.search(rb"lzw\.tif: \d\d% read", done.stdout)
    told = subprocess.run(shlex.split(command), capture_output=True, timeout=100, check=True)
    assert told.stderr == b"" and b" read" not in told.stdout


def test_memory_over_the_idle_process_is_bounded(folder):
    from pathlib import Path

    demo = Path(__file__).parent.parent / "testdata" / "demo"
    command = [sys.executable, "-c", CHILD, str(demo), *(str(folder / name) for name in SAVED)]
    over = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert {name: mb for name, mb in over.items() if mb > MOST_MB.get(name, 40)} == {}
