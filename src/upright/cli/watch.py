"""``upright watch``: set pictures right as a scanner, a camera or a program puts them into a folder."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import click

from .. import atomic
from ..errors import UsageError
from ..machine import state_folder
from ..run import Tally, work
from ..sources import find_items
from .answers import printer
from .options import correction_options, corrector_of, form_options, open_detector, picture_options, refuse
from .parsing import Command
from .running import stopping

#: How often the folder is looked through; 1,000 files take 3 ms.
EVERY_S = 1.0
#: What a file is: size in bytes and time of its last change.
Facts: TypeAlias = tuple[int, int]


@click.command("watch", cls=Command)
@click.option("-o", "--output", required=True, metavar="OUT", help="Where the pictures go, set right.")
@click.option(
    "--settle-s",
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    help="A file is whole once it rests so long.",
)
@correction_options
@form_options
@picture_options
@click.pass_context
def command(context: click.Context, /, sources: tuple[str, ...], form: str, **options: Any) -> None:
    """Watch a folder, and write every new picture, set upright, into OUT.

    \b
    upright watch scanner/ -o upright/

    SOURCES is one folder; what is in it already is done first. A file is taken once it has stopped growing. Originals
    stay as they are. Ctrl-C or SIGTERM ends it; started again it goes on with what OUT does not have yet.
    """
    refuse(context, ("in_place", "dry_run", "journal", "lists", "report"), "does not go with watch", "leave it out")
    if len(sources) != 1 or not Path(sources[0]).is_dir():
        raise UsageError("one folder can be watched", remedy="name a folder; start one `upright watch` for each")
    folder, output = Path(sources[0]), Path(options["output"])
    if output.resolve() == folder.resolve():
        raise UsageError("OUT is the folder that is watched", source=output, remedy="name another folder with -o")
    tally, show = Tally(), printer(form, options)
    corrector = corrector_of(options, str(output))
    with _alone(folder), open_detector(options) as detector, stopping(tally) as stop:
        click.echo(f"watching {folder}; press Ctrl-C to end", err=True)
        done: dict[str, Facts] = {}
        while not stop.is_set():
            ready = {path: facts for path, facts in _resting(folder, options["settle_s"]) if done.get(path) != facts}
            done |= ready
            items = find_items(sources, wanted=ready.__contains__, exclude=options["exclude"], output=str(output))
            wanted = (item for item in items if not _is_there(item.path, corrector.target(item)))
            how = {name: options[name] for name in ("workers", "pages", "together")}
            for outcome in work(wanted, detector, corrector, stop=stop, **how) if ready else ():
                if not outcome.skipped:
                    show(outcome)
                tally.add(outcome)
            stop.wait(EVERY_S)
    tally.stopped = False
    if tally.done and not options["quiet"]:
        click.echo(tally.summary(), err=True)
    sys.exit(tally.exit_code)


def _resting(folder: Path, settle_s: float) -> Iterator[tuple[str, Facts]]:
    """Files that have not changed for ``settle_s``, as `find_items` names them."""
    latest = time.time() - settle_s
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118 -- pathlib would normalise the user's spelling away
            try:
                facts = Path(path).stat()
            except OSError:
                continue  # It has gone again.
            # The time of change and not that of modification, which copying programs set to the original's.
            if max(facts.st_mtime, facts.st_ctime) <= latest:
                yield path, (facts.st_size, facts.st_mtime_ns)


def _is_there(source: str | None, target: str | None) -> bool:
    """Whether an earlier run has written it: a target has the times of its source."""
    try:
        return bool(source and target) and Path(str(source)).stat().st_mtime_ns == Path(str(target)).stat().st_mtime_ns
    except OSError:
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder against a second watch. Raises `UsageError`."""
    name = hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()
    path = state_folder() / "watched" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        if atomic.lock(file.fileno()) is False:
            raise UsageError("it is being watched already", source=folder, remedy="end the other `upright watch` first")
        yield
