"""The convolutions and their gradients are torch's, and a network trains with them as without."""

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training import convolution, network
from training.convolution import convolved


def given(**shapes: tuple[int, ...]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Two copies of numbers that bfloat16 holds exactly, so that only the sums are rounded."""
    numbers = {name: torch.randn(shape).bfloat16().float() for name, shape in shapes.items()}
    ours, torchs = ({name: value.clone().requires_grad_() for name, value in numbers.items()} for _ in range(2))
    return ours, torchs


def compare(found: Tensor, ours: Mapping[str, Tensor], wanted: Tensor, torchs: Mapping[str, Tensor]) -> None:
    """Results and gradients agree, to what their type can hold."""
    half = found.dtype == torch.bfloat16
    close = 1e-2 if half else 1e-5
    assert torch.allclose(found.float(), wanted, rtol=close, atol=close * wanted.abs().max().item())
    upstream = torch.randn_like(wanted).bfloat16()
    found.backward(upstream.to(found.dtype))
    wanted.backward(upstream.float())
    for name, value in torchs.items():
        got, expected = ours[name].grad, value.grad
        assert got is not None and expected is not None and got.dtype == torch.float32
        # The weights' sums are float32's; those of the input leave oneDNN as bfloat16.
        tolerance = 1e-2 if half and name == "x" else 1e-5
        assert torch.allclose(got, expected, rtol=tolerance, atol=tolerance * expected.abs().max().item()), name


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 7), (14, 9)])
def test_depthwise_convolutions_are_torchs(half: bool, kernel: int, stride: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ours, torchs = given(x=(3, 48, *size), weight=(48, 1, kernel, kernel), bias=(48,))
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        found = convolved(ours["x"], ours["weight"], ours["bias"], stride, relu6=False)
    wanted = F.conv2d(torchs["x"], torchs["weight"], torchs["bias"], stride, kernel // 2, 1, 48)
    assert (found.dtype == torch.bfloat16) == half
    compare(found, ours, wanted, torchs)


@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_pointwise_convolutions_are_torchs(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ours, torchs = given(x=(3, 40, *size), weight=(24, 40, 1, 1), bias=(24,))
    found = convolved(ours["x"], ours["weight"], ours["bias"], 1, relu6=False)
    compare(found, ours, F.conv2d(torchs["x"], torchs["weight"], torchs["bias"]), torchs)


@pytest.mark.parametrize("shapes", [{"weight": (48, 1, 3, 3)}, {"weight": (24, 48, 1, 1)}])
def test_results_are_cut_off_at_0_and_6(shapes: dict[str, tuple[int, ...]]) -> None:
    """Gradients do not pass where the result was cut off."""
    torch.manual_seed(0)
    weight = shapes["weight"]
    ours, torchs = given(x=(3, 48, 7, 5), bias=weight[:1], **shapes)
    found = convolved(ours["x"], ours["weight"], ours["bias"], 1, relu6=True)
    wanted = F.conv2d(torchs["x"], torchs["weight"], torchs["bias"], 1, weight[2] // 2, 1, 48 // weight[1])
    assert (wanted < 0).any() and (wanted > 6).any()
    compare(found, ours, F.relu6(wanted), torchs)


def test_a_network_learns_the_same_as_with_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = network.imagenet("lite0", drop_path=0.0, dropout=0.0).train()
    views, turns = torch.rand(6, 3, 96, 96) * 255, torch.tensor([0, 1, 2, 3, 0, 1])
    gradients = []
    for ours in (True, False):
        if not ours:
            monkeypatch.setattr(convolution, "known", lambda _: False)
        net.zero_grad()
        F.cross_entropy(net(views), turns).backward()
        gradients.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 100
    for one, other in zip(*gradients, strict=True):
        assert (one - other).norm() <= 1e-4 * other.norm()


def test_a_network_learns_the_same_in_bfloat16() -> None:
    torch.manual_seed(0)
    net = network.imagenet("lite0", drop_path=0.0, dropout=0.0).train()
    views, turns = torch.rand(6, 3, 96, 96) * 255, torch.tensor([0, 1, 2, 3, 0, 1])
    gradients = []
    for half in (False, True):
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            F.cross_entropy(net(views).float(), turns).backward()
        gradients.append({name: p.grad.flatten().clone() for name, p in net.named_parameters() if p.grad is not None})
    whole, halves = gradients
    used = [name for name, _ in net.named_parameters() if not name.startswith(network.LATER_HEADS)]
    assert list(whole) == list(halves) == used
    alike = {name: F.cosine_similarity(whole[name], halves[name], 0).item() for name in whole}
    assert min(alike[name] for name in alike if "depthwise" in name) > 0.9
    assert alike["head.weight"] > 0.99
