"""The writing systems that `synth` can render: their words' locales, their Debian fonts and their habits."""

from __future__ import annotations

from dataclasses import dataclass

# What apt-get installs for every family named below. A missing family falls back to another font that has the
# letters, so fonts-noto-core and fonts-noto-cjk suffice; the rest adds variety.
APT_PACKAGES = (
    "fontconfig fonts-noto-core fonts-noto-cjk fonts-noto-cjk-extra fonts-noto-mono fonts-dejavu "
    "fonts-liberation fonts-urw-base35 fonts-lobstertwo fonts-bebas-neue fonts-league-spartan "
    "fonts-dancingscript fonts-dosis fonts-cabinsketch fonts-kaushanscript fonts-leckerli-one fonts-quicksand "
    "fonts-roboto-slab fonts-roboto-unhinted fonts-inter fonts-open-sans fonts-lato fonts-ubuntu-title "
    "fonts-vollkorn fonts-yanone-kaffeesatz fonts-ebgaramond fonts-oldstandard fonts-linuxlibertine "
    "fonts-comic-neue fonts-bajaderka fonts-play fonts-dotgothic16 fonts-rampart fonts-reggae fonts-rocknroll "
    "fonts-stick fonts-yusei-magic fonts-klee fonts-lxgw-wenkai fonts-nanum fonts-nanum-extra "
    "fonts-unfonts-core fonts-hosny-amiri fonts-sil-scheherazade fonts-farsiweb fonts-kacst fonts-thai-tlwg "
    "fonts-isabella fonts-jetbrains-mono fonts-dkg-handwriting fonts-kristi fonts-breip fonts-gfs-didot "
    "fonts-gfs-neohellenic fonts-arphic-ukai fonts-arphic-uming fonts-cherrybomb fonts-staypuft fonts-ocr-b "
    "fonts-hack fonts-courier-prime fonts-gnutypewriter culmus fonts-cantarell fonts-comfortaa fonts-aenigma "
    "fonts-bpg-georgian fonts-deva-extra fonts-beng-extra fonts-wqy-zenhei fonts-rufscript fonts-humor-sans "
    "fonts-essays1743 fonts-blankenburg fonts-gamaliel fonts-gotico-antiqua fonts-elstob fonts-joscelyn fonts-bwht "
    "fonts-ecolier-court fonts-ecolier-lignes-court fonts-femkeklaver fonts-havana fonts-levien-typoscript "
    "fonts-compagnon fonts-kiloji fonts-aoyagi-soseki fonts-aoyagi-kouzan-t fonts-kouzan-mouhitsu fonts-seto "
    "fonts-3270 fonts-terminus fonts-hermit fonts-pc fonts-spleen fonts-firacode fonts-ocr-a fonts-dseg fonts-roadgeek"
)

ZWSP = "\u200b"  # lets pango break lines of scripts that put no space between words
CJK = ((0x3400, 0x9FFF),)
LETTERS = ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x17F), (0x27, 0x27), (0x2D, 0x2D))
ARABIC = ((0x600, 0x6FF), (0x200C, 0x200D))


@dataclass(frozen=True)
class Script:
    """One writing system. `ranges` are the code points its own words may use; `weight` is its share of pictures."""

    name: str
    weight: float
    locales: tuple[str, ...]
    ranges: tuple[tuple[int, int], ...]
    text: tuple[str, ...]  # families for running text
    display: tuple[str, ...] = ()  # families for large words; none: those of `text`
    joint: str = " "
    stop: str = ". "
    comma: str = ", "
    digits: str = ""
    rtl: bool = False
    vertical: float = 0.0  # share of its pages that is set in columns, right to left
    cased: bool = False
    scale: float = 1.0  # type size against Latin's: scripts that stack signs need taller lines


def _split(names: str) -> tuple[str, ...]:
    return tuple(names.split("|"))


