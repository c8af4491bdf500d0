"""Writes the tables that follow from the program, and those that were measured, into the pages of this folder.

    python docs/tables.py              # what follows from the program, between <!-- table: NAME --> and <!-- end -->
    python docs/tables.py --check      # says which pages are stale, and ends with 1
    python docs/tables.py --measured   # what the programs of bench/ left in bench/out, too

A measured table begins with ``<!-- measured: FILE/KEY | CELL | CELL … -->`` and its two lines of heads. ``FILE/KEY`` is
where its rows are: a list, or an object whose keys are the ``{name}`` of the rows. A cell is a format string of a row's
values; ``{of_first[KEY]}`` is a value over that of the first row. A file that is not there leaves its tables alone.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from upright.formats import FORMATS
from upright.model import load_model
from upright.results import Promise

HERE = Path(__file__).parent
OUT = HERE.parent / "bench" / "out"
PAGES = (*HERE.rglob("*.md"), HERE.parent / "README.md")
_TAGS = {"exif": "EXIF tag", "irot": "`irot`", "codestream": "in its header", "rotate": "/Rotate"}
_BESIDE = {"raw": "always", "rotate": ""}


def formats() -> Iterator[str]:
    """One line for each format."""
    yield "| format | files | read by | tag | turn | re-encoded | sidecar | several |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in FORMATS.values():
        cells = (
            row.name,
            " ".join(f"`{suffix}`" for suffix in row.suffixes.split()),
            row.decoder + (f" (extra `{row.extra}`)" if row.extra else ""),
            ", ".join(_TAGS[carrier] for carrier in row.carriers if carrier in _TAGS),
            "yes" * bool(row.turner),
            "yes" * row.written,
            next((_BESIDE[carrier] for carrier in row.carriers if carrier in _BESIDE), "yes"),
            row.holds,
        )
        yield f"| {' | '.join(cell or 'no' for cell in cells)} |"


def promises() -> Iterator[str]:
    """What the default model keeps at the default effort, by kind of picture."""
    yield "| promise | pictures | answered | turns made that are right | upright pictures turned wrongly |"
    yield "|---|---|---|---|---|"
    for promise in Promise:
        for kind, measured in load_model().metrics["climb"].items():
            yield _promise(promise, measured, kind)


def promise() -> Iterator[str]:
    """The same of all kinds together."""
    yield "| promise | answered | turns made that are right | upright pictures turned wrongly |"
    yield "|---|---|---|---|"
    for promise in Promise:
        yield _promise(promise, load_model().metrics["climb"]["all"])


def _promise(promise: Promise, measured: dict[str, Any], *cells: str) -> str:
    row = measured[promise]
    least, most = row["spoilt_interval"]
    right = "none made" if row["turns_right"] is None else _percent(row["turns_right"])
    spoilt = f"{_percent(row['spoilt'])} ({100 * least:.1f}–{100 * most:.1f})"
    return f"| {' | '.join((f'`--{promise.value}`', *cells, _percent(row['coverage']), right, spoilt))} |"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def with_tables(text: str) -> str:
    """A page with what stands between its marks written anew."""
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: found[1] + "\n".join(globals()[found[2]]()) + "\n" + found[3],
        text,
        flags=re.DOTALL,
    )


def with_measured(text: str, folder: Path) -> str:
    """A page with the rows of its measured tables from the files of ``folder``, where they are there."""

    def rows(found: re.Match[str]) -> str:
        file, *keys = found["place"].split("/")
        if not (folder / file).exists():
            return found[0]
        rows = json.loads((folder / file).read_text("utf-8"))
        for key in keys:
            rows = rows[key]
        return found["head"] + "".join(f"|{line} |\n" for line in _measured(rows, found["cells"])) + found["end"]

    mark = (
        r"(?P<head><!-- measured: (?P<place>[^|]+?) \|(?P<cells>.*?) -->\n\|.*\n\|.*\n)(?:\|.*\n)*(?P<end><!-- end -->)"
    )
    return re.sub(mark, rows, text)


def _measured(rows: Any, cells: str) -> Iterator[str]:
    named = rows if isinstance(rows, dict) else dict(enumerate(rows))
    first = next(iter(named.values()))
    for name, row in named.items():
        of_first = {key: row[key] / first[key] for key in row if isinstance(row[key], float) and first.get(key)}
        yield cells.format(name=name, of_first=of_first, **row)


def main() -> None:
    """Write the pages, or say which are stale."""
    stale = {}
    for page in PAGES:
        old = page.read_text("utf-8")
        new = with_tables(old)
        if "--measured" in sys.argv:
            new = with_measured(new, OUT)
        if new != old:
            stale[page] = new
    if "--check" in sys.argv:
        sys.exit(f"run python docs/tables.py: {', '.join(page.name for page in stale)}" if stale else 0)
    for page, new in stale.items():
        page.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
