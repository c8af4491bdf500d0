"""The application: what a process of the service holds, and how it starts and stops."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from .. import __version__
from ..detector import Detector
from ..errors import Overloaded, UprightError
from ..machine import processors
from ..pictures import Limits
from ..results import Promise
from . import kserve_routes, page, routes
from .batcher import Batcher
from .doors import DEADLINE_HEADER, Doors, Observed
from .gate import Gate
from .jobs import Jobs
from .jobs_routes import router as jobs_router
from .keys import Keys, Rates
from .log import Trace
from .metrics import Metrics
from .problems import Refused, problem_response
from .runner import Runner
from .settings import KEYS_VARIABLE, Settings

logger = logging.getLogger("upright.service")

_DESCRIPTION = f"""
Tells which way up pictures belong and sets them right. *Turn* is the clockwise turn in degrees that makes the picture
upright; `null` means unsure: leave it alone. Errors are `application/problem+json` (RFC 9457). The header
`{DEADLINE_HEADER}` gives a request a deadline in milliseconds.
"""


@dataclass
class Service:
    """What the routes of one process share."""

    settings: Settings
    metrics: Metrics
    detector: Detector
    batcher: Batcher
    runner: Runner
    gate: Gate
    jobs: Jobs | None = None
    draining: bool = False

    @property
    def ready(self) -> bool:
        """Whether new requests should be sent here."""
        return not self.draining


def open_service(settings: Settings) -> Service:
    """Load the model and build the parts; takes about 0.2 s."""
    limits = Limits() if settings.max_megapixels is None else Limits(max_megapixels=settings.max_megapixels)
    detector = Detector(
        settings.model,
        engine=settings.engine,
        threads=settings.threads,
        promise=Promise(settings.promise),
        flow=settings.flow,
        effort=settings.effort,
        limits=limits,
    )
    _warm(detector)
    metrics = Metrics()
    if settings.max_batch is not None:
        detector.engine.batch_size = settings.max_batch
    max_batch = detector.engine.batch_size
    # An engine that is best with one view at a time runs one for each core side by side.
    workers = settings.engine_workers or (processors() if max_batch == 1 else 1)
    batcher = Batcher(
        detector.infer,
        max_batch=max_batch,
        workers=workers,
        on_run=metrics.batch_views.observe,
        on_line=metrics.queue_views.set,
    )
    runner = Runner(detector, batcher, metrics, settings.decode_threads or processors())
    model, engine = detector.model, detector.engine
    metrics.model.labels(model.name, model.version, model.sha256, engine.name, engine.device).set(1)
    gate = Gate(settings.max_queue, settings.max_queue_mb << 20)
    jobs = None if settings.jobs_file is None else Jobs(settings, runner, metrics)
    return Service(settings, metrics, detector, batcher, runner, gate, jobs)


def _warm(detector: Detector) -> None:
    """Import what the first picture would import, and run the engine once: the first request is as fast as others."""
    from PIL import Image

    tiny = io.BytesIO()
    Image.effect_noise((32, 32), 50).convert("RGB").save(tiny, "JPEG")
    detector.detect(tiny.getvalue(), flow="whole")


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The ASGI application; without settings those of the environment (see `Settings.to_environment`)."""
    settings = settings or Settings.from_environment()
    service = open_service(settings)
    app = FastAPI(
        title="upright",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    for router in (routes.router, jobs_router, kserve_routes.router, page.router(service.detector.model)):
        app.include_router(router)
    for kind in (UprightError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _answer_error)
    _describe_problems(app)
    keys = Keys.read(settings.keys_file, os.environ.get(KEYS_VARIABLE, ""))
    rates = Rates(settings.rate_per_s) if settings.rate_per_s else None
    inner: ASGIApp = Doors(app, settings, service.gate, keys, rates, service.metrics)
    if settings.cors_origins:
        inner = CORSMiddleware(
            inner, settings.cors_origins, allow_methods=["GET", "POST", "DELETE"], allow_headers=["*"]
        )
    return Observed(inner, service.metrics)


def _describe_problems(app: FastAPI) -> None:
    """Tell in the OpenAPI document that every error is a problem."""
    generate = app.openapi

    def described() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        schema = generate()
        if fresh:
            routes.add_problem_to_schema(schema)
        return schema

    app.openapi = described  # type: ignore[method-assign]


async def _answer_error(request: Request, error: Exception) -> Response:
    """Every error as a problem; what the framework found wrong with parameters is a bad request."""
    trace: Trace = request.scope["trace"]
    service: Service = request.app.state.service
    if isinstance(error, RequestValidationError):
        found = error.errors()[0]
        where = ".".join(str(part) for part in found["loc"])
        error = Refused(f"{where}: {found['msg']}", remedy="see /docs")
    if isinstance(error, Overloaded):
        service.metrics.overloads.labels("batcher").inc()
    trace.facts["error"] = type(error).__name__
    more = {"error": str(error)} if request.url.path.startswith("/v2") else {}
    return problem_response(error, trace.request_id, **more)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    async with AsyncExitStack() as stack:
        stack.callback(service.detector.close)
        stack.callback(service.runner.close)
        stack.callback(service.batcher.close)
        if service.jobs is not None:
            await stack.enter_async_context(service.jobs)
        _drain_on_signal(service)
        logger.info("ready", extra={"fields": {"model": service.detector.model.name, "pid": os.getpid()}})
        yield
        service.draining = True


def _drain_on_signal(service: Service) -> None:
    """On SIGTERM let ``/readyz`` say so first, and stop ``drain_s`` later, by the web server's own handler."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    stop = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: FrameType | None) -> None:
        again = service.draining
        service.draining = True
        if callable(stop):
            loop.call_soon_threadsafe(loop.call_later, 0 if again else service.settings.drain_s, stop, number, frame)

    signal.signal(signal.SIGTERM, drain)
