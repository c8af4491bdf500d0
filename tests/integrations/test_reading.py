"""Upright pixels for programs that read pictures, and the way to Label Studio and back."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upright import BrokenPicture, Detector, Orientation, Turn, UsageError
from upright.integrations.labelstudio import INTERFACE, decisions, tasks
from upright.integrations.reading import upright_before, upright_bytes, upright_image

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


def test_an_upright_picture_keeps_its_bytes(detector: Detector) -> None:
    data = jpeg(UPRIGHT)
    assert upright_bytes(data, detector=detector) == data


def test_every_page(tmp_path: Path, detector: Detector) -> None:
    source = scan([(PAGE, Turn.LEFT), (PAGE, Turn.NONE), (PAGE, Turn.RIGHT)], tmp_path / "scan.pdf")
    source.write_bytes(upright_bytes(source.read_bytes(), detector=detector))
    assert still_needed(source, [PAGE] * 3) == [Turn.NONE] * 3
    # Copies: Pillow 13 cannot save an image as TIFF after it was saved as JPEG.
    pages = [UPRIGHT.transpose(Image.Transpose.ROTATE_180), UPRIGHT.copy()]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    with Image.open(io.BytesIO(upright_bytes(out.getvalue(), detector=detector))) as image:
        assert image.n_frames == 2
        for number in range(2):
            image.seek(number)
            assert alike(image.convert("RGB"))


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
    with pytest.raises(UsageError, match=r"task 1 is none of these tasks .*; export as JSON"):
        list(decisions([exported("sideways")]))
