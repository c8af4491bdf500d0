"""``upright batch``: very many pictures, resumable, on all processors or many machines."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..machine import processors
from ..pipeline import ENDINGS, Pipeline, ResultsFile, Summary, read_rows, write_table
from ..sources import count_items, find_items, is_remote, read_key, shard_filter
from .options import detector_options, limits_of, open_detector

if TYPE_CHECKING:
    from ..pipeline.run import Corrector
    from ..results import Correction, Orientation
    from ..sources import Item


@click.command("batch", context_settings={"default_map": {"workers": processors()}})
@click.argument("sources", nargs=-1)
@click.option(
    "-o", "--output", required=True, metavar="FILE", help="Results: .jsonl, .csv or .parquet; with --ray a folder."
)
@click.option("--list", "lists", multiple=True, metavar="FILE", help="A file with one source a line.")
@click.option("--shard", metavar="I/N", help="Work on the I-th of N parts only; parts never overlap.")
@click.option("--retry-errors", is_flag=True, help="Try pictures again whose row is an error.")
@click.option("--correct", "folder", metavar="FOLDER", help="Also write every picture, set right, into FOLDER.")
@click.option("--in-place", is_flag=True, help="Also set the files themselves right.")
@click.option("--journal", metavar="FILE", help="Note each change in FILE, for `upright undo FILE`.")
@click.option("--report", metavar="FILE.html", help="Write a before/after contact sheet of the whole run.")
@click.option(
    "--ray",
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="Run on a Ray cluster; alone: on this machine.",
)
@click.option("--gpus", type=click.FloatRange(0), default=0.0, help="With --ray: GPUs, or a part of one, per worker.")
@detector_options
@click.pass_context
def command(context: click.Context, /, sources: tuple[str, ...], **options: Any) -> None:
    """Work through SOURCES: folders, pictures, tar shards, Parquet files with image bytes, s3:// and other URLs.

    Each picture is one row of the results; a broken one is a row with its error. The same command run again goes on
    where it was stopped, by Ctrl-C, by a full disk or by a crash.

    \b
    upright batch photos/ shards/*.tar -o results.jsonl
    upright batch s3://bucket/scans/ -o results.parquet --shard 1/8
    """
    if not sources and not options["lists"]:
        raise UsageError("there is nothing to work on", remedy="name folders, pictures, shards, or give --list FILE")
    if options["ray"]:
        _on_ray(sources, options)
        return
    output = Path(options["output"])
    if output.suffix.lower() not in ENDINGS:
        raise UsageError(f"{output} has no known ending", remedy=f"end it in one of {', '.join(ENDINGS)}")
    rows_path = output if output.suffix == ".jsonl" else output.with_name(output.name + ".jsonl")
    asked = context.get_parameter_source("workers") is not click.core.ParameterSource.DEFAULT_MAP
    wanted = shard_filter(options["shard"] or "1/1")
    seen: set[str] | None = set() if options["in_place"] else None
    with (
        ResultsFile(rows_path, retry_errors=options["retry_errors"]) as results,
        open_detector(options) as detector,
        _Progress(sources, options) as progress,
    ):
        pipeline = Pipeline(
            detector,
            results,
            workers=options["workers"] if asked else None,
            page=options["page"],
            corrector=_corrector(options),
            progress=progress.show,
        )
        with _stopping(pipeline):
            summary = pipeline.run(
                lambda todo: find_items(
                    sources, wanted=lambda key: wanted(key) and todo(key), lists=options["lists"], seen=seen
                )
            )
    if output != rows_path:
        write_table(read_rows(rows_path), output)
    if options["report"]:
        _write_report(rows_path, options["report"])
    click.echo(_summary(summary, output), err=True)
    if options["timing"]:
        for stage, seconds in summary.busy_s.items():
            click.echo(f"{stage:<8}{seconds:>10.3f} s of all threads together", err=True)
    sys.exit(130 if summary.stopped else 1 if summary.counts["failed"] else 0)


def _on_ray(sources: tuple[str, ...], options: dict[str, Any]) -> None:
    from ..cluster import run_on_ray

    for name in ("folder", "in_place", "shard", "report", "journal", "retry_errors", "page"):
        if options[name]:
            name = {"folder": "correct"}.get(name, name)
            raise UsageError(f"--{name.replace('_', '-')} does not go with --ray", remedy="leave one of them out")
    address = None if options["ray"] == "local" else options["ray"]
    keys = ("model", "engine", "threads", "promise", "flow", "effort", "budget_ms", "policy", "bands")
    count = run_on_ray(
        sources,
        options["output"],
        lists=options["lists"],
        address=address,
        gpus=options["gpus"],
        detector={key: options[key] for key in keys} | {"limits": limits_of(options)},
    )
    click.echo(f"{count} rows written to {options['output']}", err=True)


@contextmanager
def _stopping(pipeline: Pipeline) -> Iterator[None]:
    """Ctrl-C once: finish the pictures under way. Twice: stop at once; the results are whole all the same."""

    def stop(number: int, frame: object) -> None:
        pipeline.stop()
        signal.signal(number, before[number])
        click.echo("\nstopping after the pictures under way; the same command goes on from there", err=True)

    before = {int(number): signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _corrector(options: dict[str, Any]) -> Corrector | None:
    """What also writes each picture, or ``None``."""
    folder, in_place = options["folder"], options["in_place"]
    if folder and in_place:
        raise UsageError("--correct and --in-place contradict each other", remedy="give one of them")
    if not folder and not in_place:
        return None

    from ..correct import correct
    from ..journal import Journal

    journal = Journal(options["journal"]) if options["journal"] else None

    def correct_item(item: Item, orientation: Orientation) -> Correction:
        if in_place and not item.path:
            raise UsageError("only files can be set right in place", remedy="use --correct FOLDER")
        target = None if in_place else str(Path(folder, item.relative))
        done = correct(
            item.source,
            target,
            turn=orientation,
            in_place=in_place,
            journal=journal,
            overwrite=True,
            page=options["page"],
        )
        return replace(done, source=item.key)

    return correct_item


def _write_report(rows_path: Path, report: str) -> None:
    from ..pictures import open_picture
    from ..report import write_report
    from ..results import Outcome

    def opened(key: str) -> Any:
        return open_picture(key if not is_remote(key) and Path(key).is_file() else read_key(key))

    write_report((Outcome.from_dict(row) for row in read_rows(rows_path)), report, open_source=opened)


class _Progress:
    """A line with rate and time left: on a terminal each second, elsewhere each half minute."""

    def __init__(self, sources: tuple[str, ...], options: dict[str, Any]) -> None:
        self._every_s = 1.0 if sys.stderr.isatty() else 30.0
        self._started = self._shown = time.monotonic()
        self._total: int | None = None
        parts = int((options["shard"] or "1/1").partition("/")[2])
        # Counting takes a while where there are millions, and nothing waits for it.
        counting = threading.Thread(target=self._count, args=(sources, options["lists"], parts), daemon=True)
        counting.start()

    def show(self, summary: Summary) -> None:
        """Called after each row."""
        now = time.monotonic()
        if now - self._shown < self._every_s:
            return
        self._shown = now
        rate = summary.rows / (now - self._started)
        text = f"{summary.rows + summary.skipped:,} pictures, {rate:.1f}/s"
        if self._total:
            left_s = max(0, self._total - summary.rows - summary.skipped) / rate
            text += f", about {_clock(left_s)} left of {self._total:,}"
        text += f", {summary.counts['failed']} failed"
        click.echo(f"\r{text}\x1b[K" if self._every_s < 2 else text, err=True, nl=self._every_s > 2)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._every_s < 2 and self._shown != self._started:
            click.echo("", err=True)

    def _count(self, sources: tuple[str, ...], lists: tuple[str, ...], parts: int) -> None:
        total = count_items(sources, lists)
        self._total = None if total is None else total // parts


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def _summary(summary: Summary, output: Path) -> str:
    counts = ", ".join(f"{count} {group}" for group, count in summary.counts.items())
    if not summary.rows:
        return f"nothing left to do, {summary.skipped} were done before: {output}"
    return (
        f"{summary.rows:,} pictures in {summary.wall_s:.1f} s, {summary.rows / summary.wall_s:.1f}/s "
        f"({1000 * summary.cpu_s / summary.rows:.1f} ms CPU each, {summary.overlap:.1f} stages at a time): {counts}; "
        f"{summary.skipped:,} were done before: {output}"
    )
