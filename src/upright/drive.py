"""The one place where a picture's views are rendered, shown to the model, and its answers sent to a climb."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from .decide import climb
from .engines import batcher
from .errors import EngineError
from .steps import Looks, Step, render

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .decide import Ladder
    from .engines import Engine
    from .model import Model
    from .pictures import Picture
    from .results import Orientation, Promise

    #: Logits ``[n, 4]`` in the order of turn 0, 90, 180, 270 for views ``[n, S, S, 3]``.
    Infer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

#: A view whose brightest and darkest values are nearer than this shows nothing: paper noise of a blank scan is 5 to 9.
BLANK_RANGE = 10


def infer(model: Model, engine: Engine, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits ``[n, 4]`` in the order of turn 0, 90, 180, 270 for views ``[n, S, S, 3]``."""
    return by_turn(model, pixels, batcher.infer(engine, pixels))


def by_turn(model: Model, pixels: NDArray[np.uint8], logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """An engine's logits for these views in the order of turn 0, 90, 180, 270; those of blank views are zero.

    Raises EngineError where they are no numbers; here, so that it fails the picture alone and not its whole batch.
    """
    import numpy as np

    found = blanked(pixels, logits[:, np.argsort(model.turns)])
    if not np.isfinite(found.max(axis=1)).all():
        raise EngineError(f"{model.name} answered what is no number", remedy="export the model again")
    return found


def blanked(pixels: NDArray[np.uint8], logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits, in place, with zeros for blank views, for which the model would give its habitual answer."""
    flat = pixels.reshape(len(pixels), -1)
    logits[flat.max(axis=1).astype(int) - flat.min(axis=1) < BLANK_RANGE] = 0
    return logits


def look(picture: Picture, step: Step, size_px: int, infer: Infer) -> Looks:
    """Take one step: plan its views, render them, show them to the model. Raises what decoding raises."""
    import numpy as np

    views = step.views(picture, size_px)
    if not views:
        return Looks((), np.empty((0, 4), np.float32))
    return Looks.of(views, infer(np.stack([render(picture, view, size_px) for view in views])))


def decide(
    picture: Picture,
    ladder: Ladder,
    size_px: int,
    infer: Infer,
    *,
    effort: int,
    promise: Promise,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Orientation:
    """Climb the ladder with an open picture; the answer has its seconds of reading and of inference.

    Raises:
        UprightError: the picture cannot be decoded, or the engine fails.
    """
    infer_s = 0.0

    def timed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal infer_s
        started = time.perf_counter()
        logits = infer(pixels)
        infer_s += time.perf_counter() - started
        return logits

    started = time.perf_counter()
    climbing = climb(ladder, effort, promise, may_go_on)
    step = next(climbing)
    while True:
        try:
            step = climbing.send(look(picture, step, size_px, timed))
        except StopIteration as stop:
            answer: Orientation = stop.value
            break
    timing_s = {"read": time.perf_counter() - started - infer_s, "infer": infer_s}
    return replace(about(picture, answer), timing_s=timing_s)


def about(picture: Picture, answer: Orientation) -> Orientation:
    """The answer, with what is known of the picture that it is about."""
    return replace(
        answer,
        source=picture.name,
        format=picture.format,
        width_px=picture.width_px,
        height_px=picture.height_px,
        exif=picture.exif,
        page=picture.page,
        pages=picture.pages,
        warnings=tuple(picture.warnings),
    )
