"""Convolutions for training on a CPU, channels last: in float32 a step takes 0.72 of the time with torch's own.

In float32 torch hands 1 x 1 convolutions of a small batch to a loop over pictures; here they are products of matrices.
oneDNN spends a quarter of a step on the weight gradients of the 5 x 5 depthwise ones; `convolution.c`, compiled once by
the machine's C compiler (cc), gives them in a tenth of the time. Where there is none, torch's own are used, in float32.
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
from torch import Tensor, nn

SOURCE = Path(__file__).with_name("convolution.c")
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
    library = cache / f"convolution-{key}.so"
    if not library.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            built = Path(folder) / "convolution.so"
            subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(built)], check=True)
            built.replace(library)
    kernel = ctypes.CDLL(str(library)).depthwise_weight_gradient
    kernel.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int] * 10
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
    return device.type == "cuda" or ("avx512_bf16" in _processor() and available())


def available() -> bool:
    """Whether this machine has the kernel."""
    return _kernel() is not None


def known(conv: nn.Conv2d) -> bool:
    """Whether `convolved` does what this layer does: 1 x 1, or depthwise with the kernel at hand."""
    pointwise = conv.kernel_size == (1, 1) and conv.groups == 1
    if pointwise:
        return not torch.is_autocast_enabled("cpu")  # torch's are good in bfloat16
    return conv.groups == conv.in_channels and conv.groups % 16 == 0 and available()


def convolved(x: Tensor, weight: Tensor, bias: Tensor, stride: int, relu6: bool) -> Tensor:
    """Convolution of [n, c, h, w], channels last, with [c, 1, k, k] or [d, c, 1, 1]; in bfloat16 under autocast.

    Depthwise: k is 3 or 5, the padding k // 2, c a multiple of 16. `relu6` cuts the result off at 0 and 6 in the same
    function: only what backward needs is kept, and nothing is copied into another order on the way.
    """
    if weight.shape[2] == 1:
        result: Tensor = _Pointwise.apply(x, weight, bias, relu6)  # type: ignore[no-untyped-call]
    else:
        kind = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        result = _Depthwise.apply(x, weight, bias, stride, relu6, kind)  # type: ignore[no-untyped-call]
    return result


Gradients = tuple[Tensor | None, Tensor, Tensor, None]


class _Pointwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, relu6: bool) -> Tensor:
        x, weight = _last(x, torch.float32), weight[:, :, 0, 0]
        result = torch.addmm(bias, _rows(x), weight.t())
        if relu6:
            result.clamp_(0, 6)
        ctx.save_for_backward(x, weight, result if relu6 else None)
        return _picture(result, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        x, weight, result = ctx.saved_tensors
        gradient = _rows(_last(gradients[0], torch.float32))
        if result is not None:
            gradient = torch.ops.aten.hardtanh_backward(gradient, result, 0, 6)
        of_input = _picture(gradient @ weight, x) if ctx.needs_input_grad[0] else None
        return of_input, (gradient.t() @ _rows(x))[:, :, None, None], gradient.sum(0), None


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, relu6: bool, kind: torch.dtype
    ) -> Tensor:
        x = _last(x, kind)
        result = F.conv2d(x, weight.to(kind), bias.to(kind), stride, weight.shape[2] // 2, 1, x.shape[1])
        if relu6:
            result.clamp_(0, 6)
        ctx.save_for_backward(x, weight, result if relu6 else None)
        ctx.stride = stride
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[*Gradients, None, None]:
        x, weight, result = ctx.saved_tensors
        gradient = _last(gradients[0], x.dtype)
        if result is not None:
            gradient = torch.ops.aten.hardtanh_backward(gradient, result, 0, 6)
        of_input = _input_gradient(gradient, x, weight, ctx.stride) if ctx.needs_input_grad[0] else None
        of_weight = _weight_gradient(gradient, x, weight, ctx.stride)
        return of_input, of_weight, _rows(gradient).float().sum(0), None, None, None


def _last(x: Tensor, kind: torch.dtype) -> Tensor:
    return x.to(kind).contiguous(memory_format=torch.channels_last)


def _rows(x: Tensor) -> Tensor:
    """A picture [n, c, h, w], channels last, as [n x h x w, c]."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _picture(rows: Tensor, like: Tensor) -> Tensor:
    n, _, high, wide = like.shape
    return rows.view(n, high, wide, -1).permute(0, 3, 1, 2)


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    channels, k = weight.shape[0], weight.shape[2]
    if stride == 1:
        return F.conv2d(gradient, weight.to(x.dtype).flip(2, 3), None, 1, k // 2, 1, channels)
    # oneDNN's bfloat16 with stride 2 takes 106 ms where its float32 takes 3 (36 x 672 channels of 14 x 14).
    backward = torch.ops.aten.convolution_backward
    found = backward(gradient.float(), x.float(), weight.float(), None, [stride] * 2, [k // 2] * 2, [1, 1], False,
                     [0, 0], channels, [True, False, False])  # fmt: skip
    of_input: Tensor = found[0].to(x.dtype)
    return of_input


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    kernel = _kernel()
    assert kernel is not None
    n, channels, high, wide = x.shape
    k = weight.shape[2]
    of_weight = torch.empty(k, k, channels)
    half = x.dtype == torch.bfloat16
    failed = kernel(x.data_ptr(), gradient.data_ptr(), of_weight.data_ptr(), n, high, wide, channels,
                    *gradient.shape[2:], k, stride, half, torch.get_num_threads())  # fmt: skip
    if failed:
        raise MemoryError("no memory for the gradient of a depthwise convolution")
    return of_weight.permute(2, 0, 1).unsqueeze(1)
