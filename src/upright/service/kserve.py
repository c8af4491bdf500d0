"""The Open Inference Protocol v2 on the wire: tensors as JSON, and as binary behind a JSON head.

https://github.com/kserve/open-inference-protocol and, for binary tensors, Triton's *binary tensor data extension*: the
header ``Inference-Header-Content-Length`` is the length of the JSON; the bytes of the tensors follow in its order.
"""

from __future__ import annotations

import binascii
import math
import struct
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from .kserve_models import (
    InferRequest,
    InferResponse,
    Input,
    InputParameters,
    OutputParameters,
    OutputTensor,
    RequestParameters,
)
from .problems import BodyTooLarge, Refused

HEAD_LENGTH_HEADER = "Inference-Header-Content-Length"
#: Most values and most lists and objects of a request's JSON: 1,000,000 values take 0.15 s to read, in which no other
#: request is served, and 60 MB. Seven views fit; binary tensors have no such limit.
_MAX_VALUES, _MAX_NESTED = 1_100_000, 100_000

M = TypeVar("M", bound=BaseModel)

_DTYPES: dict[str, np.dtype[Any]] = {
    "UINT8": np.dtype("<u1"),
    "INT32": np.dtype("<i4"),
    "FP32": np.dtype("<f4"),
    "BOOL": np.dtype("?"),
}
_PARAMETERS: dict[str, type[BaseModel]] = {
    "inputs": InputParameters,
    "outputs": OutputParameters,
    "parameters": RequestParameters,
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
    parameters: RequestParameters


def decode(body: bytes, head_length: str | None) -> Inference:
    """A request from its body and the header with the length of the JSON. Raises `Refused`."""
    if head_length is not None and not (head_length.isascii() and head_length.isdigit() and len(head_length) < 12):
        raise Refused(f"{HEAD_LENGTH_HEADER} is {head_length[:20]!r}", remedy=_REMEDY)
    at = len(body) if head_length is None else int(head_length)
    if at > len(body):
        raise Refused(f"the header says that the JSON has {at} bytes; the body has {len(body)}", remedy=_REMEDY)
    head = _head(body[:at])
    inputs: dict[str, Tensor] = {}
    for entry in head.inputs:
        if entry.name in inputs:
            raise Refused(f"the input {entry.name!r} is there twice", remedy=_REMEDY)
        size = entry.parameters.binary_data_size
        if size is not None and not 0 <= size <= len(body) - at:
            cause = f"binary_data_size of {entry.name!r} is {size}; {len(body) - at} bytes are there"
            raise Refused(cause, remedy=_REMEDY)
        raw = None if size is None else memoryview(body)[at : at + size]
        inputs[entry.name] = _tensor(entry, raw)
        at += size or 0
    if at != len(body):
        raise Refused(f"{len(body) - at} bytes belong to no input", remedy=_REMEDY)
    binary = head.parameters.binary_data_output
    wanted = {
        each.name: binary if each.parameters.binary_data is None else each.parameters.binary_data
        for each in head.outputs
    }
    return Inference(head.id, inputs, wanted, head.parameters)


def encode(
    model: str, version: str, request: Inference, outputs: dict[str, NDArray[Any]]
) -> tuple[bytes, dict[str, str]]:
    """A response's body, and the headers that go with it. Raises `Refused` where an output asked for is not there."""
    if unknown := set(request.wanted) - set(outputs):
        raise Refused(f"there is no output {sorted(unknown)[0]!r}", remedy=_REMEDY)
    answer = InferResponse(model_name=model, model_version=version, id=request.id or None, outputs=[])
    blobs = []
    for name in request.wanted or outputs:
        values, datatype = outputs[name], next(kind for kind, dtype in _DTYPES.items() if dtype == outputs[name].dtype)
        tensor = OutputTensor(name=name, datatype=datatype, shape=list(values.shape))
        if request.wanted.get(name, request.parameters.binary_data_output):
            blobs.append(values.tobytes())
            tensor.parameters = {"binary_data_size": len(blobs[-1])}
        else:
            tensor.data = values.ravel().tolist()
        answer.outputs.append(tensor)
    head = answer.model_dump_json(exclude_none=True).encode()
    if not blobs:
        return head, {"Content-Type": "application/json"}
    headers = {"Content-Type": "application/octet-stream", HEAD_LENGTH_HEADER: str(len(head))}
    return b"".join([head, *blobs]), headers


def _head(text: bytes) -> InferRequest:
    if text.count(b",") > _MAX_VALUES or text.count(b"[") + text.count(b"{") > _MAX_NESTED:
        raise BodyTooLarge(f"more than {_MAX_VALUES:,} values as JSON", remedy="send binary tensors")
    return read_json(InferRequest, text)


def read_json(model: type[M], text: bytes) -> M:
    """A request's JSON. Raises `Refused`."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in found["loc"])
        if found["type"] == "extra_forbidden":
            known = [name for name in _PARAMETERS[str(found["loc"][0])].model_fields if name != "content_type"]
            remedy = f"known here: {', '.join(known)}"
            raise Refused(f"the parameter {where[:80]!r} is not known", remedy=remedy) from error
        raise Refused(f"the request's JSON: {where}: {found['msg']}", remedy=_REMEDY) from error


def _tensor(entry: Input, raw: memoryview | None) -> Tensor:
    name, count = entry.name, math.prod(entry.shape)
    values: NDArray[Any] | list[bytes]
    if entry.datatype == "BYTES":
        values = _strings(name, entry.data) if raw is None else _split_strings(name, raw, count)
        if len(values) != count:
            raise Refused(f"{name!r} has {len(values)} elements, its shape wants {count}", remedy=_REMEDY)
        return Tensor(name, "BYTES", tuple(entry.shape), values)
    if entry.datatype not in _DTYPES:
        raise Refused(f"{name!r} has the datatype {entry.datatype[:20]!r}", remedy=_REMEDY)
    dtype = _DTYPES[entry.datatype]
    if raw is None:
        values = _numbers(name, dtype, entry.data)
    elif len(raw) % dtype.itemsize:
        raise Refused(f"{name!r} has {len(raw)} bytes, its elements have {dtype.itemsize}", remedy=_REMEDY)
    else:
        values = np.frombuffer(raw, dtype)
    if values.size != count:
        raise Refused(f"{name!r} has {values.size} elements, its shape wants {count}", remedy=_REMEDY)
    return Tensor(name, entry.datatype, tuple(entry.shape), values.reshape(entry.shape))


def _numbers(name: str, dtype: np.dtype[Any], data: list[Any] | None) -> NDArray[Any]:
    """The values of a tensor, each of which is one of its type: nothing is rounded, and `true` is no number."""
    try:
        flat = np.asarray(data or [], dtype=object).ravel()
    except (ValueError, TypeError) as error:
        raise Refused(f"the data of {name!r} is not a full array", remedy=_REMEDY) from error
    known: set[type] = {bool} if dtype.kind == "b" else {int, float} if dtype.kind == "f" else {int}
    cause = f"{name!r} has values that are not {dtype}"
    if not set(map(type, flat.tolist())) <= known:
        raise Refused(cause, remedy=_REMEDY)
    try:
        values = flat.astype(np.int64 if known == {int} else dtype)
    except OverflowError as error:
        raise Refused(cause, remedy=_REMEDY) from error
    if known == {int} and values.size:
        range_ = np.iinfo(dtype)
        if values.min() < range_.min or values.max() > range_.max:
            raise Refused(cause, remedy=_REMEDY)
    return values.astype(dtype)


def _strings(name: str, data: list[Any] | None) -> list[bytes]:
    try:
        return [b64decode(each, validate=True) for each in data or []]
    except (TypeError, ValueError, binascii.Error) as error:
        raise Refused(f"{name!r} is not base64", remedy="in JSON send pictures as base64, or send binary") from error


def _split_strings(name: str, raw: memoryview, count: int) -> list[bytes]:
    """``BYTES``: each element is its length, 4 bytes little-endian, and that many bytes."""
    found: list[bytes] = []
    at = 0
    while at + 4 <= len(raw) and len(found) < count:
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4 + length
        if at > len(raw):
            break
        found.append(bytes(raw[at - length : at]))
    if at != len(raw):
        raise Refused(f"{name!r} does not hold {count} whole elements", remedy=_REMEDY)
    return found
