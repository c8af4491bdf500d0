"""``upright serve``: the resident HTTP service."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any

import click

from ..service import require_extra
from ..service.settings import Settings, option_of


def _option(setting: Field[Any]) -> click.Option:
    """The option of a field of the settings."""
    facts = setting.metadata
    kind: Any = facts["kind"]
    if "choices" in facts:
        kind = click.Choice(facts["choices"])
    elif facts["least"] is not None:
        bounds = click.IntRange if kind is int else click.FloatRange
        kind = bounds(facts["least"], facts.get("most"))
    many, flag = setting.default == (), kind is bool
    return click.Option(
        [option_of(setting), setting.name],
        type=None if flag else kind,
        is_flag=flag,
        default=setting.default,
        multiple=many,
        show_default=setting.default not in (None, (), False),
        help=facts["help"],
    )


@click.command("serve", short_help="Serve the model over HTTP, with a page for the browser.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0 is every interface.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Worker processes.")
def command(host: str, port: int, processes: int, **options: Any) -> None:
    """Serve the model over HTTP: POST /rotate, /v1, jobs, the v2 protocol, metrics, and a page for the browser.

    Log lines on standard error are JSON, except on a terminal. SIGTERM finishes what is in flight. See docs/service.md.
    """
    require_extra()
    from ..service.server import serve

    serve(Settings(**options), host, port, processes)


command.params.extend(_option(setting) for setting in fields(Settings))
