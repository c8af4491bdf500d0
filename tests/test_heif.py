"""HEIC and AVIF of several programs are turned by their boxes: pixels stay, and other programs show what was meant."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pi_heif
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageOps

from upright import correct, undo
from upright.carriers import exif_edits, heif, read_exif_orientation
from upright.correction import corrected_bytes
from upright.errors import NotLossless
from upright.formats import Window, applied, inverse
from upright.formats.heif import Meta
from upright.lossless import reencoded
from upright.pictures import open_picture
from upright.results import Method
from upright.turns import ExifOrientation, Turn

from .conftest import ROOT

Pixels = NDArray[np.uint8]


def picture(mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    gradient = Image.linear_gradient("L").resize(size)
    shown = Image.merge("RGB", (gradient, gradient.transpose(0), gradient.transpose(1))).convert(mode)
    if mode == "RGBA":
        shown.putalpha(gradient.transpose(0))
    return shown


@cache
def made(program: str, name: str, *options: str, mode: str = "RGB", pictures: int = 1, exif: int = 0) -> bytes:
    """What ``heif-enc`` or ``avifenc`` makes of our picture."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    with TemporaryDirectory() as folder:
        sources = [f"{folder}/{number}.png" for number in range(pictures)]
        for number, source in enumerate(sources):
            picture(mode, (96 + 32 * number, 64)).save(source)
        target = f"{folder}/{name}"
        command = [program, *options, *sources, "-o", target]
        subprocess.run(command, check=True, capture_output=True)
        if exif:
            tool = shutil.which("exiftool") or pytest.skip("exiftool is not installed")
            words = [f"-EXIF:Orientation#={exif}", f"-XMP-tiff:Orientation#={exif}", "-overwrite_original", target]
            subprocess.run([tool, *words], check=True, capture_output=True)
        return Path(target).read_bytes()


def by_pillow(**options: object) -> bytes:
    out = io.BytesIO()
    picture().save(out, "AVIF", **options)
    return out.getvalue()


SOURCES: dict[str, Callable[[], bytes]] = {
    "heic": partial(made, "heif-enc", "a.heic"),
    "heic, thumbnail": partial(made, "heif-enc", "a.heic", "-t", "48"),
    "heic, alpha": partial(made, "heif-enc", "a.heic", mode="RGBA"),
    "heic, exif and xmp": partial(made, "heif-enc", "a.heic", exif=1),
    "heic, grid, turned": lambda: (ROOT / "tests" / "data" / "turned.heic").read_bytes(),
    "avif of heif-enc": partial(made, "heif-enc", "a.avif", "-A"),
    "avif": partial(made, "avifenc", "a.avif", "-s", "10"),
    "avif, turned": partial(made, "avifenc", "a.avif", "-s", "10", "--irot", "1"),
    "avif, mirrored": partial(made, "avifenc", "a.avif", "-s", "10", "--imir", "0"),
    "avif, turned and mirrored": partial(made, "avifenc", "a.avif", "-s", "10", "--irot", "3", "--imir", "1"),
    "avif, alpha, turned": partial(made, "avifenc", "a.avif", "-s", "10", "--irot", "2", mode="RGBA"),
    "avif, grid": partial(made, "avifenc", "a.avif", "-s", "10", "--grid", "1x1"),
    "avif of Pillow": by_pillow,
}


def by_library(data: bytes) -> Pixels:
    """As pi_heif or Pillow shows it."""
    if data[8:12] in (b"avif", b"avis"):
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(ImageOps.exif_transpose(image))  # it gives the boxes as an EXIF orientation
    return np.asarray(pi_heif.open_heif(io.BytesIO(data)).to_pillow())


def by_program(data: bytes, folder: Path) -> Pixels:
    """As ``heif-convert`` shows it; of AVIF, ``avifdec``, which knows the standard's rules, has to accept it."""
    form = "avif" if data[8:12] == b"avif" else "heic"
    source, target = folder / f"a.{form}", folder / "a.png"
    source.write_bytes(data)
    for program in ("avifdec", "heif-convert")[form == "heic" :]:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
        subprocess.run([program, str(source), str(target)], check=True, capture_output=True)
    with Image.open(target) as image:
        return np.asarray(image)


def with_tone_map(data: bytes) -> bytes:
    """The file with its second item, alpha, called a tone-mapped picture that is made of the first."""
    entry = data.index(b"infe", data.index(b"infe") + 4)
    kind = data.index(b"av01", entry)
    assert data.count(b"auxl") == 1
    return (data[:kind] + b"tmap" + data[kind + 4 :]).replace(b"auxl", b"dimg")


