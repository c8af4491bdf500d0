"""Forked processes: threads and locks of the one that forks do not live on there, so what has some begins anew.

To free what waits for such a thread, or for a lock that it held, would wait for ever.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable
from typing import Protocol


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


def never_freed(thing: object) -> None:
    """Keep an object that a forked process inherited, also when the process ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _begin_anew() -> None:
    for thing in list(_there):
        thing.begin_anew()


in_child(_begin_anew)
