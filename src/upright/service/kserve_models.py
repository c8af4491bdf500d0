"""What the Open Inference Protocol v2 sends as JSON, in both directions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(max_length=256)]


class _Part(BaseModel):
    """Members that are not described are let pass, as the protocol says of its extensions."""

    model_config = ConfigDict(strict=True)


class Parameters(_Part):
    """Of a request, an input, or an output that is asked for."""

    binary_data_size: int | None = None
    binary_data: bool | None = None
    binary_data_output: bool = False


class Input(_Part):
    """A tensor, with its ``data`` or the number of its bytes behind the JSON."""

    name: Name
    datatype: str
    shape: list[Annotated[int, Field(gt=0, lt=1 << 31)]] = Field(min_length=1, max_length=8)
    data: list[Any] | None = None
    parameters: Parameters = Parameters()


class Output(_Part):
    """An output that is asked for."""

    name: Name
    parameters: Parameters = Parameters()


class InferRequest(_Part):
    """The JSON of a request."""

    id: str = ""
    inputs: list[Input]
    outputs: list[Output] = []
    parameters: Parameters = Parameters()


class OutputTensor(BaseModel):
    """A tensor of an answer, with its ``data`` or the number of its bytes behind the JSON."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, int] | None = None


class InferResponse(BaseModel):
    """The JSON of an answer."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class Live(BaseModel):
    """Whether the process lives."""

    live: bool


class Ready(BaseModel):
    """Whether the process, or the model of that name, takes requests."""

    name: str | None = None
    ready: bool


class ServerMetadata(BaseModel):
    """The service and what it knows beyond the protocol."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """A tensor that a model takes or gives; -1 is any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
