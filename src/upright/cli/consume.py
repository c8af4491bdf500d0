"""``upright consume``: the pre-consume script of paperless-ngx."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from .options import promise_options
from .parsing import Command


@click.command("consume", cls=Command, short_help="Set a document upright before paperless-ngx stores it.")
@click.argument("document", required=False, envvar="DOCUMENT_WORKING_PATH", type=click.Path(path_type=Path))
@promise_options
def command(document: Path | None, promise: str) -> None:
    """Set each page of a document upright before paperless-ngx stores it.

    DOCUMENT is $DOCUMENT_WORKING_PATH, paperless-ngx's copy of the original; the original is not touched. What cannot
    be set right stays as it is and is printed; the exit code is 0, so that paperless-ngx goes on.

    \b
    PAPERLESS_PRE_CONSUME_SCRIPT=/path/to/script, a file of two lines:
    #!/bin/sh
    exec upright consume
    """
    if document is None:
        raise UsageError("DOCUMENT_WORKING_PATH is not set", remedy="run this as paperless-ngx's pre-consume script")
    if not document.is_file():
        raise UsageError("there is no such file", source=document, remedy="DOCUMENT_WORKING_PATH names the document")
    from ..detector import Detector
    from ..integrations.paperless import consume

    with Detector(promise=promise) as detector:
        for line in consume(document, detector):
            click.echo(line)
