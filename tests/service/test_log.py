"""What a client sends draws nothing on the terminal of whoever watches."""

from __future__ import annotations

import logging

from upright.service.log import Plain


def line(**fields: object) -> str:
    record = logging.LogRecord("upright.access", logging.INFO, "", 0, "request", None, None)
    record.fields = fields
    return Plain().format(record).split("  ", 1)[1]


def test_control_sequences_and_lines_are_escaped():
    path = "/\x1b]0;owned\x07\x9b2J\n12:00:00  request  path=/forged  status=200\u202e"
    shown = line(method="GET", path=path, status=404)
    assert shown.isprintable()
    assert shown == (
        'request  method=GET  path="/\\\\x1b]0;owned\\\\x07\\\\x9b2J\\\\n12:00:00  request  path=/forged'
        '  status=200\\\\u202e"  status=404'
    )


def test_ordinary_values_are_as_they_are():
    assert line(path="/猫.jpg", status=200, batch=0) == "request  path=/猫.jpg  status=200"


def test_messages_and_tracebacks_are_escaped_line_by_line():
    try:
        raise ValueError("a\x1b[2Jb")
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
    record = logging.LogRecord("upright", logging.ERROR, "", 0, "bad %s", ("\x1b[1m",), found)
    text = Plain().format(record)
    assert "\x1b" not in text and "\nTraceback" in text
    assert "bad \\x1b[1m\n" in text
