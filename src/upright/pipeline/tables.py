"""Results as a table: CSV or Parquet, one flat row for each picture, written from the results file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import UsageError, WriteFailed

#: Column and type, in order. ``turn`` is empty where upright is unsure or failed.
COLUMNS: dict[str, type] = {
    "source": str,
    "turn": int,
    "best": int,
    "confidence": float,
    "score_0": float,
    "score_90": float,
    "score_180": float,
    "score_270": float,
    "reason": str,
    "promise": str,
    "flow": str,
    "views": int,
    "format": str,
    "width_px": int,
    "height_px": int,
    "exif": int,
    "page": int,
    "pages": int,
    "warnings": str,
    "method": str,
    "target": str,
    "lossless": bool,
    "written": bool,
    "error": str,
    "cause": str,
    "remedy": str,
}
ENDINGS = (".jsonl", ".csv", ".parquet")
_ROWS_AT_ONCE = 10_000


def flat_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `row_to_dict` with one value for each of `COLUMNS`, ``None`` where there is none."""
    values = (
        row | {key: row["correction"][key] for key in ("method", "target", "lossless", "written")}
        if ("correction" in row)
        else dict(row)
    )
    for turn, score in zip((0, 90, 180, 270), row.get("scores", ()), strict=False):
        values[f"score_{turn}"] = score
    if "warnings" in row:
        values["warnings"] = "; ".join(row["warnings"])
    # Names of files may hold bytes that are no text; CSV and Parquet hold text only.
    values["source"] = row["source"].encode("utf-8", "backslashreplace").decode()
    return {name: values.get(name) for name in COLUMNS}


def write_table(rows: Iterable[dict[str, Any]], path: Path) -> int:
    """Write rows of `row_to_dict` to ``path``, CSV or Parquet by its ending, whole or not at all; answers how many.

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
        count = write((flat_row(row) for row in rows), part)
        part.replace(path)
    except OSError as error:
        raise WriteFailed(f"it cannot be written: {error.strerror or error}", source=path) from error
    finally:
        part.unlink(missing_ok=True)
    return count


def arrow_schema() -> Any:
    """The columns as a pyarrow schema. Raises `UsageError` where pyarrow is missing."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow", remedy="pip install 'upright[parquet]'") from error
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
