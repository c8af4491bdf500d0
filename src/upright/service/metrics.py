"""Prometheus metrics, right with one process and with several.

Several workers share ``PROMETHEUS_MULTIPROC_DIR`` (prometheus_client keeps each worker's values in files there, and
reads the variable when it is imported); whichever worker is scraped answers for all of them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from ..atomic import lives, lock

if TYPE_CHECKING:
    from ..results import Orientation
    from .trace import Trace

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: Of the folders that the variable names.
FOLDER_PREFIX = "upright-metrics-"
#: An empty folder this old is of no service that is just starting.
_STARTING_S = 60.0

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_VIEWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)


class Metrics:
    """Every metric of one process. Gauges add up over the live workers."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        counter, histogram = partial(Counter, registry=registry), partial(Histogram, registry=registry)
        self.requests = counter("upright_requests", "Requests answered", ["route", "method", "status"])
        self.request_seconds = histogram(
            "upright_request_seconds",
            "From the head of a request to the end of its answer",
            ["route"],
            buckets=_SECONDS,
        )
        self.stage_seconds = histogram(
            "upright_stage_seconds", "Time in one stage, for requests that had it", ["stage"], buckets=_SECONDS
        )
        self.batch_views = histogram("upright_batch_views", "Views in one run of the engine", buckets=_VIEWS)
        self.overloads = counter("upright_overloads", "Requests turned away because the service was full", ["at"])
        self.decisions = counter("upright_decisions", "Answers by turn (or unsure) and promise", ["turn", "promise"])
        self.errors = counter("upright_source_errors", "Pictures that could not be used", ["error"])
        self.job_pictures = counter("upright_job_pictures", "Pictures of jobs that are done", ["outcome"])
        self.v2_seconds = Summary(
            "upright_v2_seconds", "Time of requests of the v2 protocol that were done or failed, and in their parts",
            ["model", "part"], registry=registry,
        )  # fmt: skip
        self.v2_elements = counter("upright_v2_elements", "Views or pictures of the v2 protocol's requests", ["model"])
        self.v2_runs = counter(
            "upright_v2_runs", "Runs of the engine with views of the v2 protocol's requests", ["model"]
        )
        self.v2_last = self._gauge(
            "upright_v2_last_timestamp_seconds", "When the last request of the v2 protocol was done", "max", ["model"]
        )
        self.in_flight = self._gauge("upright_requests_in_flight", "Requests that have been let in")
        self.in_flight_bytes = self._gauge("upright_requests_in_flight_bytes", "Bytes of the bodies let in")
        self.queue_views = self._gauge("upright_queue_views", "Views that wait for the engine")
        self.memory = self._gauge("upright_resident_memory_bytes", "Resident memory of the workers")
        self.jobs_waiting = self._gauge(
            "upright_job_pictures_waiting", "Pictures of jobs not yet decided", "mostrecent"
        )
        about = ["name", "version", "sha256", "engine", "device"]
        text = "Always 1; the labels name the model and the engine"
        self.model = self._gauge("upright_model_info", text, "max", about)

    def _gauge(self, name: str, text: str, mode: str = "livesum", labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, text, labels, multiprocess_mode=mode, registry=self.registry)  # type: ignore[arg-type]

    def observe(self, trace: Trace, route: str, method: str, status: int, seconds: float) -> None:
        """Count one finished request."""
        self.requests.labels(route, method, str(status)).inc()
        self.request_seconds.labels(route).observe(seconds)
        for stage, stage_s in trace.stages.items():
            self.stage_seconds.labels(stage).observe(stage_s)
        self.measure_memory()

    def ran(self, views: int, models: set[str]) -> None:
        """Count one run of the engine, once for each model of the v2 protocol that its views were sent to."""
        self.batch_views.observe(views)
        for model in models - {""}:
            self.v2_runs.labels(model).inc()

    def decided(self, orientation: Orientation) -> None:
        """Count one answer."""
        turn = "unsure" if orientation.turn is None else str(int(orientation.turn))
        self.decisions.labels(turn, orientation.promise.value).inc()

    def measure_memory(self) -> None:
        """Set the memory gauge; a read of /proc takes 10 µs, and systems without it go without the gauge."""
        with contextlib.suppress(OSError):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.memory.set(pages * os.sysconf("SC_PAGE_SIZE"))

    def exposition(self) -> bytes:
        """What ``/metrics`` answers, for all workers."""
        self.measure_memory()
        return generate_latest(self._of_all_workers())

    def values(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample's value by its name and labels, for all workers."""
        samples = [sample for family in self._of_all_workers().collect() for sample in family.samples]
        return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}

    def _of_all_workers(self) -> CollectorRegistry:
        directory = os.environ.get(DIRECTORY_VARIABLE)
        if directory is None:
            return self.registry
        forget_dead_workers(Path(directory))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
        return registry


def forget_dead_workers(directory: Path) -> None:
    """Remove the gauges of workers that no longer run, so that sums over live workers are true after a crash."""
    for path in directory.glob("gauge_live*_*.db"):
        found = re.fullmatch(r"gauge_live\w+_(\d+)\.db", path.name)
        if found and not Path(f"/proc/{found[1]}").exists() and Path("/proc/self").exists():
            mark_process_dead(int(found[1]), path=str(directory))  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def folder_locked(folder: Path) -> Iterator[bool]:
    """A folder that this process alone has meanwhile; False where another has it, or the system has no such locks."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield bool(lock(handle))
    finally:
        os.close(handle)


def sweep_folders(place: Path) -> None:
    """Remove this user's folders of services that were killed, where no process that counted in them lives."""
    for folder in place.glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError), folder_locked(folder) as ours:
            facts = folder.lstat()
            if not ours or not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
                continue
            counted = [re.fullmatch(r"\w+_(\d+)\.db", path.name) for path in folder.iterdir()]
            # A service that is just starting has not counted yet, nor locked its folder.
            starting = not counted and time.time() - facts.st_mtime < _STARTING_S
            if not starting and not any(found is None or lives(int(found[1])) for found in counted):
                shutil.rmtree(folder, ignore_errors=True)
