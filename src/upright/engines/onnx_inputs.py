"""Whether an ONNX graph takes and gives what upright wants of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ModelError

if TYPE_CHECKING:
    from ..model import Model


def only_input(session: Any, model: Model) -> str:
    """The name of the graph's one input. Raises `ModelError` where inputs and outputs are not those of a model."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    size = model.input_size_px
    wanted = f"one uint8 input [n, {size}, {size}, 3] and one float32 output [n, 4]"
    shape = list(inputs[0].shape)
    right = (
        len(inputs) == len(outputs) == 1
        and inputs[0].type == "tensor(uint8)"
        and outputs[0].type == "tensor(float)"
        and len(shape) == 4
        and all(isinstance(s, str) or s is None or s == w for s, w in zip(shape[1:], (size, size, 3), strict=True))
        and outputs[0].shape[1] in (4, None)
    )
    if not right:
        found = ", ".join(f"{i.type} {list(i.shape)}" for i in (*inputs, *outputs))
        raise ModelError(
            f"the graph has {found}; wanted {wanted}",
            source=model.onnx_path,
            remedy="put normalisation and layout inside the graph; see docs/models.md",
        )
    return str(inputs[0].name)
