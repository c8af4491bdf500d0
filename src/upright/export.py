"""The model in other formats, each checked to decide as the model does."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .engines import open_engine
from .engines.onnx import OnnxEngine
from .errors import MALFORMED, ModelError, UprightError, UsageError, WriteFailed
from .extras import need
from .pictures import open_picture
from .steps import View, render

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .model import Model

    Pixels = NDArray[np.uint8]
    Infer = Callable[[Pixels], NDArray[np.float32]]

#: Format and the least share of the decisions that the model is sure of which must be the same.
FORMATS = {"onnx": 1.0, "onnx-int8": 0.99, "torchscript": 1.0, "openvino": 1.0, "tensorrt": 0.99}
#: A view counts as sure where the model's probability is over this; below, any rounding may decide.
_SURE = 0.9
#: What a format writes beside its file.
_BESIDE = {"onnx": ".json", "openvino": ".bin"}
#: Views that an export is compared on, and that ranges of int8 are measured on.
MOST_VIEWS = 256
#: Of the decisions of upright-1 2.0.0 int8 agrees in 98.1 % (7.5 ms a look) with the first 8 convolutions left float,
#: 99.0 % (8.2) with 14; all float takes 14.5 ms. Mean log-probabilities differ by 0.003 and 0.0005.
FLOAT_CONVOLUTIONS = 14


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an exported file answers beside the model: share of equal decisions, of all views and of the sure ones."""

    format: str
    path: str
    views: int
    agree: float
    sure_views: int
    agree_sure: float
    largest_logit_gap: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def export(model: Model, form: str, target: Path, pictures: Iterable[str] = ()) -> Agreement:
    """Write the model as ``form`` to ``target`` and compare its decisions with the model's.

    Args:
        model: what is exported.
        form: one of `FORMATS`.
        target: the file, which is replaced if it is there; OpenVINO writes a ``.bin`` beside it, ONNX a ``.json``.
        pictures: files to compare on; needed for ``onnx-int8``, whose ranges are measured on them. Without, noise and
            flat colours are taken, which show a broken export but not a small loss.

    Raises:
        UsageError: an unknown format, no pictures for int8, or a file would be lost that is no earlier export.
        EngineError: a runtime is missing.
        ModelError: the file decides differently; what was there before stays.
        WriteFailed: the folder cannot be written.
    """
    if form not in FORMATS:
        raise UsageError(f"no format is called {form!r}", remedy=f"choose one of {', '.join(FORMATS)}")
    _check_target(model, form, target)
    pixels = _views(model, pictures)
    if form == "onnx-int8" and len(pixels) < 8:
        raise UsageError("int8 needs pictures to measure ranges on", remedy="give --pictures FOLDER with 100 or more")
    if not len(pixels):
        pixels = _patterns(model.input_size_px)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that a rename is enough; only what the writer made takes a name there.
        with tempfile.TemporaryDirectory(prefix=".upright-export-", dir=target.parent) as folder:
            made = Path(folder, target.name)
            agreement = _written(model, form, made, target, pixels)
            for path in sorted(Path(folder).iterdir(), key=made.__eq__):  # the target last: it names what is beside it
                path.replace(target.parent / path.name)
    except OSError as error:
        cause = f"it could not be written ({error.strerror or error})"
        raise WriteFailed(cause, source=target, remedy="check the folder and the disk's free space") from error
    return agreement


def _written(model: Model, form: str, made: Path, target: Path, pixels: Pixels) -> Agreement:
    infer = _WRITERS[form](model, made, pixels)
    engine = open_engine(model, "onnx:cpu")
    wanted, found = (_in_parts(call, pixels) for call in (engine.infer, infer))
    engine.close()
    agreement = _compare(form, target, wanted, found)
    if agreement.agree_sure < FORMATS[form]:
        raise ModelError(
            f"of {agreement.sure_views} views that the model is sure of it decides {agreement.agree_sure:.1%} alike",
            source=target,
            remedy="it was not kept; for int8 give more and more typical pictures",
        )
    return agreement


def _check_target(model: Model, form: str, target: Path) -> None:
    """Raises UsageError where a file of the model itself would be replaced, or one that no export wrote."""
    another = "write to another file"
    if target.is_dir():
        raise UsageError("a folder, not a file", source=target, remedy="name a file in it")
    beside = target.with_suffix(_BESIDE[form]) if form in _BESIDE else None
    if beside == target or (form == "openvino" and target.suffix != ".xml"):
        suffix = ".xml" if form == "openvino" else ".onnx"
        raise UsageError(f"the file of {form} needs another suffix", source=target, remedy=f"name it *{suffix}")
    for path in filter(None, (target, beside)):
        if path.exists() and any(own.exists() and path.samefile(own) for own in _own_files(model)):
            raise UsageError(f"{path.name} is a file of the model itself", source=target, remedy=another)
    if beside and os.path.lexists(beside) and not _belongs(beside, target):
        raise UsageError(f"{beside.name} beside it is there already, and not its own", source=target, remedy=another)


def _own_files(model: Model) -> list[Path]:
    return [model.folder / name for name in ("model.onnx", "model.json", "model-int8.onnx", "heads.onnx", "heads.json")]


