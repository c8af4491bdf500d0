"""Forked processes: threads and locks of the one that forks do not live on there, so what has some begins anew.

To free what waits for such a thread, or for a lock that it held, would wait for ever.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

Thing = TypeVar("Thing")


class BeginsAnew(Protocol):
    """What has threads or locks."""

    def begin_anew(self) -> None:
        """Called in each forked process before anything else happens there."""
        ...


_there: weakref.WeakSet[BeginsAnew] = weakref.WeakSet()


def watch(thing: BeginsAnew) -> None:
    """Have it begin anew in processes that are forked from this one, for as long as it lives."""
    _there.add(thing)


def in_child(call: Callable[[], object]) -> None:
    """Call a function in each process that is forked from this one."""
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=call)


class Lock:
    """A lock that is free in a forked process: whoever holds it does not live on there."""

    def __init__(self) -> None:
        self.begin_anew()
        watch(self)

    def begin_anew(self) -> None:
        """Nobody has it."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()


class Own(Generic[Thing]):
    """What ``open`` gives, with threads of its own: a forked process gets another, opened at the first use."""

    def __init__(self, open: Callable[[], Thing]) -> None:
        self._open, self._opening = open, Lock()
        self._there: Thing | None = open()
        self._forked = False
        watch(self)

    def get(self) -> Thing:
        """That of this process; not to be asked for once it is closed."""
        if self._forked:
            with self._opening:
                if self._forked:
                    self._there, self._forked = self._open(), False
        assert self._there is not None, "it is closed"
        return self._there

    def close(self) -> None:
        """Let go of it."""
        self._there, self._forked = None, False

    def begin_anew(self) -> None:
        """Keep the parent's, also when this process ends: to free it would wait for threads that are not here."""
        if self._there is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._there))
            self._there, self._forked = None, True


def _begin_anew() -> None:
    for thing in list(_there):
        thing.begin_anew()


in_child(_begin_anew)
