import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from training.export import (
    PicturesIn,
    Refused,
    TorchModel,
    accept,
    accept_int8,
    agreement,
    export_onnx,
    export_program,
    lost_points,
    quantise,
)
from training.heldout import Picture
from training.looks import Model, look
from training.modelfolder import TURNS, Facts, write_model_folder
from training.network import Lite
from training.tests.sky import pictures
from upright.steps import LADDER

SIZE = 64


@pytest.fixture(scope="module")
def net() -> Lite:
    torch.set_num_threads(1)  # threads that wait for each other are slow on a busy machine
    torch.manual_seed(0)
    net = Lite("lite0")
    torch.nn.init.normal_(net.head.weight, std=0.5)
    return net.eval()


@pytest.fixture(scope="module")
def exported(net: Lite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(PicturesIn(net), path, SIZE)
    return path


@pytest.fixture(scope="module")
def seen() -> list[Picture]:
    return pictures(8)


def test_the_onnx_says_what_torch_says_at_any_batch(net: Lite, exported: Path, seen: list[Picture]) -> None:
    model = Model.open(exported)
    random = np.random.default_rng(1)
    for batch in (1, 3, 7):
        views = random.integers(0, 256, (batch, SIZE, SIZE, 3), np.uint8)
        with torch.no_grad():
            wanted = net(torch.from_numpy(views).permute(0, 3, 1, 2).float()).numpy()
        assert np.allclose(model.logits(views), wanted, atol=0.02)  # weights rounded to float16
    assert agreement(look(TorchModel(PicturesIn(net), SIZE), seen), look(model, seen)) == 1.0


def test_the_onnx_is_what_the_contract_says(exported: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    (opset,) = [entry.version for entry in model.opset_import if entry.domain == ""]
    assert opset >= 18
    shown, answered = model.graph.input[0].type.tensor_type, model.graph.output[0].type.tensor_type
    assert shown.elem_type == onnx.TensorProto.UINT8 and answered.elem_type == onnx.TensorProto.FLOAT
    assert shown.shape.dim[0].dim_param and [d.dim_value for d in shown.shape.dim][1:] == [SIZE, SIZE, 3]
    # Folded: every convolution takes its weight from the file, or widens it, so that int8 can quantise it.
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    widened = {node.output[0] for node in model.graph.node if node.op_type == "Cast" and node.input[0] in stored}
    assert all(node.input[1] in {*stored, *widened} for node in model.graph.node if node.op_type == "Conv")
    assert len(widened) > 20 and onnx.TensorProto.FLOAT16 in stored.values()
    # Stripped: no path of the machine that exported it.
    assert b"site-packages" not in exported.read_bytes() and str(Path.home()).encode() not in exported.read_bytes()


def test_the_exported_program_says_the_same(net: Lite, seen: list[Picture], tmp_path: Path) -> None:
    torch.export.save(export_program(PicturesIn(net), SIZE), tmp_path / "model.pt2")
    again = torch.export.load(tmp_path / "model.pt2").module()
    before, after = (look(TorchModel(module, SIZE), seen) for module in (PicturesIn(net), again))
    assert agreement(before, after) == 1.0 and np.abs(before - after).max() < 1e-3


def test_int8_is_small_and_keeps_the_input(exported: Path, seen: list[Picture], tmp_path: Path) -> None:
    quantise(exported, seen, tmp_path / "int8.onnx")
    assert (tmp_path / "int8.onnx").stat().st_size < 0.7 * exported.stat().st_size  # whose weights are float16
    int8 = Model.open(tmp_path / "int8.onnx")
    (shown,) = int8.session.get_inputs()
    assert shown.type == "tensor(uint8)" and shown.shape[1:] == [SIZE, SIZE, 3]
    before, after = look(Model.open(exported), seen), look(int8, seen)
    assert 0 < np.abs(before - after).max() < 0.5 * np.ptp(before)


def test_a_float_form_has_to_decide_the_same() -> None:
    before = np.tile(10 * np.eye(4), (5, 1, 1))
    after = before.copy()
    after[0, 3] = [9, 0, 0, 0]
    assert agreement(before, after) == pytest.approx(0.95)
    with pytest.raises(Refused, match=r"form: agrees in 95\.00 %"):
        accept("form", agreement(before, after))
    accept("itself", agreement(before, before))


def test_int8_may_differ_but_lose_nothing_on_any_kind() -> None:
    before = np.tile(10 * np.eye(4), (1000, 1, 1))
    kinds = ["photo"] * 600 + ["doc"] * 400
    worse, other = before.copy(), before.copy()
    worse[:9, 3] = [9, 0, 0, 0]  # 9 of 2,400 showings of a photograph: 0.375 points
    lost = lost_points(before, worse, kinds)
    assert lost == {"photo": pytest.approx(0.375), "doc": 0.0}
    with pytest.raises(Refused, match=r"int8: photo loses 0\.38 points"):
        accept_int8("int8", lost, kinds)
    other[:9, 3] = [9, 0, 0, 0]
    accept_int8("int8", lost_points(other, before, kinds), kinds)  # it is better
    accept_int8("int8", {"photo": 19.0}, ["photo"] * 5)  # less than one picture of five
    accept_int8("int8", {"scene": 100 * (1 - 191 / 192)}, ["scene"] * 192)  # one of 192, a last bit above 100 / 192


def test_the_model_folder_is_complete(exported: Path, tmp_path: Path) -> None:
    step = {"temperature": 0.7, "careful": None, "balanced": 0.9, "best": 0.0}
    facts = Facts("toy", "0.1.0", SIZE, "drawn landscapes", "abc1234")
    folder = tmp_path / "toy"
    calibration = dict.fromkeys((step.name for step in LADDER), step)
    write_model_folder(folder, exported, facts, calibration, {"glance": {}}, ["| a table |"])
    content = json.loads((folder / "model.json").read_text())
    assert list(content) == [
        "name", "version", "sha256", "int8_sha256", "licence", "input_size_px", "fit", "turns", "calibration",
        "training_data", "metrics", "commit",
    ]  # fmt: skip
    assert content["sha256"] == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert (content["fit"], content["turns"], content["licence"]) == ("squash", TURNS, "Apache-2.0")
    card = (folder / "README.md").read_text()
    for word in (
        "toy 0.1.0",
        content["sha256"],
        "drawn landscapes",
        "| a table |",
        "| turned | 0.7 | never | 0.9 | 0.0 |",
    ):
        assert word in card
    assert "$" not in card


def test_the_product_loads_a_written_folder(exported: Path, tmp_path: Path) -> None:
    from upright.model import load_model

    step = {"temperature": 0.7, "careful": None, "balanced": 0.9, "best": 0.0}
    calibration = {each.name: dict(step) for each in LADDER}
    write_model_folder(tmp_path / "toy", exported, Facts("toy", "0.1.0", SIZE, "drawn", "abc"), calibration, {})
    model = load_model(tmp_path / "toy")
    assert (model.name, model.input_size_px, model.calibration["turned"].temperature) == ("toy", SIZE, 0.7)
