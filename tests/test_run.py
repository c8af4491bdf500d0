import csv
import resource
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest

from upright import Detector
from upright.errors import EngineError, UsageError, WriteFailed
from upright.pictures import open_picture
from upright.results import Correction, Method, Outcome
from upright.results_file import ResultsFile, read_rows, write_table
from upright.run import READERS, WAITING_PER_WORKER, Tally, outcomes_of, work
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


def run(detector: Detector, folder: Path, out: Path, stop_at: int = 0, **options: object) -> Tally:
    """As `upright batch` does it."""
    tally, stop = Tally(), threading.Event()

    def wanted(key: str) -> bool:
        tally.done_before += key in results
        return key not in results

    with ResultsFile(out) as results:
        items = find_items([str(folder)], wanted=wanted)
        for outcome in work(items, detector, stop=stop, ordered=False, **{"workers": 2, **options}):  # type: ignore[arg-type]
            results.append(outcome)
            tally.add(outcome)
            if tally.done == stop_at:
                stop.set()
    return tally


def keys(out: Path) -> list[str]:
    return [row["source"] for row in read_rows(out)]


def test_each_picture_is_one_row_as_detect_answers_and_a_broken_one_is_a_row_too(
    detector: Detector, folder: Path, tmp_path: Path
) -> None:
    tally = run(detector, folder, tmp_path / "r.jsonl")
    rows = {Path(row["source"]).name: row for row in read_rows(tmp_path / "r.jsonl")}
    assert sorted(keys(tmp_path / "r.jsonl")) == sorted(str(p) for p in folder.iterdir())
    assert (tally.done, tally.counts["failed"], tally.done_before) == (31, 1, 0)
    assert all(tally.timing_s[stage] > 0 for stage in ("fetch", "read", "infer")) and tally.timing_s["write"] == 0
    assert 0 < tally.overlap < 3 and tally.cpu_s > 0
    assert rows["broken.png"]["error"] == "BrokenPicture" and rows["broken.png"]["remedy"]
    for source in DEMO.iterdir():
        alone = detector.detect(str(source)).to_dict()
        for field in ("turn", "best", "confidence", "reason", "views", "exif"):
            assert rows[f"0-{source.name}"][field] == alone[field], (source.name, field)


