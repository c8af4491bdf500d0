"""Writes the tables that follow from the program into the pages of this folder: ``python docs/tables.py [--check]``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from upright.formats import FORMATS

HERE = Path(__file__).parent
_TAGS = {"exif": "EXIF tag", "rotate": "/Rotate"}


def formats() -> Iterator[str]:
    """One line for each format."""
    yield "| format | files | read by | without touching pixels | pixels turned without loss | encoded anew | several |"
    yield "|---|---|---|---|---|---|---|"
    for row in FORMATS.values():
        cells = (
            row.name,
            " ".join(f"`{suffix}`" for suffix in row.suffixes),
            row.decoder + (f" (extra `{row.extra}`)" if row.extra else ""),
            ", ".join(_TAGS[carrier] for carrier in row.carriers if carrier in _TAGS),
            "yes" * bool(row.turner),
            "yes" * row.written,
            row.holds,
        )
        yield f"| {' | '.join(cell or 'no' for cell in cells)} |"


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
    stale = [page for page in HERE.glob("*.md") if with_tables(page.read_text("utf-8")) != page.read_text("utf-8")]
    if "--check" in sys.argv:
        sys.exit(f"run python docs/tables.py: {', '.join(page.name for page in stale)}" if stale else 0)
    for page in stale:
        page.write_text(with_tables(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
