"""Everything that can go wrong, as one tree.

    UprightError
    ├── SourceError              the source cannot be used
    │   ├── SourceMissing        no such file, or it may not be read
    │   ├── NotAPicture          empty, or no format that upright knows
    │   ├── BrokenPicture        a known format whose bytes are damaged
    │   │   └── Damaged          its structure contradicts itself, so that its metadata cannot be changed
    │   └── TooLarge             over a limit that can be raised
    ├── ModelError               a model folder that is incomplete or inconsistent
    ├── EngineError              an engine that cannot run here, or fails
    ├── ExtraMissing             a package that only this use needs is not installed
    ├── CorrectionError          a picture that could not be set right; the original is as it was
    │   ├── NotLossless          the pixels cannot be turned without loss as asked
    │   ├── WriteFailed          the new file could not be written
    │   └── JournalError         a journal that cannot be read, or no longer fits the files
    ├── UsageError               a request that contradicts itself
    └── Overloaded               the queue is full; try again later

Each knows the exit code of a command and the status of an HTTP answer, and its text names the source, the cause and
the remedy.
"""

from __future__ import annotations

import math
from typing import ClassVar

#: What values of JSON that are not what they should be may lead to where they are read.
MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Remedy(str):
    """What to do. ``method`` is the method of correction that it names, ``otherwise`` what else helps."""

    method: str
    otherwise: str

    def __new__(cls, text: str, method: str = "", otherwise: str = "") -> Remedy:
        """The text, which has all of it."""
        remedy = super().__new__(cls, text)
        remedy.method, remedy.otherwise = method, otherwise
        return remedy

    def or_else(self, otherwise: str) -> Remedy:
        """This one, or another that is no method."""
        return Remedy(f"{self}, or {otherwise}", self.method, otherwise)


#: The remedy for a picture that nothing here can read or change.
AGAIN = Remedy("convert it, or fetch it again if it is damaged")
#: The remedies that are other methods.
TAG, TURN, REENCODE = (Remedy(f"use --method {method}", method) for method in ("tag", "turn", "reencode"))
TURN_INSTEAD = Remedy("turn the pixels instead (--method turn)", "turn")


def printable(name: object) -> str:
    """A file name that is safe in one line of a terminal, a log or JSON: control and undecodable bytes escaped."""
    text = str(name).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class UprightError(Exception):
    """An error with its source, cause and remedy. The base of all errors that upright raises."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, cause: str, *, source: object = None, remedy: str = "") -> None:
        self.cause = cause
        self.source = None if source is None else printable(source)
        self.remedy = remedy if isinstance(remedy, Remedy) else Remedy(remedy)
        super().__init__(cause)

    def __str__(self) -> str:
        text = f"{self.source}: {self.cause}" if self.source else self.cause
        return f"{text}; {self.remedy}" if self.remedy else text

    def to_dict(self) -> dict[str, str | None]:
        """For JSON: type, source, cause and remedy."""
        return {"error": type(self).__name__, "source": self.source, "cause": self.cause, "remedy": str(self.remedy)}


class SourceError(UprightError):
    """The source cannot be used."""

    http_status = 422


class SourceMissing(SourceError):
    """There is no such file, or it may not be read."""

    http_status = 404


class NotAPicture(SourceError):
    """The bytes are empty or of no known format."""

    http_status = 415


class BrokenPicture(SourceError):
    """The format is known, and nothing of it can be decoded: the bytes are damaged, or no decoder here knows such."""

    #: Whether the picture may be whole, and of a kind that its decoder does not know.
    unknown_kind = False


class Damaged(BrokenPicture):
    """The structure of a file contradicts itself: a warning where it is read, an error where it is changed."""

    def __init__(self, cause: str, *, source: object = None, remedy: str = TURN_INSTEAD) -> None:
        super().__init__(cause, source=source, remedy=remedy)


class TooLarge(SourceError):
    """The picture is over a limit; the remedy names the option that raises it."""

    http_status = 413
    #: Memory in MiB that it was estimated to need, where that was the limit.
    needed_mb: float = math.inf


class ModelError(UprightError):
    """A model folder is missing something, or its parts do not fit together."""

    exit_code = 2


class EngineError(UprightError):
    """An engine cannot run on this machine, cannot load the model, or failed while running."""

    exit_code = 2


class ExtraMissing(UprightError):
    """A package that only this use needs is missing; the remedy is its install line."""

    exit_code = 2
    http_status = 501


class CorrectionError(UprightError):
    """A picture could not be set right; the original is as it was."""

    http_status = 422


class NotLossless(CorrectionError):
    """The pixels cannot be turned without loss in the way that was asked for."""

    #: Whether that is because of the blocks at the picture's edge alone, which are not whole.
    at_edge = False


class WriteFailed(CorrectionError):
    """The new file could not be written; the original is as it was."""

    http_status = 507


class JournalError(CorrectionError):
    """A journal cannot be read, or the files are no longer as the run left them."""


class UsageError(UprightError):
    """A request that contradicts itself or names something that does not exist."""

    exit_code = 2
    http_status = 400
    #: The page that is not there, counted from 0, where that is the error.
    page: int | None = None


#: In the words of the command, which counts pages from 1; a service counts them from 0.
NO_PAGE = "it has no page {}"


def no_page(page: int, count: int, source: object = None) -> UsageError:
    """The error that says that a file has no such page, counted from 0."""
    remedy = f"it has {count}; Python and HTTP count them from 0"
    error = UsageError(NO_PAGE.format(page + 1), source=source, remedy=remedy)
    error.page = page
    return error


class Overloaded(UprightError):
    """The queue is full. ``retry_after_s`` is the number of seconds to wait."""

    http_status = 503

    def __init__(self, cause: str, *, retry_after_s: float = 1.0, remedy: str = "try again later") -> None:
        super().__init__(cause, remedy=remedy)
        self.retry_after_s = retry_after_s
