import io
import os
import shutil
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote
from zipfile import ZipFile

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from upright.correction import correct
from upright.errors import BrokenPicture, SourceMissing, TooLarge, UprightError, UsageError
from upright.limits import Limits
from upright.sources import count_items, find_items, folders, item_of, shard_filter, shards, stores

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
    # Editors put a mark of the encoding in front.
    names.write_text(f"{DEMO / 'page.jpg'}\r\n\n{DEMO / 'gone.jpg'}\n", "utf-8-sig")
    assert [Path(i.key).name for i in find_items([], lists=[str(names)])] == ["page.jpg", "gone.jpg"]
    with pytest.raises(SourceMissing, match="the list cannot be read"):
        list(find_items([], lists=[str(tmp_path / "none.txt")]))
    names.write_text(str(DEMO / "page.jpg"), "utf-16")
    for no_list in (names, DEMO / "page.jpg"):
        with pytest.raises(UsageError, match="not a list of names: it holds null bytes"):
            list(find_items([], lists=[str(no_list)]))


def test_a_shard_gives_its_pictures_and_passes_over_labels(shard: Path) -> None:
    everything = list(find_items([str(shard)]))
    items = [item for item in everything if not item.skipped]
    assert [i.skipped for i in everything if i not in items] == ["not a picture"] * 3
    assert [i.key for i in items] == [f"{shard}/pages/{name}" for name in NAMES]
    assert [i.data for i in items] == [picture(name) for name in NAMES]
    assert str(items[0].relative) == "a.tar/pages/astronaut.jpg"


def test_keys_alone_lead_back_to_the_same_bytes(shard: Path) -> None:
    without = [item for item in find_items([str(shard)], load=False) if not item.skipped]
    assert [i.data for i in without] == [None] * 3
    assert [i.load().data for i in without] == [picture(name) for name in NAMES]
    assert item_of(without[1].key).open() == picture(NAMES[1])


def test_a_shard_that_ends_early_gives_what_is_there_and_one_error(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[: len(picture(NAMES[0])) + 4000])
    *whole, last = find_items([str(shard)])
    assert [i.data for i in whole if not i.skipped] == [picture(NAMES[0])]
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
        with pytest.raises(UsageError, match="is not a shard"):
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
    items = [i for i in find_items([store]) if ".tar/" in i.key and not i.skipped]
    assert [i.data for i in items] == [picture(name) for name in NAMES]
    assert item_of(items[2].key).open() == picture(NAMES[2])


