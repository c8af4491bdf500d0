"""``upright bench``: what this machine makes of the model."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from ..machine import processors

_OUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Also write JSON and PNG."
)
_ENGINE = click.option("--engine", default="onnx", show_default=True, help="As of `upright detect`.")


@click.group("bench")
def command() -> None:
    """Measure stages, engines and throughput on this machine. Nothing else should run beside."""


@command.command("stages")
@click.argument("picture", required=False, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--runs", type=click.IntRange(1), default=5, show_default=True, help="Each figure is the median of so many."
)
@_ENGINE
@_OUT
def stages(picture: Path | None, runs: int, engine: str, output: Path | None) -> None:
    """One PICTURE (a JPEG; by default 12 megapixels made up): script, resident, other engine, lean input.

    The first row works as scripts do: torch and model loaded for each picture, decoded whole, compressed again.
    """
    from ..detector import Detector
    from .bench_stages import STAGES, measure
    from .bench_throughput import make_pictures

    with tempfile.TemporaryDirectory() as temporary, Detector(engine=engine) as detector:
        folder = Path(temporary)
        steps = measure(detector, picture or make_pictures(folder, 1)[0], folder, runs)
    click.echo(f"{'seconds':<28}" + "".join(f"{stage:>11}" for stage in (*STAGES, "total", "faster", "than first")))
    for index, step in enumerate(steps):
        before = steps[max(0, index - 1)].total_s
        click.echo(
            f"{step.name:<28}"
            + "".join(f"{step.stages_s.get(stage, 0):>11.4f}" for stage in STAGES)
            + f"{step.total_s:>11.4f}{before / step.total_s:>10.2f}x{steps[0].total_s / step.total_s:>10.1f}x"
        )
    rows = {step.name: step.stages_s for step in steps}
    _write(output, "stages", rows, rows, "s")


@command.command("engines")
@click.option("--seconds", type=float, default=1.0, show_default=True, help="How long each figure is measured.")
@_OUT
def engines(seconds: float, output: Path | None) -> None:
    """Views a second of every engine that is installed here, one thread, by batch size."""
    from ..engines import open_engine
    from ..engines.auto import views_per_s
    from ..errors import UprightError
    from ..model import load_model

    model, rows = load_model(), dict[str, dict[str, float]]()
    for name in (
        "onnx:cpu",
        "onnx:cuda",
        "onnx:tensorrt",
        "openvino",
        "openvino:bf16",
        "torch",
        "torch:bf16",
        "tensorrt",
    ):
        try:
            engine = open_engine(model, name)
        except UprightError as error:
            click.echo(f"{name:<16} {error}")
            continue
        sizes = (1, 8) if engine.batch_size < 64 else (1, 16, 64, 256)
        rows[name] = {str(size): views_per_s(engine, model.input_size_px, size, seconds) for size in sizes}
        figures = ", ".join(f"batch {size}: {speed:.1f}/s" for size, speed in rows[name].items())
        click.echo(f"{name:<16} {figures}  ({engine.device})")
        engine.close()
    best = {name: {"views/s": max(by.values())} for name, by in rows.items()}
    _write(output, "engines", rows, best, "views/s")


@command.command("throughput")
@click.argument("pictures", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--count", type=click.IntRange(1), default=300, show_default=True, help="Made-up 12-megapixel JPEGs.")
@_ENGINE
@_OUT
def throughput(pictures: tuple[Path, ...], count: int, engine: str, output: Path | None) -> None:
    """Pictures a second of a run, flow whole, beside what bare 1/8 decode and inference would allow."""
    from ..detector import Detector
    from .bench_throughput import floor_cpu_s, make_pictures, measure

    available = processors()
    with tempfile.TemporaryDirectory() as temporary, Detector(engine=engine, flow="whole") as detector:
        folder = Path(temporary)
        paths = list(pictures) or make_pictures(folder, count)
        rows = [measure(detector, paths, folder, workers, "run") for workers in sorted({1, 2, available})]
        floor = floor_cpu_s(detector, paths[: max(20, len(paths) // 5)])
    bound = available / floor
    click.echo(f"bare decode and inference: {1000 * floor:.1f} ms CPU a picture; {available} processors: {bound:.1f}/s")
    for row in rows:
        row["of_bound_by_cpu_time"] = floor / row["cpu_s"]
        row["of_bound_by_clock"] = row["pictures_per_s"] / (min(row["workers"], available) / floor)
        click.echo(
            f"{row['workers']:>3} workers: {row['pictures_per_s']:7.1f}/s, {1000 * row['cpu_s']:.1f} ms CPU each "
            f"({row['of_bound_by_cpu_time']:.1%} of the bound by CPU time, "
            f"{row['of_bound_by_clock']:.1%} by the clock), "
            f"{row['processors_used']:.2f} processors busy, {row['stages_at_a_time']:.2f} stages at a time"
        )
    click.echo(f"from 1 to 2 workers: {rows[1]['pictures_per_s'] / rows[0]['pictures_per_s']:.2f} times as many")
    shown = {f"{row['workers']:.0f} workers": {"pictures/s": row["pictures_per_s"]} for row in rows}
    _write(output, "throughput", {"floor_cpu_s": floor, "rows": rows}, {**shown, "bound": {"pictures/s": bound}}, "/s")


def _write(output: Path | None, name: str, figures: Any, bars: dict[str, dict[str, float]], unit: str) -> None:
    if not output:
        return
    from .bench_plot import plot_bars

    output.mkdir(parents=True, exist_ok=True)
    (output / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    plot_bars(output / f"{name}.png", f"upright bench {name}", bars, unit)
