"""PyTorch: the graph of ``model.onnx`` as a torch module; on a GPU in half precision, replayed as CUDA graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import forks
from ..errors import EngineError
from ..extras import need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..model import Model


class TorchEngine:
    """Runs the graph in torch.

    On a GPU: float16 (``precision``: ``fp16``, ``bf16`` or ``fp32``), channels last, and one CUDA graph for each
    power of two of the batch size, because at batch 1 the launch of some 130 kernels costs more than their work. On
    the CPU: float32 or bfloat16.
    """

    name = "torch"

    def __init__(self, model: Model, threads: int = 1, precision: str = "") -> None:
        torch = need("torch", "torch")
        need("onnx", "torch")
        from .torch_graph import Graph

        self._torch: Any = torch
        self._cuda = torch.cuda.is_available()
        precision = precision or ("fp16" if self._cuda else "fp32")
        dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16} | ({"fp16": torch.float16} if self._cuda else {})
        if precision not in dtypes:
            raise EngineError(f"torch has no precision {precision!r} here", remedy=f"choose one of {', '.join(dtypes)}")
        if self._cuda:
            where, self.batch_size = torch.cuda.get_device_name(), 256
        else:
            torch.set_num_threads(threads)
            where, self.batch_size = f"CPU, {threads} thread{'s' if threads > 1 else ''}", 1
        self.device = f"{where}, {precision}"
        place = torch.device("cuda" if self._cuda else "cpu")
        net: Any = Graph(model.onnx_path, dtypes[precision]).eval()
        self._net = net.to(place, memory_format=torch.channels_last)
        self._size = model.input_size_px
        #: By batch size: the captured graph, its input and its output, which all threads share under the lock.
        self._captured: dict[int, tuple[Any, Any, Any]] = {}
        self._lock = forks.Lock()
        forks.watch(self)

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the model's order for views ``[n, S, S, 3]``."""
        return self._infer_cuda(pixels) if self._cuda else self._infer_cpu(pixels)

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether fewer views at once may help."""
        return isinstance(error, self._torch.OutOfMemoryError)

    def close(self) -> None:
        """Free weights and graphs, and hand the GPU's memory back."""
        self._net, self._captured = None, {}
        if self._cuda:
            self._torch.cuda.empty_cache()

    def begin_anew(self) -> None:
        """With one thread from now on: OpenMP waits for those that a forked process does not have."""
        if not self._cuda:
            self._torch.set_num_threads(1)

    def _infer_cpu(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        import numpy as np

        with self._torch.inference_mode():
            logits: NDArray[np.float32] = self._net(
                self._torch.from_numpy(np.require(pixels, requirements=["C", "W"]))
            ).numpy()
        return logits

    def _infer_cuda(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        import numpy as np

        views = len(pixels)
        with self._lock, self._torch.inference_mode():
            graph, given, logits = self._capture(1 << (views - 1).bit_length())
            given[:views].copy_(self._torch.from_numpy(np.require(pixels, requirements=["C", "W"])))
            graph.replay()
            answer: NDArray[np.float32] = logits[:views].cpu().numpy()
        return answer

    def _capture(self, batch: int) -> tuple[Any, Any, Any]:
        """The CUDA graph of that batch size, captured when it is first asked for."""
        if batch not in self._captured:
            torch = self._torch
            given = torch.zeros((batch, self._size, self._size, 3), dtype=torch.uint8, device="cuda")
            # PyTorch wants a few runs on a side stream before a capture: kernels are chosen and memory is taken there.
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self._net(given)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                logits = self._net(given)
            self._captured[batch] = graph, given, logits
        return self._captured[batch]
