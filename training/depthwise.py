"""Depthwise convolution for training on a CPU in bfloat16, with weight gradients that take a tenth of oneDNN's time.

oneDNN spends a quarter of a training step on the weight gradients of the 5 x 5 depthwise convolutions. `depthwise.c`
is compiled once by the machine's C compiler (cc); where there is none, training stays in float32.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SOURCE = Path(__file__).with_name("depthwise.c")
FLAGS = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")


@functools.cache
def _kernel() -> Callable[..., int] | None:
    """`depthwise_weight_gradient` of the compiled file, or None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "upright"
    # -march=native: a library of another processor would not run here.
    key = hashlib.sha256(SOURCE.read_bytes() + _processor().encode()).hexdigest()[:16]
    library = cache / f"depthwise-{key}.so"
    if not library.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            built = Path(folder) / "depthwise.so"
            subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(built)], check=True)
            built.replace(library)
    kernel = ctypes.CDLL(str(library)).depthwise_weight_gradient
    kernel.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int] * 9
    return kernel


def _processor() -> str:
    """The flags of the first processor, or nothing if the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("flags")), "")


def half_pays(device: torch.device) -> bool:
    """Whether bfloat16 is faster: on GPUs, and on CPUs that have its instructions and the kernel."""
    return device.type == "cuda" or ("avx512_bf16" in _processor() and _kernel() is not None)


def convolved(x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """Depthwise convolution of [n, c, h, w] with [c, 1, k, k] and bias [c], in bfloat16.

    k is 3 or 5, the padding k // 2, c a multiple of 16.
    """
    result: Tensor = _Depthwise.apply(x, weight, bias, stride)  # type: ignore[no-untyped-call]
    return result


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
        x = x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        half = torch.bfloat16
        return F.conv2d(x, weight.to(half), bias.to(half), stride, weight.shape[2] // 2, 1, x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        of_input = _input_gradient(gradient, x, weight, ctx.stride) if ctx.needs_input_grad[0] else None
        return of_input, _weight_gradient(gradient, x, weight, ctx.stride), gradient.float().sum((0, 2, 3)), None


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    # oneDNN's bfloat16 with stride 2 takes 106 ms where its float32 takes 3 (36 x 672 channels of 14 x 14).
    kind = torch.bfloat16 if stride == 1 else torch.float32
    channels, k = weight.shape[0], weight.shape[2]
    backward = torch.ops.aten.convolution_backward
    found = backward(gradient.to(kind), x.to(kind), weight.to(kind), None, [stride] * 2, [k // 2] * 2, [1, 1], False,
                     [0, 0], channels, [True, False, False])  # fmt: skip
    of_input: Tensor = found[0].to(torch.bfloat16)
    return of_input


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    kernel = _kernel()
    assert kernel is not None
    n, channels, high, wide = x.shape
    k = weight.shape[2]
    of_weight = torch.empty(k, k, channels)
    failed = kernel(x.data_ptr(), gradient.data_ptr(), of_weight.data_ptr(), n, high, wide, channels,
                    *gradient.shape[2:], k, stride, torch.get_num_threads())  # fmt: skip
    if failed:
        raise MemoryError("no memory for the gradient of a depthwise convolution")
    return of_weight.permute(2, 0, 1).unsqueeze(1)
