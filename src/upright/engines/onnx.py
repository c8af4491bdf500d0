"""ONNX Runtime: on the CPU, on a CUDA GPU, or through TensorRT."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, cast

from ..errors import EngineError, ModelError
from ..extras import install_line, need
from ..machine import cache_folder
from .memory import within_memory
from .onnx_inputs import only_input

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..model import Model

log = logging.getLogger("upright")
#: What ``onnx:cpu`` and so on ask for, best first.
PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
}


class OnnxEngine:
    """Runs ``model.onnx`` in ONNX Runtime. One session serves all threads: ``run`` is thread-safe and frees the GIL.

    ``precision`` says what it runs on: ``cpu``, ``cuda`` or ``tensorrt`` (float16, engines kept in the cache folder);
    by default ``cuda`` where this ONNX Runtime has it. Where a GPU does not start, the CPU takes over and a warning
    says so.
    """

    name = "onnx"

    def __init__(self, model: Model, threads: int = 1, precision: str = "") -> None:
        ort = need("onnxruntime", "")

        there = ort.get_available_providers()
        wanted = precision or ("cuda" if PROVIDERS["cuda"][0] in there else "cpu")
        if wanted not in PROVIDERS:
            raise EngineError(f"onnx cannot run on {wanted!r}", remedy=f"choose one of {', '.join(PROVIDERS)}")
        if missing := [p for p in PROVIDERS[wanted][:1] if p not in there]:
            raise EngineError(
                f"this onnxruntime has no {missing[0]}",
                remedy=f"pip uninstall -y onnxruntime && {install_line('gpu')}, or use --engine onnx:cpu",
            )
        self._model, self._threads, self._session = model, threads, cast(Any, None)
        self._providers = [(p, _provider_options(p)) for p in PROVIDERS[wanted] if p in there]
        self._open()
        self._input = only_input(self._session, model)
        on_gpu = self._session.get_providers()[0] != PROVIDERS["cpu"][0]
        if wanted != "cpu" and not on_gpu:
            log.warning("onnx: %s did not start; running on the CPU. `upright doctor` says why", self._providers[0][0])
        #: Measured on two cores: a batch of 8 costs 17 % more for each picture than 8 batches of 1.
        self.batch_size = 256 if on_gpu else 1
        on_cpu = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
        self.device = self._session.get_providers()[0].removesuffix("ExecutionProvider") if on_gpu else on_cpu

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the model's order for views ``[n, S, S, 3]``."""
        if self._process != os.getpid():
            # The threads of a session do not live on in a forked process: to call or to free it would wait for ever.
            self._inherited = self._session
            self._open()
        return within_memory(self, self._infer, pixels)

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether fewer views at once may help."""
        return any(words in str(error) for words in ("Failed to allocate memory", "out of memory", "OUT_OF_MEMORY"))

    def close(self) -> None:
        """Free the session's memory."""
        self._session = None

    def _infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._session.run(None, {self._input: pixels})[0]
        return logits

    def _open(self) -> None:
        ort = need("onnxruntime", "")

        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Threads that spin for work burn a core between pictures, and gain nothing beside a decoder that is busy.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = self._model.onnx_path
        try:
            self._session = ort.InferenceSession(str(path), options, providers=self._providers)
        except Exception as error:
            raise ModelError(
                f"ONNX Runtime {ort.__version__} cannot load it: {error}",
                source=path,
                remedy="export the model again, or install a newer onnxruntime",
            ) from error
        self._process = os.getpid()


def _provider_options(provider: str) -> dict[str, str]:
    """Float16 and kept engines for TensorRT; for CUDA no more memory than is asked for."""
    if provider.startswith("Tensorrt"):
        folder = cache_folder() / "tensorrt"
        folder.mkdir(parents=True, exist_ok=True)
        keep = {"trt_engine_cache_path": str(folder), "trt_timing_cache_path": str(folder)}
        return {"trt_fp16_enable": "1", "trt_engine_cache_enable": "1", "trt_timing_cache_enable": "1", **keep}
    return {"arena_extend_strategy": "kSameAsRequested"} if provider.startswith("CUDA") else {}
