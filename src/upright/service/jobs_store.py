"""Asynchronous jobs in one SQLite file, which is the whole state: a service that is killed continues where it was.

Each picture of a job is a row. A worker leases rows for a while and renews the lease while it lives; a row whose lease
ran out is leased again with a higher *fence*, and only the holder of the newest fence may commit a result. So every
picture is worked on at least once, and its result is committed exactly once. Picture bytes are in a separate table, so
that counting rows does not read them.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import UprightError
from ..results import Group
from .jobs_file import JobsFile
from .problems import NotHere, Refused, StorageFull, problem

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, ask TEXT NOT NULL, created REAL NOT NULL, finished REAL
);
CREATE TABLE IF NOT EXISTS pictures (
    id INTEGER PRIMARY KEY, job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, number INTEGER NOT NULL,
    name TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'coming', fence INTEGER NOT NULL DEFAULT 0,
    leased_until REAL NOT NULL DEFAULT 0, result TEXT
);
CREATE INDEX IF NOT EXISTS pictures_of_job ON pictures (job, number, state);
CREATE INDEX IF NOT EXISTS pictures_by_state ON pictures (state, id);
CREATE TABLE IF NOT EXISTS blobs (
    picture INTEGER PRIMARY KEY REFERENCES pictures ON DELETE CASCADE, data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS outcomes (
    job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, outcome TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (job, outcome)
);
"""
#: A picture in progress during this many crashes is assumed to cause them.
MAX_TRIES = 10
#: Services that share a file may lease for different times; what ends later than this after a lease is no lease.
_SLACK_S = 60.0
#: How much of a job is written at once, and how long writing all of it may take.
_PART_BYTES, _COMING_S = 16 << 20, 3600.0
#: How much of a file is read at once: small enough for many slow readers, large enough for SQLite, which walks from the
#: file's beginning to each piece.
_PIECE_BYTES = 4 << 20


#: The bytes of a picture, or why it cannot be read.
Data = bytes | UprightError
#: Numbers, names and data of pictures that are written at once.
Part = list[tuple[int, str, Data]]


@dataclass(frozen=True, slots=True, eq=False)
class Leased:
    """A picture that this worker may work on until its lease ends. ``fence`` counts its leases."""

    id: int
    job: str
    name: str
    ask: dict[str, Any]
    fence: int
    data: bytes


