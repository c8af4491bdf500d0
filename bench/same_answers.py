"""Whether a change of the code changed an answer or a corrected byte.

    python bench/same_answers.py --json before.json                # on the tree before the change
    python bench/same_answers.py --compare before.json             # on the tree after it; 1 where something differs
    python bench/same_answers.py --compare before.json --only demo --except 'attacks/polyglot.jpg*'

Run it with ``PYTHONPATH=src`` of the tree that is meant. It looks at the untouched originals, the demo pictures, the
attacks, ``tests/data`` and 300 pictures of ``eval.tar``, each as it is and turned; corrects them by every method and
all three turns, in place with a journal too; and notes for each the turn, the best guess, the confidence (compared to
1e-6), the kind of error, the sha256 of corrected bytes, the journal's edits, and whether undo gives the old bytes back.
All that depends on the names of upright's own modules is in `Product`, so that old and new trees run the same file.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import io
import json
import os
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
TURNS = (90, 180, 270)
#: Pixel turns of larger files take seconds each; the smaller ones go through the same code.
MOST_BYTES_TURNED = 300_000
NEARLY = 1e-6

Record = dict[str, Any]


class Product:
    """The public interface of the tree that is installed; everything that may be called otherwise in another tree."""

    def __init__(self) -> None:
        import upright

        self.upright = upright
        self.limits = upright.Limits(timeout_s=20)
        self.detectors: dict[int, Any] = {}

    def detector(self, effort: int) -> Any:
        if effort not in self.detectors:
            self.detectors[effort] = self.upright.Detector(effort=effort, limits=self.limits)
        return self.detectors[effort]

    def model(self) -> Record:
        """Name, version and weights of the default model: other weights give other answers."""
        from upright.model import load_model

        model = load_model()
        return {"name": model.name, "version": model.version, "sha256": model.sha256}

    def detect(self, source: Any, *, effort: int = 2, promise: str = "balanced", page: int = 0) -> Record:
        try:
            found = self.detector(effort).detect(source, promise=promise, page=page)
        except self.upright.UprightError as error:
            return {"error": type(error).__name__}
        return self.answer(found)

    def answer(self, found: Any) -> Record:
        if isinstance(found, Exception):
            return {"error": type(found).__name__}
        shape = [found.format, found.width_px, found.height_px, int(found.exif), found.page, found.pages]
        return {
            "turn": None if found.turn is None else int(found.turn),
            "best": int(found.best),
            "confidence": round(found.confidence, 9),
            "reason": str(found.reason),
            "views": found.views,
            "picture": shape,
        }

    def detect_many(self, sources: list[Any]) -> list[Record]:
        answers = self.detector(2).detect_many(sources, workers=2)
        return [self.answer(getattr(each, "orientation", None) or each[1]) for each in answers]

    def correct(self, source: Path, target: Path, turn: int, method: str) -> Record:
        """The file written to a new target: what was done, and its sha256."""
        try:
            done = self.upright.correct(source, target, turn=turn, method=method)
        except self.upright.UprightError as error:
            return {"error": type(error).__name__}
        digest = sha256(target.read_bytes())
        target.unlink()
        return {"method": str(done.method), "lossless": done.lossless, "exif": int(done.exif_after), "sha256": digest}

    def correct_in_place(self, path: Path, turn: int, journal: Path) -> Record:
        """The file changed with a journal, what the journal holds, and whether undo gives the old bytes back."""
        before = path.read_bytes()
        try:
            self.upright.correct(path, turn=turn, in_place=True, journal=journal)
        except self.upright.UprightError as error:
            return {"error": type(error).__name__, "unharmed": path.read_bytes() == before}
        after = path.read_bytes()
        record: Record = {"sha256": sha256(after), "changed": after != before}
        if journal.exists():
            lines = [json.loads(line) for line in journal.read_text().splitlines()]
            edits = [line.get("edits") for line in lines if line["step"] == "intent"]
            record["edits"] = sha256(json.dumps(edits).encode())
            record["outcomes"] = [str(getattr(each, "outcome", each)) for each in self.upright.undo(journal)]
        record["undone"] = path.read_bytes() == before
        return record


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def made() -> Iterator[tuple[str, bytes]]:
    """Formats that no file below has: a PDF of two pages and an AVIF, always the same bytes for one Pillow."""
    with Image.open(ROOT / "testdata" / "demo" / "page.jpg") as page, Image.open(ROOT / "testdata/demo/cat.gif") as cat:
        first, second = page.convert("RGB"), cat.convert("RGB")
    then = time.gmtime(0)
    out = io.BytesIO()
    first.save(out, "PDF", save_all=True, append_images=[second], creationDate=then, modDate=then)
    yield "made/pages.pdf", out.getvalue()
    out = io.BytesIO()
    second.save(out, "AVIF")
    yield "made/cat.avif", out.getvalue()


def files() -> Iterator[tuple[str, bytes]]:
    """Every file with its group in front of its name; not the pictures of ``eval.tar``."""
    folders = {
        "originals": DATA / "originals",
        "demo": ROOT / "testdata" / "demo",
        "attacks": ROOT / "tests" / "attacks",
        "data": ROOT / "tests" / "data",
    }
    for group, folder in folders.items():
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix not in (".py", ".csv"):
                yield f"{group}/{path.name}", path.read_bytes()
    yield from made()


def evaluation(count: int) -> Iterator[tuple[str, bytes]]:
    """Pictures spread evenly over ``eval.tar``, in the order of their names."""
    with tarfile.open(DATA / "eval.tar") as archive:
        members = sorted((member for member in archive if member.isfile()), key=lambda member: member.name)
        for at in np.linspace(0, len(members) - 1, count).astype(int) if count else ():
            file = archive.extractfile(members[at])
            assert file is not None
            yield f"eval/{members[at].name}", file.read()


def shown(data: bytes) -> Image.Image | None:
    """The first page as shown, or None where Pillow refuses the file."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except Exception:
        return None


