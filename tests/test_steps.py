"""What the model is shown: the whole picture, its quarters, parts of it."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from upright.errors import UsageError
from upright.pictures import open_picture
from upright.pictures.picture import stored_box
from upright.steps import View, render
from upright.steps.quarters import quartered_size, quarters
from upright.turns import ExifOrientation, Turn, show_array, turn_array


def page(width, height, written):
    """A white page with lines of black bars inside the boxes given."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for left, top, right, bottom in written:
        for y in range(top, bottom, 24):
            for x in range(left, right, 20):
                draw.rectangle((x, y, x + 11, y + 11), fill="black")
    return image


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_the_whole_view_is_pillows_bilinear_of_the_picture():
    image = page(300, 200, [(20, 20, 150, 180)])
    with open_picture(image) as picture:
        wanted = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR))
        assert np.array_equal(render(picture, View(), 64), wanted)
        for turn in Turn:
            assert np.array_equal(render(picture, View(turn=turn), 64), turn_array(wanted, turn))


def test_turned_views_decode_the_picture_once(monkeypatch):
    with open_picture(encoded(page(300, 200, []), "JPEG")) as picture:
        first = render(picture, View(), 64)
        monkeypatch.setattr(picture, "_decode", None)
        assert np.array_equal(render(picture, View(turn=Turn.HALF), 64), turn_array(first, Turn.HALF))


def test_a_part_is_cut_from_the_shown_picture():
    image = page(700, 500, [(0, 0, 300, 200)])
    with open_picture(encoded(image)) as picture:
        box = (100, 50, 356, 306)
        part = render(picture, View(box), 64).astype(int)
        wanted = np.asarray(image.crop(box).resize((64, 64), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(part - wanted).mean() < 3
        for bad in ((0, 0, 701, 5), (5, 5, 5, 9), (-1, 0, 5, 5)):
            with pytest.raises(UsageError, match="not inside"):
                picture.region(bad, 8)


@pytest.mark.parametrize("exif", list(ExifOrientation))
def test_boxes_of_shown_pixels_are_found_among_the_stored_ones(exif):
    stored = np.arange(35).reshape(5, 7)
    shown = show_array(stored, exif)
    height, width = shown.shape
    for box in ((0, 0, width, height), (1, 2, 4, 5), (0, 0, 1, 1), (width - 1, height - 2, width, height)):
        left, top, right, bottom = stored_box(box, (7, 5), exif)
        part = show_array(stored[top:bottom, left:right], exif)
        assert np.array_equal(part, shown[box[1] : box[3], box[0] : box[2]])


@pytest.mark.parametrize(("width", "height"), [(300, 300), (64, 90), (700, 120), (121, 700), (60, 1000), (180, 90)])
def test_a_turned_picture_has_the_same_four_quarters(width, height):
    pixels = np.random.default_rng(2).integers(0, 255, (height, width, 3)).astype(np.uint8)
    seen = []
    for turn in range(4):
        with open_picture(np.ascontiguousarray(np.rot90(pixels, turn))) as picture:
            seen.append([render(picture, view, 32).astype(int) for view in quarters(picture, 32)])
    assert len({view.tobytes() for view in seen[0]}) == 4
    for views in seen[1:]:
        for view in views:
            assert min(np.abs(view - other).max() for other in seen[0]) <= 1


def test_quarters_cover_the_picture_and_show_twice_the_detail():
    image = page(900, 700, [(0, 0, 900, 700)])
    with open_picture(encoded(image)) as picture:
        seen = [np.rot90(render(picture, view, 224), view.turn.index) for view in quarters(picture, 224)]
        wanted = picture.squashed(448)
    upper, lower = np.hstack([seen[0], seen[1]]), np.hstack([seen[3], seen[2]])
    assert np.array_equal(np.vstack([upper, lower]), wanted)


def test_quarters_of_a_strip_are_windows_from_end_to_end():
    assert quartered_size(2000, 300, 224) == (896, 224)
    assert quartered_size(250, 600, 224) == (224, 538)
    assert quartered_size(600, 301, 224) == (448, 448)
    strip = np.zeros((30, 30 * 4, 3), np.uint8) + np.repeat(np.arange(4), 30)[None, :, None].astype(np.uint8)
    for pixels in (strip, strip.transpose(1, 0, 2)):
        with open_picture(np.ascontiguousarray(pixels)) as picture:
            seen = [render(picture, view, 30) for view in quarters(picture, 30)]
        assert sorted(int(view.max()) for view in seen) == [0, 1, 2, 3]
        assert all(np.ptp(view) == 0 for view in seen)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_expected_boxes_are_read_together(form, monkeypatch):
    image = page(2100, 1600, [(0, 0, 1024, 512), (512, 1024, 2048, 1536)])
    options = {"compression": "tiff_lzw"} if form == "TIFF" else {}
    with open_picture(encoded(image, form, **options)) as picture:
        tiles = [View((x, y, x + 512, y + 512)) for x, y in ((0, 0), (512, 0), (512, 1024), (1024, 1024), (1536, 1024))]
        picture.expect([tile.box for tile in tiles])
        shown = [render(picture, tile, 64) for tile in tiles[:1]]
        monkeypatch.setattr(picture, "_decode_parts", None)
        shown += [render(picture, tile, 64) for tile in tiles[1:]]
    for tile, pixels in zip(tiles, shown, strict=True):
        wanted = np.asarray(image.crop(tile.box).resize((64, 64), Image.Resampling.BILINEAR)).astype(int)
        # Means of 8 x 8: the bars are so fine that each shrinking renders them in its own way.
        means = [each.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3)) for each in (pixels.astype(int), wanted)]
        assert np.abs(means[0] - means[1]).mean() < 6


_KINDS = {
    "JPEG": {},
    "progressive": {"format": "JPEG", "progressive": True},
    "tagged": {"format": "JPEG", "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"},
    "PNG": {},
    "TIFF": {},
    "WEBP": {"quality": 80},
    "BMP": {},
    "AVIF": {},
    "PDF": {"resolution": 150},
}


@pytest.mark.parametrize("kind", _KINDS)
def test_views_after_others_are_those_of_a_picture_that_was_just_opened(kind, tmp_path):
    """Views in the order of the ladder, and smaller ones after larger: what was decoded before counts for nothing."""
    path = tmp_path / "picture"
    image = page(900, 700, [(40, 40, 860, 300), (300, 400, 500, 660)])
    path.write_bytes(
        encoded(image, **{"form": kind} | {k.replace("format", "form"): v for k, v in _KINDS[kind].items()})
    )
    sizes = [
        (100, 100),
        (224, 224),
        (448, 448),
        (700, 450),
        (900, 700),
        (1200, 933),
        (1350, 1050),
        (500, 380),
        (64, 64),
    ]
    with open_picture(path) as picture:
        for size in sizes:
            with open_picture(path) as another:
                assert np.array_equal(picture.squashed(size), another.squashed(size)), size
