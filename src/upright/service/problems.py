"""Errors as HTTP answers: problem+json of RFC 9457, and the errors that only a service knows.

    UprightError
    ├── Refused             400  the request is not one that this route understands
    │   ├── BadFraming      400  the head contradicts itself about its body
    │   ├── Unauthorized    401  no key, or an unknown one
    │   ├── NotHere         404  there is nothing of this name
    │   ├── TooSlow         408  the client sends or reads too slowly
    │   ├── NotYet          409  the job is not in the state that this needs
    │   ├── BodyTooLarge    413  more bytes or pictures than a request may carry
    │   ├── WrongType       415  a content type or encoding that this route does not take
    │   ├── TooOften        429  this key's rate is used up
    │   ├── ClientGone      499  nobody reads the answer
    │   ├── JobsUnusable    503  the jobs file is damaged, read-only or gone
    │   ├── DeadlinePassed  504  not done within the time that was given
    │   └── StorageFull     507  no room for another job

Answers from 500 on contain only the request's id, except those whose text was written for the client.
"""

from __future__ import annotations

import json
import math
import re
from http import HTTPStatus
from typing import Any, ClassVar

from starlette.exceptions import HTTPException
from starlette.responses import Response

from ..errors import NO_PAGE, ExtraMissing, Overloaded, UprightError

PROBLEM_TYPE = "application/problem+json"
#: Options of the command, and the parameters of a request that are the same.
_AS_PARAMETER = (
    (r"--(method|edge) (\w+)", r"\1=\2"),
    (r"--pixels\b", "pixels=true"),
    (r"--(page|straighten)\b", r"\1"),
)
#: What no request asks for.
_COMMANDS_ALONE = ("--sidecar", " -o ", "target")


class Refused(UprightError):
    """The request is not one that this route understands."""

    http_status = 400


class BadFraming(Refused):
    """The head contradicts itself about where its body ends; the connection is closed, as its next bytes are unsure."""

    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class Unauthorized(Refused):
    """No API key, or an unknown one."""

    http_status = 401
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class NotHere(Refused):
    """There is nothing of this name."""

    http_status = 404


class TooSlow(Refused):
    """The client sends its body, or reads the answer, more slowly than the service waits for."""

    http_status = 408


class NotYet(Refused):
    """The job is not in the state that this needs."""

    http_status = 409


class BodyTooLarge(Refused):
    """More bytes or pictures than one request may carry."""

    http_status = 413


class WrongType(Refused):
    """A content type or content encoding that this route does not take."""

    http_status = 415


class TooOften(Refused):
    """The rate of this key is used up; ``retry_after_s`` is the number of seconds to wait."""

    http_status = 429

    def __init__(self, cause: str, *, retry_after_s: float) -> None:
        super().__init__(cause, remedy="slow down; the operator can raise --rate-per-s")
        self.retry_after_s = retry_after_s


class ClientGone(Refused):
    """The client closed its connection before it was answered; the status is only for log and metrics."""

    http_status = 499


class JobsUnusable(Refused):
    """The jobs file is damaged, read-only or gone; ``/readyz`` says so."""

    http_status = 503


class DeadlinePassed(Refused):
    """Not done within the time that the client or the service gave it."""

    http_status = 504


class StorageFull(Refused):
    """No room for another job; nothing that was accepted before is lost."""

    http_status = 507


def title(status: int) -> str:
    """The reason phrase of a status."""
    return next((each.phrase for each in HTTPStatus if each == status), "Client Closed Request")


def by_request(remedy: str) -> str:
    """A remedy in the words of a request, or as the command's where only that does it."""
    if any(words in remedy for words in _COMMANDS_ALONE):
        return f"by the command `upright correct`: {remedy}"
    for option, parameter in _AS_PARAMETER:
        remedy = re.sub(option, parameter, remedy)
    return remedy


def _remedy_of(error: HTTPException) -> str:
    """What to do about a path or a method that no route has."""
    allowed = sorted(filter(None, (error.headers or {}).get("Allow", "").replace(",", " ").split()))
    if error.status_code == 405 and allowed:
        return f"send {' or '.join(allowed)}; /docs lists the routes"
    return "/docs lists the routes" if error.status_code in (404, 405) else ""


def problem(error: Exception, request_id: str = "") -> dict[str, Any]:
    """The RFC 9457 object of an error: type, title, status, detail, and as extensions remedy, source, request_id."""
    fields: dict[str, Any] = {"type": "about:blank", "status": 500, "detail": "the service failed; its log knows more"}
    if isinstance(error, HTTPException):
        fields |= {"status": error.status_code, "detail": str(error.detail)}
        fields |= {"remedy": remedy} if (remedy := _remedy_of(error)) else {}
    elif isinstance(error, UprightError):
        fields["status"] = error.http_status
        if error.http_status < 500 or isinstance(error, Refused | Overloaded):
            fields |= {
                "type": f"urn:upright:{type(error).__name__}",
                "detail": error.cause if (page := getattr(error, "page", None)) is None else NO_PAGE.format(page),
                "remedy": by_request(error.remedy),
            }
            fields |= {"source": error.source} if error.source else {}
        elif isinstance(error, ExtraMissing):  # its remedy is for whoever runs the service
            fields |= {"type": "urn:upright:ExtraMissing", "detail": error.cause}
    fields["title"] = title(fields["status"])
    return fields | ({"request_id": request_id} if request_id else {})


def problem_response(error: Exception, request_id: str = "", *, v2: bool = False) -> Response:
    """An error as an HTTP answer; clients of the v2 protocol look for its text under ``error``."""
    fields = problem(error, request_id)
    if v2:
        fields["error"] = "; ".join(filter(None, (fields["detail"], fields.get("remedy"))))
    headers = dict(getattr(error, "headers", None) or {})
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    body = json.dumps(fields, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(body, fields["status"], headers, PROBLEM_TYPE)
