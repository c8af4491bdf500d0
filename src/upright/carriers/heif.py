"""HEIC and AVIF: the transformations ``irot`` and ``imir`` of a picture's item.

The standard (ISO/IEC 23008-12) makes these normative and an EXIF orientation beside them only information; libheif,
libvips and browsers apply the former and ignore the latter, so the boxes lead. A turn changes the one byte of an
``irot``, or adds such a property where there is none that only this picture has; thumbnails, depth and gain maps of a
picture turn with it. No pixel is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import Damaged, NotLossless
from ..formats import Edit, Window
from ..formats.heif import Link, Meta
from ..turns import HEIF_IROT, ExifOrientation, Turn

#: A transformation: the type of its box, and the byte that it holds.
_Step = tuple[bytes, int]
_REMEDY = "correct it alone, with --method reencode -o and a name that ends in .jpg"


def orientation(window: Window, page: int = 0) -> ExifOrientation:
    """How stored pixels become shown pixels; TOP_LEFT where nothing says so or the boxes are damaged."""
    try:
        meta = Meta(window)
        return _shown([step for _, step in _steps(meta, meta.links(meta.master(page)))])
    except Damaged:
        return ExifOrientation.TOP_LEFT


def edits(window: Window, wanted: Mapping[int, ExifOrientation]) -> list[Edit]:
    """The edits that show pages so, and with each what belongs to it. Raises `NotLossless`."""
    try:
        meta = Meta(window)
        if meta.sequence:
            raise NotLossless("it is an animation", remedy="use --sidecar")
        turns: dict[int, Turn] = {}
        for page, orientation_wanted in wanted.items():
            item = meta.master(page)
            before = _shown([step for _, step in _steps(meta, meta.links(item))])
            turn = next((turn for turn in Turn if before.then(turn) == orientation_wanted), None)
            if turn is None:
                raise NotLossless("it cannot be mirrored by a turn", remedy=_REMEDY)
            if turn and item in meta.pieces():
                raise NotLossless("another picture in the file is made of it, which would fall apart", remedy=_REMEDY)
            if turn:
                turns |= dict.fromkeys([item, *_parts(meta, item)], turn)
        return _turned(meta, turns) if turns else []
    except Damaged as error:
        raise NotLossless(f"its boxes cannot be changed: {error.cause}", remedy="use --sidecar") from error


def _shown(steps: list[_Step]) -> ExifOrientation:
    shown = ExifOrientation.TOP_LEFT
    for kind, value in steps:
        if kind == b"irot":
            shown = shown.then(HEIF_IROT[value & 3])
        else:
            # Axis 0 exchanges top and bottom, 1 left and right; a mirror reverses the turns made before it.
            half = Turn.NONE if value & 1 else Turn.HALF
            shown = ExifOrientation.compose(not shown.mirrored, shown.turn.inverse.then(half))
    return shown


def _steps(meta: Meta, links: list[Link]) -> list[tuple[int, _Step]]:
    """The transformations among an item's properties, each with its place in ``links``."""
    found = []
    for index, link in enumerate(links):
        box = meta.properties[link.number - 1]
        if box.kind in (b"irot", b"imir") and (value := meta.window.at(box.body, min(1, box.end - box.body))):
            found.append((index, (box.kind, value[0])))
    return found


def _parts(meta: Meta, item: int) -> Iterator[int]:
    """What is shown with a picture: its thumbnail, depth or gain map, and a tone-mapped picture made of these.

    A map that lies otherwise than its picture stays: libavif opens no file whose maps have other turns, and shows one
    whose maps have none as the picture (avifenc 0.11 writes such files).
    """
    before = _shown([step for _, step in _steps(meta, meta.links(item))])
    for kind, source, targets in meta.references:
        found: list[int] = []
        if kind == b"thmb" and item in targets:
            yield source
        elif kind == b"auxl" and item in targets:
            found = [source]
        elif kind == b"dimg" and targets[:1] == [item] and meta.kinds.get(source) == b"tmap":
            found = [source, *targets[1:]]
        yield from (each for each in found if _shown([step for _, step in _steps(meta, meta.links(each))]) == before)


def _turned(meta: Meta, turns: dict[int, Turn]) -> list[Edit]:
    users = meta.users()
    bytes_of: dict[int, int] = {}
    added: list[int] = []
    links: dict[int, list[Link]] = {}
    for item, turn in sorted(turns.items()):
        mine = meta.links(item)
        steps = _steps(meta, mine)
        wanted = _shown([step for _, step in steps]).then(turn)
        at = next((index for index, (kind, _) in steps if kind == b"irot"), None)
        # MIAF (ISO/IEC 23000-22, 7.3.6.7) has a turn before a mirror.
        place = min([index for index, _ in steps], default=len(mine)) if at is None else at
        rest = [step for step in steps if step[0] != at]
        value = next(
            value
            for value in range(4)
            if _shown([step for _, step in sorted([*rest, (place - (at is None), (b"irot", value))])]) == wanted
        )
        if at is not None and users[mine[at].number] <= turns.keys() and bytes_of.get(mine[at].number, value) == value:
            bytes_of[mine[at].number] = value
            continue
        if value not in added:
            added.append(value)
        link = Link(True, len(meta.properties) + 1 + added.index(value))
        links[item] = [*mine[:place], link, *mine[place + (at is not None) :]]
    new = [b"\0\0\0\x09irot" + bytes([value]) for value in added]
    changed = [
        meta.window.edit(meta.properties[number - 1].body, bytes([value]))
        for number, value in bytes_of.items()
        if meta.window.at(meta.properties[number - 1].body, 1) != bytes([value])
    ]
    return changed + (meta.rewrite(new, links) if links else [])
