"""HEIC and AVIF: the transformations ``irot`` and ``imir`` of a picture's item.

The standard (ISO/IEC 23008-12) makes these normative and an EXIF orientation beside them only information; libheif,
libvips and browsers apply the former and ignore the latter, so the boxes lead. A turn changes the one byte of an
``irot``, or adds such a property where there is none that only this picture has; to be mirrored, it gets both anew.
Thumbnails, depth and gain maps of a picture follow it. No pixel is touched.

A transformation that is not essential may be ignored by 23008-12; MIAF (ISO/IEC 23000-22, 7.3.9), on which AVIF and
HEIC of cameras rest, has none. libheif and libvips apply it, so it counts here; libavif and Chromium open no such file.
What is changed becomes essential, so that all of them show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import Damaged, NotLossless
from ..formats import Edit, Window
from ..formats.heif import Link, Meta
from ..turns import HEIF_IROT, ExifOrientation, Turn
from .moved import Moved

#: A transformation: the type of its box, and the byte that it holds.
_Step = tuple[bytes, int]
_TRANSFORMING = (b"clap", b"irot", b"imir")
_REMEDY = "correct it alone, with --method reencode -o and a name that ends in .jpg"


def orientation(window: Window, page: int = 0) -> ExifOrientation:
    """How stored pixels become shown pixels; TOP_LEFT where nothing says so or the boxes are damaged."""
    try:
        meta = Meta(window)
        return _orientation(meta, meta.master(page))
    except Damaged:
        return ExifOrientation.TOP_LEFT


def edits(window: Window, wanted: Mapping[int, ExifOrientation]) -> list[Edit]:
    """The edits that show pages so, and with each what belongs to it. Raises `NotLossless`."""
    try:
        meta = Meta(window)
        if meta.sequence:
            raise NotLossless("it is an animation", remedy="use --sidecar")
        changes: dict[int, ExifOrientation] = {}
        for page, orientation_wanted in wanted.items():
            item = meta.master(page)
            before = _orientation(meta, item)
            if orientation_wanted == before:
                continue
            if item in meta.pieces():
                raise NotLossless("another picture in the file is made of it, which would fall apart", remedy=_REMEDY)
            moved = Moved(before, orientation_wanted)
            changes |= {each: moved.of(_orientation(meta, each)) for each in (item, *_parts(meta, item))}
        return _changed(meta, changes) if changes else []
    except Damaged as error:
        raise NotLossless(f"its boxes cannot be changed: {error.cause}", remedy="use --sidecar") from error


def _orientation(meta: Meta, item: int) -> ExifOrientation:
    return _shown([step for _, step in _steps(meta, meta.links(item))])


def _shown(steps: list[_Step]) -> ExifOrientation:
    shown = ExifOrientation.TOP_LEFT
    for kind, value in steps:
        if kind == b"irot":
            shown = shown.then(HEIF_IROT[value & 3])
        else:
            # Axis 0 exchanges top and bottom, 1 left and right; a mirror reverses the turns made before it.
            half = Turn.NONE if value & 1 else Turn.HALF
            shown = shown.mirror().then(half)
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

    A map that lies otherwise than its picture, or is not cut as it is, stays: libavif opens no file whose maps are
    transformed otherwise, and shows one whose maps are not at all as the picture (it wrote such files up to 1.3).
    """
    before = _orientation(meta, item), _cut(meta, item)
    for kind, source, targets in meta.references:
        found: list[int] = []
        if kind == b"thmb" and item in targets:
            yield source
        elif kind == b"auxl" and item in targets:
            found = [source]
        elif kind == b"dimg" and targets[:1] == [item] and meta.kinds.get(source) == b"tmap":
            # Made of what is turned already: libavif opens no file whose tone-mapped picture is turned as well.
            found = [*targets[1:], *[source] * bool(_steps(meta, meta.links(source)))]
        yield from (each for each in found if (_orientation(meta, each), _cut(meta, each)) == before)


def _cut(meta: Meta, item: int) -> list[bytes]:
    """The clean aperture of an item, if it has one."""
    boxes = [meta.properties[link.number - 1] for link in meta.links(item)]
    return [meta.window.at(box.body, box.end - box.body) for box in boxes if box.kind == b"clap"]


def _changed(meta: Meta, wanted: dict[int, ExifOrientation]) -> list[Edit]:
    """The edits that show these items so, which are those of one picture or of several."""
    users = meta.users()
    bytes_of: dict[int, int] = {}
    added: list[_Step] = []
    links: dict[int, list[Link]] = {}
    for item, orientation_wanted in sorted(wanted.items()):
        mine = _essential(meta, item)
        steps = _steps(meta, mine)
        value = _turn_among(steps, orientation_wanted)
        at = next((index for index, (kind, _) in steps if kind == b"irot"), None)
        if at is not None and value is not None:
            number = mine[at].number
            if users[number] <= wanted.keys() and bytes_of.get(number, value) == value:
                bytes_of[number] = value
                if mine != meta.links(item):
                    links[item] = mine
                continue
        gone = [index for index, _ in steps] if value is None else [] if at is None else [at]
        place = min(gone or [index for index, _ in steps], default=len(mine))
        new = [(b"irot", value)] if value is not None else _transformations(orientation_wanted)
        added += [step for step in new if step not in added]
        numbers = [Link(True, len(meta.properties) + 1 + added.index(step)) for step in new]
        kept = [link for index, link in enumerate(mine) if index not in gone]
        links[item] = [*kept[:place], *numbers, *kept[place:]]
    changed = [
        meta.window.edit(meta.properties[number - 1].body, bytes([value]))
        for number, value in bytes_of.items()
        if meta.window.at(meta.properties[number - 1].body, 1) != bytes([value])
    ]
    boxes = [b"\0\0\0\x09" + kind + bytes([value]) for kind, value in added]
    return changed + (meta.rewrite(boxes, links) if links else [])


def _essential(meta: Meta, item: int) -> list[Link]:
    """An item's properties, those that transform it marked as essential."""
    return [
        link._replace(essential=link.essential or meta.properties[link.number - 1].kind in _TRANSFORMING)
        for link in meta.links(item)
    ]


def _turn_among(steps: list[tuple[int, _Step]], wanted: ExifOrientation) -> int | None:
    """The value of an ``irot`` that shows it so, put first where there is none; None where it takes a mirror, too."""
    at = next((index for index, (kind, _) in steps if kind == b"irot"), -1)
    rest = [step for step in steps if step[0] != at]
    # MIAF (ISO/IEC 23000-22, 7.3.6.7) has a turn before a mirror.
    return next((v for v in range(4) if _shown([s for _, s in sorted([*rest, (at, (b"irot", v))])]) == wanted), None)


def _transformations(wanted: ExifOrientation) -> list[_Step]:
    """A turn, if it takes one, and a mirror, if it takes one, that show stored pixels so."""
    turned: list[list[_Step]] = [[], *([(b"irot", value)] for value in (1, 2, 3))]
    return next(
        steps for mirror in ([], [(b"imir", 1)]) for turn in turned if _shown(steps := [*turn, *mirror]) == wanted
    )
