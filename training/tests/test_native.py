"""Files named at a commit of a repository become pictures to calibrate with."""

import csv
import io
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from training import native

COLUMNS = ("source", "kind", "part", "repository", "commit", "path", "page", "dpi")


def saved(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    """A repository that changed after the commit that is named, and rows of what was in it."""
    folder = tmp_path / "clones" / "somebody" / "pages"
    (folder / "more").mkdir(parents=True)
    (folder / "a.png").write_bytes(saved(Image.new("RGB", (20, 10), "red"), "PNG"))
    (folder / "more/a.png").write_bytes(saved(Image.new("RGB", (20, 10), "blue"), "PNG"))
    (folder / "book.pdf").write_bytes(saved(Image.new("RGB", (720, 1440), "green"), "PDF"))

    def git(*words: str) -> str:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "pages")
    commit = git("rev-parse", "HEAD").strip()
    (folder / "a.png").unlink()
    git("commit", "-q", "-a", "-m", "gone")
    base = dict.fromkeys(COLUMNS, "") | {"source": "s", "kind": "doc", "part": "calibrate", "commit": commit}
    base["repository"] = "somebody/pages"
    return [
        base | {"path": "a.png"},
        base | {"path": "more/a.png"},
        base | {"path": "book.pdf", "page": "1", "dpi": "36"},
        base | {"path": "a.png", "part": "judge"},
    ]


def run(tmp_path: Path, rows: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> int:
    with (tmp_path / "files.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    options = ["--repositories", str(tmp_path / "clones"), "--files", str(tmp_path / "files.csv")]
    monkeypatch.setattr("sys.argv", ["native", *options, "--part", "calibrate", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as done:
        native.main()
    return int(done.value.code or 0)


def test_files_of_a_commit_are_written_as_they_were(
    tmp_path: Path, rows: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(tmp_path, rows, monkeypatch) == 0
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert found == ["doc/s/a-2.png", "doc/s/a.png", "doc/s/book-p01.png"]
    with Image.open(tmp_path / "out/doc/s/a.png") as first, Image.open(tmp_path / "out/doc/s/a-2.png") as second:
        assert (first.getpixel((0, 0)), second.getpixel((0, 0))) == ((255, 0, 0), (0, 0, 255))
    with Image.open(tmp_path / "out/doc/s/book-p01.png") as page:
        assert page.size == (360, 720), "720 x 1440 pixels make a PDF of 72 dpi"


def test_what_is_missing_is_named_and_the_others_are_written(
    tmp_path: Path, rows: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = [rows[0] | {"path": "nowhere.png"}, rows[0] | {"repository": "nobody/nothing"}]
    assert run(tmp_path, [*lost, rows[1]], monkeypatch) == 1
    shown = capsys.readouterr()
    assert "nowhere.png" in shown.err and "no copy of nobody/nothing" in shown.err and "1 of 3 files" in shown.out
    assert (tmp_path / "out/doc/s/a-2.png").exists(), "names do not depend on what is at hand"


def test_every_source_has_as_many_files_as_it_is_said_to_have() -> None:
    folder = Path(native.__file__).parent
    with (folder / "native.csv").open(encoding="utf-8", newline="") as said:
        wanted = {(row["source"], row["kind"], row["part"]): int(row["files"]) for row in csv.DictReader(said)}
    with (folder / "native-files.csv").open(encoding="utf-8", newline="") as named:
        found = Counter((row["source"], row["kind"], row["part"]) for row in csv.DictReader(named))
    assert found == wanted
