"""OpenVINO on Intel and AMD processors and Intel GPUs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import forks
from ..errors import ModelError
from ..extras import need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..model import Model


class OpenvinoEngine:
    """Runs ``model.onnx`` in OpenVINO; a compiled model serves all threads, each call with a request of its own.

    ``precision``: ``fp32``; ``bf16``, which is fast where the processor has AMX or AVX512-BF16; ``int8``, which reads
    ``model-int8.onnx`` of the model folder.
    """

    name = "openvino"
    batch_size = 1

    def __init__(self, model: Model, threads: int = 1, precision: str = "") -> None:
        precision = precision or "fp32"
        path = model.int8_path if precision == "int8" else model.onnx_path
        hint = "bf16" if precision == "bf16" else "f32"
        self._compiled = forks.Own(partial(_opened, path, threads, hint))
        self.device = f"CPU, {threads} thread{'s' if threads > 1 else ''}, {precision}"

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the model's order for views ``[n, S, S, 3]``."""
        import numpy as np

        compiled, requests = self._compiled.get()
        try:
            request = requests.pop()
        except IndexError:
            request = compiled.create_infer_request()
        logits: NDArray[np.float32] = request.infer([np.ascontiguousarray(pixels)])[compiled.output(0)].copy()
        requests.append(request)
        return logits

    def close(self) -> None:
        """Free the compiled model."""
        self._compiled.close()


def _opened(path: Path, threads: int, hint: str) -> tuple[Any, list[Any]]:
    """The compiled model, and requests that no call uses."""
    ov = need("openvino", "openvino")
    core: Any = ov.Core()
    options = {
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": threads,
        # Threads of a run share the compiled model; more than one stream lets them run side by side.
        "NUM_STREAMS": core.get_property("CPU", "RANGE_FOR_STREAMS")[1] if threads == 1 else 1,
    }
    if threads == 1:
        options["INFERENCE_NUM_THREADS"] = options["NUM_STREAMS"]
    try:
        return core.compile_model(core.read_model(path), "CPU", options), []
    except Exception as error:
        raise ModelError(
            f"OpenVINO {ov.__version__} cannot load it: {error}", source=path, remedy="use --engine onnx"
        ) from error
