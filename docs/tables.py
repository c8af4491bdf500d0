"""Writes the tables that follow from the program into the pages of this folder: ``python docs/tables.py [--check]``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from upright.decide import DEFAULT_EFFORT
from upright.formats import FORMATS
from upright.model import load_model
from upright.results import Promise
from upright.steps import LADDER

HERE = Path(__file__).parent
PAGES = (*HERE.rglob("*.md"), HERE.parent / "README.md")
#: What `metrics` of a model calls the looks of the default effort.
_STEP = LADDER[DEFAULT_EFFORT].name
_TAGS = {"exif": "EXIF tag", "rotate": "/Rotate"}


def formats() -> Iterator[str]:
    """One line for each format."""
    yield "| format | files | read by | without touching pixels | pixels turned without loss | encoded anew | several |"
    yield "|---|---|---|---|---|---|---|"
    for row in FORMATS.values():
        cells = (
            row.name,
            " ".join(f"`{suffix}`" for suffix in row.suffixes.split()),
            row.decoder + (f" (extra `{row.extra}`)" if row.extra else ""),
            ", ".join(_TAGS[carrier] for carrier in row.carriers if carrier in _TAGS),
            "yes" * bool(row.turner),
            "yes" * row.written,
            row.holds,
        )
        yield f"| {' | '.join(cell or 'no' for cell in cells)} |"


def promises() -> Iterator[str]:
    """What the default model keeps at the default effort, by kind of picture."""
    yield "| promise | pictures | answered | turns made that are right | upright pictures turned wrongly |"
    yield "|---|---|---|---|---|"
    for promise in Promise:
        for kind, measured in load_model().metrics[_STEP].items():
            yield _promise(promise, measured, kind)


def promise() -> Iterator[str]:
    """The same of all kinds together."""
    yield "| promise | answered | turns made that are right | upright pictures turned wrongly |"
    yield "|---|---|---|---|"
    for promise in Promise:
        yield _promise(promise, load_model().metrics[_STEP]["all"])


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


def main() -> None:
    """Write the pages, or say which are stale."""
    stale = [page for page in PAGES if with_tables(page.read_text("utf-8")) != page.read_text("utf-8")]
    if "--check" in sys.argv:
        sys.exit(f"run python docs/tables.py: {', '.join(page.name for page in stale)}" if stale else 0)
    for page in stale:
        page.write_text(with_tables(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
