"""The results file is the journal of a run: one JSON line for each picture, appended as soon as it is known.

From it a table is written: CSV or Parquet, one row for each picture.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from . import atomic
from .errors import MALFORMED, JournalError, UprightError, UsageError, WriteFailed, printable
from .extras import need
from .journal import Intent, Journal, Rows, read_intended, sha256, taken_back
from .results import COLUMNS, Group, Outcome, columns
from .sources import key_hash

#: Every row begins so; a file that does not is never written to.
_BEGINNING = b'{"source":'
ENDINGS = (".jsonl", ".csv", ".parquet")
_ROWS_AT_ONCE = 10_000

#: A power cut loses at most this many seconds of rows; the next run redoes them.
FSYNC_EVERY_S = 5.0


class ResultsFile:
    """Rows in ``path``, locked against a second run.

    A line that a killed run left incomplete is cut off, and the rows that it owes for files that it changed
    (`note_in`) are taken from its journal. ``source`` of every whole line counts as done; of each key only a hash of 64
    bits is kept, about 100 bytes of memory. ``groups`` counts what earlier runs did, ``targets`` has the hashes of the
    files that they wrote.

    Args:
        path: the file; made with its folder where it is missing.
        retry_errors: forget rows with errors, so that their pictures are tried again.
        refused: says of a row why it does not count as done for this run, or nothing.

    Raises:
        UsageError: another run works on it, it is not a results file, or a row of it is refused.
        WriteFailed: it cannot be opened or written.
        JournalError: the journal of a killed run cannot be read.
    """

    def __init__(
        self, path: Path, *, retry_errors: bool = False, refused: Callable[[dict[str, Any]], str] = lambda row: ""
    ) -> None:
        self.path, self._refused, self._held = path, refused, list[bytes]()
        self._synced = time.monotonic()
        real = Path(os.path.realpath(path))
        #: Names the journal that this run's changes are in; gone once they all have their rows.
        self._under_way = real.with_name(f".{real.name}.journal")
        try:
            if not real.exists():  # rows of another file of this name
                self._under_way.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _failed(path, error) from error
        try:
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                raise UsageError("no regular file", source=path, remedy="name another output")
            if atomic.lock(self._fd) is False:
                remedy = "wait for it, or name another output"
                raise UsageError("another run is writing these results", source=path, remedy=remedy)
            # Read to its end first: what is no results file is left as it is.
            self._end = self._read_done()
            if retry_errors:
                self._forget_errors()
                self._end = self._read_done()
            if self._take_owed():
                self._end = self._read_done()
        except BaseException:
            os.close(self._fd)
            raise

    def append(self, outcome: Outcome) -> None:
        """Write one row, or the rows of a file's pages when the last one comes.

        What could be written only in part is taken back. Raises `WriteFailed`.
        """
        self._held.append(_line(outcome.to_dict()))
        if outcome.last:
            self._write(b"".join(self._held))
            self._held.clear()
            self.done.add(key_hash(outcome.source))

    def note_in(self, journal: Journal) -> None:
        """Files are changed in place now: what has no row yet when this run is killed is in that journal.

        Raises `WriteFailed`.
        """
        journal.run = os.urandom(8).hex()
        atomic.write(str(self._under_way), [_line({"journal": str(journal.path), "run": journal.run})])

    def _write(self, line: bytes) -> None:
        try:
            written = os.pwrite(self._fd, line, self._end)
            if written < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if time.monotonic() - self._synced > FSYNC_EVERY_S:
                os.fsync(self._fd)
                self._synced = time.monotonic()
        except OSError as error:
            os.ftruncate(self._fd, self._end)
            raise _failed(self.path, error) from error
        self._end += len(line)

    def __contains__(self, key: str) -> bool:
        return key_hash(key) in self.done

    def close(self) -> None:
        """Flush everything to disk and release the lock."""
        try:
            os.fsync(self._fd)
        finally:
            os.close(self._fd)

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self.close()
        if error is None:
            self._under_way.unlink(missing_ok=True)

    def _read_done(self) -> int:
        """Read the whole lines and cut off an incomplete one; returns where the next line goes."""
        end = 0
        self.done: set[int] = set()
        self.targets: set[int] = set()
        self.groups: Counter[Group] = Counter()
        with open(os.dup(self._fd), "rb") as file:  # noqa: PTH123 -- the locked file, not another one of that name
            file.seek(0)
            for number, line in enumerate(file, 1):
                row = _parsed(line)
                if row is None and (line.endswith(b"\n") or line[: len(_BEGINNING)] != _BEGINNING[: len(line)]):
                    raise UsageError(
                        f"line {number} is not a row of results", source=self.path, remedy="name another output"
                    )
                if row is None:
                    break
                if why := self._refused(row):
                    cause = f"line {number} is of a run of another kind: {why}"
                    raise UsageError(cause, source=self.path, remedy="name another output")
                end += len(line)
                self.done.add(key_hash(row["source"]))
                self.groups[Group(row["outcome"])] += 1
                if target := row.get("correction", {}).get("target"):
                    self.targets.add(key_hash(target))
        os.ftruncate(self._fd, end)
        return end

    def _take_owed(self) -> bool:
        """Append the rows that a killed run owes; whether there may be any."""
        place = self._under_way
        try:
            named = json.loads(place.read_bytes())
            journal, run = Path(named["journal"]), str(named["run"])
            # It is made with the first change.
            intended = read_intended(journal, run) if journal.exists() else ()
            owed: dict[str, tuple[Rows, list[Intent]]] = {}
            for intent, rows in intended:
                if rows[0]["source"] not in self:
                    owed.setdefault(rows[0]["source"], (rows, []))[1].append(intent)
            self._write(b"".join(_line(row) for each in owed.values() for row in _owed(*each, journal)))
            os.fsync(self._fd)
        except FileNotFoundError:
            return False
        except (UprightError, *MALFORMED) as error:
            cause = f"what a killed run changed cannot be read ({error})"
            remedy = f"look at what it turned by `upright undo --list`, and remove {printable(place)} to go on without"
            raise JournalError(cause, source=place, remedy=remedy) from None
        except OSError as error:
            raise _failed(place, error) from error
        return True

    def _forget_errors(self) -> None:
        """Put a file without the rows with errors in this one's place; the lock is held on one of them throughout."""
        real, part = _real_and_part(self.path)
        with part.open("w+b") as fresh:
            atomic.lock(fresh.fileno(), wait=True)
            _keep_mode(part, real)
            for row in read_rows(self.path):
                if "error" not in row:
                    fresh.write(_line(row))
            fresh.flush()
            os.fsync(fresh.fileno())
            part.replace(real)
            os.close(self._fd)
            # A lock belongs to the open file: the duplicate keeps it when ``fresh`` is closed.
            self._fd = os.dup(fresh.fileno())


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The whole rows of a results file, one after the other."""
    with path.open("rb") as file:
        for line in file:
            if (row := _parsed(line)) is not None:
                yield row


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """The same as outcomes. Raises `UsageError` for a row that is none."""
    for row in read_rows(path):
        try:
            outcome = Outcome.from_dict(row)
        except (UprightError, *MALFORMED) as error:
            raise _damaged(path, error) from error
        yield outcome


def _owed(rows: Rows, intents: Sequence[Intent], journal: Path) -> Rows:
    """The rows of a picture that a killed run meant to change, by what its files are now; none where it did not.

    A picture and its sidecar are changed both or none: what was changed of the two alone is taken back.
    """
    now = [_content(intent.path) for intent in intents]
    done = [intent for intent, content in zip(intents, now, strict=True) if content == intent.after]
    if len(done) == len(intents):
        return [Outcome.from_dict(row).to_dict() for row in rows]
    if all(each in done or content in (each.before, None) for each, content in zip(intents, now, strict=True)):
        for each in done:
            taken_back(each, journal)
        return ()
    cause = "a run was killed while it set it right, and it was changed since: whether it was turned is not known"
    error = JournalError(cause, remedy="look at it; --retry-errors has it turned by the next run")
    return [Outcome(rows[0]["source"], error=error).to_dict()]


def _content(path: str) -> str | None:
    """The sha256 of a file; ``None`` where there is none, nothing where it cannot be read."""
    try:
        return sha256(path)
    except FileNotFoundError:
        return None
    except OSError:
        return ""


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
        # Surrogates that are no bytes of a name are nobody's, and rows without an outcome another program's.
        os.fsencode(row["source"]), Group(row["outcome"])
        os.fsencode(row.get("correction", {}).get("target", ""))
    except MALFORMED:
        return None
    return row if line.endswith(b"\n") and isinstance(row, dict) else None


def _damaged(path: Path, error: Exception) -> UsageError:
    cause = f"a row of the results is damaged ({error!r})"
    return UsageError(cause, source=path, remedy="remove its line from the results file, and run it again")


def _failed(path: Path, error: OSError) -> WriteFailed:
    room = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    mended = "make room" if room else "name another output, or make its folder writable"
    remedy = f"{mended}, then run the same command again to go on"
    return WriteFailed(f"results cannot be written: {error.strerror}", source=path, remedy=remedy)


def write_table(rows: Iterable[dict[str, Any]], path: Path) -> int:
    """Write rows of `Outcome.to_dict` to ``path``, CSV or Parquet by its ending, whole or not at all; answers how many.

    Raises:
        UsageError: another ending.
        ExtraMissing: pyarrow is missing.
        WriteFailed: the file cannot be written.
    """
    write = {".csv": _write_csv, ".parquet": _write_parquet}.get(path.suffix.lower())
    if not write:
        raise UsageError(f"results cannot be written as {path.suffix!r}", source=path, remedy="use .csv or .parquet")
    real, part = _real_and_part(path)
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        _keep_mode(part, real)
        count = write((columns(row) for row in rows), part)
        part.replace(real)
    except OSError as error:
        raise WriteFailed(f"cannot be written: {error.strerror or error}", source=path) from error
    except MALFORMED as error:
        raise _damaged(path, error) from error
    finally:
        part.unlink(missing_ok=True)
    return count


def _real_and_part(path: Path) -> tuple[Path, Path]:
    """The file itself, which ``path`` may be a link to, and the one beside it that is to take its place."""
    real = Path(os.path.realpath(path))
    return real, real.with_name(f".{real.name}.part")


def _keep_mode(part: Path, real: Path) -> None:
    with suppress(OSError):  # there is none yet, or its drive has no modes
        part.chmod(stat.S_IMODE(real.stat().st_mode) | stat.S_IRUSR | stat.S_IWUSR)


def arrow_schema() -> Any:
    """The columns as a pyarrow schema. Raises `ExtraMissing` where pyarrow is missing."""
    pa = need("pyarrow", "parquet")
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])


def _write_csv(rows: Iterator[dict[str, Any]], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        for count, row in enumerate(rows, 1):  # noqa: B007 -- the number of the last row is the count
            writer.writerow(row)
    return count


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path) -> int:
    schema = arrow_schema()
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        while chunk := list(islice(rows, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(chunk, schema))
            count += len(chunk)
    return count
