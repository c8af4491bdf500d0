"""Routes about the service: whether it is alive and ready, its model, its metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from . import answers
from .access import access
from .problems import JobsUnusable
from .state import state_of

router = APIRouter(tags=["service"])

_PROMETHEUS = "text/plain; version=0.0.4"


@router.get("/healthz", responses={200: {"model": answers.Status}})
@access(key=False, lane="free")
async def healthz() -> Response:
    """Whether the process lives."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", responses={200: {"model": answers.Status}, 503: {"model": answers.Status}})
@access(key=False, lane="free")
async def readyz(request: Request) -> Response:
    """Whether new requests should come here: 503 when the service is stopping, or cannot use its jobs file."""
    state = state_of(request)
    trouble = state.jobs and state.jobs.store.trouble
    status = "stopping" if state.draining else "unusable" if isinstance(trouble, JobsUnusable) else "ready"
    answer = {"status": status} | ({"jobs": str(trouble)} if trouble else {})
    return JSONResponse(answer, 200 if status == "ready" else 503)


@router.get("/v1/model", responses={200: {"model": answers.ModelFacts}})
async def model(request: Request) -> Response:
    """The facts of the model, and the engine that runs it."""
    detector = state_of(request).detector
    engine = {"name": detector.engine.name, "device": detector.engine.device}
    return JSONResponse(detector.model.to_dict() | {"engine": engine})


@router.get(
    "/metrics", responses={200: {"content": {_PROMETHEUS: {"schema": {"type": "string"}}}}}, response_class=Response
)
@access(lane="free", opened_by="open_metrics")
async def metrics(request: Request) -> Response:
    """Prometheus metrics of all worker processes."""
    return Response(state_of(request).metrics.exposition(), media_type=_PROMETHEUS)
