"""PDF pages turned by an appended /Rotate: what was there stays, byte for byte, and PDFium shows the page turned."""

import io
import re
import zlib

import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageDraw

from upright.carriers.rotate import rotated
from upright.correction import correct, corrected_bytes, undo
from upright.errors import NotLossless, UsageError
from upright.results import Method
from upright.turns import Turn, turn_array

from .conftest import DEMO


def pdf(pages=3):
    """Pages of different sizes, each with a red block in its own place."""
    images = []
    for number in range(pages):
        image = Image.new("RGB", (200, 280 + 10 * number), "white")
        ImageDraw.Draw(image).rectangle((10, 20, 60 + 10 * number, 90), fill=(200, 0, 0))
        images.append(image)
    buffer = io.BytesIO()
    images[0].save(buffer, "PDF", save_all=True, append_images=images[1:])
    return buffer.getvalue()


def modern(packed=True, predictor=True, rotate=b"", encrypt=b"", bomb=b""):
    """PDF 1.5: pages in an object stream, references in a stream with PNG's predictor; /Rotate on the pages' parent."""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Count 2 /Kids [3 0 R 4 0 R] /MediaBox [0 0 200 300] " + rotate + b" >>",
        3: b"<</Type/Page/Parent 2 0 R/Contents 6 0 R/Note(a \\) (nested) string >>)>>",
        4: b"<</Type/Page/Parent 2 0 R>>",
    }
    heads, bodies = b"", b""
    for number, text in objects.items():
        heads += b"%d %d " % (number, len(bodies))
        bodies += text + b"\n"
    content = b"1 0 0 rg 10 200 60 80 re f"
    packs, facts = zlib.compress(heads + bodies), b"/Filter /FlateDecode "
    if not packed:
        packs, facts = heads + bodies, b""
    out = b"%PDF-1.5\n"
    place = {5: len(out)}
    out += b"5 0 obj\n<< /Type /ObjStm /N 4 /First %d %s/Length %d >>\nstream\n" % (len(heads), facts, len(packs))
    out += packs + b"\nendstream\nendobj\n"
    place[6] = len(out)
    out += b"6 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (len(content), content)
    place[7] = len(out)
    rows = [b"\0\0\0\0\0"] + [b"\2\0\0\5" + bytes([i]) for i in range(4)]
    rows += [b"\1" + place[n].to_bytes(3) + b"\0" for n in (5, 6, 7)]
    parameters = b""
    if predictor:
        above, coded = bytes(5), b""
        for row in rows:
            coded += b"\2" + bytes((x - y) & 255 for x, y in zip(row, above, strict=True))
            above = row
        rows, parameters = [coded], b"/DecodeParms << /Predictor 12 /Columns 5 >> "
    table = zlib.compress(b"".join([*rows, bomb]), 9 if bomb else -1)
    out += b"7 0 obj\n<< /Type /XRef /Size 8 /W [1 3 1] /Root 1 0 R %s%s" % (encrypt, parameters)
    out += b"/Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (len(table), table)
    return out + b"startxref\n%d\n%%%%EOF" % place[7]


def shown(data, page):
    document = pypdfium2.PdfDocument(data)
    try:
        return np.asarray(document[page].render(scale=1).to_pil().convert("RGB"))
    finally:
        document.close()


