"""Pages as a scanner that fed them anyhow would give them: text in three scripts, turned every way."""

from pathlib import Path

import numpy as np
import pypdfium2
import pyvips
from numpy.typing import NDArray
from PIL import Image

from upright.turns import Turn, turn_array

DPI = 100
LATIN = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or "
    "twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it. "
)
#: The months: Tesseract's OSD was not trained on these scripts.
GEORGIAN = "იანვარი თებერვალი მარტი აპრილი მაისი ივნისი ივლისი აგვისტო სექტემბერი ოქტომბერი ნოემბერი დეკემბერი. "
BURMESE = "ဇန်နဝါရီ ဖေဖော်ဝါရီ မတ် ဧပြီ မေ ဇွန် ဇူလိုင် ဩဂုတ် စက်တင်ဘာ အောက်တိုဘာ နိုဝင်ဘာ ဒီဇင်ဘာ။ "
SCRIPTS = {
    "Latin": ("Noto Serif 12", LATIN * 5),
    "Georgian": ("Noto Serif Georgian 12", GEORGIAN * 12),
    "Burmese": ("Noto Serif Myanmar 11", BURMESE * 12),
}
FONTS = SCRIPTS | {"ambiguous": ("Noto Sans 12", "8 0 1")}


def page(script: str) -> NDArray[np.uint8]:
    """An upright page ``[1100, 780]`` of grey."""
    font, text = FONTS[script]
    ink = 255 - pyvips.Image.text(text, font=font, width=630, dpi=110).numpy()
    sheet = np.full((1100, 780), 255, np.uint8)
    lines = ink[:950]
    sheet[70 : 70 + lines.shape[0], 70 : 70 + lines.shape[1]] = lines
    return sheet


def scan(pages: list[tuple[NDArray[np.uint8], Turn]], path: Path) -> Path:
    """A PDF of upright pages, each laid so that it needs that turn."""
    images = [Image.fromarray(np.ascontiguousarray(turn_array(pixels, turn.inverse))) for pixels, turn in pages]
    images[0].save(path, save_all=True, append_images=images[1:], resolution=DPI)
    return path


def still_needed(path: Path, pages: list[NDArray[np.uint8]]) -> list[Turn]:
    """The turn that each page, as a viewer shows it, needs to look like its upright original."""
    needed = []
    with pypdfium2.PdfDocument(path) as pdf:
        for shown, upright in zip(pdf, pages, strict=True):
            pixels = shown.render(scale=DPI / 72, grayscale=True).to_numpy().squeeze().astype(float)
            needed.append(min(Turn, key=lambda turn: _difference(turn_array(pixels, turn), upright)))
    return needed


def _difference(pixels: NDArray[np.float64], upright: NDArray[np.uint8]) -> float:
    return 255.0 if pixels.shape != upright.shape else float(abs(pixels - upright).mean())
