"""OpenVINO on Intel and AMD processors and Intel GPUs."""

from __future__ import annotations

import threading
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
        self._path = model.int8_path if precision == "int8" else model.onnx_path
        self._hint = "bf16" if precision == "bf16" else "f32"
        self._threads, self._opening = threads, threading.Lock()
        self._open()
        forks.watch(self)
        self.device = f"CPU, {threads} thread{'s' if threads > 1 else ''}, {precision}"

    def _open(self) -> None:
        ov = need("openvino", "openvino")
        core: Any = ov.Core()
        options = {
            "INFERENCE_PRECISION_HINT": self._hint,
            "INFERENCE_NUM_THREADS": self._threads,
            # Threads of a run share the compiled model; more than one stream lets them run side by side.
            "NUM_STREAMS": core.get_property("CPU", "RANGE_FOR_STREAMS")[1] if self._threads == 1 else 1,
        }
        if self._threads == 1:
            options["INFERENCE_NUM_THREADS"] = options["NUM_STREAMS"]
        try:
            self._compiled: Any = core.compile_model(core.read_model(self._path), "CPU", options)
        except Exception as error:
            raise ModelError(
                f"OpenVINO {ov.__version__} cannot load it: {error}", source=self._path, remedy="use --engine onnx"
            ) from error
        #: Requests that no call uses.
        self._requests: list[Any] = []
        self._forked = False

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the model's order for views ``[n, S, S, 3]``."""
        import numpy as np

        if self._forked:
            with self._opening:
                if self._forked:
                    self._open()
        compiled, requests = self._compiled, self._requests
        try:
            request = requests.pop()
        except IndexError:
            request = compiled.create_infer_request()
        logits: NDArray[np.float32] = request.infer([np.ascontiguousarray(pixels)])[compiled.output(0)].copy()
        requests.append(request)
        return logits

    def close(self) -> None:
        """Free the compiled model."""
        self._compiled, self._requests, self._forked = None, [], False

    def begin_anew(self) -> None:
        """Compile it again at the next call, in a process of its own."""
        if self._compiled is not None:
            forks.never_freed((self._compiled, self._requests))
            self._compiled, self._forked = None, True
        self._opening = threading.Lock()
