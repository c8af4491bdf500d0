"""The application: routes and middleware of one process, and how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import FrameType
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from . import documents, health, jobs_routes, kserve_routes, page, pictures
from .door import Door
from .keys import Keys
from .middleware import Cors, Observe, Problems, fail
from .openapi import TITLE
from .rates import Rates
from .settings import KEYS_VARIABLE, Settings
from .state import State, open_state

_METHODS = ("GET", "POST", "DELETE")

logger = logging.getLogger("upright.service")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application; without settings those of the environment (see `Settings.to_environment`)."""
    settings = settings or Settings.from_environment()
    state = open_state(settings)
    keys = Keys.read(settings.keys_file, os.environ.get(KEYS_VARIABLE, ""))
    cors: Any = {"allow_origins": settings.cors_origin, "allow_methods": _METHODS}
    cors |= {"allow_headers": ["*"], "expose_headers": ["*"]}
    rates = Rates(settings.rate_per_s) if settings.rate_per_s else None
    routers = (pictures, jobs_routes, health, kserve_routes, documents)
    app: FastAPI = FastAPI(
        **TITLE,
        routes=[route for room in routers for route in room.router.routes] + page.routes(state.detector.model),
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=[
            Middleware(Observe, metrics=state.metrics),
            # Twice: errors from within get its headers, and its own are problems, too.
            *([Middleware(Problems), Middleware(Cors, **cors)] if settings.cors_origin else []),
            Middleware(Problems),
            Middleware(Door, lambda: app.routes, settings, keys, rates, state.lanes, state.metrics),
        ],
        exception_handlers={HTTPException: fail, RequestValidationError: fail},
    )
    app.state.service = state
    app.state.has_keys = bool(keys)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.service
    async with AsyncExitStack() as stack:
        stack.callback(state.batcher.engine.close)
        stack.callback(state.batcher.close)
        stack.callback(state.runner.close)
        if state.jobs is not None:
            await stack.enter_async_context(state.jobs)
        _drain_on_signal(state)
        logger.info("ready", extra={"fields": {"model": state.detector.model.name, "pid": os.getpid()}})
        yield
        state.draining = True


def _drain_on_signal(state: State) -> None:
    """On SIGTERM let ``/readyz`` say so first, and stop ``drain_s`` later, by the web server's own handler."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    stop = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: FrameType | None) -> None:
        again = state.draining
        state.draining = True
        if callable(stop):
            loop.call_soon_threadsafe(loop.call_later, 0 if again else state.settings.drain_s, stop, number, frame)

    signal.signal(signal.SIGTERM, drain)
