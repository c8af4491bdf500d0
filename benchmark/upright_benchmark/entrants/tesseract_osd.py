"""Tesseract's orientation detection, one process a picture. Its confidence is no probability and has no upper end."""

import re
import shutil
import subprocess

from upright_benchmark.entrants import Answer, Missing

NAME, SOURCE, LICENCE = "Tesseract OSD", "github.com/tesseract-ocr/tesseract", "Apache-2.0"
INSTALL, PACKAGES = "apt-get install tesseract-ocr tesseract-ocr-osd", ()
PROBABILITY = False


def version():
    return subprocess.run(["tesseract", "--version"], capture_output=True, text=True).stdout.split("\n")[0]


def start():
    if not shutil.which("tesseract"):
        raise Missing(f"not installed: {INSTALL}")

    def detect(path):
        said = subprocess.run(["tesseract", path, "-", "--psm", "0", "-l", "osd"], capture_output=True, text=True)
        turn = re.search(r"Rotate: (\d+)", said.stdout)  # absent where it finds too little text
        confidence = re.search(r"Orientation confidence: ([\d.]+)", said.stdout)
        return Answer(int(turn[1]), float(confidence[1])) if turn and confidence else Answer(None)

    return detect
