"""Files that are written whole or not at all: a temporary file beside the target, fsync, rename, fsync of the folder.

A process that is killed leaves at most a file ``.upright-*.tmp``; the next write into the same folder removes those
that nobody holds a lock on. The old file stays whole until the new one takes its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath

from .errors import UprightError, WriteFailed, printable

PREFIX, SUFFIX = ".upright-", ".tmp"
_LEFTOVER_AGE_S = 60.0
_swept: set[Path] = set()


def write(
    target: str,
    pieces: Iterable[bytes],
    *,
    like: str | None = None,
    keep_times: bool = True,
    overwrite: bool = True,
    commit: Callable[[str, str], None] | None = None,
) -> None:
    """Write ``pieces`` to ``target``, through a symbolic link to the file that it names.

    Mode, owner and extended attributes (where permitted) and times (where asked) become those of the file ``like``.
    ``commit`` is called with the temporary file and its sha256 right before the rename and may raise to prevent it.
    Raises WriteFailed; the target is then as it was.
    """
    real = Path(os.path.realpath(target))
    folder, temporary = real.parent, None
    try:
        sweep(folder)
        # Known before it exists: an interrupt may come the moment that it is made.
        temporary = folder / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
        with temporary.open("xb") as file:
            handle = file.fileno()
            lock(handle)
            digest = hashlib.sha256()
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.flush()
            _dress(handle, like, keep_times)
            os.fsync(handle)
            if commit is not None:
                commit(str(temporary), digest.hexdigest())
            _rename(temporary, real, overwrite)
            temporary = None
        sync_folder(folder)
    except UprightError:
        raise
    except FileExistsError:
        raise WriteFailed("another file of this name is there", source=target, remedy="use --overwrite") from None
    except OSError as error:
        raise WriteFailed(
            f"the new file could not be written ({error.strerror or error}); nothing was changed",
            source=target,
            remedy=f"free disk space and check that the folder {str(folder)!r} is writable",
        ) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def below(folder: Path, name: PurePath) -> Path:
    """The place of a name from elsewhere (a shard, a store, a request) below a folder.

    Raises `WriteFailed` where it leads out of the folder.
    """
    if name.is_absolute() or ".." in name.parts or "\0" in str(name) or not name.parts:
        raise WriteFailed(f"its name {printable(name)!r} leads out of {str(folder)!r}", remedy="give it another name")
    return folder / name


def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder; looked for once in a process."""
    if folder in _swept:
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX)):
                continue
            with contextlib.suppress(OSError), Path(entry.path).open("rb") as file:
                # A file is a moment old before its writer has locked it.
                if time.time() - entry.stat(follow_symlinks=False).st_ctime > _LEFTOVER_AGE_S and lock(file.fileno()):
                    Path(entry.path).unlink()


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def lock(handle: int, *, wait: bool = False) -> bool | None:
    """Lock an open file for this process alone until it is closed: False where another holds it, unless that is waited
    for; None where the system or the file's disk has no such locks."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def _dress(handle: int, like: str | None, keep_times: bool) -> None:
    if like is None:
        return
    model = Path(like).stat()
    if hasattr(os, "fchown"):  # neither is there on Windows
        with contextlib.suppress(OSError):
            os.fchown(handle, model.st_uid, model.st_gid)
        os.fchmod(handle, model.st_mode & 0o7777)
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(like):
                with contextlib.suppress(OSError):
                    os.setxattr(handle, name, os.getxattr(like, name))
    if keep_times:
        os.utime(handle, ns=(model.st_atime_ns, model.st_mtime_ns))


def _rename(temporary: Path, real: Path, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(real)
        return
    try:
        real.hardlink_to(temporary)  # unlike a rename, fails where the name is taken
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(real):
            raise FileExistsError from None
        temporary.replace(real)
        return
    temporary.unlink()
