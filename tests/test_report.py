import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from upright.errors import BrokenPicture, WriteFailed
from upright.report import THUMBNAIL_PX, About, write_report
from upright.results import Correction, Group, Method, Orientation, Outcome, Promise, Reason, Scores
from upright.turns import ExifOrientation, Turn

from .conftest import DEMO


def marked(path: Path, corner: str = "top-left") -> Path:
    """A grey picture with one red corner."""
    image = Image.new("RGB", (640, 400), (128, 128, 128))
    left = {"top-left": 0, "top-right": 480}[corner]
    ImageDraw.Draw(image).rectangle((left, 0, left + 160, 100), fill=(255, 0, 0))
    image.save(path, quality=95)
    return path


def answer(turn: Turn | None, best: Turn = Turn.NONE, confidence: float = 0.97) -> Orientation:
    rest = (1 - confidence) / 3
    scores = Scores(tuple(confidence if i == best.index else rest for i in range(4)))  # type: ignore[arg-type]
    reason = Reason.BELOW_THRESHOLD if turn is None else Reason.SURE
    return Orientation(turn, best, confidence, scores, reason, Promise.BALANCED, "glance", 1)


def pictures_of(html: str) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", html)
    ]


def red_corner(image: Image.Image) -> str:
    w, h = image.size
    spots = {"top-left": (8, 8), "top-right": (w - 8, 8), "bottom-left": (8, h - 8), "bottom-right": (w - 8, h - 8)}
    return next(name for name, at in spots.items() if image.convert("RGB").getpixel(at)[1] < 60)  # type: ignore[index]


def test_before_and_after_are_turned_clockwise(tmp_path: Path) -> None:
    source = marked(tmp_path / "a.jpg")
    counts = write_report([Outcome(str(source), answer(Turn.RIGHT, Turn.RIGHT))], tmp_path / "r.html")
    assert counts == dict.fromkeys(counts, 0) | {"would turn": 1}
    html = (tmp_path / "r.html").read_text()
    (before,) = pictures_of(html)
    assert red_corner(before) == "top-left" and 'class="turn90"' in html and 'data-turn="90"' in html
    assert 'data-link="a.jpg"' in html and 'data-written="0"' in html
    with Image.open(tmp_path / "r.png") as sheet:
        assert sheet.size[0] > 4 * 2 * THUMBNAIL_PX and sheet.size[1] < 3 * THUMBNAIL_PX