def _belongs(beside: Path, target: Path) -> bool:
    """Whether an earlier export wrote both: facts name the digest of their model, weights have their graph in XML."""
    try:
        if beside.suffix == ".bin":
            return b"<net " in target.read_bytes()[:1024]
        facts = json.loads(beside.read_bytes())
        return bool(facts["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest())
    except (OSError, *MALFORMED):
        return False


def _compare(form: str, target: Path, wanted: NDArray[np.float32], found: NDArray[np.float32]) -> Agreement:
    import numpy as np

    equal = wanted.argmax(1) == found.argmax(1)
    sure = 1 / np.exp(wanted - wanted.max(1, keepdims=True)).sum(1) > _SURE
    agree_sure = float(equal[sure].mean()) if sure.any() else 1.0
    gap = float(np.abs(wanted - found).max())
    return Agreement(form, str(target), len(wanted), float(equal.mean()), int(sure.sum()), agree_sure, gap)


def _views(model: Model, pictures: Iterable[str]) -> Pixels:
    """Whole views of what can be read of the pictures, four turns each would only repeat them."""
    import numpy as np

    from .sources import find_items

    views = []
    for item in find_items(pictures):
        if item.skipped:
            continue
        try:
            with open_picture(item.open()) as picture:
                views.append(render(picture, View(), model.input_size_px))
        except UprightError:
            continue
        if len(views) == MOST_VIEWS:
            break
    size = model.input_size_px
    return np.stack(views) if views else np.empty((0, size, size, 3), np.uint8)


def _patterns(size: int) -> Pixels:
    import numpy as np

    chance = np.random.default_rng(0)
    noise = chance.integers(0, 256, (8, size, size, 3), dtype=np.uint8)
    coarse = chance.integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)
    blocks = coarse.repeat(-(-size // 8), axis=1).repeat(-(-size // 8), axis=2)[:, :size, :size]
    return np.concatenate([noise, blocks])


def _in_parts(infer: Infer, pixels: Pixels) -> NDArray[np.float32]:
    import numpy as np

    return np.concatenate([infer(pixels[i : i + 8]) for i in range(0, len(pixels), 8)])


def _write_onnx(model: Model, target: Path, pixels: Pixels) -> Infer:
    """The file as it is, with the facts that a user of the bare file needs in a ``.json`` beside it."""
    shutil.copyfile(model.onnx_path, target)
    if hashlib.sha256(target.read_bytes()).hexdigest() != model.sha256:
        raise ModelError("the copy is not the model", source=target, remedy="check the disk and export again")
    target.with_suffix(".json").write_text(json.dumps(model.to_dict(), indent=2) + "\n", "utf-8")
    return OnnxEngine(model, precision="cpu", path=target).infer


def quantise(path: Path, target: Path, views: Pixels, float_convolutions: int = FLOAT_CONVOLUTIONS) -> None:
    """Write the ONNX model at ``path`` to ``target`` in int8: static quantization, QDQ nodes, weights per channel.

    Args:
        path: a model that takes ``[n, S, S, 3]`` uint8.
        target: the file that is written.
        views: ``[n, S, S, 3]`` uint8; the ranges of the activations are those that these views use.
        float_convolutions: how many of the first stay float, with the head and the sums of residual blocks.

    Raises:
        ExtraMissing: onnx is not installed.
    """
    onnx, quantization = need("onnx", "int8"), need("onnxruntime.quantization", "int8")
    quant_pre_process = need("onnxruntime.quantization.shape_inference", "int8").quant_pre_process

    class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self, name: str) -> None:
            self.batches = iter([{name: views[i : i + 8]} for i in range(0, len(views), 8)])

        def get_next(self) -> dict[str, Pixels] | None:
            return next(self.batches, None)

    folded = target.with_suffix(".folded.onnx")
    try:
        quant_pre_process(str(path), str(folded), skip_symbolic_shape=True)
        graph = onnx.load(str(folded)).graph
        quantization.quantize_static(
            str(folded),
            str(target),
            _Reader(graph.input[0].name),
            nodes_to_exclude=[node.name for node in graph.node if node.op_type == "Conv"][:float_convolutions],
            per_channel=True,
            # Weights of 7 bits: processors without VNNI add pairs of products in 16 bits, which 8 would overflow.
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv", "Clip"],
        )
    finally:
        folded.unlink(missing_ok=True)


def _write_int8(model: Model, target: Path, pixels: Pixels) -> Infer:
    quantise(model.onnx_path, target, pixels)
    return OnnxEngine(model, precision="cpu", path=target).infer


def _write_torchscript(model: Model, target: Path, pixels: Pixels) -> Infer:
    torch = need("torch", "torch")
    need("onnx", "torch")
    jit: Any = torch.jit
    from .engines.torch_graph import Graph

    with warnings.catch_warnings(), torch.inference_mode():
        # torch 2.13 deprecates the format; it is what was asked for, and what older C++ and mobile runtimes read.
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = jit.trace(Graph(model.onnx_path).eval(), torch.from_numpy(pixels[:2].copy()))
        jit.freeze(traced).save(str(target))
        loaded = jit.load(str(target))

    def infer(pixels: Pixels) -> NDArray[np.float32]:
        with torch.inference_mode():
            answer: NDArray[np.float32] = loaded(torch.from_numpy(pixels.copy())).numpy()
        return answer

    return infer


def _write_openvino(model: Model, target: Path, pixels: Pixels) -> Infer:
    ov = need("openvino", "openvino")
    ov.save_model(ov.convert_model(str(model.onnx_path)), str(target), compress_to_fp16=False)
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled: Any = ov.Core().compile_model(str(target), "CPU", options)
    return lambda pixels: compiled([pixels])[compiled.output(0)].copy()


def _write_tensorrt(model: Model, target: Path, pixels: Pixels) -> Infer:
    from .engines.tensorrt import TensorrtEngine, build

    build(model.onnx_path, target, model.input_size_px)
    return TensorrtEngine(model, plan=target).infer


_WRITERS: dict[str, Callable[[Model, Path, Pixels], Infer]] = {
    "onnx": _write_onnx,
    "onnx-int8": _write_int8,
    "torchscript": _write_torchscript,
    "openvino": _write_openvino,
    "tensorrt": _write_tensorrt,
}
