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
#: Characters of the bar.
BAR = 20


class Progress:
    """One line below the rows: a bar, rate and time left; and how far a large picture is read.

    ``always`` is for long runs: a line every half minute where there is no terminal, too. ``quiet``: none at all.
    """

    def __init__(self, tally: Tally, always: bool, quiet: bool = False) -> None:
        self.terminal = sys.stderr.isatty() and not quiet
        self.counts = (always or self.terminal) and not quiet
        self._tally, self._total = tally, 0
        self._last = self._drawn = time.monotonic()
        self._began: dict[str, float] = {}
        self._started, self._line = self._last, ""
        # Looked at, some of them not answered yet: others of their job are awaited.
        self._looked = 0
        self._lock = threading.Lock()

    def count(self, sources: Sequence[str], parts: int) -> None:
        """Find out how many there are: that takes a while where there are millions, and nothing waits for it."""

        def count() -> None:
            self._total = (count_items(sources) or 0) // parts

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

    def looked(self) -> None:
        """Called by the threads for each picture that was looked at."""
        with self._lock:
            self._looked += 1
            self._show()

    def hide(self) -> None:
        """Make room for a row, or for what comes after the run."""
        with self._lock:
            if self._line and self.terminal:
                click.echo("\r\x1b[K", err=True, nl=False)
                self._line = ""

    def show(self) -> None:
        """Called after each outcome."""
        with self._lock:
            self._show()

    def _show(self) -> None:
        now = time.monotonic()
        if not self.counts or now - self._started < MOMENT_S / 2:
            return
        if now - self._last < (MOMENT_S / 5 if self.terminal else 30 * MOMENT_S) and (self._line or not self.terminal):
            return
        self._last = now
        self._line = self._text()
        # The rows are written by another stream, which must not come after the line.
        sys.stdout.flush()
        click.echo(f"\r{self._line}\x1b[K" if self.terminal else self._line, err=True, nl=not self.terminal)

    def _text(self) -> str:
        tally, total = self._tally, self._total
        looked = max(self._looked, tally.done + tally.skipped.total())
        done, rate = looked + tally.done_before, looked / tally.wall_s
        text = (
            f"{done:,}{f' of {total:,}' if total else ''} pictures, {rate:.1f}/s, {tally.counts[Group.FAILED]:,} failed"
        )
        if not total:
            return text
        share = min(1.0, done / total)
        bar = f"[{'#' * round(BAR * share):<{BAR}}] " * self.terminal
        if not rate:
            return bar + text
        minutes, seconds = divmod(round(max(0, total - done) / rate), 60)
        return f"{bar}{text}, about {minutes // 60}:{minutes % 60:02}:{seconds:02} left"
