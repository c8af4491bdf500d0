"""Entrants whose worth is known, to test the judge with: `starter(name)`. The pictures show their up in colours."""

import hashlib
import os
import time
from pathlib import Path

from PIL import Image
from upright_benchmark.entrants import Answer

NAME, SOURCE, LICENCE, INSTALL, PACKAGES = "judge", "", "", "", ()


def marked(seed):
    """An upright picture of 60 x 40 pixels with a red top, and a colour of its own below."""
    image = Image.new("RGB", (60, 40), tuple(hashlib.sha256(str(seed).encode()).digest()[i] // 2 for i in (0, 1, 2)))
    image.paste((255, 0, 0), (0, 0, 60, 10))
    return image


def oracle(path):
    """The turn that brings the red side up; it is sure of it."""
    with Image.open(path) as image:
        shown = image.convert("RGB")
    w, h = shown.size
    sides = {0: (w // 2, 2), 90: (2, h // 2), 180: (w // 2, h - 3), 270: (w - 3, h // 2)}
    redness = {turn: shown.getpixel(at)[0] - shown.getpixel(at)[1] for turn, at in sides.items()}
    return Answer(max(redness, key=redness.get), 0.99)


def coin(path):
    """A turn that has nothing to do with the picture's up, the same each time."""
    value = hashlib.sha256(Path(path).read_bytes()).digest()[0]
    return Answer(90 * (value % 4), 0.25)


def crasher(path):
    if oracle(path).turn == 90:
        os._exit(7)
    return oracle(path)


def babbler(path):
    print("noise on standard output")
    return Answer(45)


def rude(path):
    return "90"


def sleeper(path):
    if oracle(path).turn == 180:
        time.sleep(60)
    return oracle(path)


def shy(path):
    """Silent except of pictures that need 90, of which it is sure."""
    said = oracle(path)
    return said if said.turn == 90 else Answer(None, 0.5, said.turn)


def starter(name):
    return lambda: globals()[name]
