import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from training.evaluate import evaluate, judge, markdown, metrics, step_answers, worst
from training.heldout import Picture, read, read_pools, sample, shown
from training.looks import STEPS, Model, Shown, look, says, seen
from training.measures import confusion, decided, masks, promise_row, turned, wilson
from training.robust import CONDITIONS, robustness, worn
from training.sheets import contact_sheet
from training.tests.sky import Always, Sky, pictures
from training.tests.toy import landscape, shard
from upright.pictures import open_picture
from upright.steps import LADDER

DEMO = Path(__file__).parents[2] / "testdata" / "demo"


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_what_is_shown_needs_that_clockwise_turn() -> None:
    pixels = np.asarray(landscape(1, 60).resize((60, 40)))
    clockwise = {1: Image.Transpose.ROTATE_270, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_90}
    for turn, operation in clockwise.items():
        assert np.array_equal(np.asarray(Image.fromarray(shown(pixels, turn)).transpose(operation)), pixels)


def test_a_perfect_model_is_found_perfect() -> None:
    seen = pictures()
    logits = look(Sky(), seen)
    for values in (logits, turned(logits)):
        answer, sure = decided(values, 1.0, 0.0)
        row = promise_row(answer, sure)
        assert (row["accuracy"], row["spoilt"], row["turns_right"], row["turns_made"]) == (1.0, 0.0, 1.0, 36)
        assert confusion(answer).tolist() == (12 * np.eye(4, dtype=int)).tolist()


def test_a_model_that_turns_the_wrong_way_fails_every_quarter_turn() -> None:
    answer, sure = decided(look(Sky((0, 3, 2, 1)), pictures()), 1.0, 0.0)
    assert confusion(answer).tolist() == [[12, 0, 0, 0], [0, 0, 0, 12], [0, 0, 12, 0], [0, 12, 0, 0]]
    assert promise_row(answer, sure)["turns_right"] == pytest.approx(1 / 3)


def test_a_model_upside_down_spoils_every_upright_picture() -> None:
    row = promise_row(*decided(look(Sky((2, 3, 0, 1)), pictures()), 1.0, 0.0))
    assert (row["accuracy"], row["spoilt"]) == (0.0, 1.0)


def test_a_model_that_never_turns_is_right_a_quarter_of_the_time_and_spoils_nothing() -> None:
    logits = look(Always(), pictures())
    row = promise_row(*decided(logits, 1.0, 0.0))
    assert (row["accuracy"], row["spoilt"], row["turns_made"], row["turns_right"]) == (0.25, 0.0, 0, None)
    # Four looks cancel a habit out: what is left knows nothing.
    assert np.allclose(np.ptp(turned(logits), axis=-1), 0)


def test_four_looks_agree_with_turning_the_view_itself() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(5, 4, 4))
    for needed in range(4):
        mean = np.zeros((5, 4))
        for more in range(4):  # turned clockwise by `more`, the picture needs `needed - more`
            row = logits[:, (needed - more) % 4]
            logs = row - np.log(np.exp(row).sum(1, keepdims=True))
            for said in range(4):
                mean[:, (said + more) % 4] += logs[:, said] / 4
        assert np.allclose(turned(logits)[:, needed], mean)


def test_unsure_is_neither_right_nor_spoilt() -> None:
    logits = np.zeros((2, 4, 4))
    logits[0, np.arange(4), np.arange(4)] = 9  # sure and right
    logits[1, :, 2] = 0.5  # says 180 to everything, hardly
    row = promise_row(*decided(logits, 1.0, 0.9))
    assert (row["accuracy"], row["coverage"], row["right_when_sure"], row["spoilt"]) == (0.5, 0.5, 1.0, 0.0)
    assert promise_row(*decided(logits, 1.0, 0.0))["spoilt"] == 0.5


def test_the_report_holds_every_kind_source_and_promise() -> None:
    shown_ones = pictures()
    facts = {"calibration": {"glance": {"temperature": 1.0, "careful": 0.999999, "balanced": 0.5, "best": 0.0}}}
    judged = judge(step_answers(look(Sky(), shown_ones), "glance", facts), shown_ones)
    assert set(judged["promises"]) == {"careful", "balanced", "best"}
    assert set(judged["promises"]["best"]) == {"photograph", "document", "all"}
    assert judged["promises"]["careful"]["all"]["coverage"] == 0.0
    assert sum(row["pictures"] for source, row in judged["sources"].items() if source != "all") == 12
    report = {"steps": {"glance": judged}}
    assert "| best | all | 12 | 100.0 |" in markdown(report)
    assert metrics(report)["glance"]["document"]["best"]["accuracy"] == 1.0


def test_tar_folder_and_pools_give_the_same_pictures(tmp_path: Path) -> None:
    upright = {f"doc/book/{i}.webp": landscape(i) for i in range(3)}
    from_tar = list(read(shard(tmp_path / "e.tar", upright)))
    for name in upright:
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
    for picture in from_tar:
        Image.fromarray(picture.pixels).save(tmp_path / "files/doc/book" / f"{Path(picture.name).stem}.png")
    pools = tmp_path / "pools"
    pools.mkdir()
    np.save(pools / "val_doc.npy", np.stack([picture.pixels for picture in from_tar]))
    (pools / "val_doc.json").write_text(json.dumps(list(upright)))
    for other in (list(read(tmp_path / "files")), list(read_pools(pools))):
        assert [(p.kind, p.source) for p in other] == [("document", "book")] * 3
        assert all(np.array_equal(p.pixels, q.pixels) for p, q in zip(from_tar, other, strict=True))


