"""What is found below folders: pictures by content, each once, never in a circle."""

import os
from pathlib import Path

from upright.folders import find_pictures

from .conftest import DEMO


def names(*paths: Path | str) -> list[str]:
    return [str(found.relative) for found in find_pictures([str(path) for path in paths])]


def test_pictures_are_known_by_content(tmp_path: Path) -> None:
    picture = (DEMO / "cat.gif").read_bytes()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "no-ending").write_bytes(picture)
    (tmp_path / "a.txt").write_bytes(picture)
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    assert names(tmp_path) == ["a.txt", "b/no-ending"]


def test_named_files_are_always_reported(tmp_path: Path) -> None:
    assert names(tmp_path / "missing.jpg", DEMO / "cat.gif") == ["missing.jpg", "cat.gif"]


def test_loops_end_and_dangling_links_are_reported(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "link.gif").symlink_to(DEMO / "cat.gif")
    assert names(tmp_path) == ["dangling.jpg", "link.gif"]


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert names(tmp_path) == []


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9\n.gif")
    (tmp_path / odd).write_bytes((DEMO / "cat.gif").read_bytes())
    assert names(tmp_path) == [odd]


def test_what_was_seen_does_not_come_again(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes((DEMO / "cat.gif").read_bytes())
    (tmp_path / "b.gif").symlink_to("a.gif")
    paths = [str(tmp_path / "a.gif"), str(tmp_path), str(tmp_path / "x" / ".." / "a.gif")]
    assert [str(found.relative) for found in find_pictures(paths, seen=set())] == ["a.gif"]
