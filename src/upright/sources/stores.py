"""Files that may be elsewhere: a path, or a URL that fsspec knows; tried again where a store fails."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from ..errors import SourceMissing, UprightError, UsageError
from ..extras import need, package_line
from ..limits import Limits

T = TypeVar("T")

#: Seconds before the second, third … try of a remote read; a store that is away for longer than all of it is an error.
RETRY_AFTER_S = (0.5, 1.0, 2.0, 4.0)
#: HTTP statuses that may be others soon: too slow, too early, too often, and what proxies say of a server that is away.
PASSING = (408, 425, 429, 502, 503, 504)
#: A server that asks for a longer pause than this is not waited for.
_MOST_PAUSE_S = 120.0
#: Of what is held in memory whole: a file in a store, a member of a shard, standard input.
HELD = Limits()


def is_remote(name: str) -> bool:
    """Whether a name is a URL and not a path."""
    return "://" in name


def kind_of(name: str) -> str:
    """``file`` or ``directory``, or nothing where there is none or it is not known."""
    if not is_remote(name):
        return "file" if Path(name).is_file() else "directory" if Path(name).is_dir() else ""
    try:
        system, path = filesystem(name)
        return str(_with_retries(lambda: system.info(path), name)["type"])
    except UprightError:
        return ""


def filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path in it; some connect at once. Raises `UsageError`, `SourceMissing`."""
    fsspec = need("fsspec", "s3", source=url)
    if url.startswith(("s3:", "s3a:")):
        need("s3fs", "s3", source=url)

    def found() -> tuple[Any, str]:
        try:
            system, path = fsspec.core.url_to_fs(url)
        except ImportError as error:
            module = getattr(error.__cause__, "name", None) or ""
            # Where the package has the module's name; fsspec names others.
            remedy = package_line(module) if module and module in str(error) else "install the package that it names"
            raise UsageError(f"{error}", source=url, remedy=remedy) from error
        except ValueError as error:
            raise UsageError(f"{error}", source=url, remedy="use a path, or a URL that fsspec knows") from error
        return system, str(path)

    return _with_retries(found, url)


def listed(url: str) -> Iterator[tuple[str, str]]:
    """URL and place below it of each file of a remote folder, in order; or of the one file.

    Pages of web servers are no folders: their links lead anywhere, and to ask for them fetches the file.
    """
    system, path = filesystem(url)
    on_the_web = url.startswith(("http://", "https://"))
    for found in sorted([] if on_the_web else _with_retries(lambda: system.find(path), url)) or [path]:
        below = str(found).removeprefix(path.rstrip("/")).lstrip("/")
        yield _below(url, below), below or PurePosixPath(urlsplit(path).path if on_the_web else path).name


def _below(url: str, place: str) -> str:
    """The URL of a place below another, whose server, account and chain (``zip://folder::s3://…``) it keeps."""
    links = url.split("::")
    inner = next(at for at, link in enumerate(links) if "://" in link)  # ``simplecache`` before it has no path
    if place and not links[inner].endswith("/"):
        links[inner] += "/"
    links[inner] += place
    return "::".join(links)


@contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """A file for reading, wherever it is. Raises `SourceMissing`."""
    file: IO[bytes]
    if is_remote(name):
        system, path = filesystem(name)
        file = _with_retries(lambda: system.open(path, "rb"), name)
    else:
        try:
            file = Path(name).open("rb")  # noqa: SIM115 -- closed below
        except OSError as error:
            raise SourceMissing(f"cannot be read: {error.strerror}", source=name, remedy="check the path") from error
    with file:
        yield file


def read(url: str) -> bytes:
    """The bytes of a remote file; tried again with growing pauses where the store fails. Raises `SourceMissing`."""

    def once() -> bytes:
        with opened(url) as file:
            return HELD.read_whole(file, url, "download it, and name the file: a file may be of any size")

    return _with_retries(once, url)


def pause_s(least_s: float, asked: str | None) -> float:
    """Seconds to wait before a server is asked again: about so many, and as its ``Retry-After`` asked (RFC 9110).

    Infinite where it asks for more patience than anybody has.
    """
    asked, asked_s = asked or "", 0.0
    with suppress(ValueError):
        asked_s = float(asked) if asked.isdecimal() else parsedate_to_datetime(asked).timestamp() - time.time()
    return math.inf if asked_s > _MOST_PAUSE_S else max(asked_s, least_s * random.uniform(0.5, 1.5))


def _with_retries(call: Callable[[], T], url: str) -> T:
    for tries, least_s in enumerate((*RETRY_AFTER_S, math.inf), 1):
        try:
            return call()
        except Exception as error:
            # fsspec's stores raise what their client libraries raise: no common class says "try again".
            if isinstance(error, UprightError):
                raise
            status, asked = _answered(error)
            what = f"the server answered {status}" if status else f"{type(error).__name__}: {error}"
            if _is_final(error, status):
                raise SourceMissing(f"cannot be read: {what}", source=url, remedy="check URL and rights") from error
            if (wait_s := pause_s(least_s, asked)) == math.inf:
                cause = f"could not be read in {tries} {'try' if tries == 1 else 'tries'}: {what}"
                raise SourceMissing(cause, source=url, remedy="run again when the store answers") from error
        time.sleep(wait_s)
    raise AssertionError("unreachable")


def _is_final(error: Exception, status: int) -> bool:
    """Whether the next try would end alike."""
    if status:
        return status < 500 and status not in PASSING
    # Of web servers fsspec says that there is no such file whatever the cause was, a broken line too.
    missing = isinstance(error, FileNotFoundError | PermissionError)
    if missing and isinstance(error.__cause__, LookupError | FileNotFoundError | None):
        return True
    return any(word in type(error).__name__ for word in ("Credential", "Authentication"))


def _answered(error: BaseException | None) -> tuple[int, str | None]:
    """Status and ``Retry-After`` of the HTTP answer that an error was made of; 0 where there was none."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict) and (facts := response.get("ResponseMetadata")):  # botocore
            return int(facts.get("HTTPStatusCode", 0)), facts.get("HTTPHeaders", {}).get("retry-after")
        for name in ("status", "status_code"):  # of aiohttp, and of Azure's
            if isinstance(status := getattr(error, name, None), int):
                return status, (getattr(error, "headers", None) or {}).get("Retry-After")
        error = error.__cause__
    return 0, None