def test_a_missing_eval_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(read(tmp_path / "nowhere"))


def test_samples_are_seeded_and_by_kind() -> None:
    seen = pictures(20)
    some = sample(seen, 4, seed=3)
    assert [p.name for p in some] == [p.name for p in sample(seen, 4, seed=3)]
    assert {kind: int(mask.sum()) for kind, mask in masks([p.kind for p in some]).items()} == {
        "photograph": 4, "document": 4, "all": 8,
    }  # fmt: skip


def test_a_picture_shown_another_way_is_the_upright_one_turned() -> None:
    pixels = np.asarray(landscape(2, 90).resize((90, 50)))
    for turn in range(4):
        turned_file = shown(pixels, turn)
        with open_picture(pixels) as upright, open_picture(turned_file) as product:
            seen_so = Shown(upright, turn)
            assert (seen_so.width_px, seen_so.height_px) == (product.width_px, product.height_px)
            for size in (32, (64, 32), (32, 64)):
                # Squashing commutes with quarter turns but for the rounding between Pillow's two passes.
                assert np.abs(seen_so.squashed(size).astype(int) - product.squashed(size)).max() <= 1
            box = (5, 10, 25, 40)
            assert np.array_equal(seen_so.region(box, 10), turned_file[10:40, 5:25])


@pytest.mark.parametrize("turn", range(4))
def test_each_step_looks_at_a_picture_shown_another_way_as_at_its_file(turn: int) -> None:
    pixels = np.asarray(Image.open(DEMO / "page.jpg").convert("RGB"))
    with open_picture(pixels) as upright, open_picture(shown(pixels, turn)) as product:
        for step in LADDER:
            found, expected = (len(step.views(picture, 224)) for picture in (Shown(upright, turn), product))
            assert found == expected > 0, step.name


def test_the_four_ways_have_the_same_eight_views() -> None:
    class Counting(Sky):
        views = 0

        def logits(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
            self.views += len(views)
            return super().logits(views)

    model = Counting()
    ((*ways,),) = seen(model, pictures(1))
    assert model.views == 8, "each is seen once, whichever way the picture is shown"
    assert [sum(len(looks.views) for looks in way.values()) for way in ways] == [8] * 4
    assert list(ways[0]) == list(STEPS)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_wears_a_picture_and_repeats(condition: str) -> None:
    picture = Picture("photograph", "s", "0", np.asarray(landscape(0, 160)))
    one, again = worn(picture, condition, 5), worn(picture, condition, 5)
    assert np.array_equal(one.pixels, again.pixels)
    assert one.pixels.ndim == 3 and one.pixels.dtype == np.uint8
    assert (condition == "plain") == np.array_equal(one.pixels, picture.pixels)


def test_strips_and_columns_have_their_shape() -> None:
    picture = pictures(1)[0]
    assert worn(picture, "strip 6:1").pixels.shape[:2] == (13, 80)
    assert worn(picture, "column 1:8").pixels.shape[:2] == (80, 10)


def test_mirroring_does_not_trouble_a_model_that_looks_for_the_sky() -> None:
    table = robustness(Sky(), pictures(4), ["plain", "mirrored", "dark mode"])
    for step in ("turned", "quarters"):
        assert table["mirrored"][step]["all"]["accuracy"] == table["plain"][step]["all"]["accuracy"] == 1.0
        assert table["dark mode"][step]["all"]["accuracy"] == 0.0  # the bright side is then the ground


def test_the_worst_come_first_and_fill_a_sheet() -> None:
    seen = pictures(6)
    logits = look(Sky(), seen)
    logits[4] = np.roll(logits[4], 2, axis=-1)
    ((picture, turn),) = worst(turned(logits), 3)
    assert (picture, turn) == (4, 2)
    sheet = contact_sheet([(p.pixels, p.name) for p in seen], columns=3)
    assert sheet.size == (540, 388) and len(sheet.getcolors(10**6) or []) > 100


def test_the_shipped_model_is_judged_as_the_product_answers() -> None:
    """The judge and `upright.Detector` give the same decisions on the same pictures."""
    import upright

    folder = Path(upright.__file__).parent / "models" / "upright-1"
    sizes = [(260, 180), (300, 90), (70, 230)]
    ones = [
        Picture("document", "s", str(i), np.asarray(landscape(i, 200).resize(size))) for i, size in enumerate(sizes)
    ]
    report, looked = evaluate(folder, ones, [*STEPS, "climb"])
    with upright.Detector(folder) as detector:
        for promise in upright.Promise:
            found = [[detector.detect(shown(p.pixels, turn), promise=promise) for turn in range(4)] for p in ones]
            row = report["steps"]["climb"]["promises"][promise]["document"]
            assert row["coverage"] == np.mean([[answer.turn is not None for answer in answers] for answers in found])
        said = np.array([[answer.best.index for answer in answers] for answers in found])
        assert report["steps"]["climb"]["confusion"]["document"] == confusion(said).tolist()
        # Every step by itself: by a calibration with which no step below the last is ever enough.
        ladder = [(s, replace(c, careful=None, balanced=None)) for s, c in detector.ladder]
        for upto, step in enumerate(STEPS, 1):
            detector.ladder = ladder[:upto]
            answers = [[detector.detect(shown(p.pixels, turn)) for turn in range(4)] for p in ones]
            said = np.array([[answer.best.index for answer in row] for row in answers])
            assert {answer.step for row in answers for answer in row} == {step}
            assert report["steps"][step]["confusion"]["document"] == confusion(said).tolist()
    assert np.array_equal(looked, says(Model.open(folder), ones, ["turned"])["turned"])