@pytest.mark.parametrize("turned_before", [False, True])
def test_a_tone_mapped_picture_follows_only_where_it_has_a_turn_of_its_own(turned_before):
    """Its inputs are turned already: libavif 1.2 opens no file whose tone-mapped picture is turned, too."""
    out = io.BytesIO()
    picture("RGBA").save(out, "AVIF")
    data = out.getvalue()
    if turned_before:
        data, _ = corrected_bytes(data, 90)
    new, _ = corrected_bytes(with_tone_map(data), 90)
    meta = Meta(Window(new))
    turned = {
        item for item in meta.kinds for link in meta.links(item) if meta.properties[link.number - 1].kind == b"irot"
    }
    tone_mapped = next(item for item, kind in meta.kinds.items() if kind == b"tmap")
    assert meta.primary in turned and (tone_mapped in turned) == turned_before
    if turned_before:
        assert heif.orientation(Window(new)) == ExifOrientation.BOTTOM_RIGHT


def payloads(data: bytes) -> dict[int, bytes]:
    """The bytes of every item that is not metadata."""
    window = Window(data)
    meta = Meta(window)
    spans = {item: meta.span(item) for item, kind in meta.kinds.items() if kind not in (b"Exif", b"mime")}
    return {item: window.at(span.start, span.end - span.start) for item, span in spans.items() if span}


