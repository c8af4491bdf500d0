"""The pictures of the benchmark: what is known of each one, and how it is shown.

A turn is clockwise, in degrees, and makes the picture upright: 0, 90, 180 or 270. A picture that is shown turned
clockwise by k therefore has the right answer -k mod 360."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

TURNS = (0, 90, 180, 270)
GROUPS = ("document", "screenshot", "scene", "photograph")
PLAIN, NO_UP = "plain", "no-up"
LIST = "pictures.csv"
QUALITY = 92  # JPEG quality of what entrants see: the same for all four turns, so that it gives nothing away
CLOCKWISE = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}

Image.MAX_IMAGE_PIXELS = 200_000_000


@dataclass(frozen=True)
class Picture:
    """One picture of the benchmark. `file` is relative to the folder of its list; `turn` sets the file, as shown,
    upright; `hardness` is "plain", the name of a hard part, or "no-up" where the right answer is none."""

    id: str
    file: str
    part: str  # rendered | real
    group: str  # one of GROUPS
    kind: str
    script: str = ""
    hardness: str = PLAIN
    document: str = ""  # pictures of one document are drawn together by the bootstrap
    turn: int = 0
    dpi: int = 0  # 0: unknown
    capture: str = ""
    tilt: str = ""  # degrees clockwise that straighten it; empty: not known
    mirrored: int = 0
    sha256: str = ""
    credit: str = ""  # licence and author

    @property
    def has_up(self) -> bool:
        return self.hardness != NO_UP


def write_list(pictures: Iterable[Picture], folder: Path) -> None:
    """The list of a folder of pictures as CSV, sorted by id."""
    with (folder / LIST).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Picture)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(picture) for picture in sorted(pictures, key=lambda picture: picture.id))


def read_list(folder: Path) -> list[Picture]:
    """The pictures of a folder by its list, which `write_list` wrote.

    Raises ValueError, naming file and line, for a row that is not one."""
    path, pictures = folder / LIST, []
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                numbers: dict[str, Any] = {name: int(row[name]) for name in ("turn", "dpi", "mirrored")}
                pictures.append(Picture(**{**row, **numbers}))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}:{number}: no picture of the benchmark: {error}") from error
    return pictures


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(pictures: Sequence[Picture]) -> str:
    """One sha256 for a set of pictures: equal where every picture, label and order is."""
    lines = sorted(f"{p.id} {p.sha256} {p.turn} {p.hardness}" for p in pictures)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def open_upright(path: Path, turn: int = 0) -> Image.Image:
    """The picture as shown (EXIF orientation applied) and then turned clockwise by `turn`, RGB.

    Raises OSError where Pillow cannot read it."""
    with Image.open(path) as image:
        image.load()
        shown = ImageOps.exif_transpose(image)
        if shown.mode in ("RGBA", "LA", "PA") or "transparency" in shown.info:
            shown = shown.convert("RGBA")
            paper = Image.new("RGBA", shown.size, "white")
            shown = Image.alpha_composite(paper, shown)
        return turned(to_rgb(shown), turn)


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB; 16-bit grey is scaled down first, which Pillow's own conversion clips instead."""
    if image.mode.startswith("I"):
        image = image.point(lambda value: value / 256).convert("L")
    return image.convert("RGB")


def turned(image: Image.Image, turn: int) -> Image.Image:
    return image.transpose(CLOCKWISE[turn]) if turn else image


def save_shown(upright: Image.Image, turn: int, path: Path, dpi: int) -> None:
    """Writes the upright picture as an entrant sees it whose right answer is `turn`: JPEG without EXIF."""
    options = {"dpi": (dpi, dpi)} if dpi else {}
    turned(upright, -turn % 360).save(path, "JPEG", quality=QUALITY, **options)
