"""The Open Inference Protocol v2 on the wire: tensors as JSON, and as binary behind a JSON head.

https://github.com/kserve/open-inference-protocol and, for binary tensors, Triton's *binary tensor data extension*: the
header ``Inference-Header-Content-Length`` tells how long the JSON is, the bytes of the tensors follow in its order.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problems import Refused

HEAD_LENGTH_HEADER = "inference-header-content-length"

_DTYPES: dict[str, np.dtype[Any]] = {
    "UINT8": np.dtype("<u1"),
    "INT32": np.dtype("<i4"),
    "FP32": np.dtype("<f4"),
    "BOOL": np.dtype("?"),
}
_REMEDY = "see the Open Inference Protocol v2, and GET /v2/models/NAME for shapes and types"


@dataclass(frozen=True)
class Tensor:
    """A named tensor; ``values`` is an array, or a list of bytes for ``BYTES``."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: NDArray[Any] | list[bytes]


@dataclass(frozen=True)
class Inference:
    """A decoded request. ``wanted`` maps the outputs asked for to whether each is to be binary; empty means all."""

    id: str
    inputs: dict[str, Tensor]
    wanted: dict[str, bool]
    binary_by_default: bool


def decode(body: bytes, head_length: str | None) -> Inference:
    """A request from its body and the header that tells the length of the JSON. Raises `Refused`."""
    if head_length is not None and not (head_length.isascii() and head_length.isdigit() and len(head_length) < 12):
        raise Refused(f"Inference-Header-Content-Length is {head_length[:20]!r}", remedy=_REMEDY)
    size = len(body) if head_length is None else int(head_length)
    if size > len(body):
        raise Refused(f"the JSON is said to have {size} bytes, the body has {len(body)}", remedy=_REMEDY)
    try:
        head = json.loads(body[:size])
    except (ValueError, RecursionError) as error:
        raise Refused(f"the request is not JSON: {error}", remedy=_REMEDY) from error
    inputs: dict[str, Tensor] = {}
    at = size
    for entry in _list(head, "inputs"):
        tensor, at = _tensor(entry, body, at)
        if tensor.name in inputs:
            raise Refused(f"the input {tensor.name!r} is there twice", remedy=_REMEDY)
        inputs[tensor.name] = tensor
    if at != len(body):
        raise Refused(f"{len(body) - at} bytes belong to no input", remedy=_REMEDY)
    wanted = {
        _text(each, "name"): bool(
            _parameters(each).get("binary_data", _parameters(head).get("binary_data_output", False))
        )
        for each in (_list(head, "outputs") if "outputs" in head else [])
    }
    request_id = head.get("id", "")
    if not isinstance(request_id, str):
        raise Refused("'id' is not a string", remedy=_REMEDY)
    return Inference(request_id, inputs, wanted, bool(_parameters(head).get("binary_data_output", False)))


def encode(model: str, version: str, request: Inference, outputs: list[Tensor]) -> tuple[bytes, dict[str, str]]:
    """A response's body, and the headers that go with it. Raises `Refused` where an output asked for is not there."""
    if unknown := set(request.wanted) - {each.name for each in outputs}:
        raise Refused(f"there is no output {sorted(unknown)[0]!r}", remedy=_REMEDY)
    entries, blobs = [], []
    for each in outputs:
        if request.wanted and each.name not in request.wanted:
            continue
        entry: dict[str, Any] = {"name": each.name, "datatype": each.datatype, "shape": list(each.shape)}
        if request.wanted.get(each.name, request.binary_by_default):
            blobs.append(_to_binary(each))
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = _to_json(each)
        entries.append(entry)
    told = {"model_name": model, "model_version": version, "outputs": entries} | (
        {"id": request.id} if request.id else {}
    )
    head = json.dumps(told).encode()
    if not blobs:
        return head, {"Content-Type": "application/json"}
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return b"".join([head, *blobs]), headers


