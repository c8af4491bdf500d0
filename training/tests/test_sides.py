"""The layers behind the features: they begin with nothing, and learn what a linear head cannot."""

import subprocess
import sys

import numpy as np
import torch

from training import data, network, sides
from training.tests.toy import landscape, shard


def opinion(needed: int, features: np.ndarray) -> np.ndarray:
    """Features of a view that needs so many turns, in which only the product of two numbers tells them apart."""
    found = features.copy()
    for turn in range(4):
        found[:, 2 * turn + 1] = (
            np.abs(found[:, 2 * turn + 1]) * np.sign(found[:, 2 * turn]) * (1 if turn == needed else -1)
        )
    return found


def looks(number: int, seed: int) -> sides.Looks:
    random = np.random.default_rng(seed)
    features = np.zeros((number, 4, 3 * network.FEATURES), np.float32)
    features[:, :, :8] = random.normal(0, 1, (number, 4, 8))
    features = np.stack([opinion(needed, features[:, needed]) for needed in range(4)], 1)
    return sides.Looks(features.astype(np.float16), np.zeros((number, 4, 4), np.float32))


def right(net: network.Lite, seen: sides.Looks) -> float:
    with torch.no_grad():
        said = net.sides(torch.from_numpy(seen.features.astype(np.float32))).numpy()
    return float((said.argmax(-1) == np.arange(4)).mean())


def test_a_new_network_says_what_it_said_without_them():
    net = network.Lite("lite0").eval()
    features = torch.randn(3, 3 * network.FEATURES)
    assert torch.equal(net.turn(features), net.head(features))


def test_they_learn_what_no_linear_head_can_and_what_is_saved_is_what_was_learnt(tmp_path):
    net = network.Lite("lite0").eval()
    seen, unseen = looks(1500, 0), looks(200, 1)
    flat = np.concatenate([seen.features.reshape(-1, 3 * network.FEATURES)[:, :8], np.ones((6000, 1))], 1).astype(float)
    linear = np.linalg.lstsq(flat, np.tile(np.eye(4), (1500, 1)), rcond=None)[0]
    assert ((flat @ linear).argmax(1) == np.tile(np.arange(4), 1500)).mean() < 0.35
    loss = sides.learn(net, [seen], steps=300, rate=3e-3, dropout=0.0)
    assert loss < 0.9 and right(net, unseen) > 0.8
    network.save(tmp_path / "w.safetensors", net, {"views": 7})
    loaded, facts = network.load(tmp_path / "w.safetensors")
    assert facts["views"] == 7 and right(loaded.eval(), unseen) == right(net, unseen)


def test_views_are_the_picture_and_its_quarters_by_the_turns_that_they_need():
    pixels = np.asarray(landscape(3, 224))
    views = sides.views_of(pixels)
    assert views.shape == (8, 224, 224, 3)
    for needed in range(4):
        assert np.array_equal(views[needed], np.rot90(views[0], needed))
        quarter = np.rot90(views[4 + needed], -needed)
        top, left = needed in (1, 2), needed in (1, 0)  # clockwise from the upper left, the first needs one turn
        part = np.asarray(pixels)[0 if top else 112 :][:112, 0 if left else 112 :][:, :112]
        assert np.abs(part.astype(int) - quarter[::2, ::2]).mean() < 12


def test_the_commands_look_and_train(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    shard(folder / "train-photo.tar", {f"photo/toy/{n:08x}.webp": landscape(n) for n in range(12)})
    network.save(tmp_path / "w.safetensors", network.Lite("lite0"), {"views": 0})
    run = [sys.executable, "-m", "training.sides"]
    given = ["--weights", tmp_path / "w.safetensors"]
    subprocess.run(
        [*run, "look", *given, "--data", folder, "--pictures", "10", "--out", tmp_path / "l.npz"], check=True
    )
    kept = sides.Looks(*(np.load(tmp_path / "l.npz")[name] for name in sides.Looks._fields))
    assert kept.features.shape == (4, 8, 3840) and kept.logits.shape == (4, 8, 4)  # photographs are 40 %
    done = subprocess.run(
        [*run, "train", *given, "--looks", tmp_path / "l.npz", "--steps", "3", "--out", tmp_path / "n.safetensors"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "4 pictures, loss " in done.stdout
    before, after = (network.load(tmp_path / f"{name}.safetensors")[0].state_dict() for name in "wn")
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed <= {"sides", "head"} and "sides" in changed


def test_pictures_come_from_the_training_parts_in_the_shares_asked_for():
    pools = {"photo": data.Pool(np.zeros((20, 64, 64, 3), np.uint8), [f"photo/a/{n:08x}.webp" for n in range(20)],
                                np.arange(40, dtype=np.uint64).reshape(20, 2) * 0x123456789ABCDEF)}  # fmt: skip
    found = list(
        sides.upright(pools, set(), 10, 0, {"photo": (0.5, sides.WORN["photo"][1]), "doc": (0.5, sides.WORN["doc"][1])})
    )
    assert len(found) == 5 and {each.shape for each in found} == {(288, 288, 3)}
