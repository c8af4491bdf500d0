"""The SQLite file of jobs: connections, transactions, room, and what its errors mean to a client."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import Overloaded, UprightError, UsageError
from .problems import BodyTooLarge, JobsUnusable, StorageFull

#: Kept beside the file, and deleted where the disk is full: deleting 2 GB of jobs writes 5 MB to the log first.
_RESERVE_BYTES = 16 << 20
#: With less room than this, jobs are refused soon.
_ROOM_BYTES = 256 << 10
#: How long a transaction waits for another program's.
_WAIT_S = 5.0
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class JobsFile:
    """Safe to share between threads, each of which has its own connection, and between processes of one machine.

    ``trouble`` is why no job can be accepted: the last error since `check` found none.
    """

    def __init__(self, path: str, schema: str, *, max_mb: int) -> None:
        self._path, self._max_mb = Path(path).resolve(), max_mb
        self._local = threading.local()
        self.trouble: UprightError | None = None
        try:
            self._db().executescript(schema)
            self._identity = self._there()
        except (sqlite3.Error, OSError) as error:
            remedy = "give --jobs a file that can be written, or a new one"
            raise UsageError(f"the jobs file cannot be used: {error}", source=path, remedy=remedy) from error
        self.fill_reserve()

    @property
    def folder(self) -> Path:
        """Where uploads may wait: on the disk that will hold them."""
        return self._path.parent

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection of this thread. Raises what `_meaning` says."""
        try:
            yield self._db()
        except sqlite3.Error as error:
            self.trouble = _meaning(error)
            raise self.trouble from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that takes the write lock at once, and leaves nothing behind where it fails."""
        with self.reading() as db:
            if self._there() != self._identity:
                self.trouble = JobsUnusable("the jobs file was moved or deleted", remedy="ask the operator")
                raise self.trouble
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def check(self) -> None:
        """Find out whether jobs can be taken, for ``trouble``."""
        self.trouble = None
        with contextlib.suppress(UprightError), self.writing() as db:
            pages, free, size, most = (
                db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size", "max_page_count")
            )
            if min((most - pages + free) * size, shutil.disk_usage(self.folder).free) < _ROOM_BYTES:
                self.trouble = _full()

    def fill_reserve(self) -> None:
        """Take the reserve, where the disk has room for it."""
        with contextlib.suppress(OSError):
            if self._reserve.exists() and self._reserve.stat().st_size == _RESERVE_BYTES:
                return
            with self._reserve.open("wb") as file:
                try:
                    os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
                except OSError:
                    file.truncate(0)

    def free_reserve(self) -> bool:
        """Give the reserve back to the disk; whether there was one."""
        with contextlib.suppress(OSError):
            had = self._reserve.stat().st_size > 0
            self._reserve.unlink()
            return had
        return False

    def shrink(self) -> None:
        """Give the space of deleted rows back to the disk, 40 MB at a time, so that others write in between."""
        with self.reading() as db:
            before = None
            while before != (free := db.execute("PRAGMA freelist_count").fetchone()[0]) and free:
                before = free
                db.executescript("PRAGMA incremental_vacuum(10000)")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @property
    def _reserve(self) -> Path:
        return self._path.with_name(self._path.name + ".reserve")

    def _there(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table, or never
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA journal_size_limit = 16777216")
            db.execute("PRAGMA synchronous = FULL")  # what was accepted survives a loss of power, too
            db.execute("PRAGMA foreign_keys = ON")
            size = db.execute("PRAGMA page_size").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {max(16, (self._max_mb << 20) // size)}")
            self._local.db = db
        return db


def _meaning(error: sqlite3.Error) -> UprightError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _full()
    if code in _BUSY:
        return Overloaded("another program has locked the jobs file", retry_after_s=5)
    if code == sqlite3.SQLITE_TOOBIG:
        return BodyTooLarge("SQLite holds no picture over 1,000,000,000 bytes", remedy="send it by another way")
    return JobsUnusable(f"the jobs file cannot be used: {error}", remedy="ask the operator")


def _full() -> StorageFull:
    remedy = "fetch and delete finished jobs; the operator can raise --jobs-mb, or make room on the disk"
    return StorageFull("there is no room for more in the jobs file", remedy=remedy)
