"""``upright photos``: set photographs right inside the program that keeps them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..integrations import PHOTO_PROGRAMS
from .options import promise_options, refuse
from .parsing import Command

if TYPE_CHECKING:
    from ..integrations.photos import Said


@click.command("photos", cls=Command)
@click.argument("program", type=click.Choice(list(PHOTO_PROGRAMS)))
@click.argument("address")
@click.option("--dry-run", is_flag=True, help="Say what would be turned; change nothing.")
@promise_options
@click.option(
    "--unsure", metavar="FOLDER", type=click.Path(path_type=Path), help="Save the pictures that upright is unsure of."
)
@click.option(
    "--decisions",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Turn what you decided about those in `upright review FOLDER --decisions FILE`, and no other.",
)
@click.pass_context
def command(
    context: click.Context,
    /,
    program: str,
    address: str,
    dry_run: bool,
    promise: str,
    unsure: Path | None,
    decisions: Path | None,
) -> None:
    """Turn the photographs that lie wrong in Immich or PhotoPrism.

    ADDRESS is that of the server. The key is in the environment: IMMICH_API_KEY, or PHOTOPRISM_TOKEN. The exit code is
    1 where a picture could not be read or changed.

    \b
    IMMICH_API_KEY=... upright photos immich http://photos.example:2283 --dry-run
    """
    if decisions:
        refuse(context, ("promise", "unsure"), "is for what upright decides", "leave it or --decisions out")
    variable = PHOTO_PROGRAMS[program]
    if not (key := os.environ.get(variable)):
        raise UsageError(f"{variable} is not set", remedy=f"put the key into the environment as {variable}")
    from ..integrations import photos
    from ..integrations.immich import Immich
    from ..integrations.photoprism import PhotoPrism

    library: Any = Immich(address, key) if program == "immich" else PhotoPrism(address, key)
    if decisions:
        from ..review.decisions import read_decisions

        _print(photos.as_decided(library, read_decisions(decisions).values(), dry_run))
        return
    from ..detector import Detector

    with Detector() as detector:
        _print(photos.set_right(library, detector, promise, dry_run, unsure))


def _print(all_said: Iterable[Said]) -> None:
    failed = False
    for said in all_said:
        click.echo(said.line)
        failed |= said.failed
    if failed:
        sys.exit(1)
