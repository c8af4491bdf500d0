"""What sets a picture right that a method refuses."""

from __future__ import annotations

from contextlib import suppress

from ..errors import REENCODE, TAG, Damaged, Remedy, TooLarge, UprightError
from ..formats import Format, Window
from ..formats.heif import has_frames
from ..turns import Turn


def remedy_of(row: Format | None, window: Window, turn: Turn) -> Remedy:
    """What sets a picture right that neither a tag nor a turn without loss can."""
    if row and moves(row, window):
        if row.name == "GIF":
            return Remedy(f"turn its frames with another program: gifsicle --rotate-{turn.value or 90}")
        return TAG if "exif" in row.carriers else Remedy("use --sidecar")
    if row and row.extra:
        return Remedy("use --sidecar, or convert it to PNG and correct that")
    if row and row.written:
        return REENCODE
    return Remedy("correct it alone, with --method reencode -o and a name that ends in .png, or use --sidecar")


def fitting(error: UprightError, row: Format | None, window: Window, turn: Turn) -> Remedy:
    """The remedy of an error, where the format has what it names; what pixels cannot do, a tag may."""
    tags = {"exif", "codestream", "rotate"} | ({"irot"} if row and not moves(row, window) else set())
    tagged = row is not None and bool(tags & {*row.carriers})
    if error.remedy and (tagged or error.remedy.method != TAG.method):
        return error.remedy
    if isinstance(error, TooLarge):
        return Remedy(error.remedy.otherwise or error.remedy)
    return TAG if tagged else remedy_of(row, window, turn)


def moves(row: Format, window: Window) -> bool:
    """Whether a picture is an animation."""
    if row.holds == "pages":
        return False
    with suppress(Damaged):  # asked of what an error is about, too
        return has_frames(window) or (row.container is not None and row.container.pages(window) > 1)
    return False
