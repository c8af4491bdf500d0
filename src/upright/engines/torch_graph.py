"""Read an ONNX graph as a torch module: the operators of convolutional classifiers, each in a line.

What depends on weights alone (folded batch norms) is computed once, while loading. `torch.jit.trace` of the module
gives TorchScript.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F

from ..errors import ModelError

Tensor: TypeAlias = torch.Tensor
#: ONNX TensorProto.DataType numbers (onnx.proto3) that classifiers cast to; float of any width is the module's own.
_INTEGERS = {2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64, 9: torch.bool}
_FLOATS = (1, 10, 16)


#: Operators whose inputs after the first are settings: read once, so that tracing sees no tensor turn into a number.
_SETTINGS = ("Clip", "ReduceMean", "Reshape", "Squeeze")


def _axes(a: dict[str, Any]) -> list[int] | None:
    axes = a.get("axes", a["settings"][0] if a["settings"] else None)
    return None if axes is None else list(axes)


def _conv(a: dict[str, Any], x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    n = w.dim() - 2
    pads = a.get("pads", [0] * 2 * n)
    if a.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ModelError("the torch engine knows no auto_pad", remedy="export with explicit pads, or use --engine onnx")
    if pads[:n] != pads[n:]:
        x = F.pad(x, [p for i in reversed(range(n)) for p in (pads[i], pads[n + i])])
        pads = [0] * n
    convolve = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
    options = (a.get("strides", [1] * n), pads[:n], a.get("dilations", [1] * n), a.get("group", 1))
    return convolve(x, w.to(x.dtype), None if b is None else b.to(x.dtype), *options)


def _gemm(a: dict[str, Any], x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    x, w = (x.mT if a.get("transA") else x), (w.mT if a.get("transB") else w)
    y: Tensor = a.get("alpha", 1.0) * (x @ w.to(x.dtype))
    return y if b is None else y + a.get("beta", 1.0) * b.to(x.dtype)


def _mean(a: dict[str, Any], x: Tensor) -> Tensor:
    axes = _axes(a)
    return x.mean(axes if axes is not None else list(range(x.dim())), keepdim=bool(a.get("keepdims", 1)))


def _max_pool(a: dict[str, Any], x: Tensor) -> Tensor:
    kernel = a["kernel_shape"]
    pads = a.get("pads", [0] * 2 * len(kernel))
    strides, dilations = a.get("strides", [1] * len(kernel)), a.get("dilations", [1] * len(kernel))
    return F.max_pool2d(x, kernel, strides, pads[: len(kernel)], dilations, bool(a.get("ceil_mode", 0)))


def _clip(a: dict[str, Any], x: Tensor) -> Tensor:
    low, high = (*a["settings"], None, None)[:2]
    return x.clamp(a.get("min", low), a.get("max", high))


def _cast(a: dict[str, Any], x: Tensor, dtype: torch.dtype) -> Tensor:
    if a["to"] not in _INTEGERS and a["to"] not in _FLOATS:
        raise ModelError(f"the torch engine cannot cast to ONNX type {a['to']}", remedy="use --engine onnx")
    return x.to(_INTEGERS.get(a["to"], dtype))


def _reshape(a: dict[str, Any], x: Tensor) -> Tensor:
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(a["settings"][0])])


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Add": lambda a, x, y: x + y,
    "BatchNormalization": lambda a, x, w, b, m, v: F.batch_norm(x, m, v, w, b, eps=a.get("epsilon", 1e-5)),
    "Clip": _clip,
    "Concat": lambda a, *xs: torch.cat(xs, a["axis"]),
    "Conv": _conv,
    "Div": lambda a, x, y: x / y,
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
    "Gather": lambda a, x, i: x.index_select(a.get("axis", 0), i.reshape(-1)).reshape(
        *x.shape[: a.get("axis", 0)], *i.shape, *x.shape[a.get("axis", 0) + 1 :]
    ),
    "GatherND": lambda a, x, i: x[tuple(i.movedim(-1, 0))],
    "Gemm": _gemm,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "HardSigmoid": lambda a, x: (x * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": lambda a, x: F.hardswish(x),
    "Identity": lambda a, x: x,
    "MatMul": lambda a, x, y: x @ y,
    "MaxPool": _max_pool,
    "Mul": lambda a, x, y: x * y,
    "ReduceMean": _mean,
    "Relu": lambda a, x: F.relu(x),
    "Reshape": _reshape,
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Softmax": lambda a, x: x.softmax(a.get("axis", -1)),
    "Squeeze": lambda a, x: x.squeeze(_axes(a)) if _axes(a) else x.squeeze(),
    "Sub": lambda a, x, y: x - y,
    "Transpose": lambda a, x: x.permute(*a.get("perm", range(x.dim())[::-1])),
}


class Graph(torch.nn.Module):
    """The graph of an ONNX file with one input and one output, in ``dtype``. Raises `ModelError`."""

    def __init__(self, path: Path, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        import onnx

        graph = onnx.load(str(path)).graph
        nodes = [(n.op_type, tuple(n.input), n.output[0], _attributes(n)) for n in graph.node]
        if unknown := {op for op, *_ in nodes} - {*OPERATORS, "Cast", "Constant"}:
            raise ModelError(
                f"the torch engine does not know the operators {sorted(unknown)}",
                source=path,
                remedy="use --engine onnx",
            )
        self.dtype = dtype
        known: dict[str, Tensor] = {i.name: self._weight(onnx.numpy_helper.to_array(i)) for i in graph.initializer}
        self.steps: list[tuple[str, tuple[str, ...], str, dict[str, Any]]] = []
        for op, inputs, output, attributes in nodes:
            if op in _SETTINGS:
                attributes["settings"] = [known[name].tolist() if name else None for name in inputs[1:]]
                inputs = inputs[:1]
            if op == "Constant":
                known[output] = self._weight(onnx.numpy_helper.to_array(attributes["value"]))
            elif all(name in known or not name for name in inputs):
                known[output] = self._step(op, attributes, [known.get(name) for name in inputs])
            else:
                self.steps.append((op, inputs, output, attributes))
        self.input, self.output = graph.input[0].name, graph.output[0].name
        used = {name for _, inputs, *_ in self.steps for name in inputs}
        self.names = {name: f"w{i}" for i, name in enumerate(sorted(used & set(known)))}
        for name, buffer in self.names.items():
            self.register_buffer(buffer, known[name])

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits ``[n, 4]`` float32 for views ``[n, S, S, 3]`` uint8."""
        values: dict[str, Tensor] = {name: getattr(self, buffer) for name, buffer in self.names.items()}
        values[self.input] = pictures
        for op, inputs, output, attributes in self.steps:
            values[output] = self._step(op, attributes, [values.get(name) for name in inputs])
        return values[self.output].float()

    def _step(self, op: str, attributes: dict[str, Any], inputs: list[Any]) -> Tensor:
        return _cast(attributes, inputs[0], self.dtype) if op == "Cast" else OPERATORS[op](attributes, *inputs)

    def _weight(self, array: Any) -> Tensor:
        tensor = torch.from_numpy(array.copy())
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