class JobsStore(JobsFile):
    """Jobs, their pictures and results. Leases go by a clock that nobody sets; only dates go by the time of day."""

    def __init__(
        self,
        path: str,
        *,
        max_mb: int,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(path, _SCHEMA, max_mb=max_mb)
        self._clock, self._steady = clock, steady

    def add(self, owner: str, ask: dict[str, Any], pictures: Iterable[tuple[str, Data]]) -> str:
        """Accept a job, all of it or nothing; its id. What cannot be read is done. Raises `StorageFull`.

        A large one is written in several transactions, so that others write in between; nobody sees it before its end.
        Of two that ask by the same ``key`` the first to end is accepted, and its id is that of both.
        """
        job, parts = secrets.token_urlsafe(16), _parts(pictures)
        part, following = next(parts, []), next(parts, None)
        try:
            with self.writing() as db:
                row = (job, owner, json.dumps(ask), self._clock())
                db.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, NULL)", row)
                self._insert(db, job, part)
                accepted = job if following else self._accept(db, job, owner, ask)
            while following is not None:
                part, following = following, next(parts, None)
                with self.writing() as db:
                    self._insert(db, job, part)
                    accepted = job if following else self._accept(db, job, owner, ask)
        except BaseException:
            with suppress(UprightError):
                self._delete("id = ?", job)
            raise
        return accepted

    def known(self, owner: str, ask: dict[str, Any]) -> str | None:
        """The job that was accepted by the same ``key``. Raises `Refused` where that asks something else."""
        with self.reading() as db:
            return _known(db, owner, ask)

    def lease(self, count: int, lease_s: float, max_bytes: int = 1 << 40) -> list[Leased]:
        """Up to ``count`` pictures of ``max_bytes`` in all, at least one; those whose worker died come first.

        A lease that ends later than one that begins now is of another boot of the machine: it has run out.
        """
        now = self._steady()
        with self.writing() as db:
            found = db.execute(
                "SELECT id FROM pictures WHERE state = 'leased' AND leased_until NOT BETWEEN ? AND ? LIMIT ?",
                (now, now + lease_s + _SLACK_S, count),
            ).fetchall()
            found += db.execute(
                "SELECT id FROM pictures WHERE state = 'waiting' ORDER BY id LIMIT ?", (count - len(found),)
            ).fetchall()
            leased: list[Leased] = []
            for (picture,) in found:
                (size,) = db.execute("SELECT length(data) FROM blobs WHERE picture = ?", (picture,)).fetchone()
                max_bytes -= size
                if leased and max_bytes < 0:
                    break
                job, name, fence, ask, data = db.execute(
                    "UPDATE pictures SET state = 'leased', leased_until = ?, fence = fence + 1 WHERE id = ?"
                    " RETURNING job, name, fence, (SELECT ask FROM jobs WHERE jobs.id = job),"
                    " (SELECT data FROM blobs WHERE picture = pictures.id)",
                    (now + lease_s, picture),
                ).fetchone()
                leased.append(Leased(picture, job, name, json.loads(ask), fence, data))
            return leased

    def renew(self, held: Iterable[Leased], lease_s: float) -> None:
        """Keep what a worker is at work on."""
        with self.writing() as db:
            until = self._steady() + lease_s
            db.executemany(
                "UPDATE pictures SET leased_until = ? WHERE id = ? AND fence = ? AND state = 'leased'",
                [(until, each.id, each.fence) for each in held],
            )

    def give_back(self, leased: Leased) -> None:
        """Let someone work on a picture later; this try does not count."""
        with self.writing() as db:
            db.execute(
                "UPDATE pictures SET state = 'waiting', leased_until = 0, fence = fence - 1"
                " WHERE id = ? AND fence = ? AND state = 'leased'",
                (leased.id, leased.fence),
            )

    def finish(self, leased: Leased, results: list[dict[str, Any]], corrected: bytes | None) -> bool:
        """Commit the results of a picture's pages, and drop it; ``False`` where another worker holds it, or the job is
        gone."""
        with self.writing() as db:
            done = db.execute(
                "UPDATE pictures SET state = 'done', result = ? WHERE id = ? AND fence = ? AND state = 'leased'",
                (json.dumps(results), leased.id, leased.fence),
            )
            if not done.rowcount:
                return False
            db.executemany(
                "INSERT INTO outcomes VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
                [(leased.job, each["outcome"]) for each in results],
            )
            if corrected is None:
                db.execute("DELETE FROM blobs WHERE picture = ?", (leased.id,))
            else:
                db.execute("UPDATE blobs SET data = ? WHERE picture = ?", (corrected, leased.id))
            self._finish_job(db, leased.job)
            return True

    def _insert(self, db: sqlite3.Connection, job: str, part: Part) -> None:
        """Write a part of a job."""
        for number, name, data in part:
            known = None
            if isinstance(data, UprightError):
                known = json.dumps([problem(data) | {"source": name, "outcome": Group.FAILED.value}])
            row = (job, number, name, known)
            picture = db.execute("INSERT INTO pictures (job, number, name, result) VALUES (?, ?, ?, ?)", row)
            if known is None:
                db.execute("INSERT INTO blobs VALUES (?, ?)", (picture.lastrowid, data))

    def _accept(self, db: sqlite3.Connection, job: str, owner: str, ask: dict[str, Any]) -> str:
        """From now on a job may be seen, unless there is one by its key already; the id of the one that there is."""
        if known := _known(db, owner, ask):
            db.execute("DELETE FROM jobs WHERE id = ?", (job,))
            return known
        db.execute("UPDATE pictures SET state = iif(result IS NULL, 'waiting', 'done') WHERE job = ?", (job,))
        failed = "SELECT job, ?, count(*) FROM pictures WHERE job = ? AND state = 'done' GROUP BY job"
        db.execute(f"INSERT INTO outcomes {failed}", (Group.FAILED.value, job))
        self._finish_job(db, job)
        return job

    def _finish_job(self, db: sqlite3.Connection, job: str) -> None:
        db.execute(
            "UPDATE jobs SET finished = ? WHERE id = ? AND NOT EXISTS"
            " (SELECT 1 FROM pictures WHERE job = jobs.id AND state != 'done')",
            (self._clock(), job),
        )

    def status(self, job: str, owner: str) -> dict[str, Any]:
        """State and counts. Raises `NotHere`, also for jobs of another key."""
        with self.reading() as db:
            row = db.execute(
                "SELECT created, finished, ask FROM jobs WHERE id = ? AND owner = ?", (job, owner)
            ).fetchone()
            counts = dict(db.execute("SELECT state, count(*) FROM pictures WHERE job = ? GROUP BY state", (job,)))
            outcomes = dict(db.execute("SELECT outcome, count FROM outcomes WHERE job = ?", (job,)))
        if row is None:
            raise NotHere("there is no such job", remedy="it may have been deleted, or kept for long enough")
        done = counts.get("done", 0)
        return {
            "id": job,
            "state": "waiting" if row[1] is None and not done else "running" if row[1] is None else "done",
            "pictures": sum(counts.values()),
            "done": done,
            "outcomes": {group.value: outcomes[group.value] for group in Group if group.value in outcomes},
            "created": row[0],
            "finished": row[1],
            "files": bool(json.loads(row[2]).get("correct")),
        }

    def results(self, job: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Number, name and the result of each page of what is done, in order."""
        for some in self._pages("SELECT number, name, result FROM pictures", job, 500):
            for number, name, results in some:
                yield from ((number, name, result) for result in json.loads(results))

    def files(self, job: str) -> Iterator[tuple[int, str, Iterator[bytes]]]:
        """Number, name and the pieces of the corrected file, in order."""
        for page in self._pages(
            "SELECT number, name, picture, length(data) FROM pictures JOIN blobs ON picture = id", job, 500
        ):
            for number, name, picture, size in page:
                yield number, name, self._pieces(picture, size)

    def _pieces(self, picture: int, size: int) -> Iterator[bytes]:
        for at in range(0, size, _PIECE_BYTES):
            with self.reading() as db:
                try:
                    with db.blobopen("blobs", "data", picture, readonly=True) as blob:
                        blob.seek(at)
                        piece = blob.read(_PIECE_BYTES)
                except sqlite3.Error:
                    if db.execute("SELECT 1 FROM blobs WHERE picture = ?", (picture,)).fetchone():
                        raise
                    raise _gone() from None
            yield piece

    def _pages(self, select: str, job: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        after = -1
        text = f"{select} WHERE job = ? AND number > ? AND state = 'done' ORDER BY number LIMIT ?"
        # A page at a time, because a cursor left open by a slow reader would keep the log from being folded in.
        while True:
            with self.reading() as db:
                page = db.execute(text, (job, after, size)).fetchall()
                # Of a job that was deleted meanwhile what was sent is not all, and is not to look so.
                if not page and not db.execute("SELECT 1 FROM jobs WHERE id = ?", (job,)).fetchone():
                    raise _gone()
            if not page:
                return
            yield page
            after = page[-1][0]

    def delete(self, job: str, owner: str) -> None:
        """Forget a job; what is being worked on is thrown away when done. Works on a full disk. Raises `NotHere`."""
        if not self._delete("id = ? AND owner = ?", job, owner):
            raise NotHere("there is no such job", remedy="it may have been deleted already")

    def sweep(self, keep_s: float) -> int:
        """Delete jobs that finished longer ago than that; how many. Takes the reserve again where there is room."""
        swept = self._delete("finished < ?", self._clock() - keep_s)
        # What a service that died while it took a job in has left.
        coming = "created < ? AND EXISTS (SELECT 1 FROM pictures WHERE job = jobs.id AND state = 'coming')"
        self._delete(coming, self._clock() - _COMING_S)
        self.fill_reserve()
        return swept

    def waiting(self) -> int:
        """Pictures that are not done."""
        with self.reading() as db:
            row = db.execute("SELECT count(*) FROM pictures WHERE state IN ('waiting', 'leased')").fetchone()
        return int(row[0])

    def _delete(self, where: str, *values: object) -> int:
        """Delete jobs, with the help of the reserve where need be, and give their space back to the disk."""
        for again in (True, False):
            try:
                with self.writing() as db:
                    deleted = db.execute(f"DELETE FROM jobs WHERE {where}", values).rowcount
                break
            except StorageFull:
                if not again or not self.free_reserve():
                    raise
        if deleted:
            with suppress(UprightError):  # the rows are gone, and the next time may do
                self.shrink()
        return deleted


def _known(db: sqlite3.Connection, owner: str, ask: dict[str, Any]) -> str | None:
    if not (key := ask.get("key")):
        return None
    # Jobs are few, and their pictures are elsewhere: to read all of them takes a millisecond for each thousand.
    seen = "NOT EXISTS (SELECT 1 FROM pictures WHERE job = jobs.id AND state = 'coming')"
    by_key = f"SELECT id, ask FROM jobs WHERE owner = ? AND json_extract(ask, '$.key') = ? AND {seen}"
    if (found := db.execute(by_key, (owner, key)).fetchone()) is None:
        return None
    job, asked = found
    if json.loads(asked) != ask:
        raise Refused("the job of this Idempotency-Key asks something else", remedy="give each job a key of its own")
    return str(job)


def _gone() -> NotHere:
    return NotHere("the job was deleted meanwhile", remedy="send it again")


def _parts(pictures: Iterable[tuple[str, Data]]) -> Iterator[Part]:
    """Numbered pictures of at least `_PART_BYTES` together, the last ones of fewer."""
    part, size = [], 0
    for number, (name, data) in enumerate(pictures):
        part.append((number, name, data))
        size += len(data) if isinstance(data, bytes) else 0
        if size >= _PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
