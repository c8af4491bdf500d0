"""Names in the zip of a job stay inside the folder where it is unpacked."""

from __future__ import annotations

import io
import zipfile

import pytest

from upright.service.archive import free_name, safe_name, zip_stream


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..\\..\\x.jpg", "x.jpg"),
        ("C:\\x.jpg", "C_/x.jpg"),
        ("a/./../b", "a/b"),
        ("...", "picture-7"),
        ("", "picture-7"),
        ("a\nb\0c", "a_b_c"),
        ("\udcff.jpg", "_.jpg"),
        ("猫.jpg", "猫.jpg"),
    ],
)
def test_names_stay_inside(name, safe):
    assert safe_name(name, 7) == safe


@pytest.mark.parametrize(
    ("names", "free"),
    [
        (["2-a.jpg", "a.jpg", "a.jpg"], ["2-a.jpg", "a.jpg", "2-1-a.jpg"]),
        (["d", "d/x.jpg"], ["d", "1-x.jpg"]),
        (["d/x.jpg", "d"], ["d/x.jpg", "1-d"]),
        (["a/b/c", "A/B", "a/d"], ["a/b/c", "1-B", "a/d"]),
        (["\u00e9.jpg", "E\u0301.jpg"], ["\u00e9.jpg", "1-E\u0301.jpg"]),
        (["a", "a."], ["a", "1-a."]),
        (["a/x", "b/x", "a/x"], ["a/x", "b/x", "2-x"]),
    ],
)
def test_names_can_be_unpacked_together(names, free):
    used: dict[str, bool] = {}
    assert [free_name(name, number, used) for number, name in enumerate(names)] == free


class OfNames:
    """A store whose job has a file of each name, with its number in it."""

    def __init__(self, *names):
        self.names = names

    def files(self, job):
        return ((number, name, iter([b"%d" % number])) for number, name in enumerate(self.names))


def test_every_file_of_a_zip_can_be_unpacked(tmp_path):
    names = ["2-a.jpg", "a.jpg", "a.jpg", "d", "d/x.jpg", "../d/y", "D"]
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_stream(OfNames(*names), "")))) as archive:
        archive.extractall(tmp_path)
    found = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(found) == [b"%d" % number for number in range(len(names))]
