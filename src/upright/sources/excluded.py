"""What is passed over, picture or not: what ``--exclude`` and ``.uprightignore`` name, and folders of programs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ..errors import UsageError

IGNORE_FILE = ".uprightignore"
#: Folders in which NAS systems, desktops and Windows keep thumbnails, snapshots and what was deleted.
_OF_PROGRAMS = {"@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found"}


@dataclass(frozen=True, slots=True)
class Excluded:
    """Patterns: one without a slash is for any name on the way, one with a slash for the path below ``folder``.

    ``*`` stands for any characters, ``?`` for one, ``[a-c]`` for one of these. ``output`` is the folder that corrected
    pictures are written into: another run would correct them again.
    """

    patterns: Sequence[str]
    folder: str = ""
    output: str | None = None

    def matches(self, relative: str) -> bool:
        """Whether a path below the folder is excluded."""
        names = PurePosixPath(relative).parts
        for pattern in self.patterns:
            if "/" in pattern:
                wanted = pattern.strip("/")
                if fnmatchcase(relative, wanted) or fnmatchcase(relative, f"{wanted}/*"):
                    return True
            elif any(fnmatchcase(name, pattern) for name in names):
                return True
        return False

    def is_output(self, path: str) -> bool:
        """Whether a folder is the one that is written into."""
        return self.output is not None and os.path.realpath(path) == self.output


def folder_of_a_program(name: str) -> str:
    """Why a folder of this name is passed over, or an empty reason."""
    if name in _OF_PROGRAMS:
        return "a folder of another program"
    return "a hidden folder" if name.startswith(".") else ""


def lines_of(text: str) -> list[str]:
    """The lines of a file of names; unlike with `str.splitlines`, a name may have U+2028 and other ends of lines."""
    return text.replace("\r\n", "\n").split("\n")


def ignored_in(folder: str) -> Excluded | None:
    """The patterns of a folder's ``.uprightignore``: one a line, a line that begins with # is a remark."""
    path = Path(folder, IGNORE_FILE)
    try:
        text = os.fsdecode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        cause = f"cannot be read ({error.strerror}), so it is not known what to leave alone"
        raise UsageError(cause, source=path, remedy="make it readable, or remove it") from None
    lines = (line.strip(" \t").removesuffix("/") for line in lines_of(text.removeprefix("\ufeff")))
    return Excluded([line for line in lines if line and not line.startswith("#")], folder)
