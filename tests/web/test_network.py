"""The page's own runner of networks answers as ONNX Runtime does: operator by operator, and the model's networks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from upright.model import load_model

from .reference import DEMO

#: Operator, further inputs, attributes.
Node = tuple[str, list[Any], dict[str, Any]]
SIDE = 32
MODEL_SIDE = 224
_FLOATS = np.random.default_rng(4)


def _normal(*shape: int) -> NDArray[np.float32]:
    return _FLOATS.normal(size=shape).astype(np.float32)


def _row() -> Node:
    """Makes a row of numbers of the picture, for what works on rows."""
    return ("ReduceMean", [np.array([2, 3], np.int64)], {"keepdims": 0})


#: Nodes in a row: each takes what the one before gives, and constants; ``None`` is what the one before that gave.
CHAINS: dict[str, list[Node]] = {
    "conv": [("Conv", [_normal(8, 3, 3, 3), _normal(8)], {"pads": [1, 1, 1, 1], "strides": [2, 2]})],
    "conv, uneven": [("Conv", [_normal(5, 3, 3, 1)], {"pads": [0, 0, 2, 0], "strides": [1, 2], "dilations": [2, 1]})],
    "depthwise": [("Conv", [_normal(3, 1, 5, 5), _normal(3)], {"pads": [2, 2, 2, 2], "group": 3, "strides": [2, 1]})],
    "conv, relu": [("Conv", [_normal(4, 3, 1, 1)], {}), ("Relu", [], {})],
    "conv, relu6": [("Conv", [_normal(4, 3, 1, 1)], {}), ("Clip", [np.float32(0), np.float32(6)], {})],
    "conv, clip": [("Conv", [_normal(4, 3, 1, 1)], {}), ("Clip", [np.float32(-1), np.float32(2)], {})],
    "conv used twice": [("Conv", [_normal(4, 3, 1, 1)], {}), ("Relu", [], {}), ("Sub", [None], {})],
    "arithmetic": [
        ("Add", [_normal(1, 3, 1, 1)], {}),
        ("Mul", [_normal(1, 1, SIDE, 1)], {}),
        ("Div", [np.float32(3)], {}),
        ("Max", [np.float32(-0.5)], {}),
        ("Neg", [], {}),
        ("Sub", [_normal(1, 3, SIDE, SIDE)], {}),
    ],
    "power": [("Pow", [np.float32(2)], {}), ("Add", [np.float32(1)], {}), ("Sqrt", [], {})],
    "mean, kept": [("ReduceMean", [np.array([-2, -1], np.int64)], {"keepdims": 1}), ("Relu", [], {})],
    "rows": [
        _row(),
        ("Gemm", [_normal(6, 3), _normal(6)], {"transB": 1}),
        ("Softmax", [], {"axis": -1}),
        ("Mul", [_normal(6)], {}),
        ("Concat", [None], {"axis": 1}),
        ("ReduceSum", [np.array([1], np.int64)], {"keepdims": 0}),
        ("Unsqueeze", [np.array([1], np.int64)], {}),
    ],
    "column": [_row(), ("Gather", [np.array(1, np.int64)], {"axis": 1}), ("Unsqueeze", [np.array([-1], np.int64)], {})],
    "halves": [("Cast", [], {"to": TensorProto.FLOAT}), ("Conv", [_normal(4, 3, 3, 3).astype(np.float16)], {})],
}
#: What is left to ONNX Runtime.
UNKNOWN: dict[str, list[Node]] = {
    "Sigmoid": [("Sigmoid", [], {})],
    "Conv in groups": [("Conv", [_normal(6, 1, 3, 3)], {"group": 3})],
    "Gather, but of a column": [("Gather", [np.array([0, 1], np.int64)], {"axis": 1})],
    "Transpose, but": [("Transpose", [], {"perm": [0, 2, 3, 1]})],
    "four dimensions with fewer": [("Add", [_normal(SIDE)], {})],
}


def _saved(chain: list[Node], path: Path) -> Path:
    """A network that takes a picture as upright's do."""
    nodes = [
        helper.make_node("Transpose", ["pictures"], ["moved"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["moved"], ["v0"], to=TensorProto.FLOAT),
    ]
    constants = []
    for number, (op, inputs, attributes) in enumerate(chain):
        names = []
        for value in inputs:
            names.append(f"c{len(constants)}" if value is not None else f"v{number - 1}")
            if value is None:
                continue
            array = np.asarray(value)
            half = array.dtype == np.float16
            constants.append(numpy_helper.from_array(array, names[-1] + "h" * half))
            if half:
                nodes.append(helper.make_node("Cast", [names[-1] + "h"], [names[-1]], to=TensorProto.FLOAT))
        nodes.append(helper.make_node(op, [f"v{number}", *names], [f"v{number + 1}"], **attributes))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, [1, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info(f"v{len(chain)}", TensorProto.FLOAT, None)],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    return path


def _views(side: int) -> list[NDArray[np.uint8]]:
    noise = np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)
    names = ("page.jpg", "rocket.jpg", "chart.tif", "settings.png")
    return [noise, *(np.asarray(Image.open(DEMO / name).convert("RGB").resize((side, side))) for name in names)]


