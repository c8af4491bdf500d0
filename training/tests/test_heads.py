"""The second network learns from pairs which image is mirrored; calibrated, no plain page that it saw is called so."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from training import data, export, network
from training.pictures import Pictures
from training.release_heads import HeadsIn, mirror_calibration, tilt_calibration, tilted_photos
from training.tests.test_train import tiny
from training.tests.toy import landscape
from training.upright_heads import HeadsTrainer, accuracy, mirror_images, scores, tilts


def marked(seed: int) -> np.ndarray:
    """A landscape with a house on its left."""
    image = landscape(seed)
    ImageDraw.Draw(image).rectangle((4, 24, 22, 44), fill=(230, 20, 20))
    return np.asarray(image)


def test_pairs_teach_which_image_is_mirrored(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    pixels = np.stack([marked(seed) for seed in range(60)])
    pool = data.Pool(pixels, [str(n) for n in range(60)], np.zeros((60, 2), np.uint64))
    split = data.Split(np.arange(44), np.arange(44, 60), np.arange(0))
    recipe = tiny()
    recipe.group[0] = type(recipe.group[0])({"photo": 1.0}, views=12, size_px=64, judge_px=64, weight=1.0, wear="text")
    device = torch.device("cpu")
    trainer = HeadsTrainer(recipe, Pictures({"photo": pool}, {"photo": split}, device), tmp_path, device)
    before = accuracy(trainer.average, pixels[44:], 64)["mirror"]
    trainer.run()
    assert before == 0, "from zero no image is ahead of the other"
    assert accuracy(trainer.average, pixels[44:], 64)["mirror"] > 0.9


def test_a_mirror_image_may_be_upside_down() -> None:
    views = torch.arange(24.0).view(2, 1, 3, 4)
    plain, down = mirror_images(views, torch.tensor([False, True]))
    assert torch.equal(plain, views[0].flip(2)) and torch.equal(down, views[1].flip(1))


def test_the_exported_network_says_what_the_weights_say(tmp_path: Path) -> None:
    net = network.Lite("lite0").eval()
    for head in (net.mirror, net.tilt):
        torch.nn.init.normal_(head.weight, std=0.05)
    export.export_onnx(HeadsIn(net), tmp_path / "heads.onnx", 64)
    pixels = np.stack([marked(seed) for seed in range(3)])
    said = export.Model.open(tmp_path / "heads.onnx").logits(pixels)
    views = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        wanted = np.stack([scores(net, views).numpy(), tilts(net, views).numpy()], 1)
    assert said.shape == (3, 3) and np.abs(said[:, :2] - wanted).max() < 0.05
    assert (said[:, 2] > 0).all()


def test_a_tilted_photograph_is_straight_after_its_tilt() -> None:
    level = Image.new("L", (400, 300), 255)
    ImageDraw.Draw(level).rectangle((0, 150, 400, 300), fill=0)
    ((tilted, degrees),) = tilted_photos(iter([level.convert("RGB")]))
    pixels = np.asarray(tilted)
    assert abs(degrees) > 1 and pixels[0].min() > 200, "no corner of what lies beyond shows"
    wide, high = tilted.width // 4, tilted.height // 4
    for clockwise, straight in ((degrees, True), (-degrees, False)):
        middle = np.asarray(tilted.convert("L").rotate(-clockwise))[high:-high, wide:-wide]
        assert bool(np.ptp((middle > 128).sum(0)) <= 2) is straight


def test_nothing_that_calibrates_counts_as_mirrored() -> None:
    random = np.random.default_rng(0)
    leads = np.stack([random.normal(-3, 1.5, 300), random.integers(4, 13, 300)], 1)
    photographs = np.stack([random.normal(0, 0.2, 40), np.full(40, 5)], 1)
    found = mirror_calibration(leads, photographs)
    behind = -leads[:, 0] * leads[:, 1] ** found.growth
    assert found.mirrored > (-behind).max() and (behind >= found.mirrored).mean() > 0.5
    assert found.plain == -found.mirrored / 2
    assert mirror_calibration(leads, np.zeros((0, 2))).mirrored > 0, "a folder of nothing but pages"
    photographs[0] = 4, 5
    assert mirror_calibration(leads, photographs).mirrored > 4 * 5**found.growth


def test_two_thirds_of_the_tilts_lie_within_their_standard_error() -> None:
    random = np.random.default_rng(0)
    deviations = random.uniform(1, 4, 2000)
    found = tilt_calibration(np.stack([random.normal(0, deviations), deviations], 1))
    assert abs(found.factor - 1) < 0.1 and 1 < found.least < 2
