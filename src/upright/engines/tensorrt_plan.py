"""TensorRT's serialised engines: built from an ONNX file once, for one model, one TensorRT and one kind of GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import EngineError, ModelError
from ..extras import need

LARGEST_BATCH = 256
USUAL_BATCH = 64
_INSTALL = "install tensorrt from NVIDIA's own package index (docs/performance.md)"


def build(onnx_path: Path, target: Path, size_px: int, *, fp16: bool = True) -> None:
    """Build a serialised engine for 1 to 256 views at once from an ONNX file. Takes minutes.

    Raises:
        ExtraMissing, EngineError: TensorRT or a GPU is missing.
        ModelError: TensorRT cannot take the graph.
    """
    trt, _ = runtime()
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    if not parser.parse(onnx_path.read_bytes()):
        faults = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise ModelError(
            f"TensorRT {trt.__version__} cannot read it: {faults}", source=onnx_path, remedy="--engine onnx"
        )
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 30)
    if fp16:
        config.set_flag(trt.BuilderFlag.FP16)
    profile = builder.create_optimization_profile()
    smallest, usual, largest = ((n, size_px, size_px, 3) for n in (1, USUAL_BATCH, LARGEST_BATCH))
    profile.set_shape(network.get_input(0).name, smallest, usual, largest)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ModelError(
            f"TensorRT {trt.__version__} could not build an engine", source=onnx_path, remedy="--engine onnx"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_bytes(plan)
    part.replace(target)


def runtime() -> tuple[Any, Any]:
    """The packages tensorrt and torch; raises where one or a GPU is missing."""
    tensorrt, torch = need("tensorrt", "torch", remedy=_INSTALL), need("torch", "torch")
    if not torch.cuda.is_available():
        raise EngineError("the tensorrt engine needs an NVIDIA GPU and its driver", remedy="use --engine onnx")
    return tensorrt, torch
