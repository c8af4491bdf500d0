"""What cannot be corrected says what to do instead, and that works, for every format and method."""

from __future__ import annotations

import io
import pickle
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upright import Correction, Detector, Limits, correct
from upright.errors import TAG, TooLarge, UprightError
from upright.pictures import open_picture
from upright.results import Method

from .conftest import DEMO
from .fuzz.seeds import seeds

HOW: dict[str, dict[str, Any]] = {
    "auto": {},
    "tag": {"method": "tag"},
    "turn": {"method": "turn", "edge": "refuse"},
    "reencode": {"method": "reencode"},
    "pixels": {"pixels": True},
}


def frames() -> dict[str, bytes]:
    with Image.open(DEMO / "coffee.jpg") as image:
        one = image.convert("RGB").resize((97, 67))
    others, found = [one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), one.point(lambda value: 255 - value)], {}
    for name in ("frames.png", "frames.gif", "frames.webp", "frames.avif", "pages.tif", "pages.pdf"):
        out = io.BytesIO()
        one.save(out, Image.registered_extensions()[Path(name).suffix], save_all=True, append_images=others)
        found[name] = out.getvalue()
    return found


def damaged() -> dict[str, bytes]:
    """Files of which no method, or just one, makes something."""
    small, exif = Image.new("RGB", (97, 67), "red"), Image.Exif()
    exif[0x0112] = 1
    found = {}
    for name in ("a.bmp", "a.png", "a.jpg", "a.tif"):
        out = io.BytesIO()
        small.save(out, Image.registered_extensions()[Path(name).suffix], exif=exif)
        found[name] = out.getvalue()
    depth = bytearray(found["a.bmp"])
    depth[28:30] = (77).to_bytes(2, "little")
    tiff = bytearray(found["a.tif"])
    tiff[4:8] = (1 << 30).to_bytes(4, "little")
    return {
        "depth.bmp": bytes(depth),
        "short.bmp": found["a.bmp"][:2000],
        "without-pixels.png": found["a.png"][:60],
        "frame.jpg": found["a.jpg"].replace(b"\xff\xc0\0\x11", b"\xff\xc0\0\x31"),
        "exif.jpg": found["a.jpg"].replace(b"Exif\0\0MM", b"Exif\0\0XX").replace(b"Exif\0\0II", b"Exif\0\0XX"),
        "directory.tif": bytes(tiff),
    }


DAMAGED = damaged()
FILES = dict(seeds()) | frames() | DAMAGED


def program(*words: object) -> None:
    if not shutil.which(str(words[0])):
        pytest.skip(f"{words[0]} is not installed")
    subprocess.run(list(map(str, words)), check=True, capture_output=True)