@pytest.mark.parametrize(
    "turn",
    [Turn.RIGHT, pytest.param(Turn.HALF, marks=pytest.mark.slow), pytest.param(Turn.LEFT, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("name", SOURCES)
def test_every_program_shows_it_turned_and_no_pixel_has_changed(name: str, turn: Turn, tmp_path: Path) -> None:
    source = SOURCES[name]()
    data, done = corrected_bytes(source, turn)
    assert (done.method, done.lossless, done.exif_after) == (Method.TAG, True, done.exif_before.then(turn))
    assert np.array_equal(by_library(data), np.rot90(by_library(source), -turn.index))
    # avifenc 0.11 gives a turn to the colours alone, which libheif follows to the letter before and after.
    bands = 3 if name == "avif, alpha, turned" else 4
    if "avif" in name:  # the wheel of libvips decodes no HEVC
        vips = [pyvips.Image.new_from_buffer(each, "").numpy() for each in (source, data)]
        assert np.array_equal(vips[1][..., :bands], np.rot90(vips[0], -turn.index)[..., :bands])
    shown = [by_program(each, tmp_path)[..., :bands] for each in (source, data)]
    assert np.array_equal(shown[1], np.rot90(shown[0], -turn.index))
    assert payloads(data) == payloads(source) != {}
    edits = exif_edits(source, done.exif_after)
    assert b"".join(applied(Window(data), inverse(edits))) == source
    if name.endswith(("turned", "mirrored")) and "irot" in str(SOURCES[name]):
        assert [len(edit.old) == len(edit.new) == 1 for edit in edits] == [True], "one byte where there is an irot"


MIRRORED = ["heic, thumbnail", "heic, grid, turned", "avif, mirrored", "avif, turned and mirrored", "avif of Pillow"]


@pytest.mark.parametrize("name", MIRRORED)
@pytest.mark.parametrize("turn", [Turn.NONE, Turn.RIGHT, Turn.LEFT])
def test_every_program_shows_it_mirrored(name: str, turn: Turn, tmp_path: Path) -> None:
    source = SOURCES[name]()
    wanted = read_exif_orientation(source).orientation.mirror().then(turn)
    edits = exif_edits(source, wanted)
    data = b"".join(applied(Window(source), edits))
    assert read_exif_orientation(data).orientation == wanted
    assert np.array_equal(by_library(data), np.rot90(by_library(source)[:, ::-1], -turn.index))
    shown = [by_program(each, tmp_path) for each in (source, data)]
    assert np.array_equal(shown[1], np.rot90(shown[0][:, ::-1], -turn.index))
    assert payloads(data) == payloads(source) != {}
    assert b"".join(applied(Window(data), inverse(edits))) == source


@pytest.mark.parametrize("before", [1, 6])
def test_an_exif_orientation_that_agrees_with_the_boxes_follows_them(before: int) -> None:
    source = made("heif-enc", "a.heic", exif=before)
    data, _ = corrected_bytes(source, Turn.RIGHT)
    tool = shutil.which("exiftool") or pytest.skip("exiftool is not installed")
    words = ["-s3", "-n", "-EXIF:Orientation", "-XMP-tiff:Orientation", "-QuickTime:Rotation", "-"]
    said = subprocess.run([tool, *words], input=data, check=True, capture_output=True).stdout.split()
    # An orientation 6 beside no irot is one that no program that knows HEIC applies: it is left.
    assert said == [b"6", b"6", b"270"]
    again, _ = corrected_bytes(data, Turn.RIGHT)
    said = subprocess.run([tool, *words], input=again, check=True, capture_output=True).stdout.split()
    assert said == [b"3", b"3", b"180"]


def test_a_thumbnail_turns_with_its_picture_and_another_picture_does_not() -> None:
    thumbed = made("heif-enc", "a.heic", "-t", "48")
    data, _ = corrected_bytes(thumbed, Turn.RIGHT)
    before, after = (pi_heif.open_heif(io.BytesIO(each)) for each in (thumbed, data))
    assert [after.info["thumbnails"], after.size] == [before.info["thumbnails"], before.size[::-1]]
    meta = Meta(Window(data))
    (thumbnail,) = [source for kind, source, _ in meta.references if kind == b"thmb"]
    kinds = {item: [meta.properties[link.number - 1].kind for link in meta.links(item)] for item in meta.kinds}
    # The thumbnail is a grid here, whose tiles stay as they are.
    assert {item for item in kinds if b"irot" in kinds[item]} == {meta.primary, thumbnail} < kinds.keys()
    two = made("heif-enc", "a.heic", pictures=2)
    assert Meta(Window(two)).masters() != [Meta(Window(two)).primary]
    for page in (0, 1):
        data, done = corrected_bytes(two, Turn.RIGHT, page=page)
        assert done.note == f"only page {page + 1} was turned, the others stay as they are"
        old, new = ([np.asarray(each.to_pillow()) for each in pi_heif.open_heif(io.BytesIO(d))] for d in (two, data))
        assert np.array_equal(new[page], np.rot90(old[page], -1)) and np.array_equal(new[1 - page], old[1 - page])
        both, _ = corrected_bytes(data, Turn.RIGHT, page=1 - page)
        assert [each.size for each in pi_heif.open_heif(io.BytesIO(both))] == [(64, 96), (64, 128)]
        back, _ = corrected_bytes(both, Turn.LEFT, page=page)
        assert read_exif_orientation(back, page=1 - page).orientation == 6, "a property that both have is not changed"


def test_a_thumbnail_that_lies_otherwise_is_changed_as_its_picture_is() -> None:
    meta = Meta(Window(made("heif-enc", "a.heic", "-t", "48")))
    (thumbnail,) = [source for kind, source, _ in meta.references if kind == b"thmb"]
    aside = heif._changed(meta, {thumbnail: ExifOrientation.RIGHT_TOP})
    meta = Meta(Window(b"".join(applied(meta.window, aside))))
    wanted = ExifOrientation.TOP_LEFT.mirror().then(Turn.RIGHT)
    after = Meta(Window(b"".join(applied(meta.window, heif.edits(meta.window, {0: wanted})))))
    assert heif._orientation(after, after.primary) == wanted
    assert heif._orientation(after, thumbnail) == ExifOrientation.RIGHT_TOP.mirror().then(Turn.RIGHT)


def with_primary(data: bytes, number: int) -> bytes:
    """The same file with another of its pictures as the primary one."""
    item, place = sorted(Meta(Window(data)).masters())[number], data.index(b"pitm") + 8
    return data[:place] + item.to_bytes(2, "big") + data[place + 2 :]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(("program", "name"), [("heif-enc", "a.heic"), ("heif-enc", "a.avif")])
def test_page_1_is_the_primary_picture_wherever_it_is(tmp_path: Path, program: str, name: str, number: int) -> None:
    words = ["-A"] * name.endswith("avif")
    data = with_primary(made(program, name, *words, pictures=3), number)
    widths = [96, 128, 160]
    order = [widths.pop(number), *widths]
    (tmp_path / name).write_bytes(data)
    for page, width in enumerate(order):
        with open_picture(tmp_path / name, page=page) as picture:
            assert (picture.width_px, picture.height_px) == (width, 64)
            assert picture.image((width, 64)).size == (width, 64)
        new, _ = corrected_bytes(data, Turn.RIGHT, page=page)
        sizes = [each.size for each in pi_heif.open_heif(io.BytesIO(new))] if name.endswith("heic") else []
        assert not sizes or (64, width) in sizes
        if page == 0:
            assert pyvips.Image.new_from_buffer(new, "").width == 64, "other programs show the primary picture"
        if name.endswith("heic"):
            with Image.open(io.BytesIO(reencoded(data, ExifOrientation.TOP_LEFT, Turn.RIGHT, "PNG", page))) as image:
                assert image.size == (64, width)


def test_a_tile_that_is_a_page_is_not_turned() -> None:
    """The grid would no longer fit together: libheif shows nothing of it then."""
    data = bytearray(made("heif-enc", "a.heic", "-t", "48"))
    meta = Meta(Window(bytes(data)))
    tiles = sorted(meta.pieces())
    assert tiles and not set(tiles) & set(meta.masters())
    for tile in tiles:  # each is shown: bit 0 of the flags of its entry hides it
        place = data.index(b"infe", 0)
        while int.from_bytes(data[place + 8 : place + 10], "big") != tile:
            place = data.index(b"infe", place + 4)
        data[place + 7] &= 0xFE
    page = Meta(Window(bytes(data))).masters().index(tiles[0])
    new, done = corrected_bytes(bytes(data), Turn.RIGHT, page=page)
    assert (new, done.method) == (bytes(data), Method.KEEP) and "is made of it" in done.note
    assert corrected_bytes(bytes(data), Turn.RIGHT)[1].method == Method.TAG


@pytest.mark.parametrize("before", [ExifOrientation(value) for value in (2, 6, 7)])
def test_a_turn_that_readers_may_ignore_becomes_essential(before: ExifOrientation) -> None:
    """libavif opens none such, libheif (here by libvips) applies it."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = int(before)
    picture().save(out, "AVIF", exif=exif)
    meta = Meta(window := Window(out.getvalue()))
    links = [link._replace(essential=False) for link in meta.links(meta.primary)]
    source = b"".join(applied(window, meta.rewrite([], {meta.primary: links})))
    with pytest.raises(Image.UnidentifiedImageError), warnings.catch_warnings(action="ignore"):
        Image.open(io.BytesIO(source))
    assert read_exif_orientation(source).orientation == before
    data, done = corrected_bytes(source, Turn.RIGHT)
    assert done.exif_after == before.then(Turn.RIGHT)
    vips = [pyvips.Image.new_from_buffer(each, "").numpy() for each in (source, data)]
    assert np.array_equal(vips[1], np.rot90(vips[0], -1))
    kinds = {box.kind for box in meta.properties} & {b"irot", b"imir", b"clap"}
    meta = Meta(Window(data))
    marked = {meta.properties[link.number - 1].kind for link in meta.links(meta.primary) if link.essential}
    assert kinds <= marked
    assert b"".join(applied(Window(data), inverse(exif_edits(source, done.exif_after)))) == source


def test_in_place_and_undo(tmp_path: Path) -> None:
    source = tmp_path / "a.heic"
    source.write_bytes(before := SOURCES["heic, thumbnail"]())
    assert correct(source, turn=270, in_place=True, journal=tmp_path / "j.jsonl").written
    assert source.read_bytes() != before and not (tmp_path / "j.jsonl.d").exists(), "only edits are in the journal"
    undo(tmp_path / "j.jsonl")
    assert source.read_bytes() == before


def test_what_cannot_be_turned_by_boxes_says_why() -> None:
    animated = io.BytesIO()
    picture().save(animated, "AVIF", save_all=True, append_images=[picture().transpose(0)])
    data, done = corrected_bytes(animated.getvalue(), Turn.RIGHT)
    assert (data, done.method, done.note) == (animated.getvalue(), Method.KEEP, "it is an animation")
    for options in ({"method": Method.REENCODE}, {"pixels": True}):
        with pytest.raises(NotLossless, match="it is an animation, and one frame would be kept; use --sidecar"):
            corrected_bytes(animated.getvalue(), Turn.RIGHT, **options)
    source = SOURCES["avif"]()
    at = source.index(b"ipco") - 4
    data, done = corrected_bytes(source[:at] + b"\0\0\0\0free" + source[at + 8 :], Turn.RIGHT)
    assert done.method == Method.KEEP and "boxes cannot be changed" in done.note and done.remedy == "use --sidecar"


@pytest.mark.parametrize("name", ["avif, turned", "avif, turned and mirrored", "heic, grid, turned"])
def test_boxes_are_applied_before_pixels_are_encoded_again(name: str) -> None:
    source = SOURCES[name]()
    data = reencoded(source, ExifOrientation.TOP_LEFT, Turn.RIGHT, "PNG")
    assert np.array_equal(by_pillow_of(data), np.rot90(by_library(source), -1))


def by_pillow_of(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif().get(0x0112, 1) == 1
        return np.asarray(image)
