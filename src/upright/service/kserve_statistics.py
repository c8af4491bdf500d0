"""What the v2 protocol's models have done: kept as metrics, so that every worker process answers for all of them.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from .kserve_models import Duration, InferenceStatistics, ModelStatistics
from .metrics import Metrics
from .trace import Trace

#: The stages of a request that belong to each part of the protocol's statistics.
_PARTS = {
    "queue": ("wait", "queue"),
    "compute_input": ("parse", "decode"),
    "compute_infer": ("infer",),
    "compute_output": ("write",),
}


@contextmanager
def counted(metrics: Metrics, trace: Trace, model: str, elements: int) -> Iterator[None]:
    """Count a request to a model as done, or as failed where it raises; ``elements`` are its views or pictures.

    The runs of the engine that serve it count for the model, too: `Metrics.ran`.
    """
    started, outcome = time.perf_counter(), "fail"
    trace.model = model
    try:
        yield
        outcome = "success"
    finally:
        metrics.v2_seconds.labels(model, outcome).observe(time.perf_counter() - started)
        if outcome == "success":
            metrics.v2_elements.labels(model).inc(elements)
            metrics.v2_last.labels(model).set(time.time())
            for part, stages in _PARTS.items():
                seconds = sum(trace.stages.get(stage, 0.0) for stage in stages)
                metrics.v2_seconds.labels(model, part).observe(seconds)


def statistics(metrics: Metrics, model: str, version: str) -> ModelStatistics:
    """What a model has done since the service started."""
    values = metrics.values()

    def value(name: str, **labels: str) -> float:
        return values.get((name, frozenset({"model": model, **labels}.items())), 0.0)

    def spent(part: str) -> Duration:
        count = value("upright_v2_seconds_count", part=part)
        return Duration(count=int(count), ns=int(value("upright_v2_seconds_sum", part=part) * 1e9))

    parts = {part: spent(part) for part in ("success", "fail", *_PARTS)}
    return ModelStatistics(
        name=model,
        version=version,
        last_inference=int(value("upright_v2_last_timestamp_seconds") * 1000),
        inference_count=int(value("upright_v2_elements_total")),
        execution_count=int(value("upright_v2_runs_total")),
        inference_stats=InferenceStatistics(**parts, cache_hit=Duration(), cache_miss=Duration()),
        batch_stats=[],
    )
