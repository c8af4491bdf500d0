"""API keys: where they come from, and who is let in by them."""

from __future__ import annotations

import pytest

from upright import UsageError
from upright.service.keys import Keys
from upright.service.problems import Unauthorized


def test_keys_come_from_a_file_and_the_environment(tmp_path):
    path = tmp_path / "keys"
    path.write_text("# who may\nanna:0123456789abcdef\n\nfedcba9876543210  # no name\n")
    keys = Keys.read(str(path), "bob:aaaaaaaaaaaaaaaa,bbbbbbbbbbbbbbbb")
    assert keys.name_of("0123456789abcdef") == "anna"
    assert keys.name_of("fedcba9876543210") == "key2"
    assert keys.name_of("aaaaaaaaaaaaaaaa") == "bob"
    for wrong in ("0123456789abcdeg", "", None, "anna:0123456789abcdef", "\udcff" * 20):
        with pytest.raises(Unauthorized):
            keys.name_of(wrong)
    assert not Keys.read(None, "")


def test_weak_and_unreadable_keys_are_refused(tmp_path):
    with pytest.raises(UsageError, match="at least 16"):
        Keys.read(None, "anna:short")
    with pytest.raises(UsageError, match="cannot be read"):
        Keys.read(str(tmp_path / "none"), "")
