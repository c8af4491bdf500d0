"""TensorRT itself: an engine is built from ``model.onnx`` once, kept in the cache folder, and run by torch's stream.

Not yet run on a real GPU: its tests use a stand-in that records the calls.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import atomic
from ..errors import EngineError, ModelError
from ..extras import need
from ..machine import cache_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..model import Model

LARGEST_BATCH = 256
USUAL_BATCH = 64
_INSTALL = "install tensorrt from NVIDIA's own package index (docs/performance.md)"


class TensorrtEngine:
    """Runs a serialised TensorRT engine. ``precision``: ``fp16`` or ``fp32``."""

    name = "tensorrt"
    batch_size = LARGEST_BATCH

    def __init__(self, model: Model, threads: int = 1, precision: str = "", plan: Path | None = None) -> None:
        trt, torch = _runtime()
        precision = precision or "fp16"
        gpu = torch.cuda.get_device_name()
        # An engine fits one model, one TensorRT and one kind of GPU: all are in its name.
        plan = (
            plan or cache_folder() / f"{model.sha256[:16]}-{trt.__version__}-{gpu.replace(' ', '-')}-{precision}.engine"
        )
        if not plan.exists():
            build(model.onnx_path, plan, model.input_size_px, fp16=precision == "fp16")
        self._torch = torch
        self._engine: Any = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(plan.read_bytes())
        if self._engine is None:
            raise ModelError(f"TensorRT {trt.__version__} cannot load the engine", source=plan, remedy=f"delete {plan}")
        self._context: Any = self._engine.create_execution_context()
        self._stream: Any = torch.cuda.Stream()
        self._names = [self._engine.get_tensor_name(i) for i in range(2)]
        self._lock = threading.Lock()
        self.device = f"{gpu}, {precision}"

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the model's order for views ``[n, S, S, 3]``."""
        import numpy as np

        torch, (given, asked) = self._torch, self._names
        with self._lock, torch.cuda.stream(self._stream):
            views = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).cuda()
            logits = torch.empty((len(pixels), 4), dtype=torch.float32, device="cuda")
            self._context.set_input_shape(given, tuple(views.shape))
            self._context.set_tensor_address(given, views.data_ptr())
            self._context.set_tensor_address(asked, logits.data_ptr())
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise EngineError(f"TensorRT failed on {len(pixels)} views", remedy="run `upright doctor`")
            self._stream.synchronize()
            answer: NDArray[np.float32] = logits.cpu().numpy()
        return answer

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether fewer views at once may help."""
        return isinstance(error, self._torch.OutOfMemoryError)

    def close(self) -> None:
        """Free engine and context."""
        self._context = self._engine = None
        self._torch.cuda.empty_cache()


def build(onnx_path: Path, target: Path, size_px: int, *, fp16: bool = True) -> None:
    """Build a serialised engine for 1 to 256 views at once from an ONNX file. Takes minutes.

    Raises:
        ExtraMissing, EngineError: TensorRT or a GPU is missing.
        ModelError: TensorRT cannot take the graph.
    """
    trt, _ = _runtime()
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
    atomic.make_folder(target.parent)
    atomic.write(str(target), [bytes(plan)])


def _runtime() -> tuple[Any, Any]:
    """The packages tensorrt and torch; raises where one or a GPU is missing."""
    tensorrt, torch = need("tensorrt", "torch", remedy=_INSTALL), need("torch", "torch")
    if not torch.cuda.is_available():
        raise EngineError("the tensorrt engine needs an NVIDIA GPU and its driver", remedy="use --engine onnx")
    return tensorrt, torch
