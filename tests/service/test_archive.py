"""Names in the zip of a job stay inside the folder where it is unpacked."""

from __future__ import annotations

import pytest

from upright.service.archive import safe_name


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
