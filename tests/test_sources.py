import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from upright import sources
from upright.errors import SourceMissing, UprightError, UsageError
from upright.sources import count_items, find_items, read_key, shard_filter

DEMO = Path(__file__).parent.parent / "testdata" / "demo"

NAMES = ["astronaut.jpg", "chart.tif", "receipt.png"]


def picture(name: str) -> bytes:
    return (DEMO / name).read_bytes()


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """A WebDataset shard: pictures with labels beside them."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name in NAMES:
            for member, data in ((name, picture(name)), (f"{name}.json", b'{"turn": 90}')):
                info = tarfile.TarInfo(f"pages/{member}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


def test_a_folder_and_a_file_are_opened_in_place() -> None:
    items = list(find_items([str(DEMO), str(DEMO / "page.jpg")]))
    assert [Path(i.key).name for i in items] == [*sorted(p.name for p in DEMO.iterdir()), "page.jpg"]
    assert all(i.path == i.key and i.data is None for i in items)
    assert str(items[0].relative) == "astronaut.jpg"


def test_a_list_names_sources_and_a_missing_list_is_an_error(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text(f"{DEMO / 'page.jpg'}\n\n{DEMO / 'gone.jpg'}\n")
    assert [Path(i.key).name for i in find_items([], lists=[str(names)])] == ["page.jpg", "gone.jpg"]
    with pytest.raises(SourceMissing, match="the list cannot be read"):
        list(find_items([], lists=[str(tmp_path / "none.txt")]))


def test_a_shard_gives_its_pictures_and_passes_over_labels(shard: Path) -> None:
    items = list(find_items([str(shard)]))
    assert [i.key for i in items] == [f"{shard}/pages/{name}" for name in NAMES]
    assert [i.data for i in items] == [picture(name) for name in NAMES]
    assert str(items[0].relative) == "a.tar/pages/astronaut.jpg"


def test_keys_alone_lead_back_to_the_same_bytes(shard: Path) -> None:
    without = list(find_items([str(shard)], load=False))
    assert [i.data for i in without] == [None] * 3
    assert [i.load().data for i in without] == [picture(name) for name in NAMES]
    assert read_key(without[1].key) == picture(NAMES[1])


def test_a_shard_that_ends_early_gives_what_is_there_and_one_error(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[: len(picture(NAMES[0])) + 4000])
    *whole, last = find_items([str(shard)])
    assert [i.data for i in whole] == [picture(NAMES[0])]
    assert last.error and "unexpected end of data" in str(last.error)


def test_a_shard_that_is_none_and_one_that_is_missing_are_one_error_each(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(b"this is no shard " * 100)
    items = list(find_items([str(tmp_path / "b.tar"), str(tmp_path / "c.tar")]))
    assert [type(i.error).__name__ for i in items] == ["SourceError", "SourceMissing"]


@pytest.mark.parametrize("kind", ["bytes", "struct"])
def test_parquet_columns_of_bytes(tmp_path: Path, kind: str) -> None:
    cells = [{"bytes": picture(n), "path": n} for n in NAMES] if kind == "struct" else [picture(n) for n in NAMES]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"label": [1, 2, 3], "image": cells}), path, row_group_size=2)
    items = list(find_items([str(path)]))
    assert [(i.key, i.data) for i in items] == [(f"{path}#{n}", picture(name)) for n, name in enumerate(NAMES)]
    assert [i.load().data for i in find_items([str(path)], load=False)] == [picture(name) for name in NAMES]
    assert count_items([str(path)]) == 3


def test_parquet_without_bytes_is_a_usage_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": [1]}), tmp_path / "t.parquet")
    with pytest.raises(UsageError, match="no column holds bytes"):
        list(find_items([str(tmp_path / "t.parquet")]))


def test_what_is_not_wanted_is_not_read(shard: Path) -> None:
    asked: list[str] = []
    assert list(find_items([str(shard), str(DEMO)], wanted=lambda key: bool(asked.append(key)))) == []
    assert len(asked) == 6 + len(list(DEMO.iterdir()))


def test_shards_of_a_run_share_everything_and_nothing_twice() -> None:
    keys = [f"folder/{n}.jpg" for n in range(1000)]
    parts = [[key for key in keys if shard_filter(f"{i}/4")(key)] for i in range(1, 5)]
    assert sorted(key for part in parts for key in part) == sorted(keys)
    assert all(200 < len(part) < 300 for part in parts)
    for wrong in ("0/4", "5/4", "4", "a/b", "1/"):
        with pytest.raises(UsageError, match="is no shard"):
            shard_filter(wrong)


@pytest.fixture
def store() -> Iterator[str]:
    system = fsspec.filesystem("memory")
    for name in NAMES:
        system.pipe(f"/bucket/scans/{name}", picture(name))
    yield "memory://bucket/scans"
    system.rm("/bucket", recursive=True)


def test_a_store_is_listed_and_each_file_is_fetched_when_its_turn_comes(store: str) -> None:
    items = list(find_items([store]))
    assert [str(i.relative) for i in items] == NAMES
    assert [i.data for i in items] == [None] * 3
    assert [i.load().data for i in items] == [picture(name) for name in NAMES]
    assert next(find_items([f"{store}/chart.tif"])).load().data == picture("chart.tif")
    assert count_items([store]) == 3


def test_a_shard_in_a_store_is_read_there(store: str, shard: Path) -> None:
    fsspec.filesystem("memory").pipe("/bucket/scans/a.tar", shard.read_bytes())
    items = [i for i in find_items([store]) if ".tar/" in i.key]
    assert [i.data for i in items] == [picture(name) for name in NAMES]
    assert read_key(items[2].key) == picture(NAMES[2])


def test_a_store_that_fails_for_a_moment_is_asked_again(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system, fails = type(fsspec.filesystem("memory")), iter([TimeoutError("slow"), ConnectionError("reset")])
    real_open = system.open

    def flaky(self: object, *args: object, **kwargs: object) -> object:
        if error := next(fails, None):
            raise error
        return real_open(self, *args, **kwargs)

    monkeypatch.setattr(sources, "RETRY_AFTER_S", (0.0, 0.0))
    monkeypatch.setattr(system, "open", flaky)
    item = next(find_items([store]))
    assert item.load().data == picture(NAMES[0])


def test_a_store_that_stays_away_is_an_error_of_that_item(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, *args: object, **kwargs: object) -> object:
        raise ConnectionError("reset")

    monkeypatch.setattr(sources, "RETRY_AFTER_S", (0.0,))
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "open", broken)
    item = next(find_items([store])).load()
    assert isinstance(item.error, UprightError)
    assert "in 2 tries: ConnectionError: reset" in str(item.error)


def test_a_url_that_nobody_knows_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nowhere"):
        list(find_items(["nowhere://bucket/"]))