def test_a_picture_on_a_web_server_is_fetched_once_by_the_url_that_was_given(tmp_path: Path) -> None:
    """The key had the server's address twice, and to list it fetched it before."""
    asked: list[str] = []

    class Site(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *args: object) -> None:
            pass

    (tmp_path / "a b.jpg").write_bytes(picture("page.jpg"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/a%20b.jpg?signed=1"
            (item,) = find_items([url])
            assert (item.key, str(item.relative), asked) == (url, "a%20b.jpg", [])
            assert item.open() == picture("page.jpg") and len(asked) == 1
            assert item_of(item.key).open() == picture("page.jpg") and count_items([url]) == 1
        finally:
            server.shutdown()


@pytest.fixture
def site() -> Iterator[tuple[str, list[str]]]:
    """A web server whose path says how it answers: ``/503/1`` by this status, a first time, with this Retry-After."""
    asked: list[str] = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, _, after = self.path[1:].partition("/")
            size, data = 0, picture("page.jpg")
            if status.isdecimal() and (not after or asked.count(self.path) == 1):
                self.send_response(int(status))
                self.send_header("Retry-After", unquote(after))
            else:
                self.send_response(200)
                size = len(data)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            cut = status == "cut" and asked.count(self.path) == 1
            self.wfile.write(data[: size // 2 if cut else size])

        def do_HEAD(self) -> None:
            self.send_response(200 if self.path == "/cut" else 501)
            self.send_header("Content-Length", str(len(picture("page.jpg")) if self.path == "/cut" else 0))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("way", ["429/1", "503/1", "cut"])
def test_a_web_server_that_is_busy_is_asked_again(
    way: str, site: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "RETRY_AFTER_S", (0.0, 0.0))
    started = time.monotonic()
    assert next(find_items([f"{site[0]}/{way}"])).open() == picture("page.jpg")
    assert way == "cut" or time.monotonic() - started >= 1, "as long as it asked for"


@pytest.mark.parametrize("way", ["401", "403", "404", "410", "503/3600", "429/Tue,%2031%20Dec%202199%2023:59:59%20GMT"])
def test_a_web_server_is_not_asked_again_for_what_will_not_be(way: str, site: tuple[str, list[str]]) -> None:
    item = next(find_items([f"{site[0]}/{way}"])).load()
    assert f"the server answered {way[:3]};" in str(item.error) and len(site[1]) == 1


def test_urls_keep_what_is_before_and_behind_their_path(tmp_path: Path) -> None:
    """Server, account, and the file that a chain leads into."""
    with ZipFile(tmp_path / "a.zip", "w") as file:
        for name in NAMES:
            file.writestr(f"in/{name}", picture(name))
    for url in (f"zip://::{tmp_path}/a.zip", f"zip://in::file://{tmp_path}/a.zip"):
        items = list(find_items([url]))
        assert [Path(str(item.relative)).name for item in items] == NAMES
        for item, name in zip(items, NAMES, strict=True):
            assert item.open() == item_of(item.key).open() == picture(name)


def test_a_store_that_fails_for_a_moment_is_asked_again(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system, fails = type(fsspec.filesystem("memory")), iter([TimeoutError("slow"), ConnectionError("reset")])
    real_open = system.open

    def flaky(self: object, *args: object, **kwargs: object) -> object:
        if error := next(fails, None):
            raise error
        return real_open(self, *args, **kwargs)

    monkeypatch.setattr(stores, "RETRY_AFTER_S", (0.0, 0.0))
    monkeypatch.setattr(system, "open", flaky)
    item = next(find_items([store]))
    assert item.load().data == picture(NAMES[0])


def test_a_store_that_stays_away_is_an_error_of_that_item(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, *args: object, **kwargs: object) -> object:
        raise ConnectionError("reset")

    monkeypatch.setattr(stores, "RETRY_AFTER_S", (0.0,))
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "open", broken)
    item = next(find_items([store])).load()
    assert isinstance(item.error, UprightError)
    assert "in 2 tries: ConnectionError: reset" in str(item.error)


@pytest.mark.parametrize(
    "url", ["sftp://host/a.jpg", "abfs://box@account.dfs.core.windows.net/a.jpg", "gs://box/a.jpg"]
)
def test_a_store_without_its_driver_has_the_line_that_installs_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = {"sftp": "paramiko", "abfs": "adlfs", "gs": "gcsfs"}[url.partition(":")[0]]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.sftp", raising=False)
    with pytest.raises(UsageError, match=rf"{package}.*; .*pip install {package}$"):
        list(find_items([url]))


def test_a_store_that_is_away_as_it_is_opened_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of some addresses connect before anything is read."""
    monkeypatch.setattr(stores, "RETRY_AFTER_S", (0.0,))
    with pytest.raises(
        SourceMissing, match=r"could not be read in 2 tries: ConnectionRefusedError: .*; run again when"
    ):
        stores.read("ftp://127.0.0.1:1/a.jpg")
    (item,) = find_items(["ftp://127.0.0.1:1/a.jpg"])
    assert "in 2 tries" in str(item.load().error)


def test_a_url_that_nobody_knows_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nowhere"):
        list(find_items(["nowhere://bucket/"]))


def found(*paths: Path | str, once: bool = False) -> list[str]:
    """Places of what is worked on."""
    items = find_items([str(path) for path in paths], once=once)
    return [str(item.relative) for item in items if not item.skipped]


def passed_over(*paths: Path | str, once: bool = False) -> dict[str, str]:
    items = find_items([str(path) for path in paths], once=once)
    return {item.relative.name: item.skipped for item in items if item.skipped}


def test_pictures_are_known_by_content_and_what_is_none_says_why(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "no-ending").write_bytes(picture("cat.gif"))
    (tmp_path / "a.txt").write_bytes(picture("cat.gif"))
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert found(tmp_path) == ["a.txt", "b/no-ending"]
    assert passed_over(tmp_path) == {
        "text.jpg": "not a picture",
        "empty.png": "empty",
        "pipe.jpg": "no regular file",
        "loop": "a folder behind a link",
    }


def test_named_files_are_always_reported(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    paths = (tmp_path / "missing.jpg", tmp_path / "empty.png", DEMO / "cat.gif")
    assert found(*paths) == ["missing.jpg", "empty.png", "cat.gif"]


def test_links_to_files_count_and_dangling_ones_are_reported(tmp_path: Path) -> None:
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "link.gif").symlink_to(DEMO / "cat.gif")
    assert found(tmp_path) == ["dangling.jpg", "link.gif"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9\n.gif")
    (tmp_path / odd).write_bytes(picture("cat.gif"))
    assert found(tmp_path) == [odd]


def test_what_was_seen_does_not_come_again(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(picture("cat.gif"))
    (tmp_path / "b.gif").symlink_to("a.gif")
    paths = [tmp_path / "a.gif", tmp_path, f"{tmp_path}/x/../a.gif"]
    assert found(*paths, once=True) == ["a.gif"]
    assert passed_over(*paths, once=True) == {"a.gif": "named twice", "b.gif": "named twice"}
    assert found(*paths) == ["a.gif", "a.gif", "b.gif", "a.gif"]


def test_own_backups_and_temporary_files_are_left_alone(tmp_path: Path) -> None:
    page = Path(shutil.copy(DEMO / "page.jpg", tmp_path / "page.jpg"))
    correct(page, in_place=True, turn=90, method="turn", edge="trim", journal=tmp_path / "turned")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["turned.d"]
    (tmp_path / ".upright-0123.tmp").write_bytes(page.read_bytes())
    (tmp_path / "holiday.d").mkdir()
    shutil.copy(page, tmp_path / "holiday.d")
    assert found(tmp_path) == ["page.jpg", "holiday.d/page.jpg"]
    assert passed_over(tmp_path) == {
        "turned": "not a picture",
        "turned.d": "the backups of a journal",
        ".upright-0123.tmp": "a temporary file of upright",
    }


def test_folders_that_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    shutil.copy(DEMO / "page.jpg", tmp_path / "page.jpg")
    listed = os.scandir

    def refusing(path: str) -> object:
        if Path(path).name in ("closed", "named"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    (tmp_path / "named").mkdir()
    monkeypatch.setattr(os, "scandir", refusing)
    assert found(tmp_path) == ["page.jpg"]
    assert passed_over(tmp_path) == dict.fromkeys(("closed", "named"), "a folder that cannot be read")
    (item,) = find_items([str(tmp_path / "named")])
    assert isinstance(item.error, SourceMissing) and "Permission denied" in str(item.error)


def test_a_pdf_and_an_empty_file_in_a_shard(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, data in (("page.pdf", b"%PDF-1.4\n" + b" " * 2000), ("empty.jpg", b"")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.jpg")
        link.type = tarfile.SYMTYPE
        tar.addfile(link)
    assert found(tmp_path / "a.tar") == ["a.tar/page.pdf"]
    assert passed_over(tmp_path / "a.tar") == {"empty.jpg": "empty", "link.jpg": "no regular file"}


def test_a_folder_may_be_called_like_a_shard(tmp_path: Path) -> None:
    folder = tmp_path / "scans.tar"
    folder.mkdir()
    shutil.copy(DEMO / "page.jpg", folder)
    assert found(folder) == ["page.jpg"] and count_items([str(folder)]) == 1
    assert item_of(str(folder / "page.jpg")).open() == str(folder / "page.jpg")


def test_a_member_that_is_gone_is_an_error_of_that_item(shard: Path) -> None:
    gone = item_of(f"{shard}/pages/gone.jpg").load()
    assert isinstance(gone.error, SourceMissing) and "no longer" in str(gone.error)
    shard.write_bytes(b"no shard")
    assert "cannot be read" in str(item_of(f"{shard}.gz/pages/x.jpg").load().error)


def test_what_is_passed_over_in_folders(tmp_path: Path) -> None:
    names = ("a.jpg", "b.png", "raw/c.jpg", "raw/old/d.jpg", "e/f.jpg", "e/drafts/g.jpg", "e/f-copy.jpg")
    passed = (".thumbnails/x.jpg", ".trash/x.jpg", "@eaDir/x.jpg", "e/#recycle/x.jpg", "$RECYCLE.BIN/x.jpg")
    for name in (*names, *passed):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DEMO / "page.jpg", tmp_path / name)

    def found(*exclude: str) -> tuple[set[str], Counter[str]]:
        items = list(find_items([str(tmp_path)], exclude=exclude))
        keys = {str(item.relative) for item in items if not item.skipped}
        return keys, Counter(item.skipped for item in items if item.skipped)

    programs = {"a hidden folder": 2, "a folder of another program": 3}
    assert found() == (set(names), programs)
    assert found("*.png", "old/", "e/drafts") == (
        {"a.jpg", "raw/c.jpg", "e/f.jpg", "e/f-copy.jpg"},
        programs | {"excluded": 3},
    )
    (tmp_path / ".uprightignore").write_text("# ours\n\nraw/old/*\n")
    (tmp_path / "e" / ".uprightignore").write_text("*-copy.jpg\ndrafts/\na.jpg\n")
    # Of a folder that is excluded itself nothing is counted but the folder; an ignore file is for its own folder.
    assert found() == ({"a.jpg", "b.png", "raw/c.jpg", "e/f.jpg"}, programs | {"excluded": 3, "not a picture": 2})
    assert [item.skipped for item in find_items([str(tmp_path / ".trash")])] == [""], "what is named is meant"


def test_what_is_written_is_no_source(tmp_path: Path) -> None:
    for name in ("a.jpg", "out/b.jpg", "other/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(DEMO / "page.jpg", tmp_path / name)
    items = list(find_items([str(tmp_path)], output=str(tmp_path / "." / "out")))
    assert [(str(item.relative), item.skipped) for item in items] == [
        ("out", "the folder of corrected pictures"),
        ("a.jpg", ""),
        ("other/c.jpg", ""),
    ]
    (tmp_path / "same").symlink_to(tmp_path / "out")
    for named in ("out", "same"):
        items = find_items([str(tmp_path / "a.jpg"), str(tmp_path / named)], output=str(tmp_path / "out"))
        with pytest.raises(UsageError, match="written into is a source"):
            next(items)


def test_patterns_are_for_shards_too(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as shard:
        for name in ("keep/a.jpg", "drop/b.jpg"):
            shard.add(DEMO / "page.jpg", name)
    items = list(find_items([str(tmp_path / "a.tar")], exclude=["drop"]))
    assert [(item.relative.name, item.skipped, bool(item.data)) for item in items] == [
        ("a.jpg", "", True),
        ("b.jpg", "excluded", False),
    ]


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE], ids=["long name", "pax"])
def test_a_name_of_300_mb_is_not_read(tmp_path: Path, kind: bytes) -> None:
    head = tarfile.TarInfo("././@LongLink")
    head.type, head.size = kind, 300 << 20
    path = tmp_path / "long.tar"
    path.write_bytes(head.tobuf())
    os.truncate(path, 301 << 20)
    (item,) = find_items([str(path)])
    assert "a head of 314,572,800 bytes" in str(item.error)


def packed(path: Path, *members: str, mode: str = "w") -> str:
    with tarfile.open(path, mode) as tar:
        for member in members:
            tar.add(DEMO / "page.jpg", member)
    return str(path)


def test_every_name_that_is_found_is_found_again_by_its_key_alone(tmp_path: Path) -> None:
    (tmp_path / "b.tar").mkdir()
    shutil.copy(DEMO / "page.jpg", tmp_path / "b.tar" / "x.parquet#3")
    named = [
        packed(tmp_path / "S.TAR", "a.jpg", "sub.tar/b.jpg"),
        packed(tmp_path / "i.tgz", "backup.tar/a.jpg", mode="w:gz"),
        packed(tmp_path / "b.tar" / "c.tar", "a.jpg"),
        packed(tmp_path / "compressed.tar", "a.jpg", mode="w:gz"),
        packed(tmp_path / "b.tar" / "e.tar.gz", "a.jpg", mode="w:gz"),
        str(tmp_path / "b.tar" / "x.parquet#3"),
    ]
    for name in [*named, *(f"file://{name}" for name in named)]:
        for item in find_items([name]):
            for again in (item.forgotten(), item_of(item.key)):
                data = again.open()
                assert (data if isinstance(data, bytes) else Path(data).read_bytes()) == picture("page.jpg"), item.key
    assert len(list(find_items(named))) == 7


def test_what_is_before_the_end_of_a_shard_that_ends_early_is_found_again(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[: len(picture(NAMES[0])) + 4000])
    item = next(find_items([str(shard)]))
    assert item.forgotten().open() == item_of(item.key).open() == picture(NAMES[0])


def test_names_may_have_what_unicode_calls_an_end_of_line(tmp_path: Path) -> None:
    odd = [f"a{letter}b.jpg" for letter in "\x0b\x0c\x1c\x85\u2028\u2029\r"] + ["\xa0c.jpg\u3000"]
    for name in [*odd, "left.jpg"]:
        shutil.copy(DEMO / "page.jpg", tmp_path / name)
    named = tmp_path / "names.txt"
    for end in ("\n", "\r\n"):
        named.write_bytes(b"".join(os.fsencode(f"{tmp_path}/{name}{end}") for name in odd))
        assert [item.relative.name for item in find_items([], lists=[str(named)])] == odd
        (tmp_path / ".uprightignore").write_bytes(b"".join(os.fsencode(f"{name}{end}") for name in odd))
        assert found(tmp_path) == ["left.jpg"]


class Trickle(io.RawIOBase):
    """A pipe: it gives less than it is asked for, long before its end."""

    def __init__(self, data: bytes) -> None:
        self._rest = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(min(size, 1000))


def test_what_is_held_in_memory_is_whole_or_too_large(
    tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = picture(NAMES[0])
    (tmp_path / NAMES[0]).write_bytes(data)
    pq.write_table(pa.table({"image": [data]}), tmp_path / "t.parquet")
    with tarfile.open(tmp_path / "b.tgz", "w:gz") as tar:
        tar.add(tmp_path / NAMES[0], NAMES[0])
    named = [f"file://{tmp_path}/{NAMES[0]}", str(shard), str(tmp_path / "b.tgz"), str(tmp_path / "t.parquet"), "-"]

    def first(name: str, load: bool) -> bytes | UprightError | None:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": Trickle(data)}))
        try:
            item = next(find_items([name], load=load)).load()
        except UprightError as error:
            return error
        return item.error or item.data

    for most, load in ((len(data), True), (len(data), False), (len(data) - 1, True), (len(data) - 1, False)):
        for room in (stores, shards, folders):
            monkeypatch.setattr(room, "HELD", Limits(max_stream_bytes=most))
        for name in named:
            got = first(name, load)
            if most == len(data):
                assert got == data, name
            else:
                assert isinstance(got, TooLarge) and "a file may be of any size" in got.remedy, name
    assert isinstance(item_of(f"{shard}/pages/{NAMES[0]}").load().error, TooLarge), "by its key alone, too"


def test_a_shard_that_was_cut_since_it_was_listed_gives_no_half_picture(shard: Path) -> None:
    items = [item for item in find_items([str(shard)], load=False) if not item.skipped]
    assert items[0].load().data == picture(NAMES[0])
    os.truncate(shard, 2000)
    assert isinstance(items[0].load().error, BrokenPicture)
