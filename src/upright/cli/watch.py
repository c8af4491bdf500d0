"""``upright watch``: set pictures right as a scanner, a camera or a program puts them into a folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError, WriteFailed
from ..results import Group, Outcome
from ..run import Tally, work
from ..sources import find_items
from .answers import printer
from .options import (
    check_options,
    correction_options,
    corrector_of,
    form_options,
    open_detector,
    picture_options,
    refuse,
)
from .parsing import Command
from .running import stopping

if TYPE_CHECKING:
    from .watched import Facts

#: How often the folder is looked through; 1,000 files take 3 ms.
EVERY_S = 1.0
#: After this time a picture is tried again that could not be written: a full disk may have room then.
AGAIN_AFTER_S = 60.0
_REFUSED = ("in_place", "dry_run", "journal", "lists", "report")


@click.command("watch", cls=Command, short_help="Set every new picture of a folder upright, into OUT.")
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
    from .watched import OwnWriter, alone

    refuse(context, _REFUSED, "does not go with watch", "leave it out")
    if len(sources) == 1 and not Path(sources[0]).is_dir():
        cause = "a file, not a folder" if Path(sources[0]).exists() else "there is no such folder"
        raise UsageError(cause, source=sources[0], remedy="name the folder to watch")
    if len(sources) != 1:
        raise UsageError("one folder can be watched", remedy="name a folder; start one `upright watch` for each")
    check_options(context, options)
    folder, output = Path(sources[0]), Path(options["output"])
    if output.resolve() == folder.resolve():
        raise UsageError("OUT is the folder that is watched", source=output, remedy="name another folder with -o")
    tally = Tally()
    count = _Count(tally, printer(form, options))
    with alone(folder, output) as record, stopping(tally) as stop, open_detector(options) as detector:
        writer = OwnWriter(overwrite=options["overwrite"], keep_times=not options["new_times"], record=record)
        corrector = corrector_of(options, str(output), writer=writer)
        click.echo(f"watching {folder}; press Ctrl-C to end", err=True)
        looks = _Looks(sources[0], options["settle_s"])
        while not stop.is_set():
            ready = looks.take()
            items = find_items(sources, wanted=ready.__contains__, exclude=options["exclude"], output=str(output))
            wanted = (item for item in items if not record.has(item, ready, corrector.target(item)))
            how = {name: options[name] for name in ("workers", "pages", "together")}
            for outcome in work(wanted, detector, corrector, stop=stop, **how) if ready else ():
                count.add(outcome)
                if isinstance(outcome.error, WriteFailed):
                    looks.take_again(outcome.source)
                elif outcome.written:
                    record.note(outcome.source, ready[outcome.source])
            stop.wait(EVERY_S)
    tally.stopped = False
    if tally.done and not options["quiet"]:
        click.echo(tally.summary(), err=True)
    sys.exit(tally.exit_code)


for _parameter in command.params:
    if isinstance(_parameter, click.Option) and _parameter.name in _REFUSED:
        _parameter.hidden = True  # It is understood only to be refused with a remedy.


@dataclass
class _Count:
    """Shows what became of files, and counts each as what became of it last; the same failure again is said once."""

    tally: Tally
    show: Callable[[Outcome], None]
    _pages: list[Outcome] = field(default_factory=list)
    _before: dict[str, list[tuple[str, Group]]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        if outcome.skipped:
            self.tally.add(outcome)
            return
        self._pages.append(outcome)
        if not outcome.last:
            return
        pages, self._pages = self._pages, []
        now = [(str(page.error or ""), page.group) for page in pages]
        before = self._before.get(outcome.source, [])
        if now == before and any(error for error, _ in now):
            return
        self.tally.counts.subtract(group for _, group in before)
        self._before[outcome.source] = now
        for page in pages:
            self.show(page)
            self.tally.add(page)


@dataclass
class _Looks:
    """Which files below a folder rest, and which of them were taken already."""

    #: As the user wrote it: `find_items` names its files so.
    folder: str
    settle_s: float
    #: What each file is, and since when by this process's clock: times of files may be in the future.
    _since: dict[str, tuple[Facts, float]] = field(default_factory=dict)
    _taken: dict[str, Facts] = field(default_factory=dict)

    def take(self) -> dict[str, Facts]:
        """Files that have not changed for ``settle_s`` and were not taken as they are, as `find_items` names them."""
        from .watched import facts_of

        now, before, self._since = time.monotonic(), self._since, {}
        for parent, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(parent, name)  # noqa: PTH118 -- pathlib would normalise the user's spelling away
                if facts := facts_of(path):
                    known = before.get(path, ((), now))
                    self._since[path] = known if known[0] == facts else (facts, now)
        resting = {path: facts for path, (facts, since) in self._since.items() if now - since >= self.settle_s}
        ready = {path: facts for path, facts in resting.items() if self._taken.get(path) != facts}
        self._taken |= ready
        return ready

    def take_again(self, path: str) -> None:
        """Take a file once more, later."""
        if facts := self._taken.pop(path, None):
            self._since[path] = facts, time.monotonic() + AGAIN_AFTER_S - self.settle_s
