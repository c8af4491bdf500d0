"""The compiled gradient is torch's, and a network trains with it as without."""

import pytest
import torch
import torch.nn.functional as F

from training import network
from training.depthwise import convolved


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 7), (14, 9)])
def test_gradients_are_torchs(kernel: int, stride: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    shapes = {"x": (3, 48, *size), "weight": (48, 1, kernel, kernel), "bias": (48,)}
    # Numbers that bfloat16 holds exactly, so that only the sums are rounded.
    given = {name: torch.randn(shape).bfloat16().float() for name, shape in shapes.items()}
    ours = {name: value.clone().requires_grad_() for name, value in given.items()}
    torchs = {name: value.clone().requires_grad_() for name, value in given.items()}
    found = convolved(ours["x"], ours["weight"], ours["bias"], stride)
    wanted = F.conv2d(torchs["x"], torchs["weight"], torchs["bias"], stride, kernel // 2, 1, 48)
    assert found.dtype == torch.bfloat16 and torch.allclose(found.float(), wanted, rtol=1e-2, atol=1e-2)
    upstream = torch.randn_like(wanted).bfloat16()
    found.backward(upstream)
    wanted.backward(upstream.float())
    for name in shapes:
        got, expected = ours[name].grad, torchs[name].grad
        assert got is not None and expected is not None and got.dtype == torch.float32
        # The weights' sums are float32's; those of the input leave oneDNN as bfloat16.
        tolerance = 1e-2 if name == "x" else 1e-5
        assert torch.allclose(got, expected, rtol=tolerance, atol=tolerance * expected.abs().max().item()), name


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
