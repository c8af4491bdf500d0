"""Forty writing systems: where their words come from, in which Noto fonts they are set, how they run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Script:
    """`code` is ISO 15924's. `words` are CLDR locales; `letters` the code points that a word may have."""

    code: str
    name: str
    words: tuple[str, ...]
    letters: tuple[tuple[int, int], ...]
    fonts: tuple[str, ...]  # Noto families, the first one for running text
    space: str = " "
    rtl: bool = False
    columns: bool = False  # may be set in columns from right to left
    scale: float = 1.0  # of the type size: scripts that stack signs are set smaller


ZWSP = "\u200b"  # lets lines break in scripts that put no space between words
IDEOGRAPHS = (0x3400, 0x9FFF)
ARABIC = ((0x620, 0x6D3), (0x6D5, 0x6D5), (0x6EE, 0x6FF))

SCRIPTS = (
    Script("Latn", "Latin", ("en", "de", "fr", "pl", "vi", "tr", "sw"), ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F),
           (0x1E00, 0x1EFF)), ("Noto Serif", "Noto Sans")),
    Script("Cyrl", "Cyrillic", ("ru", "uk", "bg", "sr", "kk"), ((0x400, 0x52F),), ("Noto Serif", "Noto Sans")),
    Script("Grek", "Greek", ("el",), ((0x370, 0x3FF),), ("Noto Serif", "Noto Sans")),
    Script("Copt", "Coptic", ("cop",), ((0x2C80, 0x2CFF), (0x3E2, 0x3EF)), ("Noto Sans Coptic",)),
    Script("Armn", "Armenian", ("hy",), ((0x531, 0x587),), ("Noto Serif Armenian", "Noto Sans Armenian")),
    Script("Geor", "Georgian", ("ka",), ((0x10D0, 0x10FF),), ("Noto Serif Georgian", "Noto Sans Georgian")),
    Script("Hebr", "Hebrew", ("he", "yi"), ((0x5D0, 0x5EA),), ("Noto Serif Hebrew", "Noto Sans Hebrew"), rtl=True),
    Script("Arab", "Arabic", ("ar", "fa", "ps"), ARABIC, ("Noto Naskh Arabic", "Noto Sans Arabic", "Noto Kufi Arabic"),
           rtl=True),
    Script("Aran", "Nastaliq", ("ur",), ARABIC, ("Noto Nastaliq Urdu",), rtl=True, scale=0.7),
    Script("Syrc", "Syriac", ("syr",), ((0x710, 0x74F),), ("Noto Sans Syriac",), rtl=True),
    Script("Nkoo", "N'Ko", ("nqo",), ((0x7CA, 0x7F5),), ("Noto Sans NKo",), rtl=True),
    Script("Adlm", "Adlam", ("ff_Adlm",), ((0x1E900, 0x1E94B),), ("Noto Sans Adlam",), rtl=True),
    Script("Deva", "Devanagari", ("hi", "mr", "ne"), ((0x900, 0x963),), ("Noto Serif Devanagari",
           "Noto Sans Devanagari")),
    Script("Beng", "Bengali", ("bn", "as"), ((0x980, 0x9E5), (0x9F0, 0x9F1)), ("Noto Serif Bengali",
           "Noto Sans Bengali")),
    Script("Guru", "Gurmukhi", ("pa",), ((0xA01, 0xA75),), ("Noto Serif Gurmukhi", "Noto Sans Gurmukhi")),
    Script("Gujr", "Gujarati", ("gu",), ((0xA81, 0xAE3),), ("Noto Serif Gujarati", "Noto Sans Gujarati")),
    Script("Orya", "Odia", ("or",), ((0xB01, 0xB63),), ("Noto Sans Oriya",)),
    Script("Taml", "Tamil", ("ta",), ((0xB82, 0xBCD),), ("Noto Serif Tamil", "Noto Sans Tamil"), scale=0.9),
    Script("Telu", "Telugu", ("te",), ((0xC00, 0xC63),), ("Noto Serif Telugu", "Noto Sans Telugu"), scale=0.9),
    Script("Knda", "Kannada", ("kn",), ((0xC80, 0xCE3),), ("Noto Serif Kannada", "Noto Sans Kannada"), scale=0.9),
    Script("Mlym", "Malayalam", ("ml",), ((0xD00, 0xD63), (0xD7A, 0xD7F), (0x200C, 0x200D)),
           ("Noto Serif Malayalam", "Noto Sans Malayalam"), scale=0.9),
    Script("Sinh", "Sinhala", ("si",), ((0xD82, 0xDDF), (0x200D, 0x200D)), ("Noto Serif Sinhala",
           "Noto Sans Sinhala")),
    Script("Thai", "Thai", ("th",), ((0xE01, 0xE4E),), ("Noto Serif Thai", "Noto Sans Thai"), ZWSP),
    Script("Laoo", "Lao", ("lo",), ((0xE81, 0xECD), (0xEDC, 0xEDF)), ("Noto Serif Lao", "Noto Sans Lao"), ZWSP),
    Script("Tibt", "Tibetan", ("bo", "dz"), ((0xF40, 0xFBC),), ("Noto Serif Tibetan",), "་", scale=0.85),
    Script("Mymr", "Burmese", ("my",), ((0x1000, 0x103F),), ("Noto Serif Myanmar", "Noto Sans Myanmar"), ZWSP,
           scale=0.8),
    Script("Khmr", "Khmer", ("km",), ((0x1780, 0x17D3),), ("Noto Serif Khmer", "Noto Sans Khmer"), ZWSP, scale=0.8),
    Script("Ethi", "Ethiopic", ("am", "ti"), ((0x1200, 0x135A),), ("Noto Serif Ethiopic", "Noto Sans Ethiopic")),
    Script("Tfng", "Tifinagh", ("zgh", "shi_Tfng"), ((0x2D30, 0x2D6F),), ("Noto Sans Tifinagh",)),
    Script("Cher", "Cherokee", ("chr",), ((0x13A0, 0x13FD), (0xAB70, 0xABBF)), ("Noto Sans Cherokee",)),
    Script("Cans", "Canadian syllabics", ("csw",), ((0x1400, 0x167F),), ("Noto Sans Canadian Aboriginal",)),
    Script("Cakm", "Chakma", ("ccp",), ((0x11100, 0x11134),), ("Noto Sans Chakma",)),
    Script("Olck", "Ol Chiki", ("sat",), ((0x1C5A, 0x1C7D),), ("Noto Sans Ol Chiki",)),
    Script("Vaii", "Vai", ("vai_Vaii",), ((0xA500, 0xA62B),), ("Noto Sans Vai",)),
    Script("Yiii", "Yi", ("ii",), ((0xA000, 0xA48C),), ("Noto Sans Yi",), ""),
    Script("Shaw", "Shavian", ("en_Shaw",), ((0x10450, 0x1047F),), ("Noto Sans Shavian",)),
    Script("Hang", "Korean", ("ko",), ((0xAC00, 0xD7A3),), ("Noto Serif CJK KR", "Noto Sans CJK KR")),
    Script("Hans", "Chinese, simplified", ("zh",), (IDEOGRAPHS,), ("Noto Serif CJK SC", "Noto Sans CJK SC"), "",
           columns=True),
    Script("Hant", "Chinese, traditional", ("zh_Hant",), (IDEOGRAPHS,), ("Noto Serif CJK TC", "Noto Sans CJK TC"), "",
           columns=True),
    Script("Jpan", "Japanese", ("ja",), ((0x3041, 0x30FF), IDEOGRAPHS), ("Noto Serif CJK JP", "Noto Sans CJK JP"), "",
           columns=True),
)  # fmt: skip
BY_CODE = {script.code: script for script in SCRIPTS}
