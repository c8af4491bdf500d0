"""Log records as lines of JSON, by stdlib logging. `configure` is for the program; the library configures nothing."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

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


def configure(level: str = "INFO") -> None:
    """Send the records of upright, of the web server and of its event loop to standard error as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in ("upright", "uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    # Each request has its own line from us, and the server's own chatter about starting is of no use to operators.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # One line for each malformed form; the client gets the error anyway.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
