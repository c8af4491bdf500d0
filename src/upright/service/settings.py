"""What a service is started with. Each default stands here and nowhere else."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from ..decide import DEFAULT_EFFORT
from ..errors import UsageError

#: How the settings reach the worker processes, which are started afresh and import the application by name.
SETTINGS_VARIABLE = "UPRIGHT_SERVICE_SETTINGS"

#: API keys, ``name:key`` or only ``key``, separated by commas or line ends. Never part of `Settings`, which is logged.
KEYS_VARIABLE = "UPRIGHT_API_KEYS"


@dataclass(frozen=True, slots=True)
class Settings:
    """Frozen settings of one service. Sizes are in bytes where not named otherwise, ``None`` means no limit or off."""

    model: str | None = None
    engine: str = "onnx"
    threads: int = 1
    promise: str = "balanced"
    flow: str = "cascade"
    effort: int = DEFAULT_EFFORT
    max_megapixels: float | None = None

    decode_threads: int | None = None
    engine_workers: int | None = None
    max_batch: int | None = None
    max_queue: int = 64
    max_queue_mb: int = 512
    request_timeout_s: float = 60.0

    max_body_mb: int = 64
    max_pictures: int = 64
    head_timeout_s: float = 10.0
    body_timeout_s: float = 10.0
    body_kb_s: float = 16.0

    keys_file: str | None = None
    rate_per_s: float | None = None
    cors_origins: tuple[str, ...] = ()
    drain_s: float = 0.0

    jobs_file: str | None = None
    jobs_mb: int = 10_240
    job_mb: int = 2_048
    job_pictures: int = 100_000
    job_keep_h: float = 24.0
    job_lease_s: float = 30.0

    def __post_init__(self) -> None:
        for name in ("max_queue", "max_queue_mb", "max_body_mb", "max_pictures", "jobs_mb", "job_mb"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}", remedy="give at least 1")

    def to_environment(self) -> None:
        """Hand these settings to the processes that this one starts."""
        os.environ[SETTINGS_VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings that the starting process handed over, or the defaults."""
        values = json.loads(os.environ.get(SETTINGS_VARIABLE, "{}"))
        if "cors_origins" in values:
            values["cors_origins"] = tuple(values["cors_origins"])
        return cls(**values)
