import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from upright import export as export_module
from upright.cli.model import command
from upright.errors import ExtraMissing, ModelError, UsageError, WriteFailed
from upright.export import FORMATS, export
from upright.model import load_model

DEMO = Path(__file__).parent.parent / "testdata" / "demo"
MODEL = load_model()


@pytest.mark.parametrize(("form", "name"), [("onnx", "m.onnx"), ("torchscript", "m.pt"), ("openvino", "m.xml")])
def test_an_export_decides_as_the_model(form: str, name: str, tmp_path: Path) -> None:
    agreement = export(MODEL, form, tmp_path / name, [str(DEMO)])
    assert agreement.views == len(list(DEMO.iterdir()))
    assert agreement.agree == agreement.agree_sure == 1.0
    assert agreement.largest_logit_gap < 1e-3
    assert (tmp_path / name).stat().st_size > 100_000 or (tmp_path / "m.bin").stat().st_size > 1_000_000


@pytest.mark.filterwarnings("ignore:.*torch.jit.load:DeprecationWarning")
def test_torchscript_needs_no_upright_and_takes_any_batch(tmp_path: Path) -> None:
    export(MODEL, "torchscript", tmp_path / "m.pt")
    loaded = torch.jit.load(str(tmp_path / "m.pt"))
    size = MODEL.input_size_px
    for views in (1, 3):
        assert loaded(torch.zeros((views, size, size, 3), dtype=torch.uint8)).shape == (views, 4)


def test_int8_is_smaller_and_still_a_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    agreement = export(MODEL, "onnx-int8", path, [str(DEMO)])
    assert agreement.agree_sure >= FORMATS["onnx-int8"]
    assert path.stat().st_size < 0.6 * MODEL.onnx_path.stat().st_size  # whose weights are float16
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].type == "tensor(uint8)"


def test_int8_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="int8 needs pictures"):
        export(MODEL, "onnx-int8", tmp_path / "m.onnx")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("form", "name"), [("onnx", "m.onnx"), ("openvino", "m.xml")])
def test_an_export_that_decides_differently_leaves_what_was_there(
    form: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(MODEL, form, tmp_path / name, [str(DEMO)])
    (tmp_path / ("m.bin" if form == "onnx" else "m.json")).write_bytes(b"of somebody else")
    before = files(tmp_path)
    real = export_module._WRITERS[form]

    def reversed_turns(*given: object) -> object:
        infer = real(*given)  # type: ignore[arg-type]
        return lambda pixels: np.ascontiguousarray(infer(pixels)[:, ::-1])

    monkeypatch.setitem(export_module._WRITERS, form, reversed_turns)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"sure of it decides \d+\.\d% alike; it was not kept"):
        export(MODEL, form, tmp_path / name, [str(DEMO)])
    assert files(tmp_path) == before
    with pytest.raises(ModelError, match="alike"):
        export(MODEL, form, tmp_path / "new" / name, [str(DEMO)])
    assert not files(tmp_path / "new")


@pytest.mark.parametrize(("form", "name", "beside"), [("onnx", "m.onnx", "m.json"), ("openvino", "m.xml", "m.bin")])
def test_an_export_replaces_only_what_an_export_wrote(form: str, name: str, beside: str, tmp_path: Path) -> None:
    (tmp_path / beside).write_text('{"sha256": "of another model"}')
    before = files(tmp_path)
    with pytest.raises(UsageError, match=f"{beside} beside it is there already, and not its own"):
        export(MODEL, form, tmp_path / name)
    (tmp_path / name).write_bytes(b"what is no model")
    with pytest.raises(UsageError, match="not its own"):
        export(MODEL, form, tmp_path / name)
    assert files(tmp_path) == before | {name: b"what is no model"}
    for _ in range(2):  # its own is replaced
        export(MODEL, form, tmp_path / "own" / name)
    assert sorted(files(tmp_path / "own")) == sorted([name, beside])


def test_a_model_is_not_exported_onto_itself(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL.folder, folder)
    before, model = files(folder), load_model(folder)
    (tmp_path / "link.onnx").symlink_to(folder / "model.onnx")
    for form, target in [
        ("onnx", folder / "model.onnx"),
        ("onnx", folder / "model-int8.onnx"),
        ("onnx", folder / "model.copy"),  # whose facts would be model.json
        ("torchscript", folder / "heads.onnx"),
        ("onnx", tmp_path / "link.onnx"),
    ]:
        with pytest.raises(UsageError, match="is a file of the model itself; write to another file"):
            export(model, form, target)
    assert files(folder) == before


def test_a_target_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder, not a file"):
        export(MODEL, "onnx", tmp_path)
    with pytest.raises(UsageError, match=r"needs another suffix; name it \*\.onnx"):
        export(MODEL, "onnx", tmp_path / "m.json")
    with pytest.raises(UsageError, match=r"needs another suffix; name it \*\.xml"):
        export(MODEL, "openvino", tmp_path / "m.onnx")
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailed, match="could not be written"):
        export(MODEL, "onnx", tmp_path / "file" / "m.onnx")


def test_what_is_missing_or_unknown_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExtraMissing, match="tensorrt is not installed"):
        export(MODEL, "tensorrt", tmp_path / "m.engine")
    with pytest.raises(UsageError, match="no format is called 'coreml'"):
        export(MODEL, "coreml", tmp_path / "m")


def test_commands(tmp_path: Path) -> None:
    shown = CliRunner().invoke(command, ["show"])
    assert json.loads(shown.stdout)["sha256"] == MODEL.sha256
    arguments = ["export", "--format", "onnx", "-o", str(tmp_path / "m.onnx")]
    plain = CliRunner().invoke(command, arguments)
    assert "decides as the model on 100.0% of 16 views" in plain.stdout
    answer = json.loads(CliRunner().invoke(command, [*arguments, "--json"]).stdout)
    assert answer["agree"] == 1.0
    assert json.loads((tmp_path / "m.json").read_text())["name"] == MODEL.name
