"""XMP sidecars: small files beside a picture that say how it lies; the picture itself is not touched.

``photo.nef.xmp`` (darktable, digiKam, Immich) or ``photo.xmp`` (Adobe). One that is there is changed in its
orientation alone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import NotLossless
from ..formats import Format, format_of_suffix
from ..turns import ExifOrientation
from . import xmp
from .moved import Moved

#: ``full``: the suffix is added to the name; ``stem``: it replaces the picture's own.
Naming: TypeAlias = Literal["full", "stem"]

_MOST_BYTES = 16 << 20
_DESCRIPTION = re.compile(rb"<rdf:Description\b")
_NEW = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%d"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def places(picture: str) -> dict[Naming, Path]:
    """Where the sidecar of a picture may be."""
    path = Path(picture)
    return {"full": path.with_name(f"{path.name}.xmp"), "stem": path.with_suffix(".xmp")}


def place(picture: str, target: str, naming: Naming) -> Path:
    """Where a new sidecar of a picture that becomes ``target`` goes: not where a raw photograph has its own."""
    return places(target)["full" if _beside_raw(picture) or _beside_raw(target) else naming]


def existing(picture: str) -> Path | None:
    """The sidecar that a picture has. ``a.xmp`` is that of ``a.nef``, and not of an ``a.jpg`` beside it."""
    there = next((path for path in places(picture).values() if path.is_file()), None)
    return None if there == places(picture)["stem"] and _beside_raw(picture) else there


def leading(picture: str) -> Path | None:
    """The sidecar that says how a picture is shown, as that of a raw photograph does."""
    return existing(picture) if is_raw(format_of_suffix(picture)) else None


def _beside_raw(picture: str) -> bool:
    """Whether a picture that is no raw photograph has the name of one beside it, but for the suffix."""
    path, raw = Path(picture), is_raw(format_of_suffix(picture))
    return not raw and any(is_raw(format_of_suffix(each)) for each in path.parent.glob(f"{escape(path.stem)}.*"))


def is_raw(row: Format | None) -> bool:
    """Whether a format is one of raw photographs, whose sidecar leads."""
    return row is not None and "raw" in row.carriers


def is_of_one(sidecar: Path) -> bool:
    """Whether there is no second picture that ``a.xmp`` could be the sidecar of."""
    pictures = [each for each in sidecar.parent.glob(f"{escape(sidecar.stem)}.*") if format_of_suffix(each)]
    return len(pictures) < 2


def read(sidecar: Path) -> ExifOrientation | None:
    """The orientation that a sidecar says; ``None`` where it says none, or cannot be read."""
    try:
        with sidecar.open("rb") as file:
            return _said(file.read(_MOST_BYTES))
    except OSError:
        return None


def _said(data: bytes) -> ExifOrientation | None:
    found = xmp.VALUE.search(data)
    return ExifOrientation(int(found[1])) if found and found[1] in b"12345678" else None


def moved(old: bytes, how: Moved) -> tuple[bytes, ExifOrientation | None]:
    """The sidecar of a picture that itself was changed, and an orientation of another meaning, which stays.

    Raises `NotLossless` for what cannot move with the pixels.
    """
    said, shown = _said(old), how.pixels if how.pixels != ExifOrientation.TOP_LEFT else how.after
    other = said if said not in (None, how.before, shown) else None
    return xmp.rewritten(old, replace(how, after=other or how.after)), other


def written(old: bytes | None, orientation: ExifOrientation) -> bytes:
    """A sidecar that says this, with all else that the old one has. Raises `NotLossless` for one that is no XMP."""
    if old is None:
        return _NEW % orientation
    if found := xmp.VALUE.search(old):
        return old[: found.start(1)] + b"%d" % orientation + old[found.end(1) :]
    if (place := _DESCRIPTION.search(old)) is None:
        cause = "its sidecar is no XMP that an orientation could be added to"
        raise NotLossless(cause, remedy="rename the sidecar; a new one is written then")
    added = b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/"' * (b"xmlns:tiff=" not in old)
    added += b' tiff:Orientation="%d"' % orientation
    return old[: place.end()] + added + old[place.end() :]
