"""The parts of one process of the service, which its routes share."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from .. import workers
from ..detector import Detector
from ..engines import open_engine
from ..engines.batcher import Batcher
from ..machine import memory_bytes, processors
from ..model import load_model
from ..pictures import Limits
from .access import Lane
from .admission import Admission
from .jobs import Jobs
from .metrics import Metrics
from .runner import Runner
from .settings import Settings

#: What may wait for the engine.
_MOST_VIEWS, _MOST_VIEW_BYTES = 512, 256 << 20


@dataclass
class State:
    """The parts of one process."""

    settings: Settings
    metrics: Metrics
    detector: Detector
    batcher: Batcher
    runner: Runner
    lanes: Mapping[Lane, Admission]
    jobs: Jobs | None = None
    draining: bool = False

    @property
    def ready(self) -> bool:
        """Whether new requests should be sent here."""
        return not self.draining


def state_of(request: Request) -> State:
    """The parts of the process that answers a request."""
    state: State = request.app.state.service
    return state


def open_state(settings: Settings) -> State:
    """Load the model and build the parts; takes about 0.2 s."""
    metrics, model = Metrics(), load_model(settings.model)
    engine = open_engine(model, settings.engine, threads=settings.threads)
    if settings.max_batch is not None:
        engine.batch_size = settings.max_batch
    # An engine that is best with one view at a time runs one for each processor side by side.
    batcher = Batcher(
        engine,
        workers=settings.engine_workers or (processors() if engine.batch_size == 1 else 1),
        max_views=_MOST_VIEWS,
        max_bytes=_MOST_VIEW_BYTES,
        on_run=metrics.ran,
        on_queue=metrics.queue_views.set,
    )
    # Threads that wait for a batch do not decode meanwhile.
    threads = settings.decode_threads or processors() * (1 if engine.batch_size == 1 else 4)
    limits = Limits(
        settings.max_memory_mb or _share_mb(threads + 1),
        max_pages=settings.max_pages,
        timeout_s=settings.decode_timeout_s,
    )
    detector = Detector(model, engine=batcher, promise=settings.promise, effort=settings.effort, limits=limits)
    _warm(detector)
    runner = Runner(detector, batcher, metrics, threads)
    metrics.model.labels(model.name, model.version, model.sha256, engine.name, engine.device).set(1)
    refused = metrics.overloads.labels("door").inc
    lanes: dict[Lane, Admission] = {
        "requests": Admission(settings.max_queue, settings.max_queue_mb << 20, on_refusal=refused),
        "uploads": Admission(None, settings.jobs_mb << 20, on_refusal=refused),
        "free": Admission(None, sys.maxsize),
    }
    jobs = None if settings.jobs is None else Jobs(settings, runner, metrics)
    return State(settings, metrics, detector, batcher, runner, lanes, jobs)


def _share_mb(pictures: int) -> float:
    """What each of so many pictures may need at once: all of them, half of the memory of machine or container."""
    most_mb = Limits().max_memory_mb
    return min(most_mb, (memory_bytes() >> 20) / 2 / pictures or most_mb)


def _warm(detector: Detector) -> None:
    """Import what the first picture would import, run the engine once and start a worker: the first request is fast."""
    from PIL import Image

    tiny = io.BytesIO()
    Image.effect_noise((32, 32), 50).convert("RGB").save(tiny, "JPEG")
    detector.detect(tiny.getvalue(), effort=0)
    workers.give(workers.take())
