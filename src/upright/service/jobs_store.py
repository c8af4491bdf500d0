"""Asynchronous jobs in one SQLite file, which is the whole state: a service that is killed goes on where it was.

Each picture of a job is a row. A worker leases rows for a while and renews the lease while it lives; a row whose lease
ran out is leased again with a higher *fence*, and only who holds the newest fence may commit a result. So every picture
is worked on at least once, and its result is committed exactly once. Picture bytes lie in a table of their own, so that
counting rows does not read them.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .problems import NotHere, StorageFull

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, ask TEXT NOT NULL, created REAL NOT NULL,
    ready INTEGER NOT NULL DEFAULT 0, finished REAL
);
CREATE TABLE IF NOT EXISTS pictures (
    id INTEGER PRIMARY KEY, job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, number INTEGER NOT NULL,
    name TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', fence INTEGER NOT NULL DEFAULT 0,
    leased_until REAL NOT NULL DEFAULT 0, result TEXT
);
CREATE INDEX IF NOT EXISTS pictures_of_job ON pictures (job, number, state);
CREATE INDEX IF NOT EXISTS pictures_open ON pictures (leased_until, id) WHERE state IN ('waiting', 'leased');
CREATE TABLE IF NOT EXISTS blobs (
    picture INTEGER PRIMARY KEY REFERENCES pictures ON DELETE CASCADE, data BLOB NOT NULL
);
"""
#: A picture that was being worked on each time when so many services died is taken to be what kills them.
MAX_TRIES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Leased:
    """A picture that this worker may work on until its lease ends. ``fence`` counts its leases."""

    id: int
    job: str
    name: str
    ask: dict[str, Any]
    fence: int
    data: bytes


