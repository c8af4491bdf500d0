"""OCRmyPDF with --rotate-pages: the turn that it writes into the PDF page, at its own threshold, without any OCR."""

import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

from upright_benchmark.entrants import Answer, Missing

NAME, SOURCE, LICENCE = "OCRmyPDF", "github.com/ocrmypdf/OCRmyPDF", "MPL-2.0"
INSTALL = "pip install ocrmypdf; apt-get install tesseract-ocr tesseract-ocr-osd ghostscript"
PACKAGES = ("ocrmypdf", "pikepdf")
# OCR itself is left out (a time limit of 0 s); finding the orientation has a limit of its own.
OPTIONS = ["--rotate-pages", "--tesseract-timeout", "0", "--tesseract-non-ocr-timeout", "60", "--optimize", "0",
           "--output-type", "pdf", "--jobs", "1", "--image-dpi", "150", "--quiet"]  # fmt: skip


def without_upright():
    """What keeps upright's plugin out, which OCRmyPDF finds by itself where both are installed."""
    found = importlib.metadata.entry_points(group="ocrmypdf")
    return ["--no-upright"] if any(entry.value.startswith("upright.") for entry in found) else []


def starter(*more):
    """A `start` for OCRmyPDF with further options."""

    def start():
        try:
            import ocrmypdf  # noqa: F401
            import pikepdf
        except ImportError as error:
            raise Missing(f"not installed: {INSTALL}") from error
        folder = tempfile.TemporaryDirectory()
        target = str(Path(folder.name) / "out.pdf")

        def detect(path):
            command = [sys.executable, "-m", "ocrmypdf", *OPTIONS, *more, path, target]
            ran = subprocess.run(command, capture_output=True, text=True)
            if ran.returncode:
                raise RuntimeError(ran.stderr.strip()[-300:] or f"exit code {ran.returncode}")
            with pikepdf.open(target) as pdf:
                turn = int(pdf.pages[0].obj.get("/Rotate", 0)) % 360
            folder.name  # noqa: B018 - keeps the folder for as long as there are pictures
            return Answer(turn)

        return detect

    return start


def start():
    return starter(*without_upright())()
