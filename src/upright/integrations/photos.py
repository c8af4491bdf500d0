"""The pictures that a photo program keeps are set right: as the model is sure, or as a person decided in the review."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from upright import ExifOrientation, Turn, UprightError

from .. import atomic
from ..carriers import read_exif_orientation
from ..formats import FORMATS, sniff

if TYPE_CHECKING:
    from upright import Detector, Promise

    from ..review.decisions import Decision


class Wanted(NamedTuple):
    """What makes a picture upright as it is shown: first mirrored, then turned clockwise."""

    turn: Turn
    mirrored: bool = False

    def after(self, shown: ExifOrientation) -> ExifOrientation:
        """The orientation that shows it so."""
        return (shown.mirror() if self.mirrored else shown).then(self.turn)

    def __str__(self) -> str:
        words = ["mirrored"] * self.mirrored + [f"turned by {int(self.turn)}°"] * bool(self.turn)
        return " and ".join(words)


class Said(NamedTuple):
    """What became of a picture, in a line; ``failed`` where it could not be read or changed."""

    line: str
    failed: bool = False


class Photograph(Protocol):
    """A picture in a photo program."""

    @property
    def uid(self) -> str:
        """Its key in the program."""

    @property
    def name(self) -> str:
        """Of its file."""


_Photograph = TypeVar("_Photograph", bound=Photograph)


class Library(Protocol, Generic[_Photograph]):
    """A photo program. Its methods raise SourceError."""

    def pictures(self) -> Iterator[_Photograph]:
        """All pictures of the key's owner."""

    def shown(self, picture: _Photograph) -> bytes:
        """The picture as the program shows it."""

    def change(self, picture: _Photograph, exif: ExifOrientation, wanted: Wanted, dry_run: bool) -> str:
        """Show it as wanted; ``exif`` is what its file says now. Returns what was done, in words."""


def set_right(
    library: Library[_Photograph],
    detector: Detector,
    promise: Promise | str,
    dry_run: bool = False,
    unsure: Path | None = None,
) -> Iterator[Said]:
    """Turn what lies wrong; what became of each picture that is turned, or fails.

    Those that the model is unsure of are saved into the folder ``unsure``, where `upright review` settles them. Raises
    SourceError if the list of pictures cannot be read, WriteFailed where the folder cannot be made.
    """
    if unsure is not None:
        atomic.make_folder(unsure)
    for picture in library.pictures():
        try:
            data = library.shown(picture)
            answer = detector.detect(data, promise=promise)
            wanted = Wanted(answer.to_apply.turn, answer.to_apply.mirrored)
            if any(wanted):
                yield Said(f"{picture.name}: {library.change(picture, answer.exif, wanted, dry_run)}")
            elif answer.turn is None and unsure is not None:
                place = atomic.below(unsure, PurePath(picture.uid + FORMATS[sniff(data)].suffixes.split()[0]))
                atomic.write(str(place), [data])
                yield Said(f"{picture.name}: unsure, saved as {place.name}")
        except UprightError as error:
            yield Said(f"{picture.name}: {error}", failed=True)


def as_decided(library: Library[_Photograph], decisions: Iterable[Decision], dry_run: bool = False) -> Iterator[Said]:
    """Show pictures as a person decided about what `set_right` saved; what became of each.

    A picture that is no longer what was looked at is left, so that the same decisions can be sent twice.
    """
    wanted = {PurePath(each.path).stem: each for each in decisions}
    for picture in library.pictures():
        decision = wanted.get(picture.uid)
        if decision is None or decision.turn is None or not (decision.turn or decision.mirrored):
            continue
        try:
            data = library.shown(picture)
            if hashlib.sha256(data).hexdigest() != decision.before:
                yield Said(f"{picture.name}: stays, it was changed since it was looked at")
                continue
            exif = read_exif_orientation(data).orientation
            done = library.change(picture, exif, Wanted(decision.turn, decision.mirrored), dry_run)
            yield Said(f"{picture.name}: {done}")
        except UprightError as error:
            yield Said(f"{picture.name}: {error}", failed=True)
