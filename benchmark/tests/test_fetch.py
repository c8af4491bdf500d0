"""Fetching, against a mirror on this machine that misbehaves in every way that mirrors do."""

import csv
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from judges.entrant import marked
from PIL import Image
from test_hashes import scene, shard
from upright_benchmark import fetch as fetching
from upright_benchmark import manifest as manifests
from upright_benchmark.cli import main
from upright_benchmark.layouts import KINDS
from upright_benchmark.manifest import Entry, Manifest, Source
from upright_benchmark.pictures import read_list
from upright_benchmark.render import plan
from upright_benchmark.scripts import SCRIPTS

SOURCE = Source("demo", "someone/pictures", "a" * 40, "CC0-1.0", "LICENSE", "Someone")


class Mirror(ThreadingHTTPServer):
    """Serves `files`; `faults` says what goes wrong with a path, `sent` counts bytes, `asked` the ranges."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, str] = {}
        self.sent: Counter[str] = Counter()
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        path, fault = unquote(self.path.lstrip("/")), self.server.faults.get(unquote(self.path.lstrip("/")), "")
        body = self.server.files.get(path)
        if body is None:
            self.send_error(404)
            return
        start = 0
        asked = self.headers.get("Range")
        if asked:
            self.server.asked.append(asked)
        if asked and fault != "no ranges":
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        body = {"other": body[:-3] + b"xyz", "longer": body + b"more"}.get(fault, body)[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if (fault in ("cut once", "cut always", "no ranges") and self.server.sent[path] == 0) or fault == "cut always":
            body = body[: len(body) // 2]
        self.server.sent[path] += len(body)
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(fetching, "WAIT_S", 0.01)
    server = Mirror()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def offered(mirror: Mirror | None, folder: Path, number: int) -> Manifest:
    entries = []
    for i in range(number):
        path = folder / "made.png"
        marked(i).resize((600, 400)).save(path)
        body = path.read_bytes()
        entry = Entry(f"demo-{i}", "demo", f"a folder/{i}é.png", len(body), hashlib.sha256(body).hexdigest(),
                      "document", "page", "Latn", "plain", "", 0, "eye")  # fmt: skip
        if mirror:
            mirror.files[f"{SOURCE.repository}/{SOURCE.commit}/{entry.path}"] = body
        else:
            target = folder / "mirror" / SOURCE.repository / SOURCE.commit / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
        entries.append(entry)
    return Manifest({"demo": SOURCE}, tuple(entries), ())


def at(entry: Entry) -> str:
    return f"{SOURCE.repository}/{SOURCE.commit}/{entry.path}"


def test_pictures_come_whole_and_are_not_fetched_twice(mirror: Mirror, tmp_path: Path) -> None:
    manifest = offered(mirror, tmp_path, 3)
    for _ in range(2):
        got = fetching.fetch(manifest, manifest.entries, tmp_path / "cache", mirror.address)
        assert [p.id for p in got.pictures] == ["demo-0", "demo-1", "demo-2"] and not got.failures
    assert mirror.sent == Counter({at(e): e.bytes for e in manifest.entries})
    assert got.pictures == read_list(tmp_path / "cache")
    assert got.pictures[0].credit == "Someone, CC0-1.0" and got.pictures[0].part == "real"


def test_a_download_that_was_cut_off_goes_on(mirror: Mirror, tmp_path: Path) -> None:
    manifest = offered(mirror, tmp_path, 2)
    first, second = manifest.entries
    mirror.faults = {at(first): "cut once", at(second): "no ranges"}
    got = fetching.fetch(manifest, manifest.entries, tmp_path / "cache", mirror.address)
    assert not got.failures
    assert mirror.sent[at(first)] == first.bytes  # nothing came twice
    assert mirror.sent[at(second)] == second.bytes // 2 + second.bytes  # this server cannot go on in the middle
    assert f"bytes={first.bytes // 2}-" in mirror.asked
    assert not list((tmp_path / "cache").glob("*.part"))


def test_it_goes_on_in_a_later_run(mirror: Mirror, tmp_path: Path) -> None:
    manifest = offered(mirror, tmp_path, 1)
    (entry,) = manifest.entries
    mirror.faults = {at(entry): "cut always"}
    got = fetching.fetch(manifest, manifest.entries, tmp_path / "cache", mirror.address)
    assert "cut off after" in got.failures["demo-0"] and not got.pictures
    come = mirror.sent[at(entry)]
    mirror.faults = {}
    assert not fetching.fetch(manifest, manifest.entries, tmp_path / "cache", mirror.address).failures
    assert mirror.sent[at(entry)] == entry.bytes and 0 < come < entry.bytes


def test_what_is_not_the_picture_is_reported_and_does_not_stop_the_others(mirror: Mirror, tmp_path: Path) -> None:
    manifest = offered(mirror, tmp_path, 4)
    other, longer, gone, whole = manifest.entries
    mirror.faults = {at(other): "other", at(longer): "longer"}
    del mirror.files[at(gone)]
    got = fetching.fetch(manifest, manifest.entries, tmp_path / "cache", mirror.address)
    assert [p.id for p in got.pictures] == [whole.id]
    assert "not the picture of the manifest" in got.failures[other.id]
    assert "more than the" in got.failures[longer.id] and "404" in got.failures[gone.id]
    assert mirror.sent[at(other)] == fetching.TRIES * other.bytes
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["demo-3.png", "pictures.csv"]


def test_a_damaged_file_in_the_cache_is_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    manifest = offered(mirror, tmp_path, 1)
    fetching.fetch(manifest, manifest.entries, tmp_path / "cache", mirror.address)
    (tmp_path / "cache" / "demo-0.png").write_bytes(b"damaged")
    fetching.fetch(manifest, manifest.entries, tmp_path / "cache", mirror.address)
    assert (tmp_path / "cache" / "demo-0.png").stat().st_size == manifest.entries[0].bytes


def test_a_folder_can_be_the_mirror(tmp_path: Path) -> None:
    manifest = offered(None, tmp_path, 2)
    (tmp_path / "mirror" / at(manifest.entries[1])).unlink()
    got = fetching.fetch(manifest, manifest.entries, tmp_path / "cache", str(tmp_path / "mirror"))
    assert [p.id for p in got.pictures] == ["demo-0"] and "No such file" in got.failures["demo-1"]


def test_a_sample_is_the_same_everywhere_and_has_every_group(tmp_path: Path) -> None:
    entries = manifests.read().entries
    few = fetching.sample(entries, 24)
    assert few == fetching.sample(list(reversed(entries)), 24) and len(few) == 24
    assert {entry.group for entry in few} == {entry.group for entry in entries}
    assert any(e.hardness != "plain" for e in few) and any(e.hardness == "plain" for e in few)


def write_manifest(folder: Path, sources: list[Source], entries: list[Entry]) -> None:
    for name, rows, kind in (("sources.csv", sources, Source), ("pictures.csv", entries, Entry)):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(kind)])
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)


def test_a_wrong_row_is_named_and_left_out(tmp_path: Path) -> None:
    manifest = offered(None, tmp_path, 1)
    (good,) = manifest.entries
    bad_sources = [replace(SOURCE, id="nc", licence="CC-BY-NC-4.0"), replace(SOURCE, id="b", commit="main"),
                   replace(SOURCE, id="c", credit=""), replace(SOURCE, id="d", repository="../x"), SOURCE]  # fmt: skip
    bad = [
        good,
        replace(good, id="same-picture"),
        replace(good, sha256="b" * 64),
        replace(good, id="no-source", sha256="c" * 64, source="nc"),
        replace(good, id="turn", sha256="d" * 64, turn=45),
        replace(good, id="group", sha256="e" * 64, group="paper"),
        replace(good, id="path", sha256="f" * 64, path="../../etc/passwd"),
        replace(good, id="unseen", sha256="1" * 64, checked=""),
        replace(good, id="short", sha256="12"),
        replace(good, id="../../x", sha256="2" * 64),
    ]
    write_manifest(tmp_path, [SOURCE, *bad_sources], bad)
    read = manifests.read(tmp_path)
    assert read.entries == (good,) and list(read.sources) == ["demo"]
    assert len(read.problems) == 5 + 9
    assert "sources.csv:3: licence CC-BY-NC-4.0 is not free: it has to be one of CC0-1.0" in read.problems[0]
    assert any(p.startswith("pictures.csv:6: turn 45") for p in read.problems)
    text = (tmp_path / "pictures.csv").read_text().splitlines()
    (tmp_path / "pictures.csv").write_text("\n".join([text[0], text[1] + ",one column more"]))
    assert "has not the columns" in manifests.read(tmp_path).problems[-1]


def test_the_manifest_of_this_repository_is_whole() -> None:
    manifest = manifests.read()
    assert not manifest.problems
    assert len(manifest.entries) > 500
    used = {entry.source for entry in manifest.entries}
    assert used == set(manifest.sources)
    assert {entry.group for entry in manifest.entries} == {"document", "screenshot", "scene", "photograph"}
    assert {"food", "macro", "old", "art", "sky", "no-up"} <= {entry.hardness for entry in manifest.entries}


def test_nothing_that_upright_was_calibrated_with_is_in_it() -> None:
    with (Path(manifests.__file__).parents[2] / "training" / "native.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    calibrated = {row["repository@commit"].partition("@")[0].lower() for row in rows if row["part"] == "calibrate"}
    assert len(calibrated) > 20
    sources = manifests.read().sources.values()
    assert [source.id for source in sources if source.repository.lower() in calibrated] == []


def test_the_data_card_counts_what_is_there() -> None:
    card = (Path(manifests.__file__).parents[1] / "DATACARD.md").read_text(encoding="utf-8")
    manifest = manifests.read()
    groups = Counter(entry.group for entry in manifest.entries)
    stated = [
        f"| {len(manifest.entries):,} | {groups['document']} documents, {groups['screenshot']} screenshots, ",
        f"{groups['photograph']} photographs, {groups['scene']} pictures of text",
        f"from {len(manifest.sources)} repositories",
        f"| {len(plan())} | {len(SCRIPTS)} scripts × {len(KINDS)} kinds",
        f"are few ({sum(entry.script not in ('', 'Latn') for entry in manifest.entries)})",
    ]
    assert [text for text in stated if text not in card] == []


def test_the_command_fetches_refuses_what_was_trained_on_and_makes_hard_forms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = offered(None, tmp_path, 7)
    rotten = replace(manifest.entries[6], id="rotten", sha256="0" * 64)
    manifest = replace(manifest, entries=(*manifest.entries[:6], rotten), problems=("pictures.csv:9: turn 45",))
    monkeypatch.setattr(manifests, "read", lambda: manifest)
    monkeypatch.setattr(fetching, "WAIT_S", 0.01)
    trained = tmp_path / "mirror" / at(manifest.entries[2])
    with Image.open(trained) as image:
        shard(tmp_path, {"known": image.convert("RGB")})
    # Marked pictures differ in colour alone, which no hash of light and shade sees: one that is like no other stays.
    cell = tmp_path / "mirror" / at(manifest.entries[4])
    scene(1).save(cell)
    body = cell.read_bytes()
    other = replace(manifest.entries[4], bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
    manifest = replace(manifest, entries=(*manifest.entries[:4], other, *manifest.entries[5:]))
    arguments = ["fetch", str(tmp_path / "cache"), "--from", str(tmp_path / "mirror"), "--training", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, "--hard-each", "1"])
    assert result.exit_code == 0, result.output
    assert "manifest: pictures.csv:9: turn 45" in result.output and "rotten:" in result.output
    assert "demo-2: refused, a near duplicate of the training picture photo/demo/known.webp" in result.output
    pictures = read_list(tmp_path / "cache")
    assert {p.hardness for p in pictures} == {"plain", "mirrored"} and {p.document for p in pictures} == {"demo/demo-4"}
    assert all((tmp_path / "cache" / p.file).exists() for p in pictures)
