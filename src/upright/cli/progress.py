"""Signs of life on a terminal: how far a run is, or a picture that takes longer than a moment."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence

import click

from ..errors import printable
from ..results import Group
from ..run import Tally
from ..sources import count_items

#: Most pictures are answered sooner than anybody looks for progress.
MOMENT_S = 1.0


class Progress:
    """One line: rate and time left where the rows go elsewhere, else only how far a large picture is read.

    ``always`` is for long runs: a line every half minute where there is no terminal, too.
    """

    def __init__(self, tally: Tally, always: bool) -> None:
        self.terminal = sys.stderr.isatty()
        self.counts = always or (self.terminal and not sys.stdout.isatty())
        self._tally, self._total = tally, 0
        self._last = self._drawn = time.monotonic()
        self._began: dict[str, float] = {}

    def count(self, sources: Sequence[str], lists: Sequence[str], parts: int) -> None:
        """Find out how many there are: that takes a while where there are millions, and nothing waits for it."""

        def count() -> None:
            self._total = (count_items(sources, lists) or 0) // parts

        threading.Thread(target=count, daemon=True).start()

    def reading(self, name: str, share: float) -> None:
        """Called by the threads that decode with the share of a picture that is read."""
        now = time.monotonic()
        if share >= 1:
            # Another worker may have read the same picture.
            if now - self._began.pop(name, now) > MOMENT_S:
                click.echo("\r\x1b[K", err=True, nl=False)
        elif now - self._began.setdefault(name, now) > MOMENT_S and now - self._drawn > MOMENT_S / 10:
            self._drawn = now
            click.echo(f"\r{printable(name)}: {share:.0%} read\x1b[K", err=True, nl=False)

    def show(self, *, last: bool = False) -> None:
        """Called after each outcome."""
        now = time.monotonic()
        if not self.counts or (not last and now - self._last < MOMENT_S * (1 if self.terminal else 30)):
            return
        self._last = now
        tally, total = self._tally, self._total
        done, rate = tally.done + tally.done_before + tally.skipped.total(), tally.done / tally.wall_s
        text = f"{done:,}{f'/{total:,}' if total else ''} pictures, {rate:.1f}/s, {tally.counts[Group.FAILED]:,} failed"
        if total and rate and not last:
            minutes, seconds = divmod(round(max(0, total - done) / rate), 60)
            text += f", about {minutes // 60}:{minutes % 60:02}:{seconds:02} left"
        click.echo(f"\r{text}\x1b[K" if self.terminal else text, err=True, nl=last or not self.terminal)