class JobsStore:
    """The SQLite file. Safe to share between threads, and the file between processes of one machine."""

    def __init__(self, path: str, *, max_mb: int, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._local = threading.local()
        self._max_mb = max_mb
        try:
            self._db().executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise UsageError(f"the jobs file cannot be used: {error}", source=path, remedy="check --jobs") from error

    @property
    def folder(self) -> Path:
        """Where uploads may wait: on the disk that will hold them."""
        return Path(self._path).resolve().parent

    def add(self, owner: str, ask: dict[str, Any], pictures: Iterable[tuple[str, bytes]]) -> str:
        """Accept a job, all of it or nothing; its id. Raises `StorageFull`."""
        job = secrets.token_urlsafe(16)
        with self._writing() as db:
            db.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, 1, NULL)", (job, owner, json.dumps(ask), self._clock()))
            for number, (name, data) in enumerate(pictures):
                row = db.execute("INSERT INTO pictures (job, number, name) VALUES (?, ?, ?)", (job, number, name))
                db.execute("INSERT INTO blobs VALUES (?, ?)", (row.lastrowid, data))
        return job

    def lease(self, count: int, lease_s: float) -> list[Leased]:
        """Up to ``count`` pictures, oldest first; those whose worker died come before new ones."""
        now = self._clock()
        with self._writing() as db:
            rows = db.execute(
                "UPDATE pictures SET state = 'leased', leased_until = ?, fence = fence + 1 WHERE id IN "
                "(SELECT id FROM pictures WHERE state IN ('waiting', 'leased') AND leased_until < ?"
                " ORDER BY state = 'waiting', id LIMIT ?) RETURNING id, job, name, fence",
                (now + lease_s, now, count),
            ).fetchall()
            return [
                Leased(
                    id, job, name,
                    json.loads(db.execute("SELECT ask FROM jobs WHERE id = ?", (job,)).fetchone()[0]),
                    fence,
                    db.execute("SELECT data FROM blobs WHERE picture = ?", (id,)).fetchone()[0],
                )
                for id, job, name, fence in rows
            ]  # fmt: skip

    def renew(self, held: Iterable[Leased], lease_s: float) -> None:
        """Keep what a worker is at work on."""
        with self._writing() as db:
            until = self._clock() + lease_s
            db.executemany(
                "UPDATE pictures SET leased_until = ? WHERE id = ? AND fence = ? AND state = 'leased'",
                [(until, each.id, each.fence) for each in held],
            )

    def give_back(self, leased: Leased) -> None:
        """Let someone work on a picture later; this try does not count."""
        with self._writing() as db:
            db.execute(
                "UPDATE pictures SET state = 'waiting', leased_until = 0, fence = fence - 1"
                " WHERE id = ? AND fence = ? AND state = 'leased'",
                (leased.id, leased.fence),
            )

    def finish(self, leased: Leased, result: dict[str, Any], corrected: bytes | None) -> bool:
        """Commit a result and drop the picture; ``False`` where another worker holds it now, or the job is gone."""
        with self._writing() as db:
            done = db.execute(
                "UPDATE pictures SET state = 'done', result = ? WHERE id = ? AND fence = ? AND state = 'leased'",
                (json.dumps(result), leased.id, leased.fence),
            )
            if not done.rowcount:
                return False
            if corrected is None:
                db.execute("DELETE FROM blobs WHERE picture = ?", (leased.id,))
            else:
                db.execute("UPDATE blobs SET data = ? WHERE picture = ?", (corrected, leased.id))
            db.execute(
                "UPDATE jobs SET finished = ? WHERE id = ? AND NOT EXISTS"
                " (SELECT 1 FROM pictures WHERE job = jobs.id AND state != 'done')",
                (self._clock(), leased.job),
            )
            return True

    def status(self, job: str, owner: str) -> dict[str, Any]:
        """State and counts. Raises `NotHere`, also for jobs of another key."""
        db = self._db()
        row = db.execute("SELECT created, finished, ask FROM jobs WHERE id = ? AND owner = ?", (job, owner)).fetchone()
        if row is None:
            raise NotHere("there is no such job", remedy="it may have been deleted, or kept for long enough")
        counts = dict(db.execute("SELECT state, count(*) FROM pictures WHERE job = ? GROUP BY state", (job,)))
        done = counts.get("done", 0)
        return {
            "id": job,
            "state": "waiting" if row[1] is None and not done else "running" if row[1] is None else "done",
            "pictures": sum(counts.values()),
            "done": done,
            "created": row[0],
            "finished": row[1],
            "files": bool(json.loads(row[2]).get("correct")),
        }

    def results(self, job: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Number, name and result of what is done, in order."""
        for page in self._pages("SELECT number, name, result FROM pictures", job, 500):
            yield from ((number, name, json.loads(result)) for number, name, result in page)

    def files(self, job: str) -> Iterator[tuple[int, str, bytes]]:
        """Number, name and corrected bytes, in order, one at a time."""
        for page in self._pages("SELECT number, name, data FROM pictures JOIN blobs ON picture = id", job, 1):
            yield from page

    def _pages(self, select: str, job: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        after = -1
        text = f"{select} WHERE job = ? AND number > ? AND state = 'done' ORDER BY number LIMIT ?"
        # A page at a time, because a cursor left open by a slow reader would keep the log from being folded in.
        while page := self._db().execute(text, (job, after, size)).fetchall():
            yield page
            after = page[-1][0]

    def delete(self, job: str, owner: str) -> None:
        """Forget a job; what is being worked on is thrown away when done. Raises `NotHere`."""
        with self._writing() as db:
            if not db.execute("DELETE FROM jobs WHERE id = ? AND owner = ?", (job, owner)).rowcount:
                raise NotHere("there is no such job", remedy="it may have been deleted already")

    def sweep(self, keep_s: float) -> int:
        """Delete jobs that finished longer ago than that; how many."""
        with self._writing() as db:
            return db.execute("DELETE FROM jobs WHERE finished < ?", (self._clock() - keep_s,)).rowcount

    def waiting(self) -> int:
        """Pictures that are not done."""
        row = self._db().execute("SELECT count(*) FROM pictures WHERE state IN ('waiting', 'leased')").fetchone()
        return int(row[0])

    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")  # what was accepted survives a loss of power, too
            db.execute("PRAGMA foreign_keys = ON")
            size = db.execute("PRAGMA page_size").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {max(16, (self._max_mb << 20) // size)}")
        return db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that takes the write lock at once, and leaves nothing behind where it fails."""
        db = self._db()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StorageFull(
                    "there is no room for it", remedy="fetch and delete finished jobs, or raise --jobs-mb"
                ) from error
            raise