def _run(networks: list[Path], views: list[NDArray[np.uint8]], dist: Path, folder: Path) -> dict[Path, Any]:
    for number, view in enumerate(views):
        view.tofile(folder / f"{number}.rgb")
    names = [f"{number}.rgb" for number in range(len(views))]
    cases = {"networks": [str(path) for path in networks], "views": names, "side": views[0].shape[0]}
    (folder / "cases.json").write_text(json.dumps(cases), "utf-8")
    wasm = dist.parents[1] / "node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm"
    subprocess.run(["node", Path(__file__).with_name("network.mjs"), dist, wasm, folder], check=True, timeout=600)
    return {Path(path): found for path, found in json.loads((folder / "answers.json").read_text("utf-8")).items()}


def _onnx_runtime(path: Path, views: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.stack([session.run(None, {"pictures": view[None]})[0] for view in views])


def _without_rounding(path: Path, folder: Path) -> Path:
    """The network with weights of 8 bits, and what lies between its layers as it is, or clamped at 0 and 6."""
    model = onnx.load(str(path))
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    nodes, names = [], {}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        if node.op_type == "QuantizeLinear" and constants[node.input[2]] == 0:
            assert 255 * constants[node.input[1]] == pytest.approx(6, abs=1e-5)
            node = helper.make_node("Clip", [node.input[0], "nothing", "six"], [node.output[0]])
        elif node.op_type == "QuantizeLinear" or (
            node.op_type == "DequantizeLinear" and node.input[0] not in constants
        ):
            names[node.output[0]] = node.input[0]
            continue
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for name, value in (("nothing", 0), ("six", 6)):
        model.graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
    onnx.save(model, str(folder / path.name))
    return folder / path.name


@pytest.fixture(scope="module")
def chains(package_dist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("chains")
    paths = {name: _saved(chain, folder / f"{n}.onnx") for n, (name, chain) in enumerate((CHAINS | UNKNOWN).items())}
    found = _run(list(paths.values()), _views(SIDE), package_dist, folder)
    return {name: (path, found[path]) for name, path in paths.items()}


@pytest.mark.parametrize("name", CHAINS)
def test_operators_are_those_of_onnx_runtime(chains: dict[str, Any], name: str) -> None:
    path, found = chains[name]
    views = _views(SIDE)
    wanted = _onnx_runtime(path, views)
    if wanted.ndim == 5:  # a picture lies with its channels last
        wanted = wanted.transpose(0, 1, 3, 4, 2)
    assert "error" not in found, found
    rows = np.array(found["rows"], np.float32)
    assert np.array_equal(rows[: len(views)], rows[len(views) :]), "what was seen before does not matter"
    np.testing.assert_allclose(rows[: len(views)], wanted.reshape(len(views), -1), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_it_cannot_run_is_named(chains: dict[str, Any], name: str) -> None:
    _, found = chains[name]
    assert found["unsupported"] and name in found["error"]


def test_the_models_networks_are_those_of_onnx_runtime(package_dist: Path, tmp_path: Path) -> None:
    folder, views = load_model().folder, _views(MODEL_SIDE)
    paths = [folder / name for name in ("model.onnx", "model-int8.onnx", "heads.onnx")]
    found = _run(paths, views, package_dist, tmp_path)
    said = [np.array(found[path]["rows"], np.float32)[: len(views)] for path in paths]
    for path, rows in zip(paths, said, strict=True):
        wanted = _onnx_runtime(_without_rounding(path, tmp_path), views)[:, 0]
        np.testing.assert_allclose(rows, wanted, atol=2e-3)
    # So the network for 8 bits is nearer to the one that was never rounded than where it runs in 8 bits.
    full, eight, rounded = said[0], said[1], _onnx_runtime(paths[1], views)[:, 0]
    assert np.array_equal(eight.argmax(1), rounded.argmax(1))
    assert np.abs(eight - full).mean() < np.abs(rounded - full).mean()


def test_a_damaged_network_is_an_error(package_dist: Path, tmp_path: Path) -> None:
    whole = (load_model().folder / "model.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "other.onnx").write_bytes(b"\x89PNG\r\n\x1a\n" * 100)
    found = _run([tmp_path / "cut.onnx", tmp_path / "other.onnx"], _views(MODEL_SIDE)[:1], package_dist, tmp_path)
    assert [each["error"] for each in found.values()] == [
        "not a whole network in ONNX's format: it ends too early",
        "not a whole network in ONNX's format: no protocol buffer",
    ]
    assert not any(each["unsupported"] for each in found.values()), "ONNX Runtime could not run it either"
