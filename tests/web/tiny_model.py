"""Makes ``tiny_model/``: a model of a kilobyte that turns the bright side up, and reads what is bright on its left.

It stands in for the real one where a test is about hundreds of pictures and not about one decision, and shows that
nothing about a model is built into the page. Needs ``pip install onnx``: ``python tests/web/tiny_model.py``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

SIDE = 32


def make(folder: Path) -> None:
    from onnx import TensorProto, helper

    half = SIDE // 2
    # Which half has to be the bright one for turns of 0, 90, 180 and 270: top, left, bottom, right.
    halves = [(1, 0, half), (2, 0, half), (1, half, SIDE), (2, half, SIDE)]
    nodes = [helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT)]
    constants = [helper.make_tensor("bands", TensorProto.INT64, [3], [1, 2, 3])]
    constants.append(helper.make_tensor("last", TensorProto.INT64, [1], [1]))
    constants.append(helper.make_tensor("softness", TensorProto.FLOAT, [1], [8.0]))
    for i, (axis, start, end) in enumerate(halves):
        for name, value in (("start", start), ("end", end), ("axis", axis)):
            constants.append(helper.make_tensor(f"{name}{i}", TensorProto.INT64, [1], [value]))
        nodes.append(helper.make_node("Slice", ["floats", f"start{i}", f"end{i}", f"axis{i}"], [f"half{i}"]))
        nodes.append(helper.make_node("ReduceMean", [f"half{i}", "bands"], [f"mean{i}"], keepdims=0))
        nodes.append(helper.make_node("Unsqueeze", [f"mean{i}", "last"], [f"column{i}"]))
    columns = [f"column{i}" for i in range(4)]
    nodes.append(helper.make_node("Concat", columns, ["means"], axis=1))
    nodes.append(helper.make_node("Div", ["means", "softness"], ["logits"]))
    folder.mkdir(exist_ok=True)
    _save(folder / "model.onnx", "bright-side-up", nodes, constants, 4)
    # Differences of the four means: the left half against the right one, and nothing of a tilt.
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [4, 3], [0, 0, 0, 1, 0, 0, 0, 0, 0, -1, 0, 0])
    nodes.append(helper.make_node("MatMul", ["logits", "weights"], ["said"]))
    _save(folder / "heads.onnx", "bright-on-the-left", nodes, [*constants, weights], 3)
    heads = {
        "sha256": hashlib.sha256((folder / "heads.onnx").read_bytes()).hexdigest(),
        "mirror": {"growth": 0.5, "mirrored": 2.0, "plain": -1.0},
        "tilt": {"factor": 1.0, "least": 1.0, "most": 0.0},
    }
    (folder / "heads.json").write_text(json.dumps(heads, indent=1) + "\n", "utf-8")
    step = {"temperature": 1.0, "careful": 0.99, "balanced": 0.9, "best": 0.0}
    facts = {
        "name": "bright-side-up",
        "version": "1",
        "sha256": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest(),
        "int8_sha256": None,
        "licence": "Apache-2.0",
        "input_size_px": SIDE,
        "fit": "squash",
        "turns": [0, 90, 180, 270],
        "calibration": {"glance": step, "turned": step, "quarters": step},
        "training_data": "none",
        "metrics": {},
        "commit": "",
    }
    (folder / "model.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def _save(path: Path, name: str, nodes: list[Any], constants: list[Any], answers: int) -> None:
    from onnx import TensorProto, helper, save

    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, ["n", answers])],
        constants,
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)


if __name__ == "__main__":
    make(Path(__file__).parent / "tiny_model")
