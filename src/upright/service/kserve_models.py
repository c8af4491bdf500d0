"""What the Open Inference Protocol v2 sends as JSON, in both directions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..decide import efforts
from ..results import Promise

Name = Annotated[str, Field(max_length=256)]


class _Part(BaseModel):
    """Members that are not described are let pass, as the protocol says of its extensions."""

    model_config = ConfigDict(strict=True)


class _Parameters(_Part):
    """One that is not known would change nothing without a word, so it is refused."""

    model_config = ConfigDict(extra="forbid")
    #: Clients made for MLServer send it; the datatype says it already.
    content_type: str | None = None


class InputParameters(_Parameters):
    """Of an input."""

    binary_data_size: int | None = None


class OutputParameters(_Parameters):
    """Of an output that is asked for."""

    binary_data: bool | None = None


class RequestParameters(_Parameters):
    """Of a request. All but the first are for encoded pictures, and mean what they do in a query."""

    binary_data_output: bool = False
    promise: Promise | None = None
    effort: Annotated[int, Field(ge=0, le=efforts()[-1])] | None = None
    page: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class Input(_Part):
    """A tensor, with its ``data`` or the number of its bytes behind the JSON."""

    name: Name
    datatype: str
    shape: list[Annotated[int, Field(gt=0, lt=1 << 31)]] = Field(min_length=1, max_length=8)
    data: list[Any] | None = None
    parameters: InputParameters = InputParameters()


class Output(_Part):
    """An output that is asked for."""

    name: Name
    parameters: OutputParameters = OutputParameters()


class InferRequest(_Part):
    """The JSON of a request."""

    id: str = ""
    inputs: list[Input]
    outputs: list[Output] = []
    parameters: RequestParameters = RequestParameters()


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


class ConfigTensor(BaseModel):
    """A tensor in a model's configuration; -1 is any size."""

    name: str
    data_type: str
    dims: list[int]


class Parameter(BaseModel):
    """The value of a parameter in a model's configuration."""

    string_value: str


class ModelConfig(BaseModel):
    """How a model runs. ``max_batch_size`` is 0: ``dims`` are whole shapes."""

    name: str
    platform: str
    max_batch_size: Literal[0] = 0
    input: list[ConfigTensor]
    output: list[ConfigTensor]
    parameters: dict[str, Parameter]


class Duration(BaseModel):
    """How often something was done, and the time that it took altogether."""

    count: int = 0
    ns: int = 0


class InferenceStatistics(BaseModel):
    """The time of requests, and in their parts."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class ModelStatistics(BaseModel):
    """What requests of this protocol had a model do since the service started."""

    name: str
    version: str
    last_inference: int = Field(description="Milliseconds since 1970; 0: none yet.")
    inference_count: int = Field(description="Views or pictures.")
    execution_count: int = Field(description="Requests whose tensor was handed to the model.")
    inference_stats: InferenceStatistics
    batch_stats: list[Any]


class Statistics(BaseModel):
    """Statistics of one model or of all."""

    model_stats: list[ModelStatistics]


class IndexRequest(_Part):
    """What of the repository is asked for."""

    ready: bool = False


class IndexEntry(BaseModel):
    """A model of the repository."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str
