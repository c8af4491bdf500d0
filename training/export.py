"""Weights to what an engine runs: ONNX, its int8 form, a torch exported program; each proven to decide as well.

    python -m training.export --weights best.safetensors --pictures POOLS --check eval.tar --out BUILD

writes `model.onnx`, `model-int8.onnx` and `model.pt2` into BUILD. All take uint8 RGB pictures [n, S, S, 3] and give
float32 logits [n, 4] in the order of turn; normalisation and layout are inside, so that no engine can drift.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxscript import ir, optimizer
from PIL import Image

from training.data import Pixels, squash
from training.heldout import Picture, read, sample
from training.looks import Model, look
from training.measures import Floats
from training.network import load
from training.script import run
from upright import export

OPSET = 18
#: Fewer weights than this in one tensor stay float32: biases weigh little and matter much.
LEAST_HALVED = 4096
#: A float form decides as the weights do. int8 decides what is close otherwise, so it is judged by what it gets right:
#: points that a kind may lose at most, or one picture of it where that is more.
LEAST_AGREEMENT = 0.995
MOST_LOST_POINTS = 0.2


class Refused(ValueError):
    """An export that does not decide like the weights it came from."""


class PicturesIn(torch.nn.Module):
    """The network behind the product's input: uint8 NHWC."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net.eval()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.net(pictures.permute(0, 3, 1, 2).float())
        return logits


def export_program(shown: torch.nn.Module, size_px: int) -> torch.export.ExportedProgram:
    """A network behind the product's input as a torch exported program with a free batch."""
    # Two pictures: torch takes a batch of one for a constant.
    example = torch.zeros(2, size_px, size_px, 3, dtype=torch.uint8)
    with torch.no_grad():
        return torch.export.export(shown, (example,), dynamic_shapes=({0: torch.export.Dim("n", max=4096)},))


def export_onnx(shown: torch.nn.Module, path: Path, size_px: int) -> None:
    """Writes a network behind the product's input as ONNX, opset 18, batch free.

    Batch norms are folded into the weights, which are float16.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            export_program(shown, size_px),
            input_names=["pictures"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    # The exporter's own folding stops at 8,192 values; every convolution kept its scale as a Mul.
    optimizer.optimize(program.model, input_size_limit=2**24, output_size_limit=2**24)
    model = ir.to_proto(program.model)
    halve(model)
    strip(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def halve(model: onnx.ModelProto) -> None:
    """Keeps weights as float16, widened when the model is loaded: half of the bytes, the arithmetic is float32."""
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size >= LEAST_HALVED:
            name = weight.name
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    halved = {cast.output[0] for cast in casts}
    inputs = [value for value in model.graph.value_info if value.name in halved]
    for value in inputs:
        model.graph.value_info.remove(value)


def strip(model: onnx.ModelProto) -> None:
    """Takes out the exporter's notes: stack traces with the paths of this machine, half a megabyte."""
    for part in (model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input,
                 *model.graph.output, *model.graph.value_info):  # fmt: skip
        del part.metadata_props[:]
        part.doc_string = ""


def quantise(
    path: Path, pictures: Sequence[Picture], out: Path, float_convolutions: int = export.FLOAT_CONVOLUTIONS
) -> None:
    """Writes the int8 form; the ranges come from these pictures, each at another of the four turns."""
    size_px = onnx.load(path).graph.input[0].type.tensor_type.shape.dim[1].dim_value
    views = [squash(Image.fromarray(picture.pixels), size_px) for picture in pictures]
    quantise_views(path, out, np.stack([np.rot90(view, i % 4) for i, view in enumerate(views)]), float_convolutions)


def quantise_views(path: Path, out: Path, views: Pixels, float_convolutions: int = export.FLOAT_CONVOLUTIONS) -> None:
    """The same with ranges from these views [n, S, S, 3]."""
    export.quantise(path, out, views, float_convolutions)
    quantised = onnx.load(out)
    strip(quantised)
    onnx.save(quantised, out)


def agreement(before: Floats, after: Floats) -> float:
    """Share of equal decisions of an export's logits [n, 4, 4] and those it must match."""
    return float((before.argmax(-1) == after.argmax(-1)).mean())


