"""Weights to what an engine runs: ONNX, its int8 form, a torch exported program; each proven to decide the same.

    python -m training.export --weights best.safetensors --pictures POOLS --check eval.tar --out BUILD

writes `model.onnx`, `model-int8.onnx` and `model.pt2` into BUILD. All take uint8 RGB pictures [n, S, S, 3] and give
float32 logits [n, 4] in the order of turn; normalisation and layout are inside, so that no engine can drift.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxscript import ir, optimizer
from PIL import Image

from training.data import squash
from training.heldout import Picture, read, sample
from training.looks import Model, look
from training.measures import Floats
from training.network import load
from upright import export

OPSET = 18
LEAST_AGREEMENT = 0.995
MOST_LOST_POINTS = 0.3


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


def export_program(net: torch.nn.Module, size_px: int) -> torch.export.ExportedProgram:
    """The network as a torch exported program with a free batch."""
    # Two pictures: torch takes a batch of one for a constant.
    example = torch.zeros(2, size_px, size_px, 3, dtype=torch.uint8)
    with torch.no_grad():
        return torch.export.export(PicturesIn(net), (example,), dynamic_shapes=({0: torch.export.Dim("n", max=4096)},))


def export_onnx(net: torch.nn.Module, path: Path, size_px: int) -> None:
    """Writes the network as ONNX, opset 18, batch free; batch norms are folded into the convolutions' weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            export_program(net, size_px),
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
    strip(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


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
    export.quantise(path, out, np.stack([np.rot90(view, i % 4) for i, view in enumerate(views)]), float_convolutions)
    quantised = onnx.load(out)
    strip(quantised)
    onnx.save(quantised, out)


def agreement(before: Floats, after: Floats) -> dict[str, float]:
    """How an export's logits [n, 4, 4] compare with those it must match, of pictures shown all four ways.

    `agreement`: share of equal decisions; `lost_points`: accuracy before less after, in per cent points.
    """
    said, says, turns = before.argmax(-1), after.argmax(-1), np.arange(4)
    return {
        "agreement": float((said == says).mean()),
        "lost_points": float(100 * ((said == turns).mean() - (says == turns).mean())),
        "largest_difference": float(np.abs(before - after).max()),
    }


def accept(what: str, seen: dict[str, float]) -> None:
    """Raises Refused where an export decides too differently."""
    if seen["agreement"] < LEAST_AGREEMENT or seen["lost_points"] > MOST_LOST_POINTS:
        raise Refused(
            f"{what}: agrees in {100 * seen['agreement']:.2f} % and loses {seen['lost_points']:.2f} points; "
            f"allowed are {100 * LEAST_AGREEMENT} % and {MOST_LOST_POINTS}. Ship float, or raise --float-convolutions"
        )


class TorchModel:
    """A torch module in the place of a `Model`, so that the same loop looks through it."""

    def __init__(self, module: Any, size_px: int) -> None:
        self.module, self.size_px = module, size_px

    @torch.no_grad()
    def logits(self, views: NDArray[np.uint8]) -> Floats:
        return np.asarray(self.module(torch.from_numpy(views)).numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, type=Path, help=".safetensors, or a .pt (see training.network)")
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
    export_onnx(net, float_path, options.size)
    program = export_program(net, options.size)
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
    quantise(float_path, sample(read(options.pictures), options.ranges, 1), int8_path, options.float_convolutions)
    forms["model-int8.onnx"] = (said, look(Model.open(int8_path, options.threads), pictures))
    for name, (before, after) in forms.items():
        seen = agreement(before, after)
        print(f"{name}: {(options.out / name).stat().st_size / 1e6:.2f} MB, {4 * len(before)} shown pictures, "
              f"agreement {100 * seen['agreement']:.2f} %, lost {seen['lost_points']:.2f} points, "
              f"largest difference {seen['largest_difference']:.2g}")  # fmt: skip
        try:
            accept(name, seen)
        except Refused as refused:
            (options.out / name).rename(options.out / f"{name}.refused")
            print(f"refused: {refused}")
            if name != int8_path.name:  # a float form that differs is a defect; int8 may be too coarse for some weights
                raise


if __name__ == "__main__":
    main()
