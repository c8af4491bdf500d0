"""Files that are written whole or not at all: a temporary file beside the target, fsync, rename, fsync of the folder.

A process that is killed leaves at most a file ``.upright-HOST-PROCESS-*.tmp``; the next write into the same folder
removes those of dead processes of this machine. The old file stays whole until the new one takes its name. Drives that
refuse modes, times, locks, links or fsync (CIFS, exFAT, FUSE, NFS) lose these, and no file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath

from .errors import UprightError, WriteFailed, printable

PREFIX, SUFFIX = ".upright-", ".tmp"
#: Errors of drives that cannot do what was asked; others, such as a full disk, are the caller's.
_REFUSED = {errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LEFTOVER_AGE_S = 60.0
_swept: set[Path] = set()


def write(
    target: str,
    pieces: Iterable[bytes],
    *,
    like: str | None = None,
    keep_times: bool = True,
    overwrite: bool = True,
    private: bool = False,
    commit: Callable[[str, str], None] | None = None,
) -> list[str]:
    """Write ``pieces`` to ``target``, through a symbolic link to the file that it names.

    Mode, owner, extended attributes (an ACL among them) and times (where asked) become those of the file ``like``;
    what the system or the drive refuses of it is answered. What is ``private`` is its owner's alone. ``commit`` is
    called with the temporary file and its sha256 right before the rename and may raise to prevent it. Raises
    WriteFailed; the target is then as it was.
    """
    check_file(target)
    real, lost = Path(os.path.realpath(target)), list[str]()
    folder, temporary = real.parent, None
    try:
        sweep(folder)
        # Known before it exists: an interrupt may come the moment that it is made.
        temporary = folder / f"{PREFIX}{_host()}-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
        # What may be private is nobody else's until it has its mode.
        with open(temporary, "xb", opener=_private if like or private else None) as file:
            handle = file.fileno()
            lock(handle)
            digest = hashlib.sha256()
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.flush()
            lost = _dress(handle, like, keep_times)
            sync(handle)
            if commit is not None:
                commit(str(temporary), digest.hexdigest())
            _rename(temporary, real, overwrite)
            temporary = None
        sync_folder(folder)
        return lost
    except UprightError:
        raise
    except FileExistsError:
        raise WriteFailed("another file of this name is there", source=target, remedy="use --overwrite") from None
    except OSError as error:
        raise WriteFailed(
            f"the new file could not be written ({error.strerror or error})",
            source=target,
            remedy="free disk space"
            if error.errno in _NO_ROOM
            else f"check that the folder {str(folder)!r} is writable",
        ) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder for what is to be written, and those that it is in. Raises `WriteFailed`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cause = f"the folder cannot be made ({error.strerror})"
        raise WriteFailed(cause, source=folder, remedy="name another") from None


def check_file(target: str) -> None:
    """Raise `WriteFailed` where a device, a pipe or a folder is there: no file can take its place."""
    with contextlib.suppress(OSError, ValueError):
        if not stat.S_ISREG(Path(target).stat().st_mode):
            raise WriteFailed("what is there is no file", source=target, remedy="name a file; - is standard output")


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
            host, _, rest = entry.name.removeprefix(PREFIX).partition("-")
            process = rest.partition("-")[0]
            if host != _host() or not process.isdecimal() or lives(int(process)):
                continue
            with contextlib.suppress(OSError), Path(entry.path).open("rb") as file:
                # Processes of another container may have the same host's name; then the lock is held, or it is young.
                old = time.time() - entry.stat(follow_symlinks=False).st_ctime > _LEFTOVER_AGE_S
                if old and lock(file.fileno()) is not False:
                    Path(entry.path).unlink()


def _host() -> str:
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def lives(process: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync(handle: int) -> None:
    """fsync, where the drive knows it. Raises OSError for a full or broken one."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise


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


def _dress(handle: int, like: str | None, keep_times: bool) -> list[str]:
    """As ``cp -p``; answers what could not be kept."""
    if like is None:
        return []
    model, lost = Path(like).stat(), []
    if hasattr(os, "fchown"):  # neither is there on Windows
        mode = stat.S_IMODE(model.st_mode)
        try:
            os.fchown(handle, model.st_uid, model.st_gid)
        except OSError:
            now = os.fstat(handle)
            if (now.st_uid, now.st_gid) != (model.st_uid, model.st_gid):
                lost.append("owner")
                mode &= ~(stat.S_ISUID | stat.S_ISGID)  # rights of the old owner, not of the new one
        try:
            os.fchmod(handle, mode)
        except OSError:
            lost += ["mode"] * (stat.S_IMODE(os.fstat(handle).st_mode) != mode)
    lost += ["extended attributes"] * (not _attributes_kept(handle, like))
    if keep_times:
        try:
            os.utime(handle, ns=(model.st_atime_ns, model.st_mtime_ns))
        except OSError:
            lost.append("times")
    return lost


def _attributes_kept(handle: int, like: str) -> bool:
    """Copy the extended attributes; those of the system's own security modules are the system's to set."""
    kept = True
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(like):
                try:
                    os.setxattr(handle, name, os.getxattr(like, name))
                except OSError:
                    kept &= name.startswith(("security.", "trusted."))
    return kept


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
    with contextlib.suppress(OSError):  # the new file is there; a later run sweeps this name of it away
        temporary.unlink()