def test_a_picture_corrected_in_place_is_still_shown_as_it_was(tmp_path: Path) -> None:
    source = marked(tmp_path / "a.jpg")
    with Image.open(source) as image:
        image.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "b.jpg", quality=95)
    done = Correction(
        "b.jpg",
        str(tmp_path / "b.jpg"),
        Method.TURN,
        Turn.RIGHT,
        ExifOrientation.TOP_LEFT,
        ExifOrientation.TOP_LEFT,
        lossless=True,
        written=True,
    )
    write_report([Outcome(str(source), answer(Turn.RIGHT, Turn.RIGHT), correction=done)], tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text()
    (before,) = pictures_of(html)
    assert red_corner(before) == "top-left" and 'class="turn90"' in html
    assert 'data-link="b.jpg"' in html and 'data-written="1"' in html
    assert "turn, lossless" in (tmp_path / "r.html").read_text()


def test_a_picture_that_went_to_standard_output_is_shown_as_its_file_is(tmp_path: Path) -> None:
    source, exif = marked(tmp_path / "a.jpg"), ExifOrientation
    done = Correction(str(source), "", Method.TAG, Turn.RIGHT, exif.TOP_LEFT, exif.RIGHT_TOP, True, written=True)
    write_report([Outcome(str(source), answer(Turn.RIGHT, Turn.RIGHT), correction=done)], tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text()
    (before,) = pictures_of(html)
    assert red_corner(before) == "top-left" and 'data-turn="90"' in html
    assert 'data-link="a.jpg"' in html and 'data-written="0"' in html


def test_what_was_left_alone_says_why_and_names_are_escaped(tmp_path: Path) -> None:
    source = marked(tmp_path / "<b>&.jpg")
    rows = [
        Outcome(str(source), answer(None, Turn.LEFT, 0.4)),
        Outcome("x\x1b[2J<script>.png", error=BrokenPicture("the data ends early", source="x", remedy="copy it again")),
        Outcome(str(source), answer(Turn.NONE)),
    ]
    counts = write_report(rows, tmp_path / "r.html", skipped={"empty": 2})
    assert {group: count for group, count in counts.items() if count} == {
        "unsure": 1,
        "failed": 1,
        "already upright": 1,
    }
    html = (tmp_path / "r.html").read_text()
    assert "not sure enough for the promise balanced; the likeliest turn was 270°" in html
    assert "the data ends early; copy it again" in html
    assert html.count("<script>") == 1 and "<b>&" not in html and "\x1b" not in html
    assert "histogram" in html and "Skipped: 2 empty" in html


def test_thousands_of_rows_keep_the_limit_and_say_so(tmp_path: Path) -> None:
    source = str(marked(tmp_path / "a.jpg"))
    rows = (Outcome(source, answer(Turn.HALF, Turn.HALF)) for _ in range(3000))
    assert write_report(rows, tmp_path / "r.html", shown=5)[Group.WOULD_TURN] == 3000
    html = (tmp_path / "r.html").read_text()
    assert "Would turn: 3,000, the first 5 are shown" in html
    assert len(pictures_of(html)) == 5
    assert all(max(image.size) <= THUMBNAIL_PX for image in pictures_of(html))


def test_a_picture_that_is_gone_is_a_line_without_a_thumbnail(tmp_path: Path) -> None:
    write_report([Outcome(str(tmp_path / "gone.jpg"), answer(Turn.HALF, Turn.HALF))], tmp_path / "r.html")
    assert "cannot be opened any more" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("name", ["r.html", "r.png"])
def test_a_report_replaces_reports_only(tmp_path: Path, name: str) -> None:
    for _ in range(2):
        write_report([], tmp_path / "r.html")
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(WriteFailed, match="another file is where the report goes"):
        write_report([], tmp_path / "r.html")
    assert (tmp_path / name).read_bytes() == b"precious"


@pytest.mark.parametrize("place", ["/dev/null", "/proc/none/r.html", "{}", "{}/r.html/r.html"])
def test_where_no_report_can_be_is_told_before_anything_is_done(tmp_path: Path, place: str) -> None:
    (tmp_path / "r.html").write_text("")
    looked = iter([Outcome("a.jpg", answer(Turn.NONE))])
    with pytest.raises(WriteFailed, match="name another --report") as failed:
        write_report(looked, place.format(tmp_path))
    assert place.format(tmp_path) in str(failed.value) and next(looked) and Path("/dev/null").is_char_device()
    write_report([], tmp_path / "new" / "r.html")
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == ["r.html", "r.png"]


def test_a_report_that_cannot_be_written_is_an_upright_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteFailed, match="report cannot be written"):
        write_report([], tmp_path / "file" / "r.html")


@pytest.mark.slow
def test_a_report_of_a_thousand_is_small_and_shows_a_sample_of_each_group(tmp_path: Path) -> None:
    with Image.open(DEMO / "coffee.jpg") as image:
        noisy = Image.effect_noise((400, 300), 90).convert("RGB")
        Image.blend(image.convert("RGB").resize((400, 300)), noisy, 0.4).save(tmp_path / "a.jpg")
    source = str(tmp_path / "a.jpg")
    rows = [
        Outcome(source, answer([None, Turn.HALF, Turn.NONE][i % 3], Turn.HALF if i % 3 else Turn.NONE))
        for i in range(1000)
    ]
    about = About("upright detect photos/", "upright-1 1.0", 0.99, "upright undo j", "upright review photos/")
    write_report(rows, tmp_path / "r.html", about=about)
    html = (tmp_path / "r.html").read_text()
    assert len(html) < 2_000_000
    assert html.index('id="unsure"') < html.index('id="would_turn"') < html.index('id="upright"')
    assert "sure from 99.0% on" in html and all(text in html for text in ("upright undo j", "upright review photos/"))
    with Image.open(tmp_path / "r.png") as sheet:
        assert sheet.height < 1300
