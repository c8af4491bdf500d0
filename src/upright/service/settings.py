"""What a service is started with. Each field is an option of ``upright serve`` of the same name, with its default."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from ..decide import EFFORT_HELP, efforts
from ..detector import Detector
from ..engines import ENGINES
from ..errors import UsageError
from ..pictures import Limits
from ..results import Promise

#: How the settings reach the worker processes, which are started afresh and import the application by name.
SETTINGS_VARIABLE = "UPRIGHT_SERVICE_SETTINGS"

#: API keys, ``name:key`` or only ``key``, separated by commas or line ends. Never part of `Settings`, which is logged.
KEYS_VARIABLE = "UPRIGHT_API_KEYS"

#: What a browser names a page's origin: no path and no capitals.
_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/\sA-Z]+")

#: Defaults that the detector and the limits of pictures have already.
_DETECTOR: dict[str, Any] = Detector.__init__.__kwdefaults__ or {}
_LIMITS = Limits()


def _setting(default: Any, text: str, kind: type | None = None, *, least: float | None = None, **more: Any) -> Any:
    """A field whose metadata describe an option; ``kind`` where the default does not show its type."""
    return field(default=default, metadata={"help": text, "kind": kind or type(default), "least": least, **more})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Frozen settings of one service. ``None`` means off, no limit, or what is best on this machine."""

    model: str | None = _setting(None, "Path to a model folder, or the name of a bundled model.", str)
    engine: str = _setting(
        _DETECTOR["engine"],
        f"{', '.join(ENGINES)}, or auto, the fastest here; after a colon what to run on: onnx:cuda.",
    )
    threads: int = _setting(_DETECTOR["threads"], "Threads of one engine call.", least=1)
    promise: str = _setting(
        str(_DETECTOR["promise"]), "How sure an answer has to be.", choices=tuple(map(str, Promise))
    )
    effort: int = _setting(_DETECTOR["effort"], EFFORT_HELP, least=0, most=efforts()[-1])
    max_memory_mb: float | None = _setting(
        None,
        f"Refuse pictures that need more memory; {_LIMITS.max_memory_mb:g}, or a share of the container's memory.",
        float,
        least=1,
    )
    max_pages: int = _setting(_LIMITS.max_pages, "Refuse files of more pages.", least=1)
    decode_timeout_s: float = _setting(
        _LIMITS.timeout_s, "Longest time for decoding one view of a picture.", least=0.001
    )

    decode_threads: int | None = _setting(None, "Pictures decoded side by side; one for each core.", int, least=1)
    engine_workers: int | None = _setting(None, "Engine calls side by side; on a CPU one for each core.", int, least=1)
    max_batch: int | None = _setting(None, "Views in one engine call; what the engine is best at.", int, least=1)
    max_queue: int = _setting(64, "Requests let in at once; more are answered 503.", least=1)
    max_queue_mb: int = _setting(512, "MiB of bodies let in at once.", least=1)
    request_timeout_s: float = _setting(60.0, "Longest time for one request.", least=0)

    max_body_mb: int = _setting(64, "MiB of one request's body.", least=1)
    max_pictures: int = _setting(64, "Pictures in one request.", least=1)
    max_connections: int = _setting(1_000, "Connections at once; one more ends the one that is idle longest.", least=1)
    head_timeout_s: float = _setting(10.0, "Longest time for a request's head.", least=0)
    body_timeout_s: float = _setting(10.0, "Time that a body may take beyond its least pace.", least=0)
    body_kb_s: float = _setting(16.0, "Least pace of a body, KiB a second.", least=0.001)

    keys_file: str | None = _setting(None, f"API keys, one a line, as name:key; also in {KEYS_VARIABLE}.", str)
    rate_per_s: float | None = _setting(
        None, "Requests a second for each key, or address where there are no keys.", float, least=0.001
    )
    open_metrics: bool = _setting(False, "Answer /metrics without an API key.")
    cors_origin: tuple[str, ...] = _setting((), "Let pages of this origin call; may be repeated.", str)
    drain_s: float = _setting(0.0, "Seconds between /readyz turning and stopping, on SIGTERM.", least=0)

    jobs: str | None = _setting(None, "SQLite file of jobs; without it the service takes none.", str)
    jobs_mb: int = _setting(10_240, "MiB that the jobs file may take.", least=1)
    job_mb: int = _setting(2_048, "MiB of one job's upload.", least=1)
    job_pictures: int = _setting(100_000, "Pictures in one job.", least=1)
    job_picture_mb: int = _setting(512, "MiB of one picture of a job.", least=1)

    job_keep_h: float = _setting(24.0, "Hours that a finished job is kept.", least=0)
    job_lease_s: float = _setting(30.0, "Seconds after which a dead worker's pictures are taken over.", least=0.1)

    def __post_init__(self) -> None:
        for each in fields(self):
            value, least = getattr(self, each.name), each.metadata["least"]
            if isinstance(value, float) and not math.isfinite(value):
                raise UsageError(f"{option_of(each)} is {value}", remedy="give a number")
            if least is not None and value is not None and value < least:
                raise UsageError(f"{option_of(each)} is {value}", remedy=f"give at least {least}")
        for origin in self.cors_origin:
            if not _ORIGIN.fullmatch(origin):
                remedy = "give https://host or https://host:port in small letters, without a path, or * for all pages"
                raise UsageError(f"--cors-origin is {origin!r}, which no browser calls a page", remedy=remedy)

    def to_environment(self) -> None:
        """Hand these settings to the processes that this one starts."""
        os.environ[SETTINGS_VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings that the starting process handed over, or the defaults."""
        values = json.loads(os.environ.get(SETTINGS_VARIABLE, "{}"))
        handed: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**handed)


def option_of(setting: Field[Any]) -> str:
    """The option of ``upright serve`` that sets a field."""
    return "--" + setting.name.replace("_", "-")
