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
#: What is wrong with a row or a request, and not with the file.
_PASSING = (sqlite3.SQLITE_ABORT, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
#: In the file's head: that it is ours ("UpRi"), and which schema it has; a changed schema gets the next number.
_APPLICATION, _VERSION = 0x55705269, 1
_MARK = (_APPLICATION, _VERSION)


class JobsFile:
    """Safe to share between threads, each of which has its own connection, and between processes of one machine.

    ``trouble`` is why no job can be accepted: the last error since `check` found none.
    """

    def __init__(self, path: str, schema: str, *, max_mb: int) -> None:
        self._path, self._max_mb = Path(path).resolve(), max_mb
        self._local = threading.local()
        self.trouble: UprightError | None = None
        self._identity: tuple[int, int] | None = None
        try:
            self._check_ours(schema)
            mark = f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_VERSION}"
            self._db().executescript(f"BEGIN IMMEDIATE; {schema}; {mark}; COMMIT")
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
            meaning = _meaning(error)
            if _code(error) not in _PASSING:
                self.trouble = meaning
            raise meaning from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that takes the write lock at once, and leaves nothing behind where it fails."""
        with self.reading() as db:
            if self._there() != self._identity:
                self.trouble = _moved()
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
            with contextlib.suppress(FileExistsError):
                self._reserve.open("xb").close()
            if self._reserve.stat().st_size == _RESERVE_BYTES or not self._reserve_is_ours():
                return
            with self._reserve.open("r+b") as file:
                try:
                    os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
                except OSError:
                    file.truncate(0)

    def free_reserve(self) -> bool:
        """Give the reserve back to the disk; whether there was one."""
        with contextlib.suppress(OSError):
            if self._reserve_is_ours() and self._reserve.stat().st_size:
                self._reserve.unlink()
                return True
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

    def _reserve_is_ours(self) -> bool:
        """Whether what lies in its place may be overwritten and deleted: a file of nothing but zeros."""
        if self._reserve.is_symlink() or not self._reserve.is_file() or self._reserve.stat().st_size > _RESERVE_BYTES:
            return False
        return not self._reserve.read_bytes().strip(b"\0")

    def _check_ours(self, schema: str) -> None:
        """Raise `UsageError`, before anything is written, for what is not empty and not ours.

        A file without our mark whose tables are exactly ours was made before there was one.
        """
        path = str(self._path)
        with contextlib.closing(sqlite3.connect(self._path, timeout=_WAIT_S)) as db:
            mark = tuple(db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
            tables = _tables(db)
        if mark[0] == _APPLICATION and mark[1] != _VERSION:
            remedy = "go on with the upright that made it, or give --jobs a new file"
            raise UsageError(f"it is the jobs file of another upright (schema {mark[1]})", source=path, remedy=remedy)
        with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
            fresh.executescript(schema)
            ours = _tables(fresh)
        if mark not in ((0, 0), _MARK) or tables not in (set(), ours):
            remedy = "give --jobs a new file; this one is as it was"
            raise UsageError(
                "it is the database of another program, or of an early upright", source=path, remedy=remedy
            )
        if os.path.lexists(self._reserve) and not self._reserve_is_ours():
            remedy = "move it away, or give --jobs another name"
            raise UsageError("the reserve of the jobs file would overwrite it", source=self._reserve, remedy=remedy)

    def _there(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            if self._identity and self._there() != self._identity:  # SQLite would make a new one, or take another's
                raise _moved()
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


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def _meaning(error: sqlite3.Error) -> UprightError:
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return _full()
    if code in _BUSY:
        return Overloaded("another program has locked the jobs file", retry_after_s=5)
    if code == sqlite3.SQLITE_TOOBIG:
        return BodyTooLarge("SQLite holds no picture over 1,000,000,000 bytes", remedy="send it by another way")
    return JobsUnusable(f"the jobs file cannot be used: {error}", remedy="ask the operator")


def _tables(db: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """Kind, name and text of what a database has."""
    found = db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master")
    return {(kind, name, " ".join(sql.split())) for kind, name, sql in found}


def _moved() -> JobsUnusable:
    return JobsUnusable("the jobs file was moved or deleted", remedy="ask the operator")


def _full() -> StorageFull:
    remedy = "fetch and delete finished jobs; the operator can raise --jobs-mb, or make room on the disk"
    return StorageFull("there is no room for more in the jobs file", remedy=remedy)
