"""A new format is one module and one row: then it is sniffed, listed, decided, corrected and taken back."""

import pytest
from PIL import Image

from upright.correction import correct, corrected_bytes, undo
from upright.detector import Detector
from upright.doctor import examine
from upright.errors import UsageError
from upright.formats import FORMATS, sniff
from upright.results import Method
from upright.sources import find_items
from upright.turns import Turn

from ..conftest import DEMO
from .toy_format import ROW, written


@pytest.fixture(autouse=True)
def _row(monkeypatch):
    monkeypatch.setitem(FORMATS, ROW.name, ROW)


def test_a_new_format_goes_all_the_way(tmp_path, detector: Detector):
    with Image.open(DEMO / "page.jpg") as page:
        data = written(page.convert("RGB"))
    path, journal = tmp_path / "scan.toy", tmp_path / "journal.jsonl"
    path.write_bytes(data)
    assert sniff(data) == "TOY"
    assert [item.path for item in find_items([str(tmp_path)])] == [str(path)]
    assert any("TOY" in finding.text for finding in examine() if finding.topic == "formats")

    found = detector.detect(path)
    assert found.turn not in (None, Turn.NONE) and found.format == "TOY"
    done = correct(path, in_place=True, detector=detector, journal=journal)
    assert (done.method, done.turn, done.written) == (Method.TAG, found.turn, True)
    again = detector.detect(path)
    assert (again.turn, again.exif) == (Turn.NONE, done.exif_after)
    assert [entry.outcome for entry in undo(journal)] == ["restored"]
    assert path.read_bytes() == data


def test_its_suffix_is_a_promise(tmp_path):
    with pytest.raises(UsageError, match="named like TOY"):
        correct(DEMO / "coffee.jpg", tmp_path / "coffee.toy", turn=Turn.RIGHT)
    with Image.open(DEMO / "page.jpg") as page:
        data = written(page.convert("RGB"))
    assert corrected_bytes(data, Turn.NONE)[0] == data
