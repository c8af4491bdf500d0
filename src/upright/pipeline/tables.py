"""Results as a table: CSV or Parquet, one flat row for each picture, written from the results file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import UsageError, WriteFailed
from ..extras import need
from ..results import COLUMNS, columns

ENDINGS = (".jsonl", ".csv", ".parquet")
_ROWS_AT_ONCE = 10_000


def write_table(rows: Iterable[dict[str, Any]], path: Path) -> int:
    """Write rows of `Outcome.to_dict` to ``path``, CSV or Parquet by its ending, whole or not at all; answers how many.

    Raises:
        UsageError: another ending, or pyarrow is missing.
        WriteFailed: the file cannot be written.
    """
    write = {".csv": _write_csv, ".parquet": _write_parquet}.get(path.suffix.lower())
    if not write:
        raise UsageError(f"results cannot be written as {path.suffix!r}", source=path, remedy="use .csv or .parquet")
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = write((columns(row) for row in rows), part)
        part.replace(path)
    except OSError as error:
        raise WriteFailed(f"it cannot be written: {error.strerror or error}", source=path) from error
    finally:
        part.unlink(missing_ok=True)
    return count


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
