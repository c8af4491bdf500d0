"""The real pictures that calibrate and judge, out of copies of the public repositories that hold them.

    python -m training.native --repositories FOLDER --part calibrate --out FOLDER

native-files.csv names the files, native.csv says what they show. Pictures are written byte by byte and pages of a PDF
as PNG, to <out>/<kind>/<source>/<name>. Copies of repositories, bare or not, lie in <repositories>/<owner>+<name> or
<repositories>/<owner>/<name>. What is missing is named and left out; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import csv
import functools
import io
import subprocess
import sys
from pathlib import Path

import pypdfium2

from training.script import run


@functools.cache
def git_directory(repositories: Path, repository: str) -> Path:
    """Where git keeps a repository's objects; FileNotFoundError where there is no copy of it."""
    for folder in (repositories / repository.replace("/", "+"), repositories / repository):
        for head in sorted(folder.rglob("HEAD"), key=lambda path: len(path.parts)):
            if (head.parent / "objects").is_dir():
                return head.parent
    raise FileNotFoundError(f"no copy of {repository} in {repositories}")


def read(repositories: Path, row: dict[str, str]) -> bytes:
    """What to write for a row; FileNotFoundError where the copy lacks the file."""
    directory = git_directory(repositories, row["repository"])
    command = ["git", f"--git-dir={directory}", "cat-file", "blob", f"{row['commit']}:{row['path']}"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise FileNotFoundError(done.stderr.decode(errors="replace").strip())
    if not row["page"]:
        return done.stdout
    png = io.BytesIO()
    with pypdfium2.PdfDocument(done.stdout) as document:
        document[int(row["page"]) - 1].render(scale=int(row["dpi"]) / 72).to_pil().convert("RGB").save(png, "PNG")
    return png.getvalue()


def target(folder: Path, row: dict[str, str], taken: set[Path]) -> Path:
    """<stem>[-pNN].<ext> in the folder; where a row before it has that name, <stem>[-pNN]-2.<ext> and so on."""
    path = Path(row["path"])
    stem, suffix = (f"{path.stem}-p{int(row['page']):02d}", ".png") if row["page"] else (path.stem, path.suffix)
    found, count = folder / f"{stem}{suffix}", 1
    while found in taken:
        count += 1
        found = folder / f"{stem}-{count}{suffix}"
    taken.add(found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", required=True, type=Path, help="folder of clones or mirrors")
    parser.add_argument("--files", type=Path, default=Path(__file__).with_name("native-files.csv"))
    parser.add_argument("--part", required=True, help="calibrate or judge")
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    with options.files.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["part"] == options.part]
    taken: set[Path] = set()
    written = 0
    for row in rows:
        path = target(options.out / row["kind"] / row["source"], row, taken)
        try:
            data = read(options.repositories, row)
        except (OSError, pypdfium2.PdfiumError) as error:
            print(f"{row['source']}: {row['path']}: {error}", file=sys.stderr)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        written += 1
    print(f"{written} of {len(rows)} files")
    sys.exit(written < len(rows))


if __name__ == "__main__":
    run(main)
