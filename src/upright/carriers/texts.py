"""EXIF and XMP that a PNG keeps as text: raw profiles of older programs, a compressed packet, a bare orientation."""

from __future__ import annotations

import re
import zlib

from ..errors import Damaged
from ..formats import Blocks, Edit, Span, Window, applied
from ..formats.edits import MAX_BLOCK
from ..formats.png import chunk, chunks
from ..formats.tiff import directory
from . import exif, thumbnail, xmp
from .moved import Moved

_PROFILE = re.compile(rb"Raw profile type (exif|APP1|xmp)\Z")
_PACKET = b"XML:com.adobe.xmp"
_XMP_HEAD, _EXIF_HEAD = b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0"


def follow(window: Window, blocks: Blocks, moved: Moved) -> list[Edit]:
    """The edits of chunks of text."""
    edits = []
    for kind, start, length in chunks(window):
        if kind not in (b"tEXt", b"zTXt", b"iTXt") or length > MAX_BLOCK:
            continue
        body = window.exactly(start + 8, length)
        keyword, _, rest = body.partition(b"\0")
        packed = kind == b"zTXt" or (kind == b"iTXt" and rest[:1] == b"\1")
        head, text = _split(kind, rest)
        try:
            plain = _unpacked(text) if packed else text
            new = _rewritten(keyword, plain, packed, moved)
        except (Damaged, zlib.error, ValueError):
            continue
        if new is not None and new != plain:
            made = chunk(kind, keyword + b"\0" + head + (zlib.compress(new) if packed else new))
            edits.append(Edit(start, window.exactly(start, length + 12), made))
    return edits


def _split(kind: bytes, rest: bytes) -> tuple[bytes, bytes]:
    """What stands before the text: nothing, a method, or two flags, a language and a translated keyword."""
    if kind == b"tEXt":
        return b"", rest
    if kind == b"zTXt":
        return rest[:1], rest[1:]
    at = rest.find(b"\0", rest.find(b"\0", 2) + 1) + 1
    return rest[:at], rest[at:]


def _unpacked(data: bytes) -> bytes:
    opened = zlib.decompressobj()
    text = opened.decompress(data, MAX_BLOCK)
    if opened.unconsumed_tail:
        raise Damaged("a text of over 1 MB")
    return text


def _rewritten(keyword: bytes, text: bytes, packed: bool, moved: Moved) -> bytes | None:
    if keyword in (b"exif:Orientation", b"EXIF:Orientation", b"Orientation"):
        return b"%d" % moved.after if text.strip() in [b"%d" % n for n in range(1, 9)] else None
    if keyword == _PACKET:
        return xmp.rewritten(text, moved) if packed else None  # one that is not compressed is the container's packet
    if not _PROFILE.match(keyword):
        return None
    _, name, size, *lines = text.split(b"\n")
    data = bytes.fromhex(b"".join(lines).decode("ascii"))
    if len(data) != int(size):
        return None
    if data.startswith(_EXIF_HEAD):
        window = Window(data[6:])
        new = _EXIF_HEAD + b"".join(applied(window, _block_edits(window, moved)))
    else:
        at = len(_XMP_HEAD) if data.startswith(_XMP_HEAD) else 0
        new = data[:at] + xmp.rewritten(data[at:], moved)
    digits = new.hex().encode()
    wrapped = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return b"\n".join([b"", name, b"%8d" % len(new), *wrapped, b""])


def _block_edits(window: Window, moved: Moved) -> list[Edit]:
    """The edits of an EXIF block that a program keeps beside the leading one."""
    span = Span(0, window.size)
    found = directory(window, span)
    value = exif.read(window, found)
    edits = exif.change(window, found, moved.after) if value and value.raw != moved.after else []
    return edits + exif.follow(window, span, moved) + thumbnail.follow(window, Blocks(span), moved)