FILES = {
    "table": pdf(),
    "references in a stream": modern(),
    "object stream that is not deflated": modern(packed=False, predictor=False),
    "turned by the pages' parent": modern(rotate=b"/Rotate 90"),
    "turned backwards": modern(rotate=b"/Rotate -90"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("turn", [Turn.RIGHT, Turn.HALF, Turn.LEFT])
def test_only_the_page_is_turned_and_only_bytes_are_added(name, turn):
    data = FILES[name]
    added, after = rotated(data, {0: turn})
    assert len(after) == len(pypdfium2.PdfDocument(data))
    assert [page.get_rotation() for page in pypdfium2.PdfDocument(data + added)] == after
    assert len(added) < 700
    before = shown(data, 0)
    assert len(np.unique(before[..., 1])) > 1
    assert np.array_equal(shown(data + added, 0), turn_array(before, turn))
    assert np.array_equal(shown(data + added, 1), shown(data, 1))


@pytest.mark.parametrize("name", FILES)
def test_several_pages_are_turned_by_one_update(name):
    data = FILES[name]
    added, after = rotated(data, {0: Turn.LEFT, 1: Turn.HALF})
    assert (added.count(b"%%EOF"), [page.get_rotation() for page in pypdfium2.PdfDocument(data + added)]) == (1, after)
    for page, turn in enumerate((Turn.LEFT, Turn.HALF)):
        assert np.array_equal(shown(data + added, page), turn_array(shown(data, page), turn))
    back = data + added + rotated(data + added, {0: Turn.RIGHT, 1: Turn.HALF})[0]
    assert all(np.array_equal(shown(back, page), shown(data, page)) for page in (0, 1))


@pytest.mark.parametrize("name", FILES)
def test_turns_add_up(name):
    data = FILES[name]
    before = shown(data, 1)
    for turn in (Turn.RIGHT, Turn.HALF, Turn.RIGHT):
        data += rotated(data, {1: turn})[0]
    assert np.array_equal(shown(data, 1), before)
    assert data.count(b"%%EOF") == 4
    assert pypdfium2.PdfDocument(data)[1].get_rotation() == (-90 % 360 if "back" in name else 90 * ("by" in name))


def test_a_hybrid_file_s_own_stream_of_references_is_read():
    """Readers of PDF 1.4 see the table only; the pages of newer ones come from the stream it names."""
    data = modern()
    stream, table = int(re.search(rb"startxref\n(\d+)", data)[1]), len(data) + 1
    data += b"\nxref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 8 /Root 1 0 R /XRefStm %d >>\n" % stream
    data += b"startxref\n%d\n%%%%EOF\n" % table
    added, after = rotated(data, {0: Turn.LEFT})
    assert (after[0], added.count(b"trailer")) == (270, 1)
    assert np.array_equal(shown(data + added, 0), turn_array(shown(data, 0), Turn.LEFT))


def test_correct_in_place_and_undo(tmp_path):
    path, journal = tmp_path / "scan.pdf", tmp_path / "turned.jsonl"
    path.write_bytes(FILES["table"])
    correction = correct(path, turn=Turn.RIGHT, in_place=True, journal=journal, page=2)
    assert (correction.method, correction.turn, correction.lossless) == (Method.TAG, Turn.RIGHT, True)
    assert correction.note == "/Rotate of page 3 is 90 now, the others stay as they are"
    now = path.read_bytes()
    assert now.startswith(FILES["table"])
    assert np.array_equal(shown(now, 2), turn_array(shown(FILES["table"], 2), Turn.RIGHT))
    assert journal.stat().st_size < 4000
    assert [entry.outcome for entry in undo(journal)] == ["restored"]
    assert path.read_bytes() == FILES["table"]


def test_a_page_is_decided_and_set_upright(detector, tmp_path):
    path = tmp_path / "letter.pdf"
    with Image.open(DEMO / "page.jpg") as page:
        page.convert("RGB").save(path, "PDF", resolution=150)
    found = detector.detect(path)
    assert found.turn not in (None, Turn.NONE)
    correction = correct(path, in_place=True, detector=detector)
    assert (correction.turn, correction.written) == (found.turn, True)
    again = detector.detect(path)
    assert (again.turn, again.height_px) == (Turn.NONE, found.width_px if found.turn.index % 2 else found.height_px)


def test_an_upright_page_is_left_alone():
    data, correction = corrected_bytes(FILES["table"], Turn.NONE)
    assert (data, correction.method) == (FILES["table"], Method.KEEP)


REFUSED = {
    "encrypted": (modern(encrypt=b"/Encrypt << /Filter /Standard >> "), "encrypted"),
    "something before it": (b"\n" + pdf(), "does not start"),
    "references moved": (pdf().replace(b"startxref\n", b"startxref\n9"), "lead nowhere"),
    "cut off": (pdf()[:-200], "where its references are"),
    "an odd turn": (modern(rotate=b"/Rotate 45"), "/Rotate is 45"),
    "references without end": (modern(predictor=False, bomb=bytes(20 << 20)), "too many"),
    "references inflated without end": (modern(predictor=False, bomb=bytes(40 << 20)), "too large"),
    "pages in a circle": (modern(packed=False).replace(b"[3 0 R 4 0 R]", b"[2 0 R 4 0 R]"), "circle"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_appended_to_is_kept_and_says_why(name):
    data, why = REFUSED[name]
    with pytest.raises(NotLossless, match=why):
        rotated(data, {0: Turn.RIGHT})
    kept, correction = corrected_bytes(data, Turn.RIGHT)
    assert ("qpdf --decrypt" in correction.remedy) == (name != "something before it")
    assert (kept, correction.method, correction.turn) == (data, Method.KEEP, Turn.NONE)
    assert re.search(why, correction.note)


def test_a_page_that_is_not_there():
    with pytest.raises(UsageError, match="no page 4; it has 3") as caught:
        rotated(FILES["table"], {3: Turn.RIGHT})
    assert caught.value.page == 3


@pytest.mark.parametrize("name", ["table", "references in a stream"])
def test_damaged_bytes_are_refused_or_appended_to(name):
    rng, data, refused = np.random.default_rng(5), FILES[name], 0
    places = rng.integers(len(data) - 900 if name == "table" else 0, len(data), (300, 3))
    for where in places:
        harmed = bytearray(data)
        for place in where:
            harmed[place] = rng.integers(256)
        try:
            added, _ = rotated(bytes(harmed), {0: Turn.RIGHT})
            assert added.endswith(b"%%EOF\n")
        except NotLossless:
            refused += 1
    assert 20 < refused < 300
