"""TensorRT itself: an engine is built from ``model.onnx`` once, kept in the cache folder, and run by torch's stream.

Its tests drive it with a stand-in that records the calls: it was not run on a real GPU yet.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EngineError, ModelError
from ..machine import cache_folder
from .memory import within_memory
from .tensorrt_plan import LARGEST_BATCH, build, runtime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..model import Model


class TensorrtEngine:
    """Runs a serialised TensorRT engine. ``precision``: ``fp16`` or ``fp32``."""

    name = "tensorrt"
    batch_size = LARGEST_BATCH

    def __init__(self, model: Model, threads: int = 1, precision: str = "fp16", plan: Path | None = None) -> None:
        trt, torch = runtime()
        precision = precision or "fp16"
        if precision not in ("fp16", "fp32"):
            raise EngineError(f"tensorrt has no precision {precision!r}", remedy="choose one of fp16, fp32")
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
        return within_memory(self, self._infer, pixels)

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether fewer views at once may help."""
        return isinstance(error, self._torch.OutOfMemoryError)

    def close(self) -> None:
        """Free engine and context."""
        self._context = self._engine = None
        self._torch.cuda.empty_cache()

    def _infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
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
