"""ONNX Runtime: on the CPU, on a CUDA GPU, or through TensorRT."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import forks
from ..atomic import make_folder
from ..errors import EngineError, ModelError
from ..extras import gpu_line, need
from ..machine import cache_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..model import Model

log = logging.getLogger("upright")
#: What ``onnx:cpu`` and so on ask for, best first.
PROVIDERS = {
    "int8": ["CPUExecutionProvider"],
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
}


class OnnxEngine:
    """Runs ``model.onnx`` in ONNX Runtime. One session serves all threads: ``run`` is thread-safe and frees the GIL.

    ``precision`` says what it runs on: ``int8`` (on the CPU, ``model-int8.onnx``), ``cpu``, ``cuda`` or ``tensorrt``
    (float16, engines kept in the cache folder); by default ``cuda`` where this ONNX Runtime has it, else ``int8`` where
    the model has it. Where a GPU does not start, the CPU takes over and a warning says so. ``path`` is another network
    of the model than its first, with so many ``outputs``.
    """

    name = "onnx"

    def __init__(
        self, model: Model, threads: int = 1, precision: str = "", *, path: Path | None = None, outputs: int = 4
    ) -> None:
        ort = need("onnxruntime", "")

        there = ort.get_available_providers()
        on_cpu = "int8" if model.int8_sha256 else "cpu"
        wanted = precision or ("cuda" if PROVIDERS["cuda"][0] in there else on_cpu)
        if missing := [p for p in PROVIDERS[wanted][:1] if p not in there]:
            raise EngineError(
                f"this onnxruntime has no {missing[0]}",
                remedy=f"{gpu_line()}, or use --engine onnx:cpu",
            )
        path = path or (model.int8_path if wanted == "int8" else model.onnx_path)
        providers = [(p, _provider_options(p)) for p in PROVIDERS[wanted] if p in there]
        self._session = forks.Own(partial(_opened, path, threads, providers))
        session = self._session.get()
        self._input = _only_input(session, path, model.input_size_px, outputs)
        on_gpu = session.get_providers()[0] != PROVIDERS["cpu"][0]
        if wanted not in ("int8", "cpu") and not on_gpu:
            log.warning("onnx: %s did not start; running on the CPU. `upright doctor` says why", providers[0][0])
        #: Measured on two cores: a batch of 8 costs 17 % more for each picture than 8 batches of 1.
        self.batch_size = 256 if on_gpu else 1
        cpu = f"CPU, {threads} thread{'s' if threads > 1 else ''}{', int8' if wanted == 'int8' else ''}"
        self.device = session.get_providers()[0].removesuffix("ExecutionProvider") if on_gpu else cpu

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the model's order for views ``[n, S, S, 3]``."""
        logits: NDArray[np.float32] = self._session.get().run(None, {self._input: pixels})[0]
        return logits

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether fewer views at once may help."""
        return any(words in str(error) for words in ("Failed to allocate memory", "out of memory", "OUT_OF_MEMORY"))

    def close(self) -> None:
        """Free the session's memory."""
        self._session.close()


def _opened(path: Path, threads: int, providers: list[tuple[str, dict[str, str]]]) -> Any:
    ort = need("onnxruntime", "")

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Threads that spin for work burn a core between pictures, and gain nothing beside a decoder that is busy.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        raise ModelError(
            f"ONNX Runtime {ort.__version__} cannot load it: {error}",
            source=path,
            remedy="export the model again, or install a newer onnxruntime",
        ) from error


def _provider_options(provider: str) -> dict[str, str]:
    """Float16 and kept engines for TensorRT; for CUDA no more memory than is asked for."""
    if provider.startswith("Tensorrt"):
        folder = cache_folder() / "tensorrt"
        make_folder(folder)
        keep = {"trt_engine_cache_path": str(folder), "trt_timing_cache_path": str(folder)}
        return {"trt_fp16_enable": "1", "trt_engine_cache_enable": "1", "trt_timing_cache_enable": "1", **keep}
    return {"arena_extend_strategy": "kSameAsRequested"} if provider.startswith("CUDA") else {}


def _only_input(session: Any, path: Path, size: int, answers: int) -> str:
    """The name of the graph's one input. Raises `ModelError` where inputs and outputs are not those of a model."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    wanted = f"one uint8 input [n, {size}, {size}, 3] and one float32 output [n, {answers}]"
    shape = list(inputs[0].shape) if inputs else []
    right = (
        len(inputs) == len(outputs) == 1
        and inputs[0].type == "tensor(uint8)"
        and outputs[0].type == "tensor(float)"
        and len(shape) == 4
        and all(isinstance(s, str) or s is None or s == w for s, w in zip(shape[1:], (size, size, 3), strict=True))
        and len(outputs[0].shape) == 2
        and outputs[0].shape[1] in (answers, None)
    )
    if not right:
        found = ", ".join(f"{i.type} {list(i.shape)}" for i in (*inputs, *outputs))
        raise ModelError(
            f"the graph has {found}; wanted {wanted}",
            source=path,
            remedy="put normalisation and layout inside the graph; see docs/models.md",
        )
    return str(inputs[0].name)
