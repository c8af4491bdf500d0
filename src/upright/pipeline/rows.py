"""A row as a dictionary of JSON values, and back."""

from __future__ import annotations

from typing import Any

from .. import errors
from ..errors import UprightError
from ..report import Row
from ..results import Correction, Method, Orientation, Promise, Reason, Scores
from ..turns import ExifOrientation, Turn


def row_to_dict(row: Row) -> dict[str, Any]:
    """JSON values; no times of the clock, so that the same picture gives the same row wherever it was worked on."""
    values = row.to_dict()
    values.pop("timing_s", None)
    return values


def row_from_dict(values: dict[str, Any]) -> Row:
    """The row that `row_to_dict` wrote."""
    orientation = correction = error = None
    if "scores" in values:
        fields = {name: values[name] for name in Orientation.__dataclass_fields__ if name in values}
        orientation = Orientation(
            **fields
            | {
                "turn": None if values["turn"] is None else Turn(values["turn"]),
                "best": Turn(values["best"]),
                "scores": Scores(tuple(values["scores"])),
                "reason": Reason(values["reason"]),
                "promise": Promise(values["promise"]),
                "exif": ExifOrientation(values["exif"]),
                "warnings": tuple(values["warnings"]),
            }
        )
    if "error" in values:
        kind = getattr(errors, values["error"], UprightError)
        error = kind(values["cause"], remedy=values["remedy"])
        error.source = values["source"]
    if "correction" in values:
        given = values["correction"]
        turned = {
            "method": Method(given["method"]),
            "turn": Turn(given["turn"]),
            "exif_before": ExifOrientation(given["exif_before"]),
            "exif_after": ExifOrientation(given["exif_after"]),
        }
        correction = Correction(**{**given, **turned})
    return Row(values["source"], orientation, error, correction)