SCRIPTS = (
    Script(
        "latin",
        40,
        _split("en|en|en|en|de|fr|es|it|pt|nl|pl|cs|sv|fi|da|nb|hu|ro|tr|vi|id|hr|sk|sl|lt|lv|et|sq|ca|eu|sw|is"),
        ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF), (0x300, 0x323), (0x27, 0x27), (0x2D, 0x2D)),
        _split(
            "Noto Serif|Noto Sans|Noto Sans Display|DejaVu Serif|DejaVu Sans|Liberation Serif|"
            "Liberation Sans|C059|P052|Nimbus Roman|Nimbus Sans|URW Bookman|Roboto|Roboto Slab|Inter|"
            "Open Sans|Lato|Vollkorn|EB Garamond|Old Standard TT|Linux Libertine O|Linux Biolinum O|"
            "Cantarell|Liberation Serif|Liberation Sans|Nimbus Roman|Junicode Two Beta|Courier Prime|"
            "Liberation Mono|GNUTypewriter|Noto Serif Display|Liberation Sans Narrow|Essays1743"
        ),
        _split(
            "Lobster Two|Bebas Neue|League Spartan|League Spartan Black|Dancing Script|Dosis|Cabin Sketch|"
            "Kaushan Script|Leckerli One|Quicksand|Roboto Slab|Roboto Condensed|Ubuntu Title|"
            "Yanone Kaffeesatz|Comic Neue|Bajaderka|Play|Comfortaa|Cherry Bomb|Isabella|DkgHandwriting|"
            "Kristi|Breip|Humor Sans|Z003|URW Gothic|URW Bookman|OCR B|Open Sans Condensed|Rufscript|"
            "StayPuft|Inter Display Black|Lato Black|Noto Sans Bold|Noto Serif Bold|Lato Heavy|"
            "Nimbus Sans Narrow Bold|Essays1743|Linux Libertine Display O|Linux Biolinum O|C059 Bold|"
            "P052 Bold|Inter Black|Liberation Sans Narrow Bold|Bumped BRK|Fatboy Slim BLTC BRK|"
            "Heavy Bevel BRK|Kaliber Solid BRK|Upraise BRK|Yonder BRK|Zoetrope BRK"
        ),
        cased=True,
    ),
    Script(
        "blackletter",
        4,
        _split("de|de|de|en|nl|da"),
        LETTERS,
        _split(
            "Blankenburg_UNZ1A|Blankenburg_UNZ1A|Gamaliel|Gamaliel|Hamlet|Jessen|Parix|Rusch|Zainer|Rot|"
            "Fust & Schoeffer|Spira|Sweynheim & Pannartz|Ptolemy"
        ),
        cased=True,
        scale=1.1,
    ),
    Script(
        "handwriting",
        6,
        _split("en|de|fr|es|it|nl|pl|cs"),
        LETTERS,
        _split(
            "Joscelyn|Joscelyn|Havana|femkeklaver|DkgHandwriting|Kristi|Breip|Rufscript|Dancing Script|"
            "Ecolier_court|Ecolier_lignes_court|Because We Build|Because We Connect|Because We Create|"
            "Because We Learn|Because We Mentor|Because We Organize|Z003|TypoScript|Isabella|Humor Sans"
        ),
        cased=True,
        scale=1.25,
    ),
    Script(
        "typewriter",
        4,
        _split("en|en|de|fr|cs|pl|da|es"),
        LETTERS,
        _split(
            "GNUTypewriter|GNUTypewriter|Courier Prime|Compagnon|Liberation Mono|OCR B|OCRA|Px IBM VGA8|"
            "Px IBM MDA|Terminus (TTF)|Nimbus Mono PS"
        ),
        cased=True,
    ),
    Script(
        "terminal",
        4,
        _split("en"),
        LETTERS,
        _split(
            "DejaVu Sans Mono|Hack|JetBrains Mono|Fira Code|Hermit|IBM 3270|Terminus (TTF)|Spleen 8x16|"
            "Liberation Mono|Noto Sans Mono|Px IBM VGA9|Px IBM VGA8"
        ),
        cased=True,
    ),
    Script(
        "cyrillic",
        6,
        _split("ru|ru|uk|bg|sr|mk|be|kk|mn|ky"),
        ((0x400, 0x52F),),
        _split(
            "Noto Serif|Noto Sans|DejaVu Serif|DejaVu Sans|Liberation Serif|Liberation Sans|C059|P052|Roboto|"
            "Inter|Open Sans|Old Standard TT|Linux Libertine O|EB Garamond|Liberation Mono"
        ),
        _split(
            "Bebas Neue|Play|Comfortaa|Roboto Slab|Roboto Condensed|Open Sans Condensed|Noto Sans Bold|Z003|"
            "Noto Serif Display Bold|Noto Sans Display Bold|URW Gothic|URW Bookman|Lato Black"
        ),
        cased=True,
    ),
    Script(
        "greek",
        2.5,
        _split("el"),
        ((0x370, 0x3FF),),
        _split("Noto Serif|Noto Sans|DejaVu Sans|Liberation Serif|GFS Didot|GFS Neohellenic|Open Sans|P052"),
        _split("Noto Sans Bold|Noto Serif Display Bold|GFS Didot Bold|Comfortaa|Play|Roboto Condensed Bold"),
        cased=True,
    ),
    Script(
        "chinese",
        9,
        _split("zh"),
        CJK,
        _split(
            "Noto Sans CJK SC|Noto Serif CJK SC|Noto Serif CJK SC|AR PL UKai CN|AR PL UMing CN|"
            "WenQuanYi Zen Hei|LXGW WenKai|Noto Sans CJK SC Light"
        ),
        _split("Noto Sans CJK SC Black|Noto Serif CJK SC Black|LXGW WenKai|AR PL UKai CN|Noto Sans CJK SC Thin"),
        joint="",
        stop="。",
        comma="，",
        vertical=0.2,
    ),
    Script(
        "chinese traditional",
        3,
        _split("zh_Hant"),
        CJK,
        _split("Noto Sans CJK TC|Noto Serif CJK TC|Noto Serif CJK TC|AR PL UKai TW|AR PL UMing TW"),
        _split("Noto Sans CJK TC Black|Noto Serif CJK TC Black|AR PL UKai TW|Noto Serif CJK TC Light"),
        joint="",
        stop="。",
        comma="，",
        vertical=0.5,
    ),
    Script(
        "japanese",
        8,
        _split("ja"),
        ((0x3041, 0x30FF), (0x3400, 0x9FFF)),
        _split(
            "Noto Sans CJK JP|Noto Serif CJK JP|Noto Serif CJK JP|Klee One|Noto Sans CJK JP Light|kiloji|SetoFont|"
            "AoyagiSosekiFont2"
        ),
        _split(
            "Noto Sans CJK JP Black|Noto Serif CJK JP Black|Reggae One|RocknRoll One|Rampart One|Yusei Magic|"
            "Stick|DotGothic16|Klee One SemiBold|Noto Sans CJK JP Thin"
        ),
        joint="",
        stop="。",
        comma="、",
        vertical=0.5,
    ),
    Script(
        "korean",
        4,
        _split("ko"),
        ((0xAC00, 0xD7A3),),
        _split("Noto Sans CJK KR|Noto Serif CJK KR|NanumGothic|NanumMyeongjo|UnBatang|NanumBarunGothic"),
        _split("Noto Sans CJK KR Black|Nanum Brush Script|Nanum Pen Script|NanumSquareRound Bold|UnGungseo|UnPilgi"),
        vertical=0.04,
    ),
    Script(
        "arabic",
        5,
        _split("ar"),
        ARABIC,
        _split("Noto Naskh Arabic|Noto Sans Arabic|Amiri|Scheherazade|KacstBook|KacstNaskh|Noto Naskh Arabic"),
        _split("Noto Kufi Arabic Bold|Noto Sans Arabic Bold|KacstTitle|KacstPoster|KacstDecorative|KacstArt|Amiri"),
        comma="، ",
        digits="٠١٢٣٤٥٦٧٨٩",
        rtl=True,
    ),
    Script(
        "persian",
        2,
        _split("fa|ckb"),
        ARABIC,
        _split("Noto Naskh Arabic|Noto Sans Arabic|Nazli|Amiri|Scheherazade"),
        _split("Titr|Homa|Noto Kufi Arabic Bold|Noto Sans Arabic Bold"),
        comma="، ",
        digits="۰۱۲۳۴۵۶۷۸۹",
        rtl=True,
    ),
    Script(
        "urdu",
        1.5,
        _split("ur"),
        ARABIC,
        _split("Noto Nastaliq Urdu|Noto Nastaliq Urdu|Noto Naskh Arabic"),
        stop="۔ ",
        comma="، ",
        rtl=True,
        scale=0.62,
    ),
    Script(
        "hebrew",
        2.5,
        _split("he"),
        ((0x5D0, 0x5EA),),
        _split("Noto Sans Hebrew|Noto Serif Hebrew|Frank Ruehl CLM|David CLM|Miriam CLM|Hadasim CLM"),
        _split("Aharoni CLM|Noto Sans Hebrew Bold|Noto Serif Hebrew Bold|Ellinia CLM|Yehuda CLM|Drugulin CLM|Keter YG"),
        rtl=True,
    ),
    Script(
        "devanagari",
        3.5,
        _split("hi|hi|mr|ne"),
        ((0x900, 0x963),),
        _split(
            "Noto Sans Devanagari|Noto Sans Devanagari Bold|Noto Serif Devanagari|Noto Serif Devanagari|"
            "Chandas|Kalimati|Samanata|Gargi|Nakula|Sahadeva"
        ),
        _split("Noto Sans Devanagari Bold|Noto Serif Devanagari Bold|Noto Serif Devanagari"),
        stop="। ",
        digits="०१२३४५६७८९",
    ),
    Script(
        "bengali",
        2,
        _split("bn|as"),
        ((0x980, 0x9E5), (0x9F0, 0x9F1)),
        _split("Noto Sans Bengali|Noto Sans Bengali Bold|Noto Serif Bengali|Noto Serif Bengali|Likhan|Mukti|Jamrul"),
        _split("Noto Sans Bengali Bold|Noto Serif Bengali Bold|Noto Serif Bengali"),
        stop="। ",
        digits="০১২৩৪৫৬৭৮৯",
    ),
    Script(
        "tamil",
        2,
        _split("ta"),
        ((0xB80, 0xBE5),),
        _split("Noto Sans Tamil|Noto Sans Tamil Bold|Noto Serif Tamil|Noto Serif Tamil"),
        _split("Noto Sans Tamil Bold|Noto Serif Tamil Bold|Noto Serif Tamil"),
        scale=0.85,
    ),
    Script(
        "telugu",
        1.5,
        _split("te"),
        ((0xC00, 0xC65),),
        _split("Noto Sans Telugu|Noto Sans Telugu Bold|Noto Serif Telugu|Noto Serif Telugu"),
        _split("Noto Sans Telugu Bold|Noto Serif Telugu Bold|Noto Serif Telugu"),
        scale=0.85,
    ),
    Script(
        "kannada",
        1.5,
        _split("kn"),
        ((0xC80, 0xCE5),),
        _split("Noto Sans Kannada|Noto Sans Kannada Bold|Noto Serif Kannada|Noto Serif Kannada"),
        _split("Noto Sans Kannada Bold|Noto Serif Kannada Bold|Noto Serif Kannada"),
        scale=0.85,
    ),
    Script(
        "malayalam",
        1.5,
        _split("ml"),
        ((0xD00, 0xD65), (0xD7A, 0xD7F), (0x200C, 0x200D)),
        _split("Noto Sans Malayalam|Noto Sans Malayalam Bold|Noto Serif Malayalam|Noto Serif Malayalam"),
        _split("Noto Sans Malayalam Bold|Noto Serif Malayalam Bold|Noto Serif Malayalam"),
        scale=0.85,
    ),
    Script(
        "gujarati",
        1.2,
        _split("gu"),
        ((0xA80, 0xAE5),),
        _split("Noto Sans Gujarati|Noto Sans Gujarati Bold|Noto Serif Gujarati|Noto Serif Gujarati"),
        _split("Noto Sans Gujarati Bold|Noto Serif Gujarati Bold|Noto Serif Gujarati"),
        scale=0.9,
    ),
    Script(
        "gurmukhi",
        1.2,
        _split("pa"),
        ((0xA00, 0xA65), (0xA70, 0xA75)),
        _split("Noto Sans Gurmukhi|Noto Sans Gurmukhi Bold|Noto Serif Gurmukhi|Noto Serif Gurmukhi"),
        _split("Noto Sans Gurmukhi Bold|Noto Serif Gurmukhi Bold|Noto Serif Gurmukhi"),
        stop="। ",
        scale=0.9,
    ),
    Script(
        "odia",
        1,
        _split("or"),
        ((0xB00, 0xB65),),
        _split("Noto Sans Oriya|Noto Sans Oriya Bold"),
        _split("Noto Sans Oriya Bold"),
        stop="। ",
        scale=0.85,
    ),
    Script(
        "sinhala",
        1,
        _split("si"),
        ((0xD80, 0xDFF), (0x200D, 0x200D)),
        _split("Noto Sans Sinhala|Noto Sans Sinhala Bold|Noto Serif Sinhala|Noto Serif Sinhala"),
        _split("Noto Sans Sinhala Bold|Noto Serif Sinhala Bold|Noto Serif Sinhala"),
        scale=0.85,
    ),
    Script(
        "thai",
        3,
        _split("th"),
        ((0xE01, 0xE4F),),
        _split("Noto Sans Thai|Noto Serif Thai|Noto Looped Thai|Garuda|Norasi|Loma|Kinnari|Laksaman"),
        _split(
            "Noto Sans Thai Bold|Noto Sans Thai Bold|Noto Sans Looped Thai Bold|Noto Serif Thai Bold|"
            "Noto Serif Thai|Purisa|Umpush Bold|Sawasdee Bold|Waree Bold|Tlwg Typewriter Bold"
        ),
        joint=ZWSP,
        stop=" ",
        comma=" ",
        digits="๐๑๒๓๔๕๖๗๘๙",
    ),
    Script(
        "lao",
        1,
        _split("lo"),
        ((0xE81, 0xECD), (0xEDC, 0xEDF)),
        _split("Noto Sans Lao|Noto Sans Lao Bold|Noto Serif Lao|Noto Serif Lao|Noto Looped Lao"),
        _split("Noto Sans Lao Bold|Noto Serif Lao Bold|Noto Serif Lao"),
        joint=ZWSP,
        stop=" ",
        comma=" ",
        scale=0.85,
    ),
    Script(
        "khmer",
        1,
        _split("km"),
        ((0x1780, 0x17D3),),
        _split("Noto Sans Khmer|Noto Sans Khmer Bold|Noto Serif Khmer|Noto Serif Khmer"),
        _split("Noto Sans Khmer Bold|Noto Serif Khmer Bold|Noto Serif Khmer"),
        joint=ZWSP,
        stop="។ ",
        comma=" ",
        digits="០១២៣៤៥៦៧៨៩",
        scale=0.72,
    ),
    Script(
        "burmese",
        1,
        _split("my"),
        ((0x1000, 0x103F),),
        _split("Noto Sans Myanmar|Noto Sans Myanmar Bold|Noto Serif Myanmar|Noto Serif Myanmar"),
        _split("Noto Sans Myanmar Bold|Noto Serif Myanmar Bold|Noto Serif Myanmar"),
        joint=ZWSP,
        stop="။ ",
        comma="၊ ",
        digits="၀၁၂၃၄၅၆၇၈၉",
        scale=0.72,
    ),
    Script(
        "georgian",
        1.2,
        _split("ka"),
        ((0x10D0, 0x10FF),),
        _split(
            "Noto Sans Georgian|Noto Sans Georgian Bold|Noto Serif Georgian|Noto Serif Georgian|DejaVu Sans|"
            "BPG Nino Medium GPL&GNU|BPG Serif GPL&GNU"
        ),
        _split(
            "Noto Sans Georgian Bold|Noto Serif Georgian Bold|Noto Serif Georgian|BPG Excelsior Caps GPL&GNU|"
            "BPG Ingiri GPL&GNU"
        ),
    ),
    Script(
        "armenian",
        1.2,
        _split("hy"),
        ((0x531, 0x587),),
        _split("Noto Sans Armenian|Noto Sans Armenian Bold|Noto Serif Armenian|Noto Serif Armenian|DejaVu Serif"),
        _split("Noto Sans Armenian Bold|Noto Serif Armenian Bold|Noto Serif Armenian"),
        stop="։ ",
        cased=True,
    ),
    Script(
        "ethiopic",
        1.2,
        _split("am|ti"),
        ((0x1200, 0x135A),),
        _split("Noto Sans Ethiopic|Noto Sans Ethiopic Bold|Noto Serif Ethiopic|Noto Serif Ethiopic"),
        _split("Noto Sans Ethiopic Bold|Noto Serif Ethiopic Bold|Noto Serif Ethiopic"),
        stop="። ",
        comma="፣ ",
    ),
    Script(
        "tibetan",
        0.5,
        _split("bo|dz"),
        ((0xF00, 0xFBC),),
        _split("Noto Serif Tibetan"),
        _split("Noto Serif Tibetan Bold"),
        joint="་",
        stop="། ",
        comma="། ",
        scale=0.8,
    ),
    Script(
        "cherokee",
        0.3,
        _split("chr"),
        ((0x13A0, 0x13FF), (0xAB70, 0xABBF)),
        _split("Noto Sans Cherokee|Noto Sans Cherokee|Noto Sans Cherokee Bold"),
    ),
)
BY_NAME = {script.name: script for script in SCRIPTS}
