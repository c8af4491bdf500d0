"""OCRmyPDF's --rotate-pages with Tesseract's OSD and with upright's plugin: pages right, pages spoilt, CPU time.

    PYTHONPATH=benchmark python -m bench.ocrmypdf --write

For each script and resolution one PDF of rendered pages (benchmark/), a third of them upright, the rest turned. Both
run without OCR and without PDF/A, so that the time is that of drawing and deciding. A page is right when the output's
/Rotate shows it upright. ``--write`` puts the table into docs/ocrmypdf.md.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pypdfium2
from upright_benchmark.layouts import KINDS
from upright_benchmark.pictures import turned
from upright_benchmark.scripts import BY_CODE, Script

from bench.written import ROOT, put

#: Six that Tesseract's OSD was trained on, six that it was not.
SCRIPTS = ["Latn", "Cyrl", "Arab", "Deva", "Jpan", "Hang", "Tibt", "Mymr", "Sinh", "Nkoo", "Tfng", "Vaii"]
PAGES = {"book": 0, "letter": 90, "form": 180, "invoice": 270, "table": 0, "article": 180}
DPI = (150, 300)
ENTRANTS = {"OSD": "--no-upright", "upright": "--upright-unsure=/dev/null"}
PAGE = ROOT / "docs" / "ocrmypdf.md"
OUT = Path(__file__).parent / "out"


def draw(script: Script, dpi: int, path: Path) -> None:
    """A PDF of one page of each kind in `PAGES`, which needs that turn to be upright."""
    pages = []
    for number, (kind, turn) in enumerate(PAGES.items()):
        sheet = KINDS[kind][0](np.random.default_rng((2026, 18, number)), script, dpi)
        pages.append(turned(sheet.image.convert("RGB"), -turn % 360))
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=dpi, quality=85)


def run(option: str, source: Path, target: Path) -> tuple[int, int, float]:
    """Pages that the output shows upright, pages turned to a wrong side, CPU seconds a page."""
    command = [sys.executable, "-m", "ocrmypdf", "--plugin", "upright.integrations.ocrmypdf", "--rotate-pages", option]
    command += ["--tesseract-timeout", "0", "--output-type", "pdf", "-O0", "-j1", "-q", str(source), str(target)]
    before = os.times()
    subprocess.run(command, check=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    with pypdfium2.PdfDocument(target) as pdf:
        made = [page.get_rotation() for page in pdf]
    right = sum(turn == wanted for turn, wanted in zip(made, PAGES.values(), strict=True))
    spoilt = sum(turn not in (0, wanted) for turn, wanted in zip(made, PAGES.values(), strict=True))
    return right, spoilt, used / len(PAGES)


def table(rows: list[dict]) -> str:
    columns = [(dpi, name) for dpi in DPI for name in ENTRANTS]
    heads = ["script", *(f"{name}, {dpi} dpi" for dpi, name in columns)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    total = [[sum(row[f"{name} {dpi}"][i] for row in rows) for i in range(3)] for dpi, name in columns]
    for title, cells in [*((row["script"], [row[f"{n} {d}"] for d, n in columns]) for row in rows), ("**all**", total)]:
        texts = [f"{right}" + f", {spoilt} spoilt" * bool(spoilt) for right, spoilt, _ in cells]
        lines.append(f"| {title} | {' | '.join(texts)} |")
    seconds = " | ".join(f"{cpu / len(rows):.2f} s" for _, _, cpu in total)
    pages = len(rows) * len(PAGES)
    return "\n".join(
        [*lines, f"| CPU time a page | {seconds} |", "", f"{len(PAGES)} pages a cell, {pages} a column.\n"]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scripts", default=" ".join(SCRIPTS), help="ISO 15924 codes")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    arguments = parser.parse_args()
    rows = []
    for code in arguments.scripts.split():
        row: dict = {"script": BY_CODE[code].name}
        for dpi in DPI:
            with TemporaryDirectory() as folder:
                source, target = Path(folder, "in.pdf"), Path(folder, "out.pdf")
                draw(BY_CODE[code], dpi, source)
                row |= {f"{name} {dpi}": run(option, source, target) for name, option in ENTRANTS.items()}
        rows.append(row)
        print(json.dumps(row), flush=True)
    OUT.mkdir(exist_ok=True)
    (OUT / "ocrmypdf.json").write_text(json.dumps(rows) + "\n")
    print(table(rows))
    if arguments.write:
        put(PAGE, "bench.ocrmypdf", table(rows))


if __name__ == "__main__":
    main()
