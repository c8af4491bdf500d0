"""``upright serve``: the resident HTTP service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..engines import ENGINES
from ..service import require_extra
from ..service.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULTS = Settings()


def _option(name: str, text: str, kind: Any = None) -> Callable[[F], F]:
    """An option whose default is that of the settings' field of the same name."""
    field = name.lstrip("-").replace("-", "_")
    default = getattr(_DEFAULTS, field)
    return click.option(name, type=kind or type(default), default=default, show_default=default is not None, help=text)


_COUNT = click.IntRange(1)
_SECONDS = click.FloatRange(0)


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0 is every interface.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--processes", type=_COUNT, default=1, show_default=True, help="Worker processes, each with a model.")
@_option("--model", "A model folder of your own, or the name of one that comes along.", str)
@_option("--engine", "What runs the model.", click.Choice(["auto", *ENGINES]))
@_option("--threads", "Threads of one engine call.", _COUNT)
@_option("--promise", "How sure an answer has to be.", click.Choice(["careful", "balanced", "best"]))
@_option("--flow", "How a decision is reached.", click.Choice(["cascade", "whole", "turned", "tiles"]))
@_option("--effort", "How closely a cascade may look: 0 one look, 1 four, 2 eight, 3 tiles too.", click.IntRange(0, 3))
@_option(
    "--max-megapixels",
    "Refuse larger pictures of formats that must be decoded whole.",
    click.FloatRange(0, min_open=True),
)
@_option("--decode-threads", "Pictures decoded side by side; one for each core.", _COUNT)
@_option("--engine-workers", "Engine calls side by side; on a CPU one for each core.", _COUNT)
@_option("--max-batch", "Views in one engine call; what the engine is best at.", _COUNT)
@_option("--max-queue", "Requests let in at once; more are answered 503.", _COUNT)
@_option("--max-queue-mb", "MiB of bodies let in at once.", _COUNT)
@_option("--request-timeout-s", "Longest time for one request.", _SECONDS)
@_option("--max-body-mb", "MiB of one request's body.", _COUNT)
@_option("--max-pictures", "Pictures in one request.", _COUNT)
@_option("--head-timeout-s", "Longest time for a request's head.", _SECONDS)
@_option("--body-timeout-s", "Time that a body may take beyond its least pace.", _SECONDS)
@_option("--body-kb-s", "Least pace of a body, KiB a second.", click.FloatRange(0, min_open=True))
@_option("--keys-file", "API keys, one a line, as name:key; also in UPRIGHT_API_KEYS.", click.Path(dir_okay=False))
@_option(
    "--rate-per-s",
    "Requests a second for each key, or address where there are no keys.",
    click.FloatRange(0, min_open=True),
)
@click.option("--cors-origin", "cors_origins", multiple=True, help="Let pages of this origin call; may be repeated.")
@_option("--drain-s", "Seconds between /readyz turning and stopping, on SIGTERM.", _SECONDS)
@click.option("--jobs", "jobs_file", type=click.Path(dir_okay=False), help="SQLite file of jobs; none: no jobs.")
@_option("--jobs-mb", "MiB that the jobs file may take.", _COUNT)
@_option("--job-mb", "MiB of one job's upload.", _COUNT)
@_option("--job-pictures", "Pictures in one job.", _COUNT)
@_option("--job-keep-h", "Hours that a finished job is kept.", click.FloatRange(0))
@_option("--job-lease-s", "Seconds after which the pictures of a dead worker are taken over.", click.FloatRange(0.1))
def command(host: str, port: int, processes: int, **options: Any) -> None:
    """Serve the model over HTTP: POST /rotate, /v1, jobs, the v2 protocol, metrics, and a page for the browser.

    Log lines are JSON on standard error. SIGTERM finishes what is in flight. See docs/service.md.
    """
    require_extra()
    from ..service.server import serve

    serve(Settings(**options), host, port, processes)
