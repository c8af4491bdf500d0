"""What to do when a GPU's memory runs out: half as many views at once, said aloud, and on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ..errors import EngineError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

log = logging.getLogger("upright")


class _Accelerated(Protocol):
    name: str
    batch_size: int

    def is_out_of_memory(self, error: Exception) -> bool: ...


def within_memory(engine: _Accelerated, run: Run, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """``run(pixels)``; where memory runs out, both halves one after the other, and smaller batches from then on.

    Raises:
        EngineError: one view alone does not fit, or the engine failed for another reason.
    """
    import numpy as np

    try:
        return run(pixels)
    except Exception as error:
        views = len(pixels)
        if not engine.is_out_of_memory(error):
            raise EngineError(
                f"{engine.name} failed on {views} views: {error}", remedy="run `upright doctor`"
            ) from error
        if views == 1:
            raise EngineError(
                f"{engine.name}: memory is too small for one view: {error}",
                remedy="end other programs that use the GPU, or use --engine onnx:cpu",
            ) from error
    half = views // 2
    engine.batch_size = min(engine.batch_size, half)
    log.warning("%s: out of memory with %d views at once; going on with %d", engine.name, views, half)
    return np.concatenate([within_memory(engine, run, part) for part in (pixels[:half], pixels[half:])])
