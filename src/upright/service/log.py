"""Log records as lines of JSON, or for a terminal, by stdlib logging; the library configures nothing by itself."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from ..errors import printable

access_log = logging.getLogger("upright.access")


class JsonLines(logging.Formatter):
    """A record as one line of JSON; ``extra={"fields": {…}}`` adds members."""

    def format(self, record: logging.LogRecord) -> str:
        """Time in UTC with milliseconds, level, logger, message, the fields, and a traceback where there is one."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


class Plain(logging.Formatter):
    """A record for somebody who watches a terminal: the time, what happened, and what is short."""

    def format(self, record: logging.LogRecord) -> str:
        """The address to open first; anything else with its fields as ``name=value``."""
        fields = dict(getattr(record, "fields", {}))
        stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
        if url := fields.get("url"):
            return f"{stamp}  open {url}/ in a browser; Ctrl-C stops"
        parts = [f"{name}={_shown(v)}" for name, v in fields.items() if isinstance(v, str | int | float) and v]
        text = "  ".join([stamp, printable(record.getMessage()), *parts])
        trace = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        return "\n".join([text, *map(printable, trace)])


def _shown(value: object) -> str:
    """A value for a terminal: what a client sent draws no line and no field of its own."""
    text = printable(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text else text


def configure(level: str = "INFO") -> None:
    """Send the records of upright, of the web server and of its event loop to standard error: as JSON lines, unless
    that is a terminal."""
    handler = logging.StreamHandler()
    handler.setFormatter(Plain() if sys.stderr.isatty() else JsonLines())
    for name in ("upright", "uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    # Each request has its own line from us, and the server's own chatter about starting is of no use to operators.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # One line for each malformed form; the client gets the error anyway.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