def clockwise(image: Image.Image, turn: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(image.transpose(getattr(Image.Transpose, f"ROTATE_{360 - turn}")))


def of_file(product: Product, name: str, data: bytes, folder: Path) -> Iterator[tuple[str, Record]]:
    """All that is recorded of one file: every effort and promise, every turn and method, in place and undone."""
    source = folder / Path(name).name
    source.write_bytes(data)
    attack = name.startswith("attacks/")  # each look at one may take seconds
    for effort in (2,) if attack else (0, 1, 2, 3):
        yield f"effort {effort}", product.detect(source, effort=effort)
    for promise in () if attack else ("careful", "best"):
        yield promise, product.detect(source, promise=promise)
    yield "page 1", product.detect(source, page=1)
    image = None if attack else shown(data)
    for turn in TURNS:
        if image is not None:
            yield f"turned {turn}", product.detect(clockwise(image, turn))
        for method in ("auto", "tag", "turn"):
            if method != "turn" or len(data) <= MOST_BYTES_TURNED:
                yield f"correct {turn} {method}", product.correct(source, folder / f"new{source.suffix}", turn, method)
        yield f"in place {turn}", product.correct_in_place(source, turn, folder / f"{turn}.jsonl")


def of_evaluation(product: Product, name: str, data: bytes, folder: Path, at: int) -> Iterator[tuple[str, Record]]:
    """Less of each, as there are many: one turn, one method, changing from picture to picture."""
    source = folder / Path(name).name
    source.write_bytes(data)
    turn, method = TURNS[at % 3], ("auto", "turn")[at % 2]
    yield "effort 2", product.detect(source)
    yield f"effort {3 * (at % 2)}", product.detect(source, effort=3 * (at % 2))
    if (image := shown(data)) is not None:
        yield f"turned {turn}", product.detect(clockwise(image, turn))
    yield f"correct {turn} {method}", product.correct(source, folder / f"new{source.suffix}", turn, method)
    yield f"in place {turn}", product.correct_in_place(source, turn, folder / "journal.jsonl")


def record(product: Product, only: str, count: int) -> dict[str, Record]:
    """Everything, by a name such as ``demo/page.jpg: effort 2``; ``only`` is a part of the file's name."""
    found: dict[str, Record] = {}
    sources = [(name, data, False) for name, data in files()] + [(*each, True) for each in evaluation(count)]
    sources = [each for each in sources if only in each[0]]
    for at, (name, data, many) in enumerate(sources):
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder).resolve()
            rows = of_evaluation(product, name, data, place, at) if many else of_file(product, name, data, place)
            found.update((f"{name}: {what}", row) for what, row in rows)
        print(f"{at + 1:4} of {len(sources)} {time.monotonic() - started:6.1f} s  {name}", file=sys.stderr)
    together = [(name, data) for name, data, _ in sources if not name.startswith("attacks/")]
    for (name, _), row in zip(together, product.detect_many([data for _, data in together]), strict=True):
        found[f"{name}: detect_many"] = row
    return found


def same(before: Any, after: Any) -> bool:
    """Equal, numbers with a point to 1e-6."""
    if isinstance(before, float) and isinstance(after, float):
        return abs(before - after) <= NEARLY
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(same(before[key], after[key]) for key in before)
    return bool(before == after)


def differences(before: dict[str, Record], after: dict[str, Record], expected: list[str]) -> list[str]:
    """One line for each record of ``before`` that is not the same now, but for those of ``expected`` patterns."""
    lines = []
    for name, old in sorted(before.items()):
        new = after.get(name, {})
        if same(old, new) or any(fnmatch.fnmatch(name, pattern) for pattern in expected):
            continue
        changed = [key for key in old | new if not same(old.get(key), new.get(key))]
        lines.append(f"{name}: " + ", ".join(f"{key} {old.get(key)!r} -> {new.get(key)!r}" for key in changed))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write what was found")
    parser.add_argument("--compare", type=Path, metavar="BEFORE", help="a file of --json to compare with")
    parser.add_argument("--only", default="", help="a part of the file's name, such as demo/ or .png")
    parser.add_argument("--except", dest="expected", action="append", default=[], metavar="PATTERN",
                        help="records that are meant to differ, as in the output; may be repeated")  # fmt: skip
    parser.add_argument("--eval", type=int, default=300, metavar="N", help="how many pictures of eval.tar")
    options = parser.parse_args()
    product = Product()
    model, found = product.model(), record(product, options.only, options.eval)
    if options.json:
        options.json.write_text(json.dumps({"model": model, "records": found}, indent=0))
    print(f"{len(found)} records")
    if not options.compare:
        return 0
    old = json.loads(options.compare.read_text())
    if old["model"] != model:
        print(f"the model is another one: {old['model']} -> {model}")
        return 1
    before = {name: row for name, row in old["records"].items() if options.only in name.partition(": ")[0]}
    if options.eval != 300:
        before = {name: row for name, row in before.items() if name in found or not name.startswith("eval/")}
    lines = differences(before, found, options.expected)
    print("\n".join([*lines, f"{len(lines)} of {len(before)} records differ"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
