"""A page where a person settles what upright is unsure of: by keyboard, without loss, and to be undone.

`Session` holds the pictures and writes what is decided; `decisions` is the file that remembers it; `Server` shows both
to one browser on this machine.
"""

from .decisions import Decision, read_decisions, still_needed
from .server import Server
from .session import Session

__all__ = ["Decision", "Server", "Session", "read_decisions", "still_needed"]
