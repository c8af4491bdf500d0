"""Work that may have to be stopped: functions that are called in processes of their own, warm, and killed when late.

A process costs a quarter of a second once, and a call a millisecond for each 3 MB that it hands over. Its memory is
bounded by the system, so that what no header tells (the forms of a PDF) ends it and not this process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from . import forks
from .errors import BrokenPicture
from .limits import Limits
from .machine import processors

#: Beside what a call may take: stacks of threads, and what libraries load.
_SPARE_BYTES = 64 << 20
#: A process is let go of after so many calls; decoders fragment its memory.
_MOST_CALLS = 1_000
#: Seconds after its time in which a process ends itself that its parent has not ended.
_GRACE_S = 5
#: What takes a second gives way to what takes milliseconds.
_NICENESS = 10
#: Whether there can be such processes here.
THERE = sys.platform != "win32"


class Worker:
    """A process that calls one function after the other. For one thread at a time."""

    def __init__(self) -> None:
        self.calls = 0
        #: Whether it has waited since its last call: it may have been ended meanwhile, by whom ever.
        self.has_waited = False
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        code = f"import sys; sys.path[:] = {sys.path!r}; from upright.workers import serve; serve({theirs.fileno()})"
        with theirs:
            # Ctrl-C is for this process, which then ends that one, and what decoders print is for nobody. Not a session
            # of its own: that would have as large a share of the processors as this one, however nice it is.
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        self._pipe = Connection(ours.detach())

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        return not self._pipe.closed and self._process.poll() is None

    def call(
        self,
        place: str,
        *args: Any,
        limits: Limits,
        source: str | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Any:
        """What the function ``module:function`` gives; ``progress`` is called with what it hands to `tell`.

        Raises what that raises, `TooLarge` when it takes longer than the limits allow, and `BrokenPicture` when its
        process ends: a decoder has crashed, or needed more memory than it may.
        """
        self.calls += 1
        has_waited, self.has_waited = self.has_waited, False
        until = time.monotonic() + limits.timeout_s

        def ask() -> tuple[str, Any]:
            self._pipe.send((place, args, limits.timeout_s, int(limits.max_memory_mb * (1 << 20))))
            kind = "told"
            while kind == "told":
                if not self._pipe.poll(max(0.0, until - time.monotonic())):
                    raise limits.too_long(source)
                kind, found = self._pipe.recv()
                if kind == "told" and progress:
                    progress(found)
            return kind, found

        try:
            try:
                kind, found = ask()
            except (EOFError, ConnectionError):
                if not has_waited:
                    raise
                self.close()
                self._start()
                kind, found = ask()
        except (EOFError, ConnectionError):
            self.close()
            raise BrokenPicture(
                f"its decoder crashed, or needed more memory than the limit max_memory_mb of {limits.max_memory_mb:g}",
                source=source,
                remedy="raise it with --max-memory-mb if you trust the file",
            ) from None
        except BaseException:
            self.close()
            raise
        if kind == "failed":
            raise found
        return found

    def close(self) -> None:
        """End it, whatever it does."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()


_idle: list[Worker] = []
_lock = forks.Lock()
forks.in_child(_idle.clear)  # those that there are are its parent's


def take() -> Worker:
    """A process for as long as it is wanted; `give` it back."""
    with _lock:
        while _idle:
            worker = _idle.pop()
            if worker.alive:
                worker.has_waited = True
                return worker
            worker.close()
    return Worker()


def give(worker: Worker) -> None:
    """A process is no longer wanted."""
    with _lock:
        room = len(_idle) < processors()
        if room and worker.alive and worker.calls < _MOST_CALLS:
            _idle.append(worker)
            return
    worker.close()


def call(place: str, *args: Any, limits: Limits) -> Any:
    """`Worker.call` by any of them."""
    worker = take()
    try:
        return worker.call(place, *args, limits=limits)
    finally:
        give(worker)


@atexit.register
def close() -> None:
    """End those that nobody uses."""
    with _lock:
        while _idle:
            _idle.pop().close()


def tell(share: float) -> None:
    """In such a process: how much of a call is done."""
    _pipes[0].send(("told", share))


def bounded() -> bool:
    """Whether this is such a process, whose memory a limit bounds."""
    return bool(_pipes)


#: In such a process: what leads to the one that calls.
_pipes: list[Connection] = []


def serve(descriptor: int) -> None:
    """What such a process does: calls, until nobody is left to call it. Others go first: it yields the processor."""
    os.nice(_NICENESS)
    pipe = Connection(descriptor)
    _pipes.append(pipe)
    threading.Thread(target=_end_with_caller, args=[descriptor], daemon=True).start()
    # What every picture needs is there before the first one.
    import_module("upright.pictures")
    # Its limit of pixels is a process's own; what is called here has limits of memory and time.
    import_module("PIL.Image").__dict__["MAX_IMAGE_PIXELS"] = None
    while True:
        try:
            place, args, timeout_s, memory_bytes = pipe.recv()
        except EOFError:
            return
        signal.alarm(int(timeout_s) + 1 + _GRACE_S)
        _bound(memory_bytes)
        module, _, name = place.partition(":")
        try:
            answer = "done", getattr(import_module(module), name)(*args)
        except Exception as error:
            answer = "failed", error
        _bound(None)
        pipe.send(answer)
        signal.alarm(0)


def _end_with_caller(descriptor: int) -> None:
    """End this process, at work or not, when the one that calls is gone, even killed."""
    caller = select.poll()
    caller.register(descriptor, 0)  # no event but the hang-up
    caller.poll()
    os._exit(1)


def _bound(memory_bytes: int | None) -> None:
    """Let this process have so much more memory than it has; ``None``: any."""
    import resource

    if not _data_bytes():
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = resource.RLIM_INFINITY if memory_bytes is None else _data_bytes() + memory_bytes + _SPARE_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (hard if hard != resource.RLIM_INFINITY and most > hard else most, hard))


def _data_bytes() -> int:
    """Memory that only this process has; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text("ascii").split()[5]) * os.sysconf("SC_PAGE_SIZE")
    return 0
