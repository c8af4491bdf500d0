"""Runs the application in uvicorn: one process, or several that share a socket."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from ..errors import UprightError, UsageError
from . import log
from .connection import MAX_HEAD_BYTES, Connection, room_for
from .metrics import DIRECTORY_VARIABLE, FOLDER_PREFIX, folder_locked, sweep_folders
from .settings import Settings

logger = logging.getLogger("upright.service")


def worker_app() -> Any:
    """The application of one process; the settings come by the environment."""
    from .app import create_app

    settings = Settings.from_environment()
    log.configure()
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=[parent], name="upright-parent", daemon=True).start()
    Connection.head_timeout_s = settings.head_timeout_s
    Connection.most, _ = room_for(settings.max_connections)
    try:
        return create_app(settings)
    except UprightError as error:
        if parent is None:
            raise
        # The others work on; this one is started again, and a log of JSON has no place for a traceback.
        logger.error("a process cannot start; trying again", extra={"fields": {"error": str(error)}})
        sys.exit(1)


def _end_with(parent: Any) -> None:
    """Stop in order when the process that started this one is gone, even killed: the port would stay taken."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT; says on standard error where it listens."""
    settings.to_environment()
    log.configure()
    config = uvicorn.Config(
        "upright.service.server:worker_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=Connection,
        ws="none",
        loop="asyncio",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_graceful_shutdown=int(settings.request_timeout_s) + 1,
        backlog=room_for(settings.max_connections)[1],
    )
    # uvicorn raises the signal again when it has stopped in order: that is success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _bound(host, port, config.backlog) as bound:
        address, bound_port = bound.getsockname()[:2]
        url = f"http://[{address}]:{bound_port}" if ":" in address else f"http://{address}:{bound_port}"
        logger.info("starting", extra={"fields": {"url": url, "workers": workers, "settings": asdict(settings)}})
        if workers == 1:
            uvicorn.Server(config).run([bound])
        else:
            _check(settings)
            with _metrics_folder():
                Multiprocess(config, [bound]).run()


def _check(settings: Settings) -> None:
    """Raise what would end each worker at its start: it would be started again, for ever."""
    stay = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for this process
    context = multiprocessing.get_context("spawn")
    # A process of its own: what an engine holds on a device is given back with it.
    with ProcessPoolExecutor(1, context, signal.signal, stay, max_tasks_per_child=1) as once:
        once.submit(_start_once, settings).result()


def _start_once(settings: Settings) -> None:
    from .app import create_app

    state = create_app(settings).state.service
    state.batcher.close()
    state.batcher.engine.close()


def _bound(host: str, port: int, backlog: int) -> socket.socket:
    if not host.strip():  # which would be every address
        raise UsageError("--host is empty", remedy="give 127.0.0.1, or 0.0.0.0 to listen on every address")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With protocol 0 asyncio does not know accepted connections for TCP and leaves Nagle's algorithm on: each answer
    # on a kept connection then waited 40 ms for the client's delayed acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(backlog)  # here, and not by asyncio: two may bind one port, and the later one fails only now
    except OSError as error:
        bound.close()
        remedy = "choose another --host or --port"
        raise UsageError(f"cannot listen there: {error}", source=f"{host}:{port}", remedy=remedy) from error
    bound.set_inheritable(True)
    return bound


@contextlib.contextmanager
def _metrics_folder() -> Iterator[None]:
    """An empty folder in which several processes count together, named before they import prometheus_client.

    It is locked for as long as this process lives.
    """
    sweep_folders(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as folder, folder_locked(Path(folder)):
        os.environ[DIRECTORY_VARIABLE] = folder
        yield
