import io

import numpy as np
import pytest
import torch
from PIL import Image

from training.augment import PHOTO, TEXT, Augment, Wear, jpeg, turned_away


def pictures(n: int = 16, side: int = 64) -> torch.Tensor:
    """Smooth colour ramps with a bright bar near the top."""
    ramp = torch.linspace(0, 120, side)
    x = torch.stack([ramp.view(1, -1).expand(side, -1), ramp.view(-1, 1).expand(-1, side), torch.zeros(side, side)])
    x[:, 4:12] = 250
    return x.expand(n, -1, -1, -1).clone()


def test_a_turn_means_the_clockwise_turn_that_makes_it_upright() -> None:
    upright = pictures(4)
    shown = turned_away(upright, torch.arange(4))
    for turn in range(4):
        # torch.rot90 turns counterclockwise; minus makes it clockwise.
        assert torch.allclose(torch.rot90(shown[turn], -turn, (1, 2)), upright[turn], atol=1e-3)


def test_the_product_sets_upright_what_augment_turned_away() -> None:
    turns = pytest.importorskip("upright.turns", reason="the product is not installed beside training")
    upright = pictures(4)
    shown = turned_away(upright, torch.arange(4)).permute(0, 2, 3, 1).numpy().round().astype(np.uint8)
    for index in range(4):
        restored = turns.turn_array(shown[index], turns.Turn.from_index(index))
        assert np.array_equal(restored, upright[index].permute(1, 2, 0).numpy().round().astype(np.uint8))


def test_views_bear_the_turn_that_undoes_them() -> None:
    """Found on the finished views, crops, skew and wear included: the bright bar lies where the turn says."""
    views, labels = Augment(0)(pictures(400), 64, Wear(0.5, 0.8, 0, 0, worn=0.1, covered=0, skewed=0.3))
    turns = labels.turns
    edges = torch.stack([views[:, :, :16].mean((1, 2, 3)), views[..., :16].mean((1, 2, 3)),
                         views[:, :, -16:].mean((1, 2, 3)), views[..., -16:].mean((1, 2, 3))], 1)  # fmt: skip
    # Top, left, bottom, right: a bar at the left needs a quarter turn clockwise, one at the bottom a half.
    assert (edges.argmax(1) == turns).float().mean() > 0.97
    assert set(turns.tolist()) == {0, 1, 2, 3}


def test_no_turn_is_told_by_its_interpolation() -> None:
    """One placing, four turns: set upright, the four views are the same pixels."""
    source = torch.rand(8, 3, 80, 80, generator=torch.Generator().manual_seed(5)) * 255
    upright, _ = Augment(1).placed(source, 64, TEXT, torch.zeros(8, dtype=torch.long))
    for turn in range(1, 4):
        view, _ = Augment(1).placed(source, 64, TEXT, torch.full((8,), turn))
        assert not torch.allclose(view, upright, atol=1)
        assert torch.allclose(torch.rot90(view, -turn, (2, 3)), upright, atol=0.05)


def test_jpeg_is_close_to_the_real_one() -> None:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 9, 9, generator=generator) * 255
    x = torch.nn.functional.interpolate(coarse, size=(72, 72), mode="bicubic").clamp(0, 255).round()
    for quality in (10, 40, 75):
        buffer = io.BytesIO()
        Image.fromarray(x[0].permute(1, 2, 0).byte().numpy()).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
        real = torch.from_numpy(np.asarray(Image.open(buffer)).copy()).permute(2, 0, 1).float()
        ours = jpeg(x, torch.tensor([float(quality)]))[0]
        assert (ours - real).abs().mean() < 0.4 * (real - x[0]).abs().mean() + 1.5
        assert (ours - x[0]).abs().mean() == pytest.approx((real - x[0]).abs().mean().item(), rel=0.4)


@pytest.mark.parametrize("wear", [PHOTO, TEXT])
@pytest.mark.parametrize("size_px", [64, 96, 150])
def test_views_are_sound_and_reproducible(wear: Wear, size_px: int) -> None:
    source = (torch.rand(24, 3, 160, 160, generator=torch.Generator().manual_seed(3)) * 255).byte()
    views, labels = Augment(7)(source, size_px, wear)
    again, labels_again = Augment(7)(source, size_px, wear)
    assert views.shape == (24, 3, size_px, size_px)
    assert views.min() >= 0 and views.max() <= 255 and torch.isfinite(views).all()
    assert views.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(views, again) and torch.equal(labels.turns, labels_again.turns)


def test_tilts_and_mirrors_are_what_the_views_show() -> None:
    """A bright bar across the middle: the clockwise turn that makes it level is its tilt, whichever way round it is."""
    bar = torch.zeros(60, 3, 96, 96)
    bar[:, :, 44:52] = 200
    bar[:, :, 34:40, 20:28] = 250  # a mark at the left
    wear = Wear(whole=1, smallest=1, mirrored=0.5, inverted=0, worn=0, covered=0, skewed=0, tilted=1)
    views, labels = Augment(2).placed(bar, 96, wear, torch.zeros(60, dtype=torch.long))
    assert labels.mirrored.any() and not labels.mirrored.all() and labels.tilts.abs().max() > 10
    marked_left = views[:, 0, :, 8:32].amax((1, 2)) > views[:, 0, :, 64:88].amax((1, 2))
    assert (marked_left == ~labels.mirrored).float().mean() > 0.95
    heights = torch.arange(96.0).view(1, -1)
    for view, tilt in zip(views[:, 0], labels.tilts.tolist(), strict=True):
        columns = view[:, 40:60].clamp(max=200)  # the middle, where there is the bar alone
        centres = (columns * heights.T).sum(0) / columns.sum(0)
        slope = (centres[-4:].mean() - centres[:4].mean()) / 16  # downwards to the right: leans clockwise
        assert torch.rad2deg(torch.atan(slope)).item() == pytest.approx(-tilt, abs=1)
