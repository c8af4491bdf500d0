import csv
import resource
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest

from upright import Detector
from upright.errors import EngineError, UsageError, WriteFailed
from upright.pictures import open_picture
from upright.pipeline import Pipeline, ResultsFile, read_rows, write_table
from upright.pipeline.batches import Batches
from upright.results import Correction, Method
from upright.sources import Item, find_items
from upright.turns import ExifOrientation, Turn

DEMO = Path(__file__).parent.parent / "testdata" / "demo"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures, and one whose bytes are damaged."""
    folder = tmp_path_factory.mktemp("pictures")
    for source in DEMO.iterdir():
        for copy in range(3):
            shutil.copy(source, folder / f"{copy}-{source.name}")
    (folder / "broken.png").write_bytes((DEMO / "receipt.png").read_bytes()[:40])
    return folder


def run(detector: Detector, folder: Path, out: Path, **options: object) -> Pipeline:
    with ResultsFile(out) as results:
        pipeline = Pipeline(detector, results, **{"workers": 2, **options})  # type: ignore[arg-type]
        pipeline.run(lambda wanted: find_items([str(folder)], wanted=wanted))
    return pipeline


def keys(out: Path) -> list[str]:
    return [row["source"] for row in read_rows(out)]


def test_each_picture_is_one_row_as_detect_answers_and_a_broken_one_is_a_row_too(
    detector: Detector, folder: Path, tmp_path: Path
) -> None:
    summary = run(detector, folder, tmp_path / "r.jsonl").summary
    rows = {Path(row["source"]).name: row for row in read_rows(tmp_path / "r.jsonl")}
    assert sorted(keys(tmp_path / "r.jsonl")) == sorted(str(p) for p in folder.iterdir())
    assert (summary.rows, summary.counts["failed"], summary.skipped) == (31, 1, 0)
    assert {"fetch", "read", "infer", "write"} <= set(summary.busy_s)
    assert rows["broken.png"]["error"] == "BrokenPicture" and rows["broken.png"]["remedy"]
    for source in DEMO.iterdir():
        alone = detector.detect(str(source)).to_dict()
        for field in ("turn", "best", "confidence", "reason", "views", "exif"):
            assert rows[f"0-{source.name}"][field] == alone[field], (source.name, field)


def test_a_stopped_run_goes_on_where_it_was_and_a_torn_line_is_done_again(
    detector: Detector, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.jsonl"
    with ResultsFile(out) as results:
        pipeline = Pipeline(detector, results, workers=2, progress=lambda s: pipeline.stop() if s.rows == 7 else None)
        summary = pipeline.run(lambda wanted: find_items([str(folder)], wanted=wanted))
    assert summary.stopped and 7 <= summary.rows < 31
    before = out.read_bytes()
    out.write_bytes(before[:-25])
    second = run(detector, folder, out).summary
    assert second.skipped == summary.rows - 1
    assert Counter(keys(out)) == {str(path): 1 for path in folder.iterdir()}
    assert run(detector, folder, out).summary.rows == 0


def test_a_second_run_on_the_same_results_refuses(tmp_path: Path) -> None:
    with (
        ResultsFile(tmp_path / "r.jsonl"),
        pytest.raises(UsageError, match="another run is writing"),
    ):
        ResultsFile(tmp_path / "r.jsonl")
    ResultsFile(tmp_path / "r.jsonl").close()


def test_a_file_that_holds_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("name,age\nme,3\n")
    with pytest.raises(UsageError, match="line 1 is not a row"):
        ResultsFile(tmp_path / "r.jsonl")
    assert (tmp_path / "r.jsonl").read_text() == "name,age\nme,3\n"


def test_errors_are_tried_again_when_asked(detector: Detector, folder: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(folder / "broken.png", pictures)
    shutil.copy(folder / "0-page.jpg", pictures)
    out = tmp_path / "r.jsonl"
    run(detector, pictures, out)
    shutil.copy(DEMO / "receipt.png", pictures / "broken.png")
    assert run(detector, pictures, out).summary.rows == 0
    with ResultsFile(out, retry_errors=True) as results:
        with pytest.raises(UsageError, match="another run"):
            ResultsFile(out)
        Pipeline(detector, results, workers=1).run(lambda wanted: find_items([str(pictures)], wanted=wanted))
    assert sorted(Path(key).name for key in keys(out)) == ["0-page.jpg", "broken.png"]
    assert not any("error" in row for row in read_rows(out))


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """Make files end at so many bytes: what the kernel then answers is what it answers when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stops_the_run_with_whole_rows_and_room_lets_it_go_on(
    detector: Detector, folder: Path, tmp_path: Path, small_disk: Callable[[int], None]
) -> None:
    out = tmp_path / "r.jsonl"
    small_disk(3000)
    with pytest.raises(WriteFailed, match=r"results cannot be written.*make room, then run the same command again"):
        run(detector, folder, out)
    small_disk(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    assert 0 < len(keys(out)) < 31
    assert out.read_bytes().endswith(b"\n")
    run(detector, folder, out)
    assert Counter(keys(out)) == {str(path): 1 for path in folder.iterdir()}


def test_a_slow_writer_holds_the_readers_back(detector: Detector, folder: Path, tmp_path: Path) -> None:
    taken, most = 0, 0
    enough = threading.Event()

    def counted(wanted: Callable[[str], bool]) -> Iterable[Item]:
        nonlocal taken
        for number in range(400):
            taken += 1
            yield Item(f"{number}.jpg", Path("x"), data=(DEMO / "coffee.jpg").read_bytes())  # type: ignore[arg-type]

    def slow(summary: object) -> None:
        nonlocal most
        done = pipeline.summary.rows
        most = max(most, taken - done)
        enough.wait(0.01)
        if done == 50:
            pipeline.stop()

    with ResultsFile(tmp_path / "r.jsonl") as results:
        pipeline = Pipeline(detector, results, workers=2, readers=2, progress=slow)
        pipeline.run(counted)
    # Two queues of 8, two workers with one picture each, two readers with one item each, one row in the writer's hand.
    assert most <= 8 + 8 + 2 + 2 + 1


class BatchingEngine:
    """The real engine with another idea of its best batch; counts what it is asked for."""

    def __init__(self, detector: Detector) -> None:
        self.inner, self.batch_size, self.sizes = detector.engine, 8, list[int]()
        self.name, self.device = self.inner.name, self.inner.device

    def infer(self, pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        self.sizes.append(len(pixels))
        if pixels.ndim != 4:
            raise EngineError("wrong shape")
        return self.inner.infer(pixels)

    def close(self) -> None:
        pass


def test_views_of_many_threads_share_batches_and_get_their_own_answers(detector: Detector) -> None:
    engine = BatchingEngine(detector)
    batches = Batches(engine)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 224, 224, 3), dtype=np.uint8)
    answers: dict[int, np.ndarray] = {}  # type: ignore[type-arg]
    threads = [
        threading.Thread(target=lambda i=i: answers.update({i: batches.infer(pixels[i : i + 1])})) for i in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(EngineError, match="wrong shape"):
        batches.infer(pixels[0])
    assert batches.infer(pixels[:2]).shape == (2, 4)
    batches.close()
    assert sum(engine.sizes) == 24 + 224 + 2 and len(engine.sizes) < 26 and max(engine.sizes[:-2]) <= 8
    direct = engine.inner.infer(pixels)
    for index, logits in answers.items():
        np.testing.assert_allclose(logits[0], direct[index], atol=1e-4)


def test_a_batching_engine_gives_the_same_rows(folder: Path, tmp_path: Path) -> None:
    with Detector() as detector:
        run(detector, folder, tmp_path / "a.jsonl")
        engine = detector.engine = BatchingEngine(detector)
        run(detector, folder, tmp_path / "b.jsonl", workers=6)
        assert detector.engine is engine and engine.sizes
    first, second = ({row["source"]: row for row in read_rows(tmp_path / f"{n}.jsonl")} for n in "ab")
    assert first.keys() == second.keys()
    for key, row in first.items():
        assert row.get("turn") == second[key].get("turn")
        assert row.get("scores", []) == pytest.approx(second[key].get("scores", []), abs=1e-4)


def test_an_engine_that_fails_ends_the_run_and_a_bug_is_one_row(
    detector: Detector, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def buggy(item: Item, orientation: object) -> Correction:
        if "page" in item.key:
            raise ZeroDivisionError("a bug")
        return Correction(
            item.key, "", Method.KEEP, Turn.NONE, ExifOrientation.TOP_LEFT, ExifOrientation.TOP_LEFT, True, False
        )

    summary = run(detector, folder, tmp_path / "r.jsonl", corrector=buggy).summary
    assert summary.counts["failed"] == 4 and "ZeroDivisionError" in caplog.text
    broken = [row for row in read_rows(tmp_path / "r.jsonl") if "page" in row["source"]]
    assert {row["cause"] for row in broken} == {"ZeroDivisionError: a bug"}

    def fails(item: Item, orientation: object) -> Correction:
        raise EngineError("the GPU is gone")

    with pytest.raises(EngineError, match="the GPU is gone"):
        run(detector, folder, tmp_path / "s.jsonl", corrector=fails)


@pytest.mark.parametrize("module", ["PIL.Image", "numpy"])
def test_a_module_that_another_thread_is_importing_is_no_error(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    with open_picture(str(DEMO / "page.jpg")) as picture:
        assert picture.format == "JPEG"


def test_a_source_that_cannot_go_on_ends_the_run(detector: Detector, tmp_path: Path) -> None:
    def find(wanted: Callable[[str], bool]) -> Iterator[Item]:
        yield from find_items([str(DEMO / "page.jpg")])
        raise UsageError("no such store")

    with (
        ResultsFile(tmp_path / "r.jsonl") as results,
        pytest.raises(UsageError, match="no such store"),
    ):
        Pipeline(detector, results, workers=2).run(find)


def test_results_as_a_table(detector: Detector, folder: Path, tmp_path: Path) -> None:
    run(detector, folder, tmp_path / "r.jsonl")
    rows = {row["source"]: row for row in read_rows(tmp_path / "r.jsonl")}
    assert write_table(rows.values(), tmp_path / "r.csv") == write_table(rows.values(), tmp_path / "r.parquet") == 31
    table = pq.read_table(tmp_path / "r.parquet").to_pylist()
    with (tmp_path / "r.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(table) == 31
    for line, flat in zip(lines, table, strict=True):
        row = rows[flat["source"]]
        assert flat["turn"] == row.get("turn") and flat["error"] == row.get("error")
        assert line["turn"] == ("" if row.get("turn") is None else str(row["turn"]))
        if "scores" in row:
            assert [flat[f"score_{turn}"] for turn in (0, 90, 180, 270)] == row["scores"]
    with pytest.raises(UsageError, match=r"cannot be written as '\.xlsx'"):
        write_table([], tmp_path / "r.xlsx")
