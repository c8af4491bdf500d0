"""Upright pixels for programs that read pictures, and the way to Label Studio and back."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from upright import BrokenPicture, Detector, ExifOrientation, Limits, Orientation, Promise, TooLarge, Turn, UsageError
from upright.integrations.labelstudio import INTERFACE, decisions, tasks
from upright.integrations.reading import upright_before, upright_bytes, upright_image
from upright.results import Reason, Scores
from upright.turns import show_pillow

from .scans import page, scan, still_needed
from .standins import jpeg

PAGE = page("Latin")
UPRIGHT = Image.fromarray(PAGE).convert("RGB")


def alike(image: Image.Image) -> bool:
    return image.size == UPRIGHT.size and abs(np.asarray(image, float) - np.asarray(UPRIGHT, float)).mean() < 4


@pytest.mark.parametrize(("transpose", "orientation"), [("ROTATE_90", 1), ("ROTATE_90", 6), ("ROTATE_180", 3)])
def test_pixels_are_turned_whatever_the_tag_says(transpose: str, orientation: int, detector: Detector) -> None:
    data = jpeg(UPRIGHT.transpose(Image.Transpose[transpose]), orientation)
    for source in (data, io.BytesIO(data)):
        assert alike(upright_image(source, detector=detector))
    with Image.open(io.BytesIO(upright_bytes(data, detector=detector))) as image:
        assert image.format == "JPEG" and image.getexif().get(0x0112, 1) == 1 and alike(image.convert("RGB"))


@pytest.fixture(scope="module")
def in_mirrors() -> Iterator[Detector]:
    with Detector(mirror=True) as detector:
        yield detector


@pytest.mark.parametrize("turn", Turn)
def test_a_mirrored_page_reads_again(turn: Turn, in_mirrors: Detector, tmp_path: Path) -> None:
    image = show_pillow(ImageOps.mirror(UPRIGHT), ExifOrientation.compose(False, turn))
    answer = in_mirrors.detect(image)
    assert answer.mirrored and answer.turn == turn
    assert alike(show_pillow(image, answer.to_apply))
    for lying in (image, jpeg(image), jpeg(image, 6), jpeg(image, 5)):
        assert alike(upright_image(lying, detector=in_mirrors))
        assert upright_before(alike, detector=in_mirrors)(lying)
    for data in (jpeg(image), jpeg(image, 7)):
        assert alike(Image.open(io.BytesIO(upright_bytes(data, detector=in_mirrors))).convert("RGB"))
    pdf = scan([(np.asarray(image.convert("L")), Turn.NONE)], tmp_path / "scan.pdf").read_bytes()
    assert upright_bytes(pdf, detector=in_mirrors) == pdf, "/Rotate cannot mirror, and without that no turn is right"


def test_what_is_to_be_applied() -> None:
    scores = Scores((0.1, 0.7, 0.1, 0.1))
    answer = Orientation(Turn.RIGHT, Turn.RIGHT, 0.7, scores, Reason.SURE, Promise.BALANCED, "glance", 1)
    assert answer.to_apply == ExifOrientation.RIGHT_TOP
    assert replace(answer, mirrored=False).to_apply == ExifOrientation.RIGHT_TOP
    assert replace(answer, mirrored=True).to_apply == ExifOrientation.RIGHT_BOTTOM
    assert replace(answer, turn=Turn.NONE, mirrored=True).to_apply == ExifOrientation.TOP_RIGHT
    assert replace(answer, turn=None, mirrored=True).to_apply == ExifOrientation.TOP_LEFT


@pytest.mark.parametrize(("form", "orientation"), [("JPEG", 1), ("JPEG", 6), ("PNG", 1), ("TIFF", 1), ("TIFF", 6)])
def test_the_resolution_stays(form: str, orientation: int, detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    UPRIGHT.transpose(Image.Transpose.ROTATE_90).save(out, form, dpi=(300, 150), exif=exif)
    data = out.getvalue()
    # The stored page lies on its side, and needs a quarter turn and, as the tag shows it, a half.
    wanted = (150, 300)
    with monkeypatch.context() as patched:
        patched.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # `Image.open` refuses twice as many
        shown, written = upright_image(data, detector=detector), upright_bytes(data, detector=detector)
    assert alike(shown) and shown.info["dpi"] == pytest.approx(wanted, abs=0.1)
    with Image.open(io.BytesIO(written)) as image:
        assert image.format == ("JPEG" if form == "JPEG" else "PNG")
        assert image.info["dpi"] == pytest.approx(wanted, abs=0.1)


def test_each_page_has_its_own_resolution(detector: Detector) -> None:
    pages, out = [UPRIGHT.transpose(Image.Transpose.ROTATE_180) for _ in range(3)], io.BytesIO()
    for image, dpi in zip(pages, ((300, 300), None, (200, 100)), strict=True):
        image.encoderinfo = {"dpi": dpi}
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    image = Image.open(io.BytesIO(upright_bytes(out.getvalue(), detector=detector)))
    found = []
    for number in range(3):
        image.seek(number)
        found.append(image.info["dpi"] if 282 in image.tag_v2 else None)  # type: ignore[attr-defined]
    assert found == [(300, 300), None, (200, 100)]


def test_a_detectors_limits_and_bands_count() -> None:
    with Detector(bands=(3, 2, 1), limits=Limits(max_stream_bytes=100)) as detector:
        with pytest.raises(TooLarge, match="max_stream_bytes of 100"):
            upright_image(io.BytesIO(jpeg(UPRIGHT)), detector=detector)
        blue = np.zeros((90, 90, 3), np.uint8) + np.uint8([10, 20, 200])
        assert upright_image(blue, detector=detector).getpixel((5, 5)) == (200, 20, 10)


def test_a_pipe_gives_its_picture_in_pieces(detector: Detector) -> None:
    data = jpeg(UPRIGHT.transpose(Image.Transpose.ROTATE_90))
    assert alike(upright_image(Pieces(data), detector=detector))


class Pieces(io.BytesIO):
    """A pipe without a buffer."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(1000)


