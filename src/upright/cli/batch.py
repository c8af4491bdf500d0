"""``upright batch``: very many pictures, resumable, on all processors or many machines."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError, printable
from ..results import Group, Reason
from ..results_file import ENDINGS, ResultsFile, read_outcomes, read_rows, write_table
from ..run import Tally
from ..sources import shard_filter
from .options import (
    CORRECTION_NAMES,
    check_options,
    correction_options,
    corrector_of,
    detector_options,
    picture_options,
    refuse,
)
from .parsing import Command
from .running import Batch, check_sources, finish, go_through, said_anyway


@click.command("batch", cls=Command, short_help="Work through millions of pictures, and go on after a stop.")
@click.option(
    "-o", "--output", required=True, metavar="FILE", help="Results: .jsonl, .csv or .parquet; with --ray a folder."
)
@click.option("--shard", metavar="I/N", default="1/1", help="Work on the I-th of N parts only; parts never overlap.")
@click.option("--retry-errors", is_flag=True, help="Try pictures again whose row is an error.")
@click.option("--correct", "folder", metavar="FOLDER", help="Also write every picture, set right, into FOLDER.")
@click.option(
    "--ray",
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="Run on a Ray cluster; alone: on this machine.",
)
@click.option("--gpus", type=click.FloatRange(0), default=0.0, help="With --ray: GPUs, or a part of one, per worker.")
@correction_options
@picture_options
@click.pass_context
def command(context: click.Context, /, sources: tuple[str, ...], **options: Any) -> None:
    """Work through SOURCES: folders, pictures, tar shards, Parquet files with image bytes, s3:// and other URLs.

    Each picture is one row of the results; a broken one is a row with its error. Run the same command again to continue
    after Ctrl-C, a full disk or a crash. Exit codes are those of `upright correct`.

    \b
    upright batch photos/ shards/*.tar -o results.jsonl
    upright batch s3://bucket/scans/ -o results.parquet --shard 1/8
    """
    if options["ray"]:
        names = ("folder", "shard", "report", "retry_errors", "pages", "workers", "together", *CORRECTION_NAMES)
        refuse(context, names, "does not go with --ray", "leave one of them out")
        _on_ray(sources, options)
        return
    refuse(context, ("gpus",), "is for --ray", "give --ray too, or leave it out")
    check_options(context, options)
    output, folder = Path(options["output"]), options["folder"]
    if output.suffix.lower() not in ENDINGS:
        raise UsageError(f"{output} has no known ending", remedy=f"end it in one of {', '.join(ENDINGS)}")
    options["in_place"] |= bool(options["sidecar"]) and not folder
    if folder and options["in_place"]:
        raise UsageError("--correct and --in-place contradict each other", remedy="give one of them")
    corrector = None
    if folder or options["in_place"] or options["dry_run"]:
        corrector = corrector_of(options, folder)
    else:
        refuse(context, CORRECTION_NAMES, "is about correcting", "give --correct FOLDER or --in-place too")
    check_sources(sources, options)
    in_shard = shard_filter(options["shard"])
    rows_path = output if output.suffix.lower() == ".jsonl" else output.with_name(output.name + ".jsonl")
    if output != rows_path and output.exists() and not rows_path.exists():
        raise UsageError(f"{output} is another file", remedy="remove it, or name another output")
    if options["report"]:
        from ..report import About, check_report, write_report

        check_report(options["report"])
    with ResultsFile(rows_path, retry_errors=options["retry_errors"], refused=_refused(options, folder)) as results:
        batch = Batch(in_shard, int(options["shard"].partition("/")[2]), results)
        if corrector and corrector.writer.journal:
            results.note_in(corrector.writer.journal)
        tally = go_through(sources, options, results.append, corrector=corrector, batch=batch)
    with said_anyway(lambda: f"{_summary(tally)}: {rows_path}", options):
        if output != rows_path:
            write_table(read_rows(rows_path), output)
        if options["report"]:
            rows = read_outcomes(rows_path)
            review = f"upright review {shlex.quote(str(rows_path))}"
            about = About(shlex.join(["upright", *sys.argv[1:]]), review=review)
            write_report(rows, options["report"], about=about, skipped=tally.skipped)
    finish(tally, f"{_summary(tally)}: {output}", options)


def _refused(options: dict[str, Any], folder: str | None) -> Callable[[dict[str, Any]], str]:
    """Says of a row that an earlier run left why this run does not take it as done, or nothing."""
    asked = f"--turn {options['turn']}" if options["turn"] else f"--{options['promise']}"
    writes = bool(folder or options["in_place"]) and not options["dry_run"]

    def refused(row: dict[str, Any]) -> str:
        if "error" in row or "promise" not in row:
            return ""
        was = f"--turn {row.get('turn')}" if row.get("reason") == Reason.BY_HAND else f"--{row['promise']}"
        if was != asked:
            return f"it was asked for {was}"
        if not writes:
            return ""
        done = row.get("correction", {})
        target = str(done.get("target", ""))
        if not done or row["outcome"] == Group.WOULD_TURN or (folder and not done.get("written")):
            return "nothing was written for it"
        there = Path(target).absolute().is_relative_to(Path(folder).absolute()) if folder else target == row["source"]
        return "" if there else f"it was written to {printable(target)}"

    return refused


def _summary(tally: Tally) -> str:
    if not tally.done:
        before = f": {tally.summary(tally.before)}" if tally.before else tally.skips()
        return f"nothing left to do, {tally.done_before:,} were done before{before}"
    wall_s = tally.wall_s
    left = "; the same command goes on from there" if tally.stopped else ""
    return (
        f"{tally.done:,} pictures in {wall_s:.1f} s, {tally.done / wall_s:.1f}/s "
        f"({1000 * tally.cpu_s / tally.done:.1f} ms CPU each, {tally.overlap:.1f} stages at a time): "
        f"{tally.summary()}; {tally.done_before:,} were done before{left}"
    )


def _on_ray(sources: tuple[str, ...], options: dict[str, Any]) -> None:
    from ..cluster import run_on_ray

    count = run_on_ray(
        sources,
        options["output"],
        lists=options["lists"],
        exclude=options["exclude"],
        address=None if options["ray"] == "local" else options["ray"],
        gpus=options["gpus"],
        detector=detector_options(options),
        tally=(tally := Tally()),
    )
    click.echo(f"{count} rows written to {options['output']}{tally.skips()}", err=True)