def lost_points(before: Floats, after: Floats, kinds: Sequence[str]) -> dict[str, float]:
    """By kind: accuracy before less after, in per cent points, of pictures [n, 4, 4] shown all four ways."""
    right = [(logits.argmax(-1) == np.arange(4)).mean(1) for logits in (before, after)]
    of = {kind: np.array([each == kind for each in kinds]) for kind in dict.fromkeys(kinds)}
    return {kind: float(100 * (right[0][rows].mean() - right[1][rows].mean())) for kind, rows in of.items()}


def accept(what: str, agreed: float) -> None:
    """Raises Refused where a float form decides too differently."""
    if agreed < LEAST_AGREEMENT:
        raise Refused(f"{what}: agrees in {100 * agreed:.2f} % of the decisions; wanted {100 * LEAST_AGREEMENT} %")


def accept_int8(what: str, lost: Mapping[str, float], kinds: Sequence[str]) -> None:
    """Raises Refused where a kind loses more than it may: MOST_LOST_POINTS, or one picture, if that counts more."""
    for kind, points in lost.items():
        most = max(MOST_LOST_POINTS, 100 / kinds.count(kind))
        if points > most + 1e-9:  # what equals it may differ in the last bit
            raise Refused(f"{what}: {kind} loses {points:.2f} points; ship float, or raise --float-convolutions")


class TorchModel:
    """A torch module in the place of a `Model`, so that the same loop looks through it."""

    def __init__(self, module: Any, size_px: int) -> None:
        self.module, self.size_px = module, size_px

    @torch.no_grad()
    def logits(self, views: NDArray[np.uint8]) -> Floats:
        return np.asarray(self.module(torch.from_numpy(views)).numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, type=Path, help=".safetensors, or checkpoint.pt of a run")
    parser.add_argument("--size", type=int, default=224, help="input size in px")
    parser.add_argument("--pictures", required=True, type=Path, help="held-out pictures: ranges of int8 come from them")
    parser.add_argument("--check", type=Path, help="pictures on which decisions must agree; default: --pictures")
    parser.add_argument("--ranges", type=int, default=100, help="pictures of each kind that set the ranges")
    parser.add_argument("--each", type=int, default=0, help="pictures of each kind to check; 0: all")
    parser.add_argument(
        "--float-convolutions", type=int, default=export.FLOAT_CONVOLUTIONS, help="int8: how many stay float"
    )
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    net, _ = load(options.weights)
    float_path, int8_path = options.out / "model.onnx", options.out / "model-int8.onnx"
    export_onnx(PicturesIn(net), float_path, options.size)
    program = export_program(PicturesIn(net), options.size)
    torch.export.save(program, options.out / "model.pt2")

    pictures = list(read(options.check or options.pictures))
    pictures = sample(pictures, options.each, 0) if options.each else pictures
    few = sample(pictures, 20, 0)
    trained = look(TorchModel(PicturesIn(net), options.size), few)
    said = look(Model.open(float_path, options.threads), pictures)
    rows = {id(picture): index for index, picture in enumerate(pictures)}
    forms = {
        "model.onnx": (trained, said[[rows[id(picture)] for picture in few]]),
        "model.pt2": (trained, look(TorchModel(program.module(), options.size), few)),
    }
    for name, (before, after) in forms.items():
        agreed = agreement(before, after)
        print(f"{name}: {(options.out / name).stat().st_size / 1e6:.2f} MB, agrees in {100 * agreed:.2f} % of "
              f"{4 * len(before)} decisions, largest difference {np.abs(before - after).max():.2g}")  # fmt: skip
        accept(name, agreed)
    quantise(float_path, sample(read(options.pictures), options.ranges, 1), int8_path, options.float_convolutions)
    kinds = [picture.kind for picture in pictures]
    lost = lost_points(said, look(Model.open(int8_path, options.threads), pictures), kinds)
    points = ", ".join(f"{kind} {value:+.2f}" for kind, value in lost.items())
    print(f"{int8_path.name}: {int8_path.stat().st_size / 1e6:.2f} MB, points lost of {len(kinds)} pictures: {points}")
    try:
        accept_int8(int8_path.name, lost, kinds)
    except Refused as refused:  # too coarse for some weights: the float form ships alone
        int8_path.rename(options.out / f"{int8_path.name}.refused")
        print(f"refused: {refused}")


if __name__ == "__main__":
    run(main)
