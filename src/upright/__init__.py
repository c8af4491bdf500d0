"""upright tells which way up a picture belongs, from its pixels alone, and sets it right without losing anything."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .correction import correct, undo
    from .detector import Detector, detect
    from .errors import (
        BrokenPicture,
        CorrectionError,
        Damaged,
        EngineError,
        ExtraMissing,
        JournalError,
        ModelError,
        NotAPicture,
        NotLossless,
        Overloaded,
        SourceError,
        SourceMissing,
        TooLarge,
        UprightError,
        UsageError,
        WriteFailed,
    )
    from .pictures import Limits, open_picture
    from .results import Correction, Method, Orientation, Promise, Reason, Scores
    from .turns import ExifOrientation, Turn

__version__ = "0.1.0"

# ONNX Runtime 1.29 and later send usage data unless this is set before they are imported; nothing of upright's is sent.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__all__ = [
    "BrokenPicture",
    "Correction",
    "CorrectionError",
    "Damaged",
    "Detector",
    "EngineError",
    "ExifOrientation",
    "ExtraMissing",
    "JournalError",
    "Limits",
    "Method",
    "ModelError",
    "NotAPicture",
    "NotLossless",
    "Orientation",
    "Overloaded",
    "Promise",
    "Reason",
    "Scores",
    "SourceError",
    "SourceMissing",
    "TooLarge",
    "Turn",
    "UprightError",
    "UsageError",
    "WriteFailed",
    "__version__",
    "correct",
    "detect",
    "open_picture",
    "undo",
]

_HOME = {
    **dict.fromkeys(("correct", "undo"), "correction"),
    **dict.fromkeys(("Detector", "detect"), "detector"),
    **dict.fromkeys(("Limits", "open_picture"), "pictures"),
    **dict.fromkeys(("Correction", "Method", "Orientation", "Promise", "Reason", "Scores"), "results"),
    **dict.fromkeys(("ExifOrientation", "Turn"), "turns"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``import upright`` costs no numpy."""
    if name not in __all__:
        raise AttributeError(f"module 'upright' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names alone, whether they were imported already or not."""
    return __all__
