"""Files that a run reads besides pictures (journals, rows, shards) are read or refused, in bounded time and memory.

The first byte says which; the rest is the file. libFuzzer holds each to seconds and megabytes::

    python tests/fuzz/fuzz_files.py --seeds FOLDER
    python tests/fuzz/fuzz_files.py FOLDER -max_total_time=300 -timeout=5 -rss_limit_mb=1024
"""

import contextlib
import json
import tempfile
from pathlib import Path

import atheris
from seeded import main, tars

with atheris.instrument_imports(include=["upright"]):
    from upright.errors import UprightError
    from upright.journal import undo
    from upright.results import Outcome
    from upright.results_file import ResultsFile, read_rows, write_table
    from upright.sources import find_items

FOLDER = Path(tempfile.mkdtemp())
OUTSIDE = Path(__file__)


def journal(data: bytes) -> None:
    before = OUTSIDE.read_bytes()
    path = FOLDER / "journal.jsonl"
    path.write_bytes(data)
    with contextlib.suppress(UprightError):
        assert all(entry.path and entry.outcome for entry in undo(path))
    assert OUTSIDE.read_bytes() == before


def rows(data: bytes) -> None:
    path = FOLDER / "rows.jsonl"
    path.write_bytes(data)
    with contextlib.suppress(UprightError), ResultsFile(path, retry_errors=True) as results:
        assert all(isinstance(key, int) for key in results.done)
    for row in read_rows(path):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            Outcome.from_dict(row)
    with contextlib.suppress(UprightError):
        write_table(read_rows(path), FOLDER / "rows.csv")


def shard(data: bytes) -> None:
    path = FOLDER / "shard.tar"
    path.write_bytes(data)
    with contextlib.suppress(UprightError):
        for item in find_items([str(path)]):
            assert item.error or item.skipped or item.load().error or item.data is not None


KINDS = (journal, rows, shard)


def one(data: bytes) -> None:
    if data:
        KINDS[data[0] % len(KINDS)](data[1:])


def seeds() -> list[bytes]:
    """A small valid file of each kind."""
    intent = {"journal": 1, "step": "intent", "path": str(OUTSIDE), "before": "00" * 32, "after": "11" * 32}
    lines = [intent | {"edits": [[4, "00", "01"]]}, {"journal": 1, "step": "done", "path": "/a", "after": "11" * 32}]
    row = {"source": "a.jpg", "turn": 90, "best": 90, "confidence": 0.9, "scores": [0.1, 0.9, 0, 0], "reason": "sure"}
    row["outcome"] = "would turn"
    error = {"source": "b.jpg", "error": "TooLarge", "cause": "c", "remedy": "r", "outcome": "failed"}
    found = [bytes([kind]) + b"".join(json.dumps(each).encode() + b"\n" for each in content)
             for kind, content in ((0, lines), (1, [row, error]))]  # fmt: skip
    return [*found, *(b"\2" + tar for tar in tars(("a.jpg", "../" + "é" * 90), b"\xff\xd8\xff"))]


if __name__ == "__main__":
    main(one, seeds)
