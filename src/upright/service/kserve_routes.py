"""Routes of the Open Inference Protocol v2.

Two models are there. The network's own name takes views (``UINT8 [n, S, S, 3]``) and gives logits; its name with
``-pictures`` takes encoded pictures (``BYTES [n]``) and gives turn, best, confidence and scores: the whole decision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel
from starlette.responses import JSONResponse

from .. import __version__
from ..model import Model
from ..results import Orientation
from . import kserve_models as models
from .access import access
from .kserve import HEAD_LENGTH_HEADER, Tensor, decode, encode, read_json
from .kserve_statistics import counted, statistics
from .openapi import BINARY, errors, header
from .problems import BodyTooLarge, NotHere, Refused
from .runner import Ask, while_connected
from .state import state_of
from .trace import trace_of
from .transfer import ENCODINGS, accepted

router = APIRouter(tags=["Open Inference Protocol v2"])

PICTURES = "-pictures"
#: What the tensor ``turn`` says for an unsure picture; no turn is negative.
UNSURE = -1

#: Of Triton's extensions those that are here. "model_repository" promises loading, too, and here it is the index alone.
_EXTENSIONS = ["binary_tensor_data", "model_configuration", "statistics"]
_VERSIONS = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}},
            "application/octet-stream": {"schema": BINARY},
        },
    }
}
_INDEX = {"requestBody": {"content": {"application/json": {"schema": models.IndexRequest.model_json_schema()}}}}
_INFERRED: dict[str, Any] = {
    "model": models.InferResponse,
    "content": {"application/octet-stream": {"schema": BINARY}},
    "headers": {HEAD_LENGTH_HEADER: header("Bytes of the JSON, where binary tensors follow it.")},
}


def describe(model: Model, name: str, version: str | None) -> models.ModelMetadata:
    """A model's metadata. Raises `NotHere`."""
    size = model.input_size_px
    known: dict[str, tuple[dict[str, tuple[str, list[int]]], dict[str, tuple[str, list[int]]]]] = {
        model.name: ({"views": ("UINT8", [-1, size, size, 3])}, {"logits": ("FP32", [-1, 4])}),
        model.name + PICTURES: (
            {"pictures": ("BYTES", [-1])},
            {
                "turn": ("INT32", [-1]),
                "best": ("INT32", [-1]),
                "confidence": ("FP32", [-1]),
                "scores": ("FP32", [-1, 4]),
            },
        ),
    }
    if name not in known:
        raise NotHere(f"there is no model {name[:80]!r}", remedy=f"ask for {' or '.join(known)}")
    if version not in (None, model.version):
        raise NotHere(f"{name} has no version {(version or '')[:40]!r}", remedy="leave the version out")
    inputs, outputs = (
        [models.TensorMetadata(name=name, datatype=kind, shape=shape) for name, (kind, shape) in side.items()]
        for side in known[name]
    )
    return models.ModelMetadata(
        name=name, versions=[model.version], platform="onnx_onnxv1", inputs=inputs, outputs=outputs
    )


def _answer(model: BaseModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(exclude_none=True), status, media_type="application/json")


@router.get("/v2", responses={200: {"model": models.ServerMetadata}})
async def server() -> Response:
    """Name, version and extensions."""
    return _answer(models.ServerMetadata(name="upright", version=__version__, extensions=_EXTENSIONS))


@router.get("/v2/health/live", responses={200: {"model": models.Live}})
@access(key=False, lane="free")
async def live() -> Response:
    """Whether the process lives."""
    return _answer(models.Live(live=True))


@router.get("/v2/health/ready", responses={200: {"model": models.Ready}, 503: {"model": models.Ready}})
@access(key=False, lane="free")
async def ready(request: Request) -> Response:
    """Whether new requests should come here."""
    return _answer(models.Ready(ready=(now := state_of(request).ready)), 200 if now else 503)


async def metadata(request: Request, name: str, version: str | None = None) -> Response:
    """Inputs, outputs and versions of a model."""
    return _answer(describe(state_of(request).detector.model, name, version))


async def config(request: Request, name: str, version: str | None = None) -> Response:
    """How a model runs: its tensors, and as parameters what the service decides by where a request does not say."""
    detector = state_of(request).detector
    described = describe(detector.model, name, version)
    inputs, outputs = ([_configured(each) for each in side] for side in (described.inputs, described.outputs))
    chosen = {"promise": detector.promise.value, "effort": str(detector.effort)} if name.endswith(PICTURES) else {}
    found = models.ModelConfig(
        name=name,
        platform=described.platform,
        input=inputs,
        output=outputs,
        parameters={key: models.Parameter(string_value=value) for key, value in chosen.items()},
    )
    return _answer(found)


def _configured(tensor: models.TensorMetadata) -> models.ConfigTensor:
    kind = "STRING" if tensor.datatype == "BYTES" else tensor.datatype
    return models.ConfigTensor(name=tensor.name, data_type=f"TYPE_{kind}", dims=tensor.shape)


@router.get("/v2/models/stats", responses={200: {"model": models.Statistics}})
async def all_stats(request: Request) -> Response:
    """What requests of this protocol had each model do since the service started."""
    state = state_of(request)
    name, version = state.detector.model.name, state.detector.model.version
    found = [statistics(state.metrics, each, version) for each in (name, name + PICTURES)]
    return _answer(models.Statistics(model_stats=found))


