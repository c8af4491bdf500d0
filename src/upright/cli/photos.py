"""``upright photos``: set photographs right inside the program that keeps them."""

from __future__ import annotations

import os

import click

from ..errors import UsageError
from ..integrations import PHOTO_PROGRAMS


@click.command("photos")
@click.argument("program", type=click.Choice(list(PHOTO_PROGRAMS)))
@click.argument("address")
@click.option("--dry-run", is_flag=True, help="Say what would be turned; change nothing.")
@click.option("--careful", "promise", flag_value="careful", help="Turn only what is surest: the fewest wrong turns.")
@click.option("--balanced", "promise", flag_value="balanced", default="balanced", help="The default.")
def command(program: str, address: str, dry_run: bool, promise: str) -> None:
    """Turn the photographs that lie wrong in Immich or PhotoPrism.

    ADDRESS is that of the server. The key is in the environment: IMMICH_API_KEY, or PHOTOPRISM_TOKEN.

    \b
    IMMICH_API_KEY=... upright photos immich http://photos.example:2283 --dry-run
    """
    variable = PHOTO_PROGRAMS[program]
    if not (key := os.environ.get(variable)):
        raise UsageError(f"{variable} is not set", remedy=f"put the key into the environment as {variable}")
    from ..detector import Detector
    from ..integrations import immich, photoprism

    with Detector() as detector:
        lines = (
            immich.set_right(immich.Immich(address, key), detector, promise, dry_run)
            if program == "immich"
            else photoprism.set_right(photoprism.PhotoPrism(address, key), detector, promise, dry_run)
        )
        for line in lines:
            click.echo(line)
