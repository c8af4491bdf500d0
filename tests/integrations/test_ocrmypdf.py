"""The plugin in the real OCRmyPDF, with the real Tesseract."""

import json
import subprocess
import sys
import tomllib
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pypdfium2
import pytest
from ocrmypdf._plugin_manager import get_plugin_manager
from ocrmypdf.builtin_plugins.null_ocr import NullOcrEngine
from PIL import Image

from upright import Promise, Turn, detect
from upright.integrations.ocrmypdf import Plugin, UprightEngine, decibels, promise_of

from .scans import SCRIPTS, page, scan, still_needed

PLUGIN = "upright.integrations.ocrmypdf"


def ocrmypdf(*arguments: object) -> str:
    command = [sys.executable, "-m", "ocrmypdf", "--plugin", PLUGIN, "--output-type", "pdf", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_twelve_pages_turned_every_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [name for name in SCRIPTS for _ in Turn]
    pages = [page(name) for name in names]
    source = scan(list(zip(pages, list(Turn) * 3, strict=True)), tmp_path / "scan.pdf")
    unsure = tmp_path / "unsure.jsonl"
    right = {}
    for by, options in {"upright": ["--upright-unsure", unsure], "Tesseract": ["--no-upright"]}.items():
        target = tmp_path / f"{by}.pdf"
        ocrmypdf("--rotate-pages", "--tesseract-timeout", 0, *options, source, target)
        right[by] = [turn == Turn.NONE for turn in still_needed(target, pages)]
    with capsys.disabled():
        print("\npages set right of 4:   upright   Tesseract's OSD")
        for script in SCRIPTS:
            counts = [sum(r for r, name in zip(right[by], names, strict=True) if name == script) for by in right]
            print(f"{script:>20}  {counts[0]:8}  {counts[1]:16}")
    assert all(right["upright"])
    assert unsure.read_text() == ""
    assert sum(right["Tesseract"]) < 12, "OSD knows these scripts now: choose others"


def test_without_an_ocr_engine_and_threshold_and_rotate_of_its_own(tmp_path: Path) -> None:
    """A page that a viewer shows turned, by its /Rotate, is judged as it is shown."""
    from pikepdf import Pdf

    pages = [page("Latin")] * 2
    source = scan([(pages[0], Turn.RIGHT), (pages[1], Turn.LEFT)], tmp_path / "scan.pdf")
    with Pdf.open(source, allow_overwriting_input=True) as pdf:
        pdf.pages[1].Rotate = 90
        pdf.save()
    assert still_needed(source, pages) == [Turn.RIGHT, Turn.HALF]
    ocrmypdf("--rotate-pages", "--ocr-engine", "none", source, tmp_path / "out.pdf")
    assert still_needed(tmp_path / "out.pdf", pages) == [Turn.NONE, Turn.NONE]
    ocrmypdf("--rotate-pages", "--rotate-pages-threshold", 999, "--ocr-engine", "none", source, tmp_path / "out.pdf")
    assert still_needed(tmp_path / "out.pdf", pages) == [Turn.RIGHT, Turn.HALF]


@pytest.mark.parametrize("tilt", [-4.0, 2.5])
def test_crooked_pages_are_straightened_whichever_way_they_lie(tilt: float, tmp_path: Path) -> None:
    pages = [Image.fromarray(page(script)) for script in ("Latin", "Burmese")]
    turns = (Turn.HALF, Turn.NONE)
    crooked = [np.asarray(each.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=255)) for each in pages]
    source = scan(list(zip(crooked, turns, strict=True)), tmp_path / "scan.pdf")
    ocrmypdf("--rotate-pages", "--deskew", "--ocr-engine", "none", source, tmp_path / "out.pdf")
    with pypdfium2.PdfDocument(tmp_path / "out.pdf") as pdf:
        drawn = [sheet.render(scale=2).to_pil() for sheet in pdf]
    for each in drawn:
        answer = detect(each, tilt=True)
        assert answer.turn == Turn.NONE and answer.tilt == pytest.approx(0, abs=0.15)


def test_a_page_without_text_is_not_straightened(tmp_path: Path) -> None:
    engine, blank, broken = UprightEngine(NullOcrEngine()), tmp_path / "000001_blank.png", tmp_path / "000002.png"
    Image.new("L", (400, 500), 255).save(blank)
    broken.write_bytes(b"no picture")
    assert engine.get_deskew(blank, options()) == 0.0 == engine.get_deskew(broken, options())


PAPERLESS = """
import sys, ocrmypdf
source, archive, sidecar = sys.argv[1:]
ocrmypdf.ocr(
    input_file_or_options=source, output_file=archive, use_threads=True, jobs=1, language="eng", output_type="pdf",
    progress_bar=False, skip_text=True, deskew=True, rotate_pages=True, rotate_pages_threshold=12.0,
    sidecar=sidecar, **{"plugins": ["upright.integrations.ocrmypdf"]}
)
"""


