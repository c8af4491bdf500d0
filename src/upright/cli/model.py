"""``upright model``: the facts of a model, and the model in other formats."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..model import load_model
from .parsing import Command


@click.group("model")
def command() -> None:
    """Show a model's facts, or export it to other formats."""


@command.command("show")
@click.argument("model", required=False)
def show(model: str | None) -> None:
    """Print the facts of a model folder as JSON: size, turns, calibration, licence, metrics."""
    click.echo(json.dumps(load_model(model).to_dict(), indent=2, ensure_ascii=False))


@command.command("export", cls=Command, short_help="Write the model in another format.")
@click.option("--model", metavar="FOLDER", help="Path to a model folder, or the name of a bundled model.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "onnx-int8", "torchscript", "openvino", "tensorrt"]),
    required=True,
    help="onnx-int8 and torchscript need the extra torch, openvino the extra openvino, tensorrt a GPU.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--pictures", multiple=True, metavar="PATH", help="Pictures to compare on, and to measure int8 ranges on."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def export_model(model: str | None, form: str, output: Path, pictures: tuple[str, ...], as_json: bool) -> None:
    """Write the model as another format, and check that it decides alike.

    \b
    upright model export --format torchscript -o upright.pt --pictures photos/
    """
    from ..export import export

    agreement = export(load_model(model), form, output, pictures)
    if as_json:
        click.echo(json.dumps(agreement.to_dict()))
    else:
        all_views = f"{agreement.agree:.1%} of {agreement.views} views"
        sure = f", {agreement.agree_sure:.1%} of the {agreement.sure_views} that it is sure of"
        text = f"{output}: decides as the model on {all_views}{sure * bool(agreement.sure_views)}; "
        text += f"logits differ by at most {agreement.largest_logit_gap:.2g}"
        click.echo(text + "; --pictures compares on your own" * (not pictures))
