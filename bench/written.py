"""Tables that programs of this folder put into pages, between marks of their own."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Where what is measured of tilted and mirrored pictures belongs: the how-to, and the card of the model that ships.
TILT = ROOT / "docs" / "tilt.md"
CARD = ROOT / "src" / "upright" / "models" / "upright-1" / "README.md"


def put(page: Path, program: str, text: str) -> None:
    """Puts a program's tables between its marks, or at the end of a page that does not have them yet."""
    begin, end = f"<!-- python -m {program} --write -->", f"<!-- end of {program} -->"
    old = page.read_text("utf-8")
    if begin not in old:
        old = f"{old.rstrip()}\n\n{begin}{end}\n"
    before, rest = old.split(begin)
    page.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{rest.split(end)[1]}", "utf-8")