async def stats(request: Request, name: str, version: str | None = None) -> Response:
    """What requests of this protocol had a model do since the service started."""
    state = state_of(request)
    described = describe(state.detector.model, name, version)
    found = statistics(state.metrics, name, described.versions[0])
    return _answer(models.Statistics(model_stats=[found]))


@router.post("/v2/repository/index", openapi_extra=_INDEX, responses={200: {"model": list[models.IndexEntry]}})
async def index(request: Request) -> Response:
    """The models of this service; with `{"ready": true}` those alone that take requests."""
    state, body = state_of(request), await request.body()
    asked = read_json(models.IndexRequest, body) if body.strip() else models.IndexRequest()
    if asked.ready and not state.ready:
        return JSONResponse([])
    name, version = state.detector.model.name, state.detector.model.version
    where = {"version": version, "state": "READY", "reason": ""}
    if not state.ready:
        where |= {"state": "UNAVAILABLE", "reason": "the service is stopping"}
    return JSONResponse([{"name": each, **where} for each in (name, name + PICTURES)])


async def model_ready(request: Request, name: str, version: str | None = None) -> Response:
    """Whether a model takes requests."""
    state = state_of(request)
    describe(state.detector.model, name, version)
    return _answer(models.Ready(name=name, ready=state.ready), 200 if state.ready else 503)


@access(packed=True)
async def infer(request: Request, name: str, version: str | None = None) -> Response:
    """Run a model, in JSON or with binary tensors; both ways as they are, or packed as gzip or deflate."""
    state, trace = state_of(request), trace_of(request)
    described = describe(state.detector.model, name, version)
    head_length = request.headers.get(HEAD_LENGTH_HEADER)
    asked = await state.runner.call(trace, "parse", decode, await request.body(), head_length)
    wanted = described.inputs[0]
    given = asked.inputs.get(wanted.name)
    if given is None or len(asked.inputs) != 1:
        raise Refused(f"the inputs are {sorted(asked.inputs)}", remedy=f"send just {wanted.name!r}")
    if given.datatype != wanted.datatype or not _fits(given.shape, wanted.shape):
        got = f"{given.datatype} {list(given.shape)}"
        raise Refused(f"{given.name!r} is {got}", remedy=f"send {wanted.datatype} {wanted.shape}")
    run = _pictures if wanted.datatype == "BYTES" else _views
    with counted(state.metrics, trace, name, given.shape[0]):
        outputs = await while_connected(request.receive, run(request, given, asked.parameters))
        body, headers = await state.runner.call(trace, "write", encode, name, described.versions[0], asked, outputs)
        if encoding := accepted(request.headers.get("accept-encoding", "")):
            body = await state.runner.call(trace, "write", ENCODINGS[encoding], body)
            headers["Content-Encoding"] = encoding
    return Response(body, headers=headers | {"Vary": "Accept-Encoding"})


for _path in _VERSIONS:
    router.get(_path, responses=errors(404) | {200: {"model": models.ModelMetadata}})(metadata)
    router.get(f"{_path}/ready", responses=errors(404) | {n: {"model": models.Ready} for n in (200, 503)})(model_ready)
    router.get(f"{_path}/config", responses=errors(404) | {200: {"model": models.ModelConfig}})(config)
    router.get(f"{_path}/stats", responses=errors(404) | {200: {"model": models.Statistics}})(stats)
    router.post(f"{_path}/infer", openapi_extra=_BODY, responses=errors(404) | {200: _INFERRED})(infer)


async def _views(request: Request, given: Tensor, chosen: models.RequestParameters) -> dict[str, NDArray[Any]]:
    if unfit := [name for name in ("promise", "effort", "page") if getattr(chosen, name) is not None]:
        raise Refused(f"views have no {unfit[0]}", remedy=f"leave it out, or send pictures to NAME{PICTURES}")
    assert isinstance(given.values, np.ndarray)
    return {"logits": await state_of(request).runner.infer(given.values, trace_of(request))}


async def _pictures(request: Request, given: Tensor, chosen: models.RequestParameters) -> dict[str, NDArray[Any]]:
    """One broken picture fails the request, as the protocol knows no errors of single elements."""
    state = state_of(request)
    assert isinstance(given.values, list)
    if len(given.values) > state.settings.max_pictures:
        remedy = f"send at most {state.settings.max_pictures}; the operator can raise --max-pictures"
        raise BodyTooLarge(f"{len(given.values)} pictures", remedy=remedy)
    ask = state.runner.allowed(Ask(chosen.promise, chosen.page or 0, effort=chosen.effort))
    named = [(f"pictures[{number}]", data) for number, data in enumerate(given.values)]
    answers: list[Orientation] = []
    for each in await state.runner.orient_many(named, ask, trace_of(request)):
        if not isinstance(each, Orientation):
            raise each
        answers.append(each)
    return {
        "turn": np.array([UNSURE if a.turn is None else int(a.turn) for a in answers], np.int32),
        "best": np.array([int(a.best) for a in answers], np.int32),
        "confidence": np.array([a.confidence for a in answers], np.float32),
        "scores": np.array([a.scores.values for a in answers], np.float32),
    }


def _fits(shape: tuple[int, ...], wanted: list[int]) -> bool:
    return len(shape) == len(wanted) and all(w in (-1, n) for n, w in zip(shape, wanted, strict=True))
