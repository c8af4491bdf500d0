"""What this process may use: processors, memory, and a cache folder for measurements and built engines."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import forks
from .errors import UsageError

#: Where control groups are mounted, and which of them this process is in.
_GROUPS, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def processors() -> int:
    """Processors that this process may use, by affinity and by the CPU quota of its container (cgroup 2 or 1)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares = [allowed * 1.0]
    for folder in _groups("cpu"):
        with suppress(OSError, ValueError):  # "max" is no number: no quota
            quota, period = (folder / "cpu.max").read_text("ascii").split()
            shares.append(int(quota) / int(period))
        with suppress(OSError, ValueError):
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text("ascii") for name in ("quota", "period"))
            if int(quota) > 0:
                shares.append(int(quota) / int(period))
    return max(1, round(min(shares)))


def memory_bytes() -> int:
    """Memory that this process may use: what is there, or its container's limit; 0 where the system does not say."""
    limits = [there] if (there := physical_memory_bytes()) else []
    for folder in _groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                limits.append(int((folder / name).read_text("ascii")))
    return min(limits, default=0)


def physical_memory_bytes() -> int:
    """Memory that the machine has; 0 where the system does not say."""
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def vips_threads() -> int:
    """libvips' threads for one picture: ``VIPS_CONCURRENCY``, or up to four.

    More hold more lines of it and are seldom faster: one inflates a PNG, the others wait.
    """
    given = os.environ.get("VIPS_CONCURRENCY", "")
    return int(given) if given.isdigit() and int(given) else min(4, processors())


def libvips() -> Any:
    """pyvips, without libvips' cache: that keeps the last hundred results, each of which may be a whole picture.

    Raises `UsageError` in a forked process that has none.
    """
    if lacks_libvips():
        cause = "libvips cannot go on in a process that was forked from one that used it"
        raise UsageError(cause, remedy='start processes by multiprocessing.get_context("spawn") or "forkserver"')
    import pyvips

    pyvips.cache_set_max(0)
    pyvips.concurrency_set(vips_threads())
    return pyvips


def opened_by_pillow(file: Any, form: str) -> Any:
    """What Pillow makes of a picture of the format that it calls so, nothing decoded. Raises what its plugin does.

    Not ``Image.open``, which applies a process-wide limit of pixels that is not ours.
    """
    from PIL import Image

    Image.preinit()
    if form not in Image.OPEN:
        Image.init()
    file.seek(0)
    return Image.OPEN[form][0](file, "")


def lacks_libvips() -> bool:
    """Whether this process was forked from one that had loaded libvips, whose threads it would wait for."""
    return _lacks_libvips


_lacks_libvips = False


def _begin_anew() -> None:
    global _lacks_libvips
    _lacks_libvips = "pyvips" in sys.modules


forks.in_child(_begin_anew)


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/upright``, by default ``~/.cache/upright`` (XDG Base Directory Specification 0.8).

    Raises `UsageError` where there is neither.
    """
    return _base("XDG_CACHE_HOME", ".cache") / "upright"


def state_folder() -> Path:
    """``$XDG_STATE_HOME/upright``, by default ``~/.local/state/upright``.

    Raises `UsageError` where there is neither.
    """
    return _base("XDG_STATE_HOME", ".local/state") / "upright"


def _base(variable: str, below_home: str) -> Path:
    base = os.environ.get(variable, "")
    try:
        return Path(base) if base.startswith("/") else Path.home() / below_home
    except RuntimeError:  # a user without a home folder, as in many containers
        remedy = f"set {variable} to the whole path of a folder that can be written"
        raise UsageError("this user has no home folder", remedy=remedy) from None


def processor() -> tuple[str, frozenset[str]]:
    """The processor's name and its instruction sets; the latter are empty where the system does not say."""
    found: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    return found.get("model name") or platform.processor() or "unknown", frozenset(found.get("flags", "").split())


def _groups(controller: str) -> Iterator[Path]:
    """Folders of the control group that limits this process and of those above it, each of which limits it, too."""
    with suppress(OSError, ValueError):
        for line in _OWN_GROUPS.read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            root = _GROUPS / controller if controllers else _GROUPS
            own = root / path.lstrip("/")
            # A container may see its group mounted as the root although the path given is the one on the host.
            yield from (own, *own.parents[: len(own.parts) - len(root.parts)])