def test_as_paperless_ngx_calls_it(tmp_path: Path) -> None:
    """Its parser's arguments with the default settings, then PAPERLESS_OCR_USER_ARGS over them.

    Not its ``output_type="pdfa"``: OCRmyPDF refuses that with the Ghostscript 10.0 of Debian 12.
    """
    pages = [page("Latin")]
    source = scan([(pages[0], Turn.HALF)], tmp_path / "scan.pdf")
    archive, text = tmp_path / "archive.pdf", tmp_path / "text.txt"
    done = subprocess.run([sys.executable, "-c", PAPERLESS, source, archive, text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Alice was beginning to get very tired" in text.read_text()
    assert still_needed(archive, pages) == [Turn.NONE]


def options(**values: object) -> SimpleNamespace:
    return SimpleNamespace(**{"rotate_pages_threshold": 14.0} | values)


def test_an_unsure_page_is_left_alone_and_listed(tmp_path: Path) -> None:
    blank = tmp_path / "000007_rasterize_preview.jpg"
    Image.new("L", (300, 400), 255).save(blank)
    asked = options(upright_unsure=str(tmp_path / "unsure.jsonl"))
    Plugin.validate(None, asked)
    for _ in range(2):
        assert UprightEngine(NullOcrEngine()).get_orientation(blank, asked).confidence == 0
    lines = [json.loads(line) for line in (tmp_path / "unsure.jsonl").read_text().splitlines()]
    assert [line["page"] for line in lines] == [7, 7] and lines[0]["reason"] == "blank"
    Plugin.validate(None, asked)
    assert (tmp_path / "unsure.jsonl").read_text() == ""


def test_a_list_that_cannot_be_written_changes_no_page(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blank = tmp_path / "000007_rasterize_preview.jpg"
    Image.new("L", (300, 400), 255).save(blank)
    asked = options(upright_unsure=str(tmp_path / "gone" / "unsure.jsonl"))
    assert UprightEngine(NullOcrEngine()).get_orientation(blank, asked).confidence == 0
    assert "upright: page 7 is unsure, and not listed: " in caplog.text and "left as it is" not in caplog.text


def test_a_page_that_is_unsure_by_itself_goes_with_its_neighbours(tmp_path: Path) -> None:
    """Six pages that were fed upside down; on the fourth is a line of "8 0 1" that could be read either way."""
    unsure, pages = page("ambiguous"), [page("Latin")] * 6
    pages[3] = unsure
    source = scan([(each, Turn.HALF) for each in pages], tmp_path / "origin.pdf")
    preview = tmp_path / "000004_rasterize_preview.jpg"
    Image.fromarray(np.ascontiguousarray(unsure[::-1, ::-1])).save(preview)
    listed = options(upright_unsure=str(tmp_path / "unsure.jsonl"))
    assert detect(preview).turn is None
    angle, confidence = UprightEngine(NullOcrEngine()).get_orientation(preview, listed)
    assert angle == 180 and confidence >= 15 and not (tmp_path / "unsure.jsonl").exists()
    ocrmypdf("--rotate-pages", "--ocr-engine", "none", source, tmp_path / "out.pdf")
    assert still_needed(tmp_path / "out.pdf", pages) == [Turn.NONE] * 6
    source.unlink()  # without the others it stays unsure
    assert UprightEngine(NullOcrEngine()).get_orientation(preview, listed).confidence == 0
    assert json.loads((tmp_path / "unsure.jsonl").read_text())["page"] == 4


def test_an_error_never_stops_a_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "000003_rasterize_preview.jpg"
    broken.write_bytes(b"no picture")
    assert UprightEngine(NullOcrEngine()).get_orientation(broken, options()) == (0, 0.0)
    assert "page 3 is left as it is" in caplog.text and "rasterize_preview.jpg" in caplog.text
    Plugin.validate(None, options(upright_unsure=str(tmp_path / "nowhere" / "unsure.jsonl")))
    assert "cannot be written (No such file or directory): unsure pages are not listed" in caplog.text


def test_the_threshold_chooses_the_promise(tmp_path: Path) -> None:
    assert [promise_of(t) for t in (0, 5, 12, 14, 15, 16, 1000)] == [
        *[Promise.BEST] * 2,
        *[Promise.BALANCED] * 3,
        *[Promise.CAREFUL] * 2,
    ]
    assert decibels(0.5) == pytest.approx(3.01, abs=0.01)
    assert decibels(0.99) == pytest.approx(20) and decibels(1.0) == pytest.approx(60)
    preview = tmp_path / "000001_rasterize_preview.jpg"
    Image.fromarray(np.ascontiguousarray(page("Latin")[::-1, ::-1])).save(preview)
    for threshold in (0, 12, 14, 20, 29):
        angle, confidence = UprightEngine(NullOcrEngine()).get_orientation(
            preview, options(rotate_pages_threshold=threshold)
        )
        assert angle == 180 and confidence >= threshold


def test_loaded_by_the_entry_point_and_by_name_at_once() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["ocrmypdf"]["upright"].partition(":")
    manager = get_plugin_manager([PLUGIN])
    if not manager.pluggy_manager.has_plugin("upright"):  # installed before the entry point was there
        manager.pluggy_manager.register(getattr(import_module(module), name), name="upright")
    parser = ArgumentParser()
    manager.add_options(parser=parser)
    assert parser.parse_args(["--upright-unsure", "a.jsonl"]).upright_unsure == "a.jsonl"
    engine = manager.get_ocr_engine(options=options(ocr_engine="auto"))
    assert isinstance(engine, UprightEngine) and not isinstance(engine._engine, UprightEngine)
    assert str(engine).startswith("Tesseract OCR") and "eng" in engine.languages(None)


def test_importing_it_costs_nothing() -> None:
    code = f"import ocrmypdf.api, sys; before = set(sys.modules); import {PLUGIN}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = set(done.stdout.split())
    assert {each for each in new if not each.startswith("upright")} == set()
    assert new <= {"upright", "upright.errors", "upright.results", "upright.turns", "upright.integrations", PLUGIN}
