"""Engines run a model: one protocol, and for each runtime one row of the table and one small lazy module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from ..errors import EngineError, ExtraMissing, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..model import Model


@dataclass(frozen=True, slots=True)
class Runtime:
    """A row of the table: the class in the module of the same name, and what `doctor`, `bench` and `auto` list.

    ``packages`` are those that decide what it does, each with the extra that installs it; ``precisions`` what may
    follow the colon in ``--engine``.
    """

    engine: str
    packages: Mapping[str, str] = field(hash=False)
    precisions: tuple[str, ...]


ENGINES = {
    "onnx": Runtime("OnnxEngine", {"onnxruntime": "", "onnxruntime-gpu": "gpu"}, ("int8", "cpu", "cuda", "tensorrt")),
    "openvino": Runtime("OpenvinoEngine", {"openvino": "openvino"}, ("fp32", "bf16", "int8")),
    "torch": Runtime("TorchEngine", {"torch": "torch"}, ("fp32", "bf16", "fp16")),
    "tensorrt": Runtime("TensorrtEngine", {"tensorrt": ""}, ("fp16", "fp32")),
}


class Engine(Protocol):
    """Runs a model; safe to share between threads.

    An engine with a method ``is_out_of_memory(error) -> bool`` is given half as many views where that says so.
    """

    #: What ``--engine`` calls it, and what it runs on, for people to read.
    name: str
    device: str

    @property
    def batch_size(self) -> int:
        """How many views at once are best; what asks for more is divided (`upright.engines.batcher`)."""
        ...

    @batch_size.setter
    def batch_size(self, views: int, /) -> None: ...

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the model's order, for views ``[n, S, S, 3]`` (RGB)."""
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
    runtime = ENGINES[name]
    if precision and precision not in runtime.precisions:
        choice = ", ".join(f"{name}:{each}" for each in runtime.precisions)
        raise EngineError(f"{name} has no form {precision!r}", remedy=f"choose one of {choice}")
    try:
        return cast(Engine, getattr(import_module(f".{name}", __name__), runtime.engine)(model, threads, precision))
    except ExtraMissing as error:
        error.remedy = error.remedy.or_else("use --engine onnx") if name != "onnx" else error.remedy
        raise
