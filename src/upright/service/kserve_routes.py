"""Routes of the Open Inference Protocol v2.

Two models are there. The network's own name takes views (``UINT8 [n, S, S, 3]``) and gives logits; its name with
``-pictures`` takes encoded pictures (``BYTES [n]``) and gives turn, best, confidence and scores: the whole decision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from .. import __version__
from ..detector import Detector
from ..results import Orientation
from .kserve import HEAD_LENGTH_HEADER, Tensor, decode, encode
from .problems import BodyTooLarge, NotHere, Refused
from .routes import note, service_of, trace_of
from .runner import Ask, while_connected

router = APIRouter(tags=["Open Inference Protocol v2"])

PICTURES = "-pictures"
#: What the tensor ``turn`` says for an unsure picture; no turn is negative.
UNSURE = -1

_JSON = {"schema": {"type": "object", "required": ["inputs"]}}
_INFER_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": _JSON, "application/octet-stream": {"schema": {"type": "string"}}},
    }
}


def describe(detector: Detector, name: str) -> dict[str, Any]:
    """A model's metadata. Raises `NotHere`."""
    model = detector.model
    size = model.input_size_px
    if name == model.name:
        inputs = [{"name": "views", "datatype": "UINT8", "shape": [-1, size, size, 3]}]
        outputs = [{"name": "logits", "datatype": "FP32", "shape": [-1, 4]}]
    elif name == model.name + PICTURES:
        inputs = [{"name": "pictures", "datatype": "BYTES", "shape": [-1]}]
        outputs = [
            {"name": "turn", "datatype": "INT32", "shape": [-1]},
            {"name": "best", "datatype": "INT32", "shape": [-1]},
            {"name": "confidence", "datatype": "FP32", "shape": [-1]},
            {"name": "scores", "datatype": "FP32", "shape": [-1, 4]},
        ]
    else:
        raise NotHere(f"there is no model {name[:80]!r}", remedy=f"ask for {model.name} or {model.name}{PICTURES}")
    return {"name": name, "versions": [model.version], "platform": "onnx_onnxv1", "inputs": inputs, "outputs": outputs}


@router.get("/v2")
async def server() -> Response:
    """Name, version and extensions."""
    return JSONResponse({"name": "upright", "version": __version__, "extensions": ["binary_tensor_data"]})


@router.get("/v2/health/live")
async def live() -> Response:
    """Whether the process lives."""
    return JSONResponse({"live": True})


@router.get("/v2/health/ready")
async def ready(request: Request) -> Response:
    """Whether new requests should come here."""
    now = service_of(request).ready
    return JSONResponse({"ready": now}, 200 if now else 503)


@router.get("/v2/models/{name}")
@router.get("/v2/models/{name}/versions/{version}")
async def metadata(request: Request, name: str, version: str | None = None) -> Response:
    """Inputs, outputs and versions of a model."""
    return JSONResponse(_known(request, name, version))


@router.get("/v2/models/{name}/ready")
@router.get("/v2/models/{name}/versions/{version}/ready")
async def model_ready(request: Request, name: str, version: str | None = None) -> Response:
    """Whether a model takes requests."""
    _known(request, name, version)
    now = service_of(request).ready
    return JSONResponse({"name": name, "ready": now}, 200 if now else 503)


@router.post("/v2/models/{name}/infer", openapi_extra=_INFER_BODY)
@router.post("/v2/models/{name}/versions/{version}/infer", openapi_extra=_INFER_BODY)
async def infer(request: Request, name: str, version: str | None = None) -> Response:
    """Run a model, in JSON or with binary tensors."""
    described = _known(request, name, version)
    asked = decode(await request.body(), request.headers.get(HEAD_LENGTH_HEADER))
    wanted = described["inputs"][0]
    given = asked.inputs.get(wanted["name"])
    if given is None or len(asked.inputs) != 1:
        raise Refused(f"the inputs are {sorted(asked.inputs)}", remedy=f"send just {wanted['name']!r}")
    if given.datatype != wanted["datatype"] or not _fits(given.shape, wanted["shape"]):
        got = f"{given.datatype} {list(given.shape)}"
        raise Refused(f"{given.name!r} is {got}", remedy=f"send {wanted['datatype']} {wanted['shape']}")
    run = _pictures if wanted["datatype"] == "BYTES" else _views
    outputs = await while_connected(request.receive, run(request, given))
    body, headers = encode(name, described["versions"][0], asked, outputs)
    return Response(body, headers=headers)


async def _views(request: Request, given: Tensor) -> list[Tensor]:
    assert isinstance(given.values, np.ndarray)
    logits = await service_of(request).batcher.infer(given.values)
    return [Tensor("logits", "FP32", logits.shape, logits)]


async def _pictures(request: Request, given: Tensor) -> list[Tensor]:
    """One broken picture fails the request, as the protocol knows no errors of single elements."""
    service, trace = service_of(request), trace_of(request)
    assert isinstance(given.values, list)
    if len(given.values) > service.settings.max_pictures:
        raise BodyTooLarge(f"{len(given.values)} pictures", remedy=f"send at most {service.settings.max_pictures}")
    named = [(f"pictures[{number}]", data) for number, data in enumerate(given.values)]
    answers: list[Orientation] = []
    for each, (_, data) in zip(await service.runner.orient_many(named, Ask(), trace), named, strict=True):
        if not isinstance(each, Orientation):
            raise each
        note(trace, each, len(data))
        answers.append(each)
    turns = np.array([UNSURE if a.turn is None else int(a.turn) for a in answers], np.int32)
    best = np.array([int(a.best) for a in answers], np.int32)
    confidence = np.array([a.confidence for a in answers], np.float32)
    scores = np.array([a.scores.values for a in answers], np.float32)
    return [
        Tensor("turn", "INT32", turns.shape, turns),
        Tensor("best", "INT32", best.shape, best),
        Tensor("confidence", "FP32", confidence.shape, confidence),
        Tensor("scores", "FP32", scores.shape, scores),
    ]


def _known(request: Request, name: str, version: str | None) -> dict[str, Any]:
    described = describe(service_of(request).detector, name)
    if version not in (None, *described["versions"]):
        raise NotHere(f"{name} has no version {version[:40] if version else ''!r}", remedy="leave the version out")
    return described


def _fits(shape: tuple[int, ...], wanted: list[int]) -> bool:
    return len(shape) == len(wanted) and all(w in (-1, n) for n, w in zip(shape, wanted, strict=True))
