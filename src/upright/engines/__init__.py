"""Engines run a model. One protocol, one small lazy module for each runtime."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from ..errors import ExtraMissing, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..model import Model

ENGINES = {
    "onnx": "OnnxEngine",
    "openvino": "OpenvinoEngine",
    "torch": "TorchEngine",
    "tensorrt": "TensorrtEngine",
}


class Engine(Protocol):
    """Runs a model; safe to share between threads."""

    #: What ``--engine`` calls it; what it runs on, for people to read; how many views are best at once.
    name: str
    device: str
    batch_size: int

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the model's order, for views ``[n, S, S, 3]`` (RGB). Raises `EngineError`."""
        ...

    def close(self) -> None:
        """Free memory; `infer` may not be called afterwards."""
        ...


def open_engine(model: Model, name: str = "onnx", *, threads: int = 1) -> Engine:
    """Open the engine of that name; ``auto`` takes what was measured to be fastest on this machine.

    After a colon the name may say what to run on, or the precision: ``onnx:cuda``, ``torch:bf16``, ``openvino:int8``.

    Raises:
        UsageError: no engine has that name.
        ExtraMissing: its runtime is not installed; the message has the install line.
        EngineError: it cannot run here as asked.
        ModelError: the runtime cannot load the model.
    """
    if name == "auto":
        from .auto import measured

        found = measured(model)
        engine = open_engine(model, found["engine"], threads=threads)
        engine.batch_size = found["batch_size"]
        return engine
    name, _, precision = name.partition(":")
    if name not in ENGINES:
        raise UsageError(f"no engine is called {name!r}", remedy=f"choose one of auto, {', '.join(ENGINES)}")
    make = getattr(import_module(f".{name}", __name__), ENGINES[name])
    try:
        return cast(Engine, make(model, threads=threads, **({"precision": precision} if precision else {})))
    except ExtraMissing as error:
        error.remedy += ", or use --engine onnx" if name != "onnx" else ""
        raise
