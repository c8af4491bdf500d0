"""Engines beside the default one: the same logits, their own limits, a clear line where a runtime is missing."""

import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from upright.engines import Engine, auto, open_engine
from upright.engines.batcher import Batcher
from upright.engines.torch_graph import Graph
from upright.errors import EngineError, ExtraMissing, ModelError
from upright.machine import cache_folder
from upright.model import load_model

MODEL = load_model()
SIZE = MODEL.input_size_px
PIXELS = np.random.default_rng(1).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def wanted() -> np.ndarray:  # type: ignore[type-arg]
    return open_engine(MODEL, "onnx:cpu").infer(PIXELS)


@pytest.mark.parametrize(
    ("name", "gap"), [("openvino", 1e-4), ("torch", 1e-4), ("torch:bf16", 0.5), ("openvino:bf16", 0.5)]
)
def test_logits_are_those_of_onnx_runtime(name: str, gap: float, wanted: np.ndarray) -> None:  # type: ignore[type-arg]
    engine = open_engine(MODEL, name)
    found = engine.infer(PIXELS)
    assert found.dtype == np.float32 and found.shape == (5, 4)
    np.testing.assert_allclose(found, wanted, atol=gap)
    np.testing.assert_allclose(engine.infer(PIXELS[2:3]), found[2:3], atol=gap)
    engine.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of os.fork beside threads
@pytest.mark.parametrize("name", ["onnx:cpu", "openvino", "torch", "batched"])
def test_a_forked_process_gets_an_engine_of_its_own(name: str, wanted: np.ndarray) -> None:  # type: ignore[type-arg]
    """So does one that is forked from that; one that closes it unused ends."""
    engine: Engine = open_engine(MODEL, "onnx:cpu" if name == "batched" else name, threads=2)
    if name == "batched":
        engine.batch_size = 2
        engine = Batcher(engine, workers=2)
    engine.infer(PIXELS[:1])
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        signal.alarm(60)  # rather than wait for ever
        if (grandchild := os.fork()) == 0:
            signal.alarm(60)
            engine.close()
            os._exit(0)
        os.write(write, engine.infer(PIXELS).tobytes())
        if (other := os.fork()) == 0:
            signal.alarm(60)
            os.write(write, engine.infer(PIXELS).tobytes())
            os._exit(0)
        os._exit(os.waitpid(grandchild, 0)[1] or os.waitpid(other, 0)[1])
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        found = np.frombuffer(pipe.read(), np.float32).reshape(2, 5, 4)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_allclose(found, [wanted, wanted], atol=1e-4)
    np.testing.assert_allclose(engine.infer(PIXELS), wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "module", "line"),
    [
        ("openvino", "openvino", "[openvino]"),
        ("torch", "onnx", "[torch]"),
        ("tensorrt", "tensorrt", "NVIDIA's own package index"),
    ],
)
def test_a_missing_runtime_names_its_install_line(
    name: str, module: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing) as caught:
        open_engine(MODEL, name)
    assert line in str(caught.value) and "--engine onnx" in str(caught.value)


def test_what_an_engine_cannot_run_on_is_said() -> None:
    for name, forms in (("onnx:tpu", "onnx:cpu"), ("torch:int3", "torch:fp32"), ("openvino:fp8", "openvino:bf16")):
        with pytest.raises(EngineError, match=f"has no form .*choose one of .*{forms}"):
            open_engine(MODEL, name)
    again = r"\[gpu\]'? && .* install --force-reinstall --no-deps onnxruntime-gpu, or use --engine onnx:cpu"
    with pytest.raises(EngineError, match=rf"no CUDAExecutionProvider; .* install .*{again}"):
        open_engine(MODEL, "onnx:cuda")


def test_a_gpu_that_does_not_start_is_said_aloud(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    # What ONNX Runtime does where the driver is missing: it warns in its own log and takes the next provider.
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda p, o, providers: real(p, o, providers=providers[-1:]))
    engine = open_engine(MODEL, "onnx")
    assert "CUDAExecutionProvider did not start; running on the CPU" in caplog.text
    assert engine.device.startswith("CPU") and engine.batch_size == 1


@pytest.mark.parametrize("name", ["onnx:int8", "openvino:int8"])
def test_int8_wants_its_weights(name: str) -> None:
    with pytest.raises(ModelError, match=r"has no form in int8; docs/models.md"):
        open_engine(replace(MODEL, int8_sha256=None), name)


def test_the_cpu_runs_int8_where_the_model_has_it() -> None:
    usual, without = open_engine(MODEL), open_engine(replace(MODEL, int8_sha256=None))
    assert usual.device == "CPU, 1 thread, int8" and without.device == "CPU, 1 thread"
    wanted, found = open_engine(MODEL, "onnx:cpu").infer(PIXELS), usual.infer(PIXELS)
    assert np.array_equal(without.infer(PIXELS), wanted) and not np.array_equal(found, wanted)
    assert np.abs(found - wanted).max() < 1.0  # of logits that span ten


def test_auto_measures_once_and_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(auto, "MEASURE_S", 0.05)
    found = auto.measured(MODEL)
    assert found["engine"] in found["views_per_s"] and found["batch_size"] in auto.BATCH_SIZES
    assert {"onnx", "openvino", "torch"} <= set(found["views_per_s"])
    kept = json.loads((cache_folder() / "engines.json").read_text())
    assert list(kept.values()) == [found]
    monkeypatch.setattr(auto, "_measure", lambda model: pytest.fail("it was measured again"))
    engine = open_engine(MODEL, "auto")
    assert (engine.name, engine.batch_size) == (found["engine"], found["batch_size"])
    (cache_folder() / "engines.json").write_text("{torn")
    monkeypatch.setattr(auto, "_measure", lambda model: found)
    assert auto.measured(MODEL) == found