def _tensor(entry: Any, body: bytes, at: int) -> tuple[Tensor, int]:
    name, datatype = _text(entry, "name"), _text(entry, "datatype")
    shape = entry.get("shape")
    right = isinstance(shape, list) and all(type(n) is int and 0 < n < 1 << 31 for n in shape) and 0 < len(shape) <= 8
    if not right:
        raise Refused(f"the shape of {name!r} is {shape!r:.60}", remedy=_REMEDY)
    count = math.prod(shape)
    size = _parameters(entry).get("binary_data_size")
    if size is None:
        values = _from_json(name, datatype, count, entry.get("data"))
    elif type(size) is int and 0 <= size <= len(body) - at:
        values = _from_binary(name, datatype, count, memoryview(body)[at : at + size])
        at += size
    else:
        raise Refused(f"binary_data_size of {name!r} is {size!r:.40}; {len(body) - at} bytes are there", remedy=_REMEDY)
    if isinstance(values, np.ndarray):
        values = values.reshape(shape)
    return Tensor(name, datatype, tuple(shape), values), at


def _from_binary(name: str, datatype: str, count: int, raw: memoryview) -> NDArray[Any] | list[bytes]:
    if datatype == "BYTES":
        return _split_strings(name, count, raw)
    dtype = _dtype(name, datatype)
    if count * dtype.itemsize != len(raw):
        raise Refused(f"{name!r} has {len(raw)} bytes, its shape wants {count * dtype.itemsize}", remedy=_REMEDY)
    return np.frombuffer(raw, dtype)


def _split_strings(name: str, count: int, raw: memoryview) -> list[bytes]:
    """``BYTES``: each element is its length, 4 bytes little-endian, and so many bytes."""
    found: list[bytes] = []
    at = 0
    while at + 4 <= len(raw):
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4 + length
        if at > len(raw):
            break
        found.append(bytes(raw[at - length : at]))
    if at != len(raw) or len(found) != count:
        raise Refused(f"{name!r} does not hold {count} whole elements", remedy=_REMEDY)
    return found


def _from_json(name: str, datatype: str, count: int, data: Any) -> NDArray[Any] | list[bytes]:
    try:
        flat = np.asarray(data, object if datatype == "BYTES" else None).ravel()
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Refused(f"the data of {name!r} is not a full array", remedy=_REMEDY) from error
    if data is None or len(flat) != count:
        raise Refused(
            f"{name!r} has {0 if data is None else len(flat)} elements, its shape wants {count}", remedy=_REMEDY
        )
    if datatype == "BYTES":
        try:
            return [base64.b64decode(each, validate=True) for each in flat]
        except (TypeError, ValueError, binascii.Error) as error:
            raise Refused(
                f"{name!r} is not base64", remedy="in JSON send pictures as base64, or send binary"
            ) from error
    dtype = _dtype(name, datatype)
    if flat.dtype.kind not in "iufb" or (dtype.kind == "u" and (flat.min() < 0 or flat.max() > 255)):
        raise Refused(f"{name!r} has values that are not {datatype}", remedy=_REMEDY)
    return flat.astype(dtype)


def _to_binary(tensor: Tensor) -> bytes:
    if isinstance(tensor.values, list):
        return b"".join(struct.pack("<I", len(each)) + each for each in tensor.values)
    return tensor.values.astype(_DTYPES[tensor.datatype]).tobytes()


def _to_json(tensor: Tensor) -> list[Any]:
    if isinstance(tensor.values, list):
        return [each.decode("utf-8", "replace") for each in tensor.values]
    values: list[Any] = tensor.values.ravel().tolist()
    return values


def _dtype(name: str, datatype: str) -> np.dtype[Any]:
    if datatype not in _DTYPES:
        raise Refused(f"{name!r} has the datatype {datatype[:20]!r}", remedy=_REMEDY)
    return _DTYPES[datatype]


def _list(head: Any, key: str) -> list[Any]:
    found = head.get(key) if isinstance(head, dict) else None
    if not isinstance(found, list):
        raise Refused(f"{key!r} is not a list", remedy=_REMEDY)
    return found


def _text(entry: Any, key: str) -> str:
    found = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(found, str) or len(found) > 256:
        raise Refused(f"{key!r} is not a name", remedy=_REMEDY)
    return found


def _parameters(entry: dict[str, Any]) -> dict[str, Any]:
    found = entry.get("parameters", {})
    if not isinstance(found, dict):
        raise Refused("'parameters' is not an object", remedy=_REMEDY)
    return found