def test_a_stopped_run_goes_on_where_it_was_and_a_torn_line_is_done_again(
    detector: Detector, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.jsonl"
    stopped = run(detector, folder, out, stop_at=7)
    assert 7 <= stopped.done < 31
    before = out.read_bytes()
    out.write_bytes(before[:-25])
    second = run(detector, folder, out)
    assert second.done_before == stopped.done - 1
    assert Counter(keys(out)) == {str(path): 1 for path in folder.iterdir()}
    assert run(detector, folder, out).done == 0


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
    assert run(detector, pictures, out).done == 0
    with ResultsFile(out, retry_errors=True) as results:
        with pytest.raises(UsageError, match="another run"):
            ResultsFile(out)
        for outcome in work(find_items([str(pictures)], wanted=lambda key: key not in results), detector):
            results.append(outcome)
    assert sorted(Path(key).name for key in keys(out)) == ["0-page.jpg", "broken.png"]
    assert not any("error" in row for row in read_rows(out))


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """Make files end at so many bytes: what the kernel then answers is what it answers when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_slow_consumer_holds_the_readers_back(detector: Detector) -> None:
    taken = most = 0

    def counted() -> Iterator[Item]:
        nonlocal taken
        for number in range(400):
            taken += 1
            yield Item(f"{number}.jpg", PurePosixPath("x"), data=(DEMO / "coffee.jpg").read_bytes())

    outcomes = work(counted(), detector, workers=2, ordered=False)
    for done, _ in enumerate(outcomes, 1):
        most = max(most, taken - done)
        if done == 50:
            outcomes.close()
    assert 2 <= most <= READERS + 2 * WAITING_PER_WORKER
    assert taken < 80


@pytest.mark.parametrize("ordered", [True, False])
def test_order_is_kept_where_asked_though_the_first_is_the_slowest(detector: Detector, ordered: bool) -> None:
    """The first item arrives after all others are done: in order they wait for it, else they do not."""
    others, data = threading.Semaphore(0), (DEMO / "coffee.jpg").read_bytes()

    def late() -> bytes:
        for _ in range(3):
            assert others.acquire(timeout=60)
        return data

    def early() -> bytes:
        others.release()
        return data

    items = [Item(str(n), PurePosixPath("x"), fetch=early if n else late) for n in range(4)]
    found = [outcome.source for outcome in work(items, detector, workers=2, ordered=ordered)]
    assert sorted(found) == ["0", "1", "2", "3"]
    assert (found == ["0", "1", "2", "3"]) == ordered


def test_what_is_no_picture_is_an_outcome_with_the_reason(detector: Detector, tmp_path: Path) -> None:
    shutil.copy(DEMO / "page.jpg", tmp_path / "a.jpg")
    (tmp_path / "b.txt").write_text("text")
    tally = Tally()
    for outcome in work(find_items([str(tmp_path)]), detector):
        tally.add(outcome)
    assert (tally.done, dict(tally.skipped)) == (1, {"not a picture": 1})
    assert tally.summary().endswith("; skipped: 1 not a picture")


class BatchingEngine:
    """The real engine with another idea of its best batch; counts what it is asked for."""

    def __init__(self, detector: Detector) -> None:
        self.inner, self.batch_size, self.sizes = detector.engine, 8, list[int]()
        self.name, self.device = self.inner.name, self.inner.device

    def infer(self, pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        self.sizes.append(len(pixels))
        return self.inner.infer(pixels)

    def close(self) -> None:
        pass


@pytest.mark.slow
def test_a_batching_engine_gives_the_same_rows(folder: Path, tmp_path: Path) -> None:
    with Detector() as detector:
        run(detector, folder, tmp_path / "a.jsonl")
        engine = BatchingEngine(detector)
        with Detector(engine=engine) as batching:
            run(batching, folder, tmp_path / "b.jsonl", workers=6)
        assert max(engine.sizes) > 1
    first, second = ({row["source"]: row for row in read_rows(tmp_path / f"{n}.jsonl")} for n in "ab")
    assert first.keys() == second.keys()
    for key, row in first.items():
        assert row.get("turn") == second[key].get("turn")
        assert row.get("scores", []) == pytest.approx(second[key].get("scores", []), abs=1e-4)


@pytest.mark.slow
def test_an_engine_that_fails_ends_the_run_and_a_bug_is_one_row(
    detector: Detector, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Buggy:
        """Sets nothing right; raises ``error`` for pictures that have "page" in their names."""

        def __init__(self, error: Exception) -> None:
            self.error = error

        @contextmanager
        def looking_at(self, item: Item) -> Iterator[Callable[[Sequence[Outcome]], list[Outcome]]]:
            def set_right(outcomes: Sequence[Outcome]) -> list[Outcome]:
                if "page" in item.key:
                    raise self.error
                up = ExifOrientation.TOP_LEFT
                kept = Correction(item.key, "", Method.KEEP, Turn.NONE, up, up, True, False)
                return [replace(each, correction=kept) for each in outcomes]

            yield set_right

    tally = run(detector, folder, tmp_path / "r.jsonl", corrector=Buggy(ZeroDivisionError("a bug")))
    assert tally.counts["failed"] == 4 and "ZeroDivisionError" in caplog.text
    broken = [row for row in read_rows(tmp_path / "r.jsonl") if "page" in row["source"]]
    assert {row["cause"] for row in broken} == {"ZeroDivisionError: a bug"}
    with pytest.raises(EngineError, match="the GPU is gone"):
        run(detector, folder, tmp_path / "s.jsonl", corrector=Buggy(EngineError("the GPU is gone")))


@pytest.mark.parametrize("module", ["PIL.Image", "numpy"])
def test_a_module_that_another_thread_is_importing_is_no_error(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    with open_picture(str(DEMO / "page.jpg")) as picture:
        assert picture.format == "JPEG"


def test_a_source_that_cannot_go_on_ends_the_run(detector: Detector) -> None:
    def find() -> Iterator[Item]:
        yield from find_items([str(DEMO / "page.jpg")])
        raise UsageError("no such store")

    with pytest.raises(UsageError, match="no such store"):
        list(work(find(), detector, workers=2))


def test_one_item_is_done_as_many_are(detector: Detector) -> None:
    (item,) = find_items([str(DEMO / "page.jpg")])
    (many,) = work([item], detector)
    assert outcomes_of(item, detector)[0].to_dict() == many.to_dict()
    (gone,) = find_items([str(DEMO / "gone.jpg")])
    assert "no such file" in str(outcomes_of(gone, detector)[0].error)


@pytest.mark.slow
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
