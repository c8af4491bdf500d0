"""Plausible text in any script: words of Babel's CLDR names, frequent words, and words made up from their trigrams."""

from __future__ import annotations

import functools
import pydoc_data.topics
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from babel import Locale

from training.synth.lexicon import FREQUENT
from training.synth.scripts import SCRIPTS, Script

MADE_UP = 0.2  # share of words made up: unlimited spellings, still with the letters' true neighbours


@functools.cache
def english_sentences() -> tuple[str, ...]:
    """Real English prose, of Python's own language reference."""
    text = " ".join(pydoc_data.topics.topics.values())
    found = re.findall(r"[A-Z][a-z]+ [^.\n*`|=+_]{20,140}(?:\n[^.\n*`|=+_]{5,80}){0,2}\.", text)
    return tuple(" ".join(sentence.split()) for sentence in found)


def _strings(locale: Locale) -> Iterable[str]:
    yield from locale.territories.values()
    yield from locale.languages.values()
    yield from locale.currencies.values()
    yield from locale.scripts.values()
    for calendar in (locale.months, locale.days):
        yield from calendar["format"]["wide"].values()
    for names in locale.unit_display_names.values():
        yield from names.values()


@dataclass(frozen=True)
class Vocabulary:
    """Words of one locale: `frequent` short ones, `names` from CLDR, and the trigrams `after` two letters."""

    frequent: tuple[str, ...]
    names: tuple[str, ...]
    after: dict[str, str]


@functools.cache
def vocabulary(name: str, script: Script) -> Vocabulary:
    inside = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in script.ranges)
    pattern = re.compile(f"[{inside}\u200c\u200d་]+")
    names = sorted({word for text in _strings(Locale.parse(name)) for word in pattern.findall(text) if len(word) > 1})
    frequent = tuple(FREQUENT.get(name, "").split()) or tuple(word for word in names if len(word) < 6)
    after: dict[str, list[str]] = {}
    for word in (*names, *(word for word in frequent if len(word) > 3)):
        marked = f"^^{word.lower() if script.cased else word}$"
        for i in range(len(marked) - 2):
            after.setdefault(marked[i : i + 2], []).append(marked[i + 2])
    return Vocabulary(frequent, tuple(names), {pair: "".join(letters) for pair, letters in after.items()})


class Writer:
    """Writes words, sentences, titles, numbers in one script and one of its locales, all drawn from `rng`."""

    def __init__(self, script: Script, rng: np.random.Generator) -> None:
        self.script, self.rng = script, rng
        self.locale = str(rng.choice(script.locales))
        self.vocabulary = vocabulary(self.locale, script)
        self.native_digits = bool(script.digits) and rng.random() < 0.5

    def made_up(self) -> str:
        pair, word = "^^", ""
        while len(word) < 14:
            letters = self.vocabulary.after[pair]
            letter = letters[self.rng.integers(len(letters))]
            if letter == "$":
                break
            word, pair = word + letter, pair[1] + letter
        return word

    def word(self) -> str:
        u = self.rng.random()
        if u < MADE_UP and self.script.joint == " ":
            return self.made_up()
        words = self.vocabulary.frequent if u < 0.65 or not self.vocabulary.names else self.vocabulary.names
        word = words[self.rng.integers(len(words))]
        if self.script.cased and self.locale != "de" and self.rng.random() < 0.8:
            return word.lower()
        return word

    def words(self, number: int) -> str:
        return self.script.joint.join(self.word() for _ in range(max(1, number)))

    def title(self, number: int = 3) -> str:
        """A heading of about `number` words; in cased scripts often in title case or capitals."""
        text = self.words(number)
        u = self.rng.random()
        if not self.script.cased:
            return text
        if u < 0.35:
            return " ".join(word[:1].upper() + word[1:] for word in text.split())
        return text.upper() if u < 0.6 and len(text) < 60 else text[:1].upper() + text[1:]

    def sentence(self) -> str:
        if self.locale == "en" and self.rng.random() < 0.6:
            sentences = english_sentences()
            return sentences[self.rng.integers(len(sentences))] + " "
        parts = [self.words(int(self.rng.integers(3, 11))) for _ in range(self.rng.integers(1, 4))]
        text = self.script.comma.join(parts)
        if self.rng.random() < 0.12:
            text += (" " if self.script.joint == " " else "") + self.number()
        return (text[:1].upper() + text[1:] if self.script.cased else text) + self.script.stop

    def prose(self, letters: int) -> str:
        """Sentences of about `letters` letters in all."""
        text = ""
        while len(text) < letters:
            text += self.sentence()
        return text.rstrip()

    def digits(self, text: str) -> str:
        return text.translate({48 + i: d for i, d in enumerate(self.script.digits)}) if self.native_digits else text

    def number(self, high: int = 9999) -> str:
        return self.digits(str(self.rng.integers(1, high)))

    def price(self) -> str:
        cents, mark = self.rng.integers(10, 99999), self.rng.choice(["", "", "$", "€", "£", "¥", "₹"])
        return str(mark) + self.digits(
            f"{cents // 100:,}{self.rng.choice(['.', ',']) if cents < 9e4 else '.'}{cents % 100:02d}"
        )

    def date(self) -> str:
        y, m, d = self.rng.integers(1950, 2031), self.rng.integers(1, 13), self.rng.integers(1, 29)
        forms = (f"{d:02d}/{m:02d}/{y}", f"{y}-{m:02d}-{d:02d}", f"{d}.{m}.{y}", f"{m}/{d}/{y % 100:02d}")
        if self.locale in ("zh", "zh_Hant", "ja"):
            return f"{y}年{m}月{d}日"
        return self.digits(forms[self.rng.integers(len(forms))])

    def code(self, pattern: str) -> str:
        """`pattern` with A, 0 and # replaced by a capital, a digit, or either."""
        letters, figures = "ABCDEFGHJKLMNPRSTUVWXYZ", "0123456789"
        pools = {"A": letters, "0": figures, "#": letters + figures}
        return "".join(pools[c][self.rng.integers(len(pools[c]))] if c in pools else c for c in pattern)


def draw_script(rng: np.random.Generator, latin: float = 1.0) -> Script:
    """A script by its weight; `latin` scales the Latin one's."""
    weights = np.array([script.weight * (latin if script.name == "latin" else 1) for script in SCRIPTS])
    return SCRIPTS[rng.choice(len(SCRIPTS), p=weights / weights.sum())]
