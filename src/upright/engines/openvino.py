"""OpenVINO on Intel and AMD processors and Intel GPUs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..extras import need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..model import Model


class OpenvinoEngine:
    """Runs ``model.onnx`` in OpenVINO; a compiled model serves all threads, each with its own request.

    ``precision``: ``fp32``; ``bf16``, which is fast where the processor has AMX or AVX512-BF16; ``int8``, which reads
    ``model-int8.onnx`` of the model folder.
    """

    name = "openvino"
    batch_size = 1

    def __init__(self, model: Model, threads: int = 1, precision: str = "") -> None:
        ov = need("openvino", "openvino")
        precision = precision or "fp32"
        path = model.int8_path if precision == "int8" else model.onnx_path
        core: Any = ov.Core()
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
            # Threads of a run share the compiled model; more than one stream lets them run side by side.
            "NUM_STREAMS": core.get_property("CPU", "RANGE_FOR_STREAMS")[1] if threads == 1 else 1,
        }
        if threads == 1:
            options["INFERENCE_NUM_THREADS"] = options["NUM_STREAMS"]
        try:
            self._compiled: Any = core.compile_model(core.read_model(path), "CPU", options)
        except Exception as error:
            raise ModelError(
                f"OpenVINO {ov.__version__} cannot load it: {error}", source=path, remedy="use --engine onnx"
            ) from error
        self._local = threading.local()
        self.device = f"CPU, {threads} thread{'s' if threads > 1 else ''}, {precision}"

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the model's order for views ``[n, S, S, 3]``."""
        import numpy as np

        if not hasattr(self._local, "request"):
            self._local.request = self._compiled.create_infer_request()
        answer = self._local.request.infer([np.ascontiguousarray(pixels)])
        logits: NDArray[np.float32] = answer[self._compiled.output(0)].copy()
        return logits

    def close(self) -> None:
        """Free the compiled model."""
        self._compiled, self._local = None, threading.local()