OPS: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [  # type: ignore[type-arg]
    ("Relu", [], {}),
    ("Sigmoid", [], {}),
    ("HardSwish", [], {}),
    ("HardSigmoid", [], {"alpha": 0.3, "beta": 0.4}),
    ("GlobalAveragePool", [], {}),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("Flatten", [], {"axis": 1}),
    ("Reshape", [np.array([0, -1], np.int64)], {}),
    ("ReduceMean", [np.array([2, 3], np.int64)], {"keepdims": 0}),
    ("Clip", [np.array(-0.5, np.float32), np.array(0.5, np.float32)], {}),
    ("Gather", [np.array([2, 0], np.int64)], {"axis": 1}),
    ("BatchNormalization", [np.linspace(0.5, 2, 4, dtype=np.float32) + i for i in range(4)], {}),
    ("Conv", [np.random.default_rng(0).normal(size=(6, 2, 3, 3)).astype(np.float32), np.ones(6, np.float32)],
     {"group": 2, "pads": [0, 1, 2, 1], "strides": [1, 2]}),
    ("Softmax", [], {"axis": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("op", "weights", "attributes"), OPS, ids=[op for op, *_ in OPS])
def test_each_operator_is_that_of_onnx_runtime(
    op: str,
    weights: list[np.ndarray],
    attributes: dict[str, Any],
    tmp_path: Path,  # type: ignore[type-arg]
) -> None:
    names = [f"w{i}" for i in range(len(weights))]
    graph = helper.make_graph(
        [helper.make_node(op, ["x", *names], ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 4, 8, 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, n) for w, n in zip(weights, names, strict=True)],
    )
    path = tmp_path / "one.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    x = np.random.default_rng(2).normal(size=(2, 4, 8, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    np.testing.assert_allclose(Graph(path)(torch.from_numpy(x)).numpy(), expected, atol=1e-5)


def test_an_operator_that_is_not_known_is_named(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Einsum", ["x"], ["y"], equation="ij->ji")],
        "one",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 4])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [4, 2])],
    )
    onnx.save(helper.make_model(graph), str(tmp_path / "one.onnx"))
    with pytest.raises(ModelError, match=r"does not know the operators \['Einsum'\].*--engine onnx"):
        Graph(tmp_path / "one.onnx")


class Recorder:
    """Stands in for TensorRT: answers every call with itself and writes down its name and what it was given."""

    def __init__(self, calls: list[tuple[str, tuple[Any, ...]]], **answers: Any) -> None:
        self._calls, self._answers = calls, answers

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any) -> Any:
            self._calls.append((name, given))
            return self._answers[name](*given) if name in self._answers else self

        return call


def fake_runtime(monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, tuple[Any, ...]]], **answers: Any) -> None:
    trt = Recorder(calls, build_serialized_network=lambda *a: b"a plan", parse=lambda data: True, **answers)
    constants = SimpleNamespace(WORKSPACE="workspace", FP16="fp16", ERROR="error")
    for name in ("MemoryPoolType", "BuilderFlag"):
        setattr(trt, name, constants)
    trt.__version__ = "10.0"  # type: ignore[attr-defined]
    logger = lambda level: "logger"  # noqa: E731
    logger.ERROR = "error"  # type: ignore[attr-defined]
    trt.Logger = logger  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", trt)  # type: ignore[arg-type]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "GPU X")
    monkeypatch.setattr(torch.cuda, "Stream", lambda: SimpleNamespace(cuda_stream=7, synchronize=lambda: None))


def test_tensorrt_builds_once_for_one_to_256_views_in_half_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a stand-in: no GPU is needed, and none proves that the real one agrees."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls: list[tuple[str, tuple[Any, ...]]] = []
    fake_runtime(monkeypatch, calls)
    open_engine(MODEL, "tensorrt")
    made = dict(calls)
    assert made["parse"] == (MODEL.onnx_path.read_bytes(),)
    assert made["set_flag"] == ("fp16",)
    assert made["set_shape"][1:] == tuple((n, SIZE, SIZE, 3) for n in (1, 64, 256))
    assert made["deserialize_cuda_engine"] == (b"a plan",)
    (plan,) = cache_folder().glob("*.engine")
    assert plan.name == f"{MODEL.sha256[:16]}-10.0-GPU-X-fp16.engine"
    calls.clear()
    open_engine(MODEL, "tensorrt:fp32")
    assert "set_flag" not in dict(calls) and "build_serialized_network" in dict(calls)
    calls.clear()
    open_engine(MODEL, "tensorrt")
    assert "build_serialized_network" not in dict(calls)


def test_tensorrt_that_cannot_read_or_build_is_a_model_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fake_runtime(monkeypatch, [], get_error=lambda i: "no such operator")
    trt: Any = sys.modules["tensorrt"]
    trt._answers["parse"] = lambda data: False
    trt.num_errors = 1
    with pytest.raises(ModelError, match="cannot read it: no such operator"):
        open_engine(MODEL, "tensorrt")
    trt._answers |= {"parse": lambda data: True, "build_serialized_network": lambda *a: None}
    with pytest.raises(ModelError, match="could not build"):
        open_engine(MODEL, "tensorrt")
    assert not list(cache_folder().glob("*"))


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL.folder, folder)
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(facts | {"input_size_px": 192}))
    with pytest.raises(ModelError, match="192, 192"):
        open_engine(load_model(folder), "onnx")
