from pathlib import Path

import pytest
import torch

from training import network
from training.network import Lite, folded, load, save


def test_folding_is_the_batch_norm_it_replaces() -> None:
    torch.manual_seed(0)
    conv, norm = torch.nn.Conv2d(4, 6, 3, 2, 1, bias=False), network.batch_norm(6).eval()
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(2, 4, 9, 9)
    plain = norm(conv(x))
    assert torch.allclose(folded(conv, norm, x, relu6=False), plain, atol=1e-5)
    assert torch.allclose(folded(conv, norm, x), plain.clamp(0, 6), atol=1e-5)


@pytest.mark.parametrize(("variant", "parameters"), [("lite0", 3_547_694), ("lite2", 4_987_758)])
def test_imagenet_weights_fit(variant: str, parameters: int) -> None:
    net = network.imagenet(variant)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters
    assert torch.isfinite(net.eval()(torch.full((1, 3, 64, 64), 127.0))).all()


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (225, 225)])
def test_any_size_from_64_px_gives_four_logits(size: tuple[int, int]) -> None:
    net = network.imagenet("lite0").eval()
    with torch.no_grad():
        assert net(torch.rand(2, 3, *size) * 255).shape == (2, 4)


def test_weights_and_facts_come_back(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = Lite("lite0")
    save(tmp_path / "a.safetensors", net, {"views": 12, "name": "x"})
    again, facts = load(tmp_path / "a.safetensors")
    assert facts == {"variant": "lite0", "views": 12, "name": "x"}
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in net.state_dict().items())


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt"):
        load(tmp_path / "other.pt")
    save(tmp_path / "small.safetensors", Lite("lite0"), {})
    with pytest.raises(ValueError, match="recipe asks for lite2"):
        network.start(str(tmp_path / "small.safetensors"), "lite2")
    with pytest.raises(ValueError, match="no such variant"):
        Lite("lite9")


def test_nothing_starts_on_a_sane_scale() -> None:
    """From nothing the frozen statistics normalise nothing: the fresh weights must keep the scale by themselves."""
    torch.manual_seed(3)
    net, facts = network.start("nothing", "lite0")
    with torch.no_grad():
        features = net.eval().front(torch.rand(2, 3, 96, 96) * 255, 16)
    assert facts["views"] == 0
    assert 0.01 < features.std() < 100
