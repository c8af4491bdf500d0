"""Pictures decided together: what a job settles, and what it must not."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from upright import Detector
from upright.carriers.camera import Taken, read_taken
from upright.cli import cli
from upright.correction import Request, Writer
from upright.correction.corrector import Corrector
from upright.journal import Journal, undo
from upright.results import Orientation, Outcome, Promise, Reason, Scores
from upright.run import work
from upright.sources import find_items
from upright.together import decided_together, levelled, settle
from upright.turns import Turn

from .conftest import DEMO, demo_turns

THRESHOLD = 0.99


def sure(answer: Orientation) -> bool:
    return answer.confidence >= THRESHOLD


def answer(
    need: int, confidence: float = 0.999, *, shape: tuple[int, int] = (210, 297), second: int = 180
) -> Orientation:
    """An answer that is best for ``need``, with most of the rest for the turn by ``second`` more."""
    values = [(1 - confidence) * 0.05] * 4
    values[need // 90] = confidence
    values[(need + second) % 360 // 90] = (1 - confidence) * 0.9
    scores = Scores((values[0], values[1], values[2], values[3]))
    return Orientation(
        turn=scores.best if confidence >= THRESHOLD else None,
        best=scores.best,
        confidence=scores.confidence,
        scores=scores,
        reason=Reason.SURE if confidence >= THRESHOLD else Reason.BELOW_THRESHOLD,
        promise=Promise.BALANCED,
        step="quarters",
        views=8,
        width_px=shape[0],
        height_px=shape[1],
    )


def turns(answers: list[Orientation]) -> list[int | None]:
    return [None if each.turn is None else int(each.turn) for each in answers]


def blank() -> Orientation:
    return replace(answer(0, 0.5), turn=None, confidence=0.25, scores=Scores((0.25,) * 4), reason=Reason.BLANK)


def test_unsure_pages_of_a_job_that_lies_alike_are_settled() -> None:
    found = settle([answer(180)] * 58 + [answer(180, 0.6), answer(0, 0.5)], sure)
    assert turns(found) == [180] * 60
    settled = found[-1]
    assert settled.reason is Reason.TOGETHER and settled.confidence >= THRESHOLD
    assert settled.together is not None and settled.together.pattern == "all alike" and settled.together.pictures == 60
    assert settled.together.turn is None and settled.together.confidence == pytest.approx(0.5)
    assert found[0].reason is Reason.SURE and found[0].together is not None and found[0].together.turn == 180


@pytest.mark.parametrize("first", [0, 90])
def test_duplex_is_no_majority(first: int) -> None:
    needs = [(first + 180 * (i % 2)) % 360 for i in range(20)]
    job = [answer(need, 0.6 if i in (4, 7, 11) else 0.999) for i, need in enumerate(needs)]
    found = settle(job, sure)
    assert turns(found) == needs
    assert found[4].together is not None and found[4].together.pattern == "every other one over"


def test_a_stack_put_in_the_other_way_round() -> None:
    needs = [0] * 12 + [180] * 12
    job = [answer(need, 0.7 if i in (5, 18) else 0.9995) for i, need in enumerate(needs)]
    assert turns(settle(job, sure)) == needs


def test_landscape_pages_are_known_by_their_shape() -> None:
    wide = (297, 210)
    job = [answer(0)] * 10 + [answer(90, shape=wide)] * 3 + [answer(0)] * 5 + [answer(90, 0.7, shape=wide)]
    assert settle(job, sure)[-1].turn == 90


def test_what_contradicts_its_job_keeps_its_own_answer() -> None:
    sure_of_another, unsure_of_it = answer(90), answer(90, 0.985)
    found = settle([answer(0)] * 12 + [sure_of_another, unsure_of_it, answer(0, 0.9)], sure)
    assert turns(found) == [0] * 12 + [90, None, 0]
    assert found[12].scores == sure_of_another.scores and found[13].scores == unsure_of_it.scores
    assert found[13].together is not None


def test_where_there_is_nothing_to_learn_nothing_changes() -> None:
    drawn = random.Random(1)
    job = [answer(90 * drawn.randrange(4), drawn.choice([0.6, 0.9, 0.999])) for _ in range(40)]
    assert turns(settle(job, sure)) == turns(job)


def test_a_job_of_which_no_picture_is_sure_settles_nobody() -> None:
    job = [answer(180, 0.8)] * 30
    assert settle(job, sure) == job


def test_two_pictures_are_no_job() -> None:
    job = [answer(180), answer(180, 0.9)]
    assert settle(job, sure) == job


def test_a_blank_page_follows_a_long_job_only() -> None:
    assert settle([*[answer(180)] * 3, blank()], sure)[-1].turn is None
    assert settle([*[answer(180, 0.9999)] * 60, blank()], sure)[-1].turn in (None, 180)


def test_best_answers_follow_their_job_too() -> None:
    job = [replace(answer(180), promise=Promise.BEST)] * 60
    doubtful = replace(answer(0, 0.5), turn=Turn.NONE, promise=Promise.BEST)
    assert turns(settle([*job, doubtful], sure)) == [180] * 61


def outcomes(names: list[str], weak: str) -> list[Outcome]:
    return [Outcome(name, answer(180, 0.7 if name == weak else 0.999)) for name in names]


def settled(found: list[Outcome], taken: Callable[[str], Taken | None] = lambda key: None) -> list[str]:
    """The names of those that a job settled."""
    after = list(decided_together(found, sure, taken=taken))
    assert [each.source for each in after] == [each.source for each in found]
    return [each.source for each in after if each.orientation and each.orientation.reason is Reason.TOGETHER]


def test_files_with_running_numbers_are_a_job() -> None:
    names = sorted(f"a/scan {i}.png" for i in range(1, 13))
    assert settled(outcomes(names, "a/scan 10.png")) == ["a/scan 10.png"]
    among_others = sorted([*names, *(f"a/scan {i}.xmp" for i in range(1, 13))])
    assert settled(outcomes(among_others, "a/scan 10.png")) == ["a/scan 10.png"]
    assert not settled(outcomes([f"a/{word}.png" for word in ("x", "y", "z", "w", "v")], "a/y.png"))
    apart = [f"a/scan {i}.png" for i in (1, 2, 3, 4, 500)]
    assert not settled(outcomes(apart, "a/scan 500.png"))
    elsewhere = ["b/scan 5.png", *(f"a/scan {i}.png" for i in range(6, 12))]
    assert not settled(outcomes(elsewhere, "b/scan 5.png"))


def test_an_animation_is_one_file_of_a_job_and_pages_are_a_job_of_their_own() -> None:
    found = outcomes(names := [f"a/scan {i}.gif" for i in range(1, 13)], names[5])

    def held(form: str, pages: int) -> list[Outcome]:
        return [replace(each, orientation=replace(each.orientation, format=form, pages=pages)) for each in found]

    for form in ("GIF", "WEBP", "AVIF", "PSD", "PNG"):
        assert settled(held(form, 7)) == [names[5]]
    for form in ("TIFF", "PDF", "HEIC"):
        assert settled(held(form, 1)) == [names[5]] and not settled(held(form, 7))


def test_photographs_of_two_devices_or_days_are_two_jobs() -> None:
    names = [f"IMG_{i:04}.JPG" for i in range(30)]
    day = datetime(2024, 5, 12, 10)
    assert settled(outcomes(names, names[29]), lambda key: Taken("Canon", day)) == [names[29]]
    other = dict.fromkeys(names, Taken("Canon", day)) | {names[29]: Taken("Nikon", day)}
    assert not settled(outcomes(names, names[29]), other.get)
    later = dict.fromkeys(names, Taken("Canon", day)) | {names[29]: Taken("Canon", day + timedelta(days=1))}
    assert not settled(outcomes(names, names[29]), later.get)


def test_device_and_time_are_read_from_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "EOS 5"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:12 10:11:12"
    for ending in ("jpg", "png", "webp"):
        path = tmp_path / f"a.{ending}"
        Image.new("RGB", (8, 8)).save(path, exif=exif)
        with path.open("rb") as file:
            assert read_taken(file) == Taken("Canon EOS 5", datetime(2024, 5, 12, 10, 11, 12)), ending
    Image.new("RGB", (8, 8)).save(tmp_path / "none.jpg")
    with (tmp_path / "none.jpg").open("rb") as file:
        assert read_taken(file) is None


def test_a_settled_outcome_survives_json() -> None:
    before = Outcome("a", settle([answer(180)] * 9 + [answer(0, 0.6)], sure)[-1])
    row = json.loads(json.dumps(before.to_dict()))
    after = Outcome.from_dict(row).orientation
    assert row["together"]["turn"] is None and after is not None and after.together is not None
    assert after.together.pattern == "all alike" and Outcome.from_dict(row).to_dict() == row
    assert "alone unsure, 60.0% sure of 0°; with 10 pictures, all alike" in before.words


def page(number: int, turn: int) -> Image.Image:
    """The demo's page, which needs ``turn``; number 6 has a few lines only."""
    image = Image.open(DEMO / "page.jpg").convert("L").rotate(-demo_turns()["page.jpg"], expand=True)
    if number == 6:
        lines = image.crop((0, 100, image.width, 300))
        image.paste(250, (0, 0, *image.size))
        image.paste(lines, (0, 700))
    ImageDraw.Draw(image).text((image.width // 2, 10), f"{number}", 20)
    return image.rotate(turn, expand=True)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Ten pages that lie on their head; one of them has a few lines."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for i in range(10):
        page(i, 180).save(folder / f"scan_{i:02}.png")
    return folder


def test_the_command_settles_a_page_of_a_few_lines(scans: Path) -> None:
    def detected(*options: str) -> dict[str, dict[str, object]]:
        done = CliRunner().invoke(cli, ["detect", "--json", *options, str(scans)])
        assert done.exit_code == 0, done.output
        return {Path(row["source"]).stem: row for row in map(json.loads, done.stdout.splitlines())}

    alone, together = detected(), detected("--together")
    assert alone["scan_06"]["turn"] is None and "together" not in alone["scan_06"]
    assert [row["turn"] for row in together.values()] == [180] * 10
    assert together["scan_06"]["together"] == {
        "pattern": "all alike",
        "pictures": 10,
        "turn": None,
        "confidence": alone["scan_06"]["confidence"],
        "scores": alone["scan_06"]["scores"],
    }


def test_pages_are_corrected_after_their_job_is_decided(scans: Path, tmp_path: Path, detector: Detector) -> None:
    before = {path.name: path.read_bytes() for path in scans.iterdir()}
    corrector = Corrector(Request(in_place=True), Writer(Journal(tmp_path / "journal")))
    found = list(work(find_items([str(scans)]), detector, corrector, together=True))
    assert [each.correction.written for each in found if each.correction] == [True] * 10
    assert all(path.read_bytes() != before[path.name] for path in scans.iterdir())
    undo(tmp_path / "journal")
    assert {path.name: path.read_bytes() for path in scans.iterdir()} == before


def test_a_file_that_changes_while_its_job_is_decided_is_left_alone(scans: Path, detector: Detector) -> None:
    corrector = Corrector(Request(in_place=True), Writer())
    other = page(12, 0)

    class Meddler(Detector):
        def is_sure(self, given: Orientation) -> bool:
            if (scans / "scan_03.png").stat().st_size:
                other.save(scans / "scan_03.png")
            return super().is_sure(given)

    with Meddler(detector.model, engine=detector.engine) as meddling:
        found = {
            Path(each.source).stem: each for each in work(find_items([str(scans)]), meddling, corrector, together=True)
        }
    assert found["scan_03"].error is not None and "changed in the meantime" in str(found["scan_03"].error)
    assert Image.open(scans / "scan_03.png").tobytes() == other.tobytes()
    assert all(each.correction and each.correction.written for name, each in found.items() if name != "scan_03")


def test_pages_of_one_file_are_decided_together_by_default(tmp_path: Path, detector: Detector) -> None:
    path = tmp_path / "duplex.pdf"
    pages = [page(i, 180 * (i % 2)) for i in range(14)]
    pages[0].save(path, save_all=True, append_images=pages[1:])

    def found(together: bool | None) -> list[int | None]:
        done = work(find_items([str(path)]), detector, together=together)
        return turns([each.orientation for each in done if each.orientation])

    alone = found(False)
    assert alone[6] is None
    assert found(None) == found(True) == [0, 180] * 7


def test_pages_that_are_fed_alike_share_their_tilt() -> None:
    def page(tilt: float | None, error: float | None) -> Orientation:
        scores = Scores((1.0, 0.0, 0.0, 0.0))
        return Orientation(
            Turn.NONE, Turn.NONE, 1.0, scores, Reason.SURE, Promise.BALANCED, "glance", 1, tilt=tilt, tilt_error=error
        )

    rng = np.random.default_rng(19)
    good = [page(1.5 + float(rng.normal(0, 0.03)), 0.03) for _ in range(6)]
    *_, poor, none = levelled([*good, page(2.2, 0.4), page(None, None)])
    assert poor.tilt == pytest.approx(1.5, abs=0.1) and poor.tilt_error is not None and poor.tilt_error < 0.1
    assert none.tilt == pytest.approx(1.5, abs=0.05) and none.tilt_error is not None and none.tilt_error < 0.1
    by_hand = [page(tilt, 0.03) for tilt in (-2.0, 0.5, 3.0, 1.1)] + [page(None, None)]
    assert levelled(by_hand) == by_hand, "each was laid down by itself"
    few = [page(1.5, 0.03), page(1.5, 0.03), page(None, None), page(None, None), page(None, None)]
    assert levelled(few) == few
    assert levelled([page(None, None)] * 5) == [page(None, None)] * 5
