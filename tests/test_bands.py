"""Three bands of a picture with many, chosen and in the order asked for."""

import json
from pathlib import Path

import numpy as np
import pytest
import pyvips
from click.testing import CliRunner
from PIL import Image

from upright import Detector
from upright.cli import cli
from upright.errors import UsageError
from upright.pictures import open_picture

DEMO = Path(__file__).parent.parent / "testdata" / "demo"
SIZES = {"small": (90, 60), "long enough for the quick path": (4300, 40)}


def bands_of(width, height, dtype, count=5):
    """Band n, from 1, is a ramp that starts at n tenths of the type's range."""
    top = np.iinfo(dtype).max
    ramp = np.linspace(0, 0.4, width)[None, :, None] + np.arange(1, count + 1) / 10
    return np.broadcast_to(ramp * top, (height, width, count)).astype(dtype)


def saved(path, values, **options):
    pyvips.Image.new_from_array(values).copy(interpretation="multiband").tiffsave(str(path), **options)
    return path


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("dtype", "divisor"), [(np.uint8, 1), (np.uint16, 257)])
@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}, {"tile": True, "pyramid": True}], ids=str)
def test_bands_of_a_tiff(tmp_path, size, dtype, divisor, options):
    values = bands_of(*SIZES[size], dtype)
    path = saved(tmp_path / "scene.tif", values, **options)
    for bands in ((4, 3, 2), (5, 5, 1)):
        wanted = values[:, :, [band - 1 for band in bands]] / divisor
        with open_picture(path, bands=bands) as picture:
            seen = picture.squashed(32).astype(int)
            part = picture.region((0, 10, values.shape[1], 38), 5000).astype(int)
        assert np.abs(seen.mean(axis=(0, 1)) - wanted.mean(axis=(0, 1))).max() < 1.5
        assert np.abs(part - wanted[10:38]).max() < 1.5


def test_bands_of_an_array():
    values = bands_of(90, 60, np.uint16)
    with open_picture(values, bands=(4, 3, 2)) as picture:
        assert np.abs(np.asarray(picture.image(60)) - values[:, :, [3, 2, 1]] / 257.0).max() < 1
    with open_picture(values[:, :, 0], bands=(1, 1, 1)) as picture:
        assert np.asarray(picture.image(60)).shape == (60, 90, 3)
    with pytest.raises(UsageError, match="1 to 4"):
        open_picture(values)


def test_values_of_little_range_are_stretched_over_the_three_bands_together(tmp_path):
    """12 bits: a band that is darker than the others stays darker."""
    values = (bands_of(200, 100, np.uint16) // 16).astype(np.uint16)
    values[:, :, 4] //= 8
    with open_picture(saved(tmp_path / "scan.tif", values), bands=(5, 3, 2)) as picture:
        seen = np.asarray(picture.image(100)).astype(int)
    low, high = np.percentile(values[:, :, [4, 2, 1]], (0.5, 99.5))
    wanted = np.clip((values[:, :, [4, 2, 1]] - low) * 255 / (high - low), 0, 255)
    assert np.abs(seen - wanted).max() < 1.5


def test_what_has_no_such_bands_says_so(tmp_path):
    path = saved(tmp_path / "scene.tif", bands_of(40, 30, np.uint8))
    for bands, name in (((6, 3, 2), "6"), ((3, 0, 2), "0"), ((-1, 1, 1), "-1")):
        with pytest.raises(UsageError, match=rf"no band {name}; its bands are 1 to 5"):
            open_picture(path, bands=bands)
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.jpg")
    with pytest.raises(UsageError, match="bands of JPEG cannot be chosen"):
        open_picture(tmp_path / "photo.jpg", bands=(3, 2, 1))


def test_what_only_one_band_shows_is_found(tmp_path):
    page = Image.open(DEMO / "page.jpg").convert("L")
    values = np.full((page.height, page.width, 6), 200, np.uint8)
    values[:, :, 3] = np.asarray(page)
    path = saved(tmp_path / "scene.tif", values)
    with Detector(effort=0) as plain, Detector(effort=0, bands=(4, 4, 4)) as fourth:
        assert plain.detect(path).turn is None
        found = fourth.detect(path)
        assert found.best == plain.detect(page).best == 270
    run = CliRunner().invoke(cli, ["detect", str(path), "--effort", "0", "--bands", "4,4,4", "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["best"] == 270
    wrong = CliRunner().invoke(cli, ["detect", str(path), "--bands", "4,x"])
    assert wrong.exit_code == 2
    assert "three numbers" in wrong.output
