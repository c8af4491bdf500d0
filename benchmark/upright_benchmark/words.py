"""Text of any length in any of the scripts, out of CLDR's names of places, languages, coins, months and days."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import numpy as np
from babel import Locale

from upright_benchmark.scripts import Script

STOPS = {"Deva": "।", "Beng": "।", "Guru": "।", "Orya": "।", "Armn": "։", "Ethi": "።", "Tibt": "།", "Mymr": "။",
         "Khmr": "។", "Hans": "。", "Hant": "。", "Jpan": "。", "Aran": "۔", "Thai": " ", "Laoo": " "}  # fmt: skip


@functools.cache
def vocabulary(locale: str, letters: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    """The words of one locale that are written in `letters` alone, sorted."""
    inside = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in letters)
    pattern = re.compile(f"[{inside}]+")
    found = {word for text in _names(Locale.parse(locale)) for word in pattern.findall(text)}
    return tuple(sorted(word for word in found if len(word) < 16))


def _names(locale: Locale) -> Iterator[str]:
    for names in (locale.territories, locale.languages, locale.scripts, locale.currencies):
        yield from (str(name) for name in names.values())
    for calendar in (locale.months, locale.days, locale.quarters):
        yield from calendar["format"]["wide"].values()
    for names in locale.unit_display_names.values():
        yield from names.values()


class Author:
    """Writes in one script and one of its languages; everything is drawn from `rng`."""

    def __init__(self, script: Script, rng: np.random.Generator) -> None:
        self.script, self.rng = script, rng
        self.locale = script.words[rng.integers(len(script.words))]
        self.known = vocabulary(self.locale, script.letters)

    def words(self, number: int) -> str:
        return self.script.space.join(self.known[i] for i in self.rng.integers(len(self.known), size=max(1, number)))

    def title(self, number: int = 3) -> str:
        text = self.words(number)
        return text[:1].upper() + text[1:]

    def sentence(self) -> str:
        stop = STOPS.get(self.script.code, ".")
        gap = " " if self.script.space == " " else ""
        return self.title(int(self.rng.integers(4, 15))) + stop + gap

    def prose(self, letters: int) -> str:
        text = ""
        while len(text) < letters:
            text += self.sentence()
        return text.rstrip()

    def number(self, high: int = 9999) -> str:
        return str(self.rng.integers(1, high))

    def price(self) -> str:
        return f"{self.rng.integers(1, 3000):,}.{self.rng.integers(100):02d}"

    def date(self) -> str:
        year, month, day = self.rng.integers(1960, 2030), self.rng.integers(1, 13), self.rng.integers(1, 29)
        return f"{day:02d}.{month:02d}.{year}" if self.rng.random() < 0.5 else f"{year}-{month:02d}-{day:02d}"
