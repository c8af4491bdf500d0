"""The browser's own parts give what Python's give: the resampler and the tag to the bit, decisions to the digit."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from upright.carriers import patch_exif_orientation, read_exif_orientation
from upright.decide import DEFAULT_EFFORT, climb, ladder_of
from upright.errors import UprightError
from upright.model import load_model
from upright.pictures import open_picture
from upright.results import Promise
from upright.steps import LADDER, Looks, View, render
from upright.steps.quarters import quarters
from upright.turns import ExifOrientation

_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'


@pytest.fixture(scope="module")
def run(package_dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Path]]:
    """All cases, run by node in one go."""
    folder = tmp_path_factory.mktemp("same")
    calibration = json.loads((load_model().folder / "model.json").read_text("utf-8"))["calibration"]
    cases = {
        "resize": list(_resize_cases(folder)),
        "exif": list(_exif_cases(folder)),
        "quarters": list(_quarter_cases(folder)),
        "decide": list(_decide_cases()),
        "calibration": calibration,
    }
    (folder / "cases.json").write_text(json.dumps(cases), "utf-8")
    script = Path(__file__).with_name("same.mjs")
    subprocess.run(["node", script, package_dist, folder], check=True, timeout=120)
    yield cases | json.loads((folder / "answers.json").read_text("utf-8")), folder


def _resize_cases(folder: Path) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(7)
    for number in range(40):
        width, height = (int(v) for v in rng.integers(1, 700, 2))
        to = (224, 224) if number % 2 else tuple(int(v) for v in rng.integers(1, 300, 2))
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        if number % 3 == 0:
            pixels = np.where(pixels < 128, 0, 255).astype(np.uint8)  # the sharpest edges that there are
        pixels.tofile(folder / f"{number}.rgb")
        yield {
            "name": f"{number}.rgb",
            "from": [width, height],
            "to": to,
            "filter": ("BILINEAR", "LANCZOS")[number % 5 == 0],
        }


def _exif_files() -> Iterator[tuple[str, bytes]]:
    image = Image.new("RGB", (24, 16), (200, 90, 20))

    def saved(**options: Any) -> bytes:
        target = io.BytesIO()
        image.save(target, **options)
        return target.getvalue()

    for form, ending in (("JPEG", "jpg"), ("PNG", "png")):
        yield f"bare.{ending}", saved(format=form)
        for order in (b"II", b"MM"):
            for value in (None, 1, 6, 8, 9):
                exif = Image.Exif()
                exif.endian = "<" if order == b"II" else ">"
                exif[0x010F], exif[0x0132] = "maker", "2026:01:01 00:00:00"
                if value:
                    exif[0x0112] = value
                yield f"{order.decode()}-{value}.{ending}", saved(format=form, exif=exif)
    yield "xmp.jpg", saved(format="JPEG", xmp=_XMP)
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", _XMP.decode())
    yield "xmp.png", saved(format="PNG", pnginfo=info)
    whole = saved(format="JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x50\0")
    yield "short-directory.jpg", whole
    yield "cut.jpg", whole[:40]


def _exif_cases(folder: Path) -> Iterator[dict[str, Any]]:
    for name, data in _exif_files():
        (folder / name).write_bytes(data)
        for orientation in (1, 3, 6, 8):
            yield {"name": name, "orientation": orientation}


def _quarter_cases(folder: Path) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(12)
    for number, (width, height) in enumerate([(50, 40), (100, 130), (33, 66), (90, 20), (21, 200), (300, 31), (7, 3)]):
        name = f"quarters-{number}"
        rng.integers(0, 256, (height, width, 3), dtype=np.uint8).tofile(folder / name)
        yield {"name": name, "from": [width, height], "side": 32}


def _decide_cases() -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(11)
    for number in range(90):
        best = rng.normal(0, 1, 4) * (number % 9)
        logits = {
            step: [np.float32(np.roll(best, -v.turn.index) + rng.normal(0, 0.4, 4)) * bool(number) for v in views]
            for step, views in _step_views().items()
        }
        rows = {step: np.stack(each).tolist() for step, each in logits.items()}
        yield {"logits": rows, "promise": list(Promise)[number % 3].value}


def _step_views() -> dict[str, Sequence[View]]:
    """What the steps of the default effort show."""
    with open_picture(np.zeros((40, 50, 3), np.uint8)) as picture:
        return {step.name: step.views(picture, 32) for step in LADDER[: DEFAULT_EFFORT + 1]}


def test_resize_is_pillows_to_the_bit(run: tuple[dict[str, Any], Path]) -> None:
    cases, folder = run
    for case in cases["resize"]:
        (width, height), to = case["from"], tuple(case["to"])
        pixels = np.fromfile(folder / case["name"], np.uint8).reshape(height, width, 3)
        wanted = np.asarray(Image.fromarray(pixels).resize(to, Image.Resampling[case["filter"]]))
        found = np.fromfile(folder / f"{case['name']}.out", np.uint8).reshape(wanted.shape)
        assert np.array_equal(found, wanted), case


def test_quarters_are_pythons_to_the_bit(run: tuple[dict[str, Any], Path]) -> None:
    cases, folder = run
    for case in cases["quarters"]:
        (width, height), side = case["from"], case["side"]
        with open_picture(np.fromfile(folder / case["name"], np.uint8).reshape(height, width, 3)) as picture:
            wanted = [render(picture, view, side) for view in quarters(picture, side)]
        found = np.fromfile(folder / f"{case['name']}.out", np.uint8).reshape(4, side, side, 3)
        assert np.array_equal(found, np.stack(wanted)), case


def test_tags_are_read_and_written_as_in_python(run: tuple[dict[str, Any], Path]) -> None:
    cases, folder = run
    refused = 0
    for case, answer in zip(cases["exif"], cases["tags"], strict=True):
        data = (folder / case["name"]).read_bytes()
        assert answer["tag"] == int(read_exif_orientation(data).orientation), case
        try:
            wanted = patch_exif_orientation(data, ExifOrientation(case["orientation"]))
        except UprightError:
            assert answer["refused"], case
            refused += 1
            continue
        assert not answer["refused"], case
        assert (folder / f"{case['name']}.{case['orientation']}.out").read_bytes() == wanted, case
    assert refused, "the damaged files are among the cases"


def test_decisions_are_pythons(run: tuple[dict[str, Any], Path]) -> None:
    cases, _ = run
    ladder, views, ends = ladder_of(load_model()), _step_views(), set()
    for case, found in zip(cases["decide"], cases["decisions"], strict=True):
        climbing = climb(ladder, DEFAULT_EFFORT, Promise(case["promise"]))
        with pytest.raises(StopIteration) as stop:
            step = next(climbing)
            while True:
                step = climbing.send(Looks.of(views[step.name], np.float32(case["logits"][step.name])))
        wanted = stop.value.value
        assert found["turn"] == (None if wanted.turn is None else int(wanted.turn)), case
        assert (found["best"], found["reason"], found["step"]) == (wanted.best, wanted.reason, wanted.step), case
        assert found["views"] == wanted.views and found["scores"] == pytest.approx(wanted.scores.values, abs=1e-5), case
        ends.add((wanted.step, wanted.unsure))
    assert ends == {("glance", False), ("turned", False), ("quarters", False), ("quarters", True)}
