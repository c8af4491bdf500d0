"""A `Request` says what to do; it is planned into a `Change`, which says which files get which bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal, TypeAlias, get_args

from ..carriers.sidecar import Naming
from ..errors import UsageError
from ..formats import Edit, Window, applied
from ..journal import Rows
from ..limits import DEFAULT_LIMITS, Limits
from ..lossless import LEAST_TILT
from ..results import Correction, Method, Orientation
from ..tilt import MOST_ERROR
from ..turns import ExifOrientation, Fill, Turn
from .opening import Opened

Edge: TypeAlias = Literal["tag", "trim", "refuse", "reencode"]


@dataclass(frozen=True, slots=True)
class Request:
    """How a picture is to be set right. Raises `UsageError` where it contradicts itself.

    Attributes:
        turn: clockwise, to make it upright.
        method: ``None`` chooses the first of TAG, TURN and KEEP that the format allows.
        edge: what TURN does where it cannot be done without loss: "tag" instead, "trim" a JPEG's edge blocks,
            "refuse", or "reencode".
        page: of a file with several, counted from 0.
        target: the file to write; ``None``: nowhere yet, or the source itself where ``in_place``.
        note: a remark on the turn, for the correction.
        mirrored: exchange left and right of what is shown, before it is turned.
        sidecar: write an XMP sidecar of such a name instead of changing the picture; of raw photographs always.
        pixels: the result is upright without a tag: turned without loss where possible, else compressed again; also
            where the picture is upright by its tag.
        straighten: also straighten what is tilted, by resampling: "crop" cuts the corners off that this leaves, "white"
            and "edge" say what fills them. ``tilt`` is by how many degrees clockwise.
        limits: of memory, for methods that decode.
    """

    turn: Turn = Turn.NONE
    method: Method | None = None
    edge: Edge = "tag"
    page: int = 0
    target: str | None = None
    in_place: bool = False
    note: str = ""
    mirrored: bool = False
    sidecar: Naming | None = None
    pixels: bool = False
    straighten: Fill | None = None
    tilt: float = 0.0
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.edge not in get_args(Edge):
            raise UsageError(f"there is no edge {self.edge!r}", remedy=f"use one of {', '.join(get_args(Edge))}")
        if self.straighten and self.straighten not in get_args(Fill):
            raise UsageError(
                f"nothing fills with {self.straighten!r}", remedy=f"use one of {', '.join(get_args(Fill))}"
            )
        if self.straighten and self.sidecar:
            raise UsageError("a sidecar cannot straighten a picture", remedy="leave sidecar or straighten out")
        method = f"method {self.method}" if self.method not in (None, Method.KEEP) else ""
        if self.straighten and self.method in (Method.TAG, Method.TURN):
            raise UsageError(f"straighten changes pixels, and {method} keeps them", remedy=f"leave {method} out")
        if self.sidecar and (other := "pixels" if self.pixels else method):
            raise UsageError(f"a sidecar leaves a picture alone, and {other} changes it", remedy=f"leave {other} out")
        if self.pixels and (other := method or "edge refuse" * (self.edge == "refuse")):
            cause = f"pixels turns without loss or compresses again, and {other} is against it"
            raise UsageError(cause, remedy=f"leave pixels or {other} out")
        if self.in_place and self.target is not None:
            raise UsageError("in_place and a target contradict each other", remedy="give one of them")

    @property
    def moves(self) -> bool:
        """Whether the picture is to be shown otherwise than it is."""
        return self.turn != Turn.NONE or self.mirrored

    def after(self, before: ExifOrientation) -> ExifOrientation:
        """How a picture is shown that was shown so before."""
        return (before.mirror() if self.mirrored else before).then(self.turn)

    def answered(self, turn: Turn | Orientation | int) -> Request:
        """The same request for a turn in degrees, or for the answer of detection; what is unsure is left alone."""
        if isinstance(turn, Orientation):
            if turn.turn is None:
                return replace(self, turn=Turn.NONE, note=f"best guess {turn.best.value}, left alone")
            error = turn.tilt_error or 0.0
            # The tilt of photographs is known to 1.6 degrees at best: that informs, and straightens nothing.
            known = turn.tilt is not None and error <= MOST_ERROR
            if self.straighten and known and abs(turn.tilt or 0) >= max(LEAST_TILT, 2 * error):
                self = replace(self, tilt=round(turn.tilt or 0, 3))
            return replace(self, turn=turn.turn, mirrored=turn.mirrored is True)
        if turn not in (0, 90, 180, 270):
            raise UsageError(f"{turn} is no quarter turn", remedy="use 0, 90, 180 or 270")
        return replace(self, turn=Turn(turn))


def noted(*notes: str) -> str:
    """Remarks on a correction as one."""
    return "; ".join(filter(None, notes))


@dataclass(frozen=True, slots=True)
class Target:
    """One file as a change leaves it: the bytes of ``base`` with ``edits``, or ``data`` in their place.

    Where ``path`` is the path of ``base``, that file is replaced; another file is new. Without a ``base`` the file
    did not exist before. ``check`` reads the written file and raises if it is wrong.
    """

    path: str | None
    base: Opened | None
    edits: tuple[Edit, ...] = ()
    data: bytes | None = None
    check: Callable[[BinaryIO], None] | None = None

    @property
    def replaces(self) -> bool:
        """Whether the file that was looked at is replaced."""
        return self.base is not None and self.base.path is not None and self.path == self.base.path

    def pieces(self) -> Iterator[bytes]:
        """The new bytes."""
        if self.data is not None:
            return iter((self.data,))
        return applied(self.base.window if self.base else Window(b""), self.edits)


@dataclass(frozen=True, slots=True)
class Change:
    """What is done, and the files that it writes: none where nothing is to be written.

    ``rows`` are those of its picture in the results of the run, once it is done.
    """

    correction: Correction
    targets: tuple[Target, ...] = ()
    rows: Rows = ()