#: What is done for each remedy: by its words.
Follow = Callable[[Path, Path], Correction | None]
FOLLOW: dict[str, Follow] = {
    "--method tag": lambda path, out: correct(path, out / path.name, turn=90, method="tag"),
    "--pixels out": lambda path, out: correct(path, out / path.name, turn=90),
    "--method turn": lambda path, out: correct(path, out / path.name, turn=90, method="turn"),
    "--edge trim": lambda path, out: correct(path, out / f"t{path.name}", turn=90, method="turn", edge="trim"),
    "use --method reencode": lambda path, out: correct(path, out / path.name, turn=90, method="reencode"),
    "ends in .png": lambda path, out: correct(path, out / "a.png", turn=90, method="reencode"),
    "ends in .jpg": lambda path, out: correct(path, out / "a.jpg", turn=90, method="reencode"),
    "name a .jpg or .png target": lambda path, out: correct(path, out / "b.png", turn=90, method="reencode"),
    "a target of another format": lambda path, out: correct(path, out / "c.png", turn=90, method="reencode"),
    "--sidecar": lambda path, out: correct(path, turn=90, sidecar="full", in_place=True),
    "--method out": lambda path, out: correct(path, turn=90, in_place=True),
    "fetch it again": lambda path, out: None,
    "gifsicle --rotate-90": lambda path, out: program("gifsicle", "--rotate-90", path, "-o", out / "g.gif"),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", FILES)
def test_a_remedy_works(tmp_path: Path, name: str, how: str) -> None:
    path, out = tmp_path / name, tmp_path / "out"
    path.write_bytes(FILES[name])
    try:
        done = correct(path, out / name, turn=90, **HOW[how])
        if done.method is not Method.KEEP:
            return
        if name in DAMAGED:
            return  # of what is kept nothing is decoded, so that no method is tried
        remedy = done.remedy
    except UprightError as error:
        remedy = error.remedy
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    followed = [follow for words, follow in FOLLOW.items() if words in remedy]
    assert followed, f"a remedy that nobody follows here: {remedy!r}"
    assert "fetch" not in remedy or name in DAMAGED
    for follow in followed:
        result = follow(path, out)
        assert result is None or (result.written and result.method is not Method.KEEP), (remedy, result)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("form", ["BMP", "GIF", "PNG", "TIFF", "PPM", "JPEG2000"])
def test_the_memory_that_is_named_is_enough(tmp_path: Path, form: str, how: str) -> None:
    with Image.open(DEMO / "coffee.jpg") as image:
        (large := image.convert("RGB").resize((1300, 1100))).convert("P" if form == "GIF" else "RGB").save(
            path := tmp_path / f"a.{form.lower()}", form
        )
    assert large.size == (1300, 1100)

    def tried(max_memory_mb: float) -> tuple[str, str]:
        try:
            done = correct(path, tmp_path / path.name[::-1], turn=90, limits=Limits(max_memory_mb), **HOW[how])
        except UprightError as error:
            return error.cause, error.remedy
        return done.note, done.remedy if done.method is Method.KEEP else ""

    cause, remedy = tried(1)
    if how == "turn" and form in ("PPM", "JPEG2000"):
        assert re.search("^use --method reencode, and raise it with --max-memory-mb", remedy)
    elif "memory" in cause:
        named = re.search(r"^(use --method tag, or )?raise it with --max-memory-mb (\d+) if you trust", remedy)
        assert named, (cause, remedy)
        assert "memory" not in tried(float(named[2]))[0] + tried(float(named[2]))[1]


@pytest.mark.parametrize("how", [{}, {"method": "reencode"}, {"pixels": True}])
@pytest.mark.parametrize("form", ["BMP", "GIF", "JPEG2000"])
def test_one_refusal_names_the_memory_of_looking_and_of_turning(tmp_path: Path, form: str, how: dict[str, Any]) -> None:
    """Looking takes less than turning: with what it alone takes, the next refusal asked for more."""
    with Image.open(DEMO / "coffee.jpg") as image:
        large = image.convert("RGB").resize((1100, 1300)).transpose(Image.Transpose.ROTATE_90)
        large.convert("P" if form == "GIF" else "RGB").save(path := tmp_path / f"a.{form.lower()}", form)

    def tried(max_memory_mb: float) -> Correction:
        limits = Limits(max_memory_mb)
        with Detector(promise="best", effort=0, limits=limits) as detector:
            return correct(path, tmp_path / path.name[::-1], detector=detector, limits=limits, **how)

    with pytest.raises(TooLarge) as refused:
        tried(1)
    assert refused.value.source == str(path)
    named = re.search(r"--max-memory-mb (\d+)", refused.value.remedy)
    assert named
    done = tried(float(named[1]))
    assert "memory" not in done.note + done.remedy


def test_what_an_alpha_channel_takes_is_named(tmp_path: Path) -> None:
    """Laid on white it is held in four layers; JPEG 2000 has four bytes of each sample, several times."""
    Image.new("RGBA", (1000, 1000)).save(path := tmp_path / "a.png")
    for suffix, most_mb in (("jpg", 27), ("jp2", 78)):
        with pytest.raises(TooLarge) as refused:
            correct(path, tmp_path / f"b.{suffix}", turn=90, method="reencode", limits=Limits(10))
        assert refused.value.needed_mb == pytest.approx(most_mb, abs=1)


def test_an_animated_avif_is_looked_at(tmp_path: Path) -> None:
    with open_picture(FILES["frames.avif"]) as picture, Image.open(io.BytesIO(FILES["frames.avif"])) as first:
        expected = np.asarray(first.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR))
        assert (picture.width_px, picture.height_px) == (97, 67)
        assert np.array_equal(picture.squashed(32), expected)


def test_a_remedy_keeps_what_it_names_on_its_way_from_a_worker() -> None:
    found = pickle.loads(pickle.dumps(TooLarge("too much", remedy=TAG.or_else("raise the limit")))).remedy
    assert (found, found.method, found.otherwise) == ("use --method tag, or raise the limit", "tag", "raise the limit")
