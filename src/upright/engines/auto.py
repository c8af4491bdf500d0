"""``--engine auto``: measure every engine that is installed for a moment, and remember the fastest."""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import time
from typing import TYPE_CHECKING, Any, TypeVar

from .. import atomic
from ..errors import EngineError, ExtraMissing, ModelError, WriteFailed
from ..extras import install_line
from ..machine import cache_folder, processor
from . import ENGINES, Engine, open_engine

if TYPE_CHECKING:
    from ..model import Model

_Key = TypeVar("_Key")
log = logging.getLogger("upright")
#: Together about a second: the engines share it.
MEASURE_S = 1.0
BATCH_SIZES = (1, 2, 4, 8)


def measured(model: Model) -> dict[str, Any]:
    """``engine``, the fastest here, its ``batch_size``, and ``views_per_s`` of every engine that opened.

    Measured once for each model and machine, then taken from the cache.
    """
    path = cache_folder() / "engines.json"
    try:
        kept = json.loads(path.read_text("utf-8"))
    except (OSError, RecursionError, ValueError):
        kept = {}
    kept, key = kept if isinstance(kept, dict) else {}, _key(model)
    if key not in kept:
        kept[key] = _measure(model)
        with contextlib.suppress(WriteFailed):  # an unwritable folder costs a second at each start, no more
            atomic.make_folder(path.parent)
            atomic.write(str(path), [json.dumps(kept, indent=1).encode()])
    found: dict[str, Any] = kept[key]
    return found


def views_per_s(engine: Engine, size_px: int, batch: int, seconds: float) -> float:
    """How many views an engine answers in a second, after one call that is not counted."""
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 256, (batch, size_px, size_px, 3), dtype=np.uint8)
    engine.infer(pixels)
    started, calls = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds or not calls:
        engine.infer(pixels)
        calls += 1
    return batch * calls / elapsed


def _measure(model: Model) -> dict[str, Any]:
    speeds: dict[str, dict[int, float]] = {}
    for name in ENGINES:  # default precision: one that changes answers is used only when named
        try:
            engine = open_engine(model, name)
        except (EngineError, ExtraMissing, ModelError) as error:
            log.debug("engine auto: %s", error)
            continue
        sizes = BATCH_SIZES if engine.batch_size <= max(BATCH_SIZES) else (engine.batch_size,)
        share = MEASURE_S / len(ENGINES) / len(sizes)
        speeds[name] = {size: views_per_s(engine, model.input_size_px, size, share) for size in sizes}
        engine.close()
    if not speeds:
        raise EngineError("no engine is installed", remedy=install_line(""))
    best = _clearly_best({name: max(by.values()) for name, by in speeds.items()})
    return {
        "engine": best,
        "batch_size": _clearly_best(speeds[best]),
        "views_per_s": {name: {str(size): round(v, 1) for size, v in by.items()} for name, by in speeds.items()},
    }


def _clearly_best(speeds: dict[_Key, float]) -> _Key:
    """The first that no other beats by a tenth: smaller differences are noise on a busy machine."""
    return next(key for key, speed in speeds.items() if speed * 1.1 >= max(speeds.values()))


def _key(model: Model) -> str:
    """Changes with the model, the processor and the runtimes."""
    from importlib.metadata import PackageNotFoundError, version

    parts = [model.sha256[:16], platform.machine(), processor()[0]]
    for package in (package for runtime in ENGINES.values() for package in runtime.packages):
        with contextlib.suppress(PackageNotFoundError):
            parts.append(f"{package}-{version(package)}")
    return " ".join(parts)