def test_an_upright_picture_keeps_its_bytes(detector: Detector) -> None:
    data = jpeg(UPRIGHT)
    assert upright_bytes(data, detector=detector) == data


def test_every_page(tmp_path: Path, detector: Detector) -> None:
    source = scan([(PAGE, Turn.LEFT), (PAGE, Turn.NONE), (PAGE, Turn.RIGHT)], tmp_path / "scan.pdf")
    updates = source.read_bytes().count(b"%%EOF")
    source.write_bytes(upright_bytes(source.read_bytes(), detector=detector))
    assert still_needed(source, [PAGE] * 3) == [Turn.NONE] * 3
    assert source.read_bytes().count(b"%%EOF") == updates + 1, "all pages are turned by one change"
    # Copies: Pillow 13 cannot save an image as TIFF after it was saved as JPEG.
    pages = [UPRIGHT.transpose(Image.Transpose.ROTATE_180), UPRIGHT.copy()]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    with Image.open(io.BytesIO(upright_bytes(out.getvalue(), detector=detector))) as image:
        assert image.n_frames == 2
        for number in range(2):
            image.seek(number)
            assert alike(image.convert("RGB"))


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_is_one_picture(form: str, detector: Detector) -> None:
    """Its first frame, as it is decided; one that is upright keeps all of them."""
    for first in (UPRIGHT, UPRIGHT.transpose(Image.Transpose.ROTATE_180)):
        out, other = io.BytesIO(), Image.new("RGB", first.size, "black")
        first.save(out, form, save_all=True, append_images=[other, first], duration=100)
        found = upright_bytes(out.getvalue(), detector=detector)
        if first is UPRIGHT:
            assert found == out.getvalue()
            continue
        with Image.open(io.BytesIO(found)) as image:
            assert (image.format, getattr(image, "n_frames", 1)) == ("PNG", 1) and alike(image.convert("RGB"))


def test_the_gate(detector: Detector) -> None:
    def describe(image: Image.Image, question: str, *, tokens: int) -> tuple[bool, str, int]:
        """Its own words."""
        return alike(image), question, tokens

    gated = upright_before(describe, detector=detector)
    lying = UPRIGHT.transpose(Image.Transpose.ROTATE_270)
    assert gated(lying, "What is it?", tokens=9) == (True, "What is it?", 9)
    assert gated.__doc__ == "Its own words."
    with pytest.raises(BrokenPicture):
        gated(jpeg(UPRIGHT)[:200], "", tokens=1)


def test_label_studio_and_back(detector: Detector) -> None:
    blank = detector.detect(Image.new("RGB", (300, 200), "white"))
    sure = detector.detect(UPRIGHT)
    assert blank.turn is None and sure.turn == 0
    answers = [json.loads(json.dumps(each.to_dict() | {"source": name})) for each, name in ((blank, "a"), (sure, "b"))]
    made = list(tasks(answers, "/data/local-files/?d={}".format))
    assert [task["data"] for task in made] == [{"image": "/data/local-files/?d=a", "source": "a"}]
    assert made[0]["predictions"][0]["score"] == pytest.approx(Orientation.from_dict(answers[0]).confidence)
    words = made[0]["predictions"][0]["result"][0]["value"]["choices"]
    assert f'<Choice value="{words[0]}"' in INTERFACE

    def exported(*choices: str, **more: object) -> dict[str, object]:
        value = {"from_name": "turn", "value": {"choices": list(choices)}}
        return made[0] | {"annotations": [{"result": [value] if choices else [], "updated_at": "2026-01-01", **more}]}

    newest = exported("upright")
    newest["annotations"] += exported("turn left", updated_at="2026-02-01")["annotations"]  # type: ignore[operator]
    export = [
        exported("turn right"),
        newest,
        exported("no way up"),
        exported(),
        exported("upright", was_cancelled=True),
    ]
    turns = [90, 270, None]
    assert list(decisions(export)) == [{"source": "a", "turn": turn} for turn in turns]
    for other in (exported("sideways"), {"annotations": ["upright"]}):
        with pytest.raises(UsageError, match=r"task 1 is none of these tasks .*; export as JSON"):
            list(decisions([other]))
