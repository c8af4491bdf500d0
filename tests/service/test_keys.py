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
    assert keys.name_of("fedcba9876543210") == "key-3465f6e6975b"
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


@pytest.mark.parametrize("text", ["", "\n", "# anna:0123456789abcdef\n", "\ufeff\n", "  # none"])
def test_a_file_without_a_key_does_not_open_the_service(tmp_path, text):
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(UsageError, match="there is no API key in it; write a line name:key"):
        Keys.read(str(path), "")
    assert Keys.read(str(path), "anna:0123456789abcdef")


@pytest.mark.parametrize("variable", [",", " ", "# none"])
def test_a_variable_without_a_key_does_not_open_the_service(variable):
    with pytest.raises(UsageError, match="UPRIGHT_API_KEYS: there is no API key"):
        Keys.read(None, variable)


def test_an_empty_path_is_told():
    with pytest.raises(UsageError, match="cannot be read"):
        Keys.read("", "")


def test_a_key_without_a_name_keeps_its_name_whatever_is_before_it():
    both, alone = Keys(["a" * 16, "b" * 16]), Keys(["b" * 16])
    assert both.name_of("b" * 16) == alone.name_of("b" * 16) != both.name_of("a" * 16)


def test_what_editors_leave_around_a_key_is_no_part_of_it(tmp_path):
    path = tmp_path / "keys"
    path.write_bytes(b"\xef\xbb\xbfanna : 0123456789abcdef \r\n bob:fedcba#9876543210\t# his\r\n")
    keys = Keys.read(str(path), "")
    assert keys.name_of("0123456789abcdef") == "anna"
    assert keys.name_of("fedcba#9876543210") == "bob"


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        (":0123456789abcdef", "an empty name"),
        ("anna:0123456789 abcdef", "'anna' has spaces"),
        ("0123456789äbcdefg", "without a name has spaces, or characters that are not ASCII"),
        ("anna:0123456789\tabcdef", "'anna' has spaces"),
        ("0123", "without a name has 4 characters"),
    ],
)
def test_keys_that_no_request_can_send_are_refused(entry, cause):
    with pytest.raises(UsageError, match=cause) as caught:
        Keys([entry])
    assert "0123" not in str(caught.value)
