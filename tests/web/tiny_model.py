"""Makes ``tiny_model/``: a model of a kilobyte that turns the bright side up.

It stands in for the real one where a test is about hundreds of pictures and not about one decision, and shows that
nothing about a model is built into the page. Needs ``pip install onnx``: ``python tests/web/tiny_model.py``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

SIDE = 32


def make(folder: Path) -> None:
    from onnx import TensorProto, helper, save

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
    shape = ["n", SIDE, SIDE, 3]
    graph = helper.make_graph(
        nodes,
        "bright-side-up",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4])],
        constants,
    )
    folder.mkdir(exist_ok=True)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), folder / "model.onnx")
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


if __name__ == "__main__":
    make(Path(__file__).parent / "tiny_model")
