"""The scripts of `runs/`, end to end with tiny budgets."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from training import data, network
from training.tests.toy import landscape, shard

RUNS = Path(__file__).parents[1] / "runs"
RECIPES = Path(__file__).parents[1] / "recipes"


def script(name: str, *arguments: object, timeout_s: float, **environment: object) -> str:
    done = subprocess.run(
        ["bash", str(RUNS / name), *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout_s, check=False, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHON": sys.executable, **{key: str(value) for key, value in environment.items()}},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tiny(recipe: str, path: Path) -> Path:
    """The recipe with two steps of two small views."""
    text = (RECIPES / recipe).read_text()
    for line in text.splitlines():
        name = line.partition(" = ")[0]
        small = {"steps": "2", "views": "2", "size_px": "64", "judge_px": "64", "photo_px": "64", "text_px": "64"}
        small |= {"jitter_px": "0", "first_size": "1.0"}
        if name in small:
            text = text.replace(line, f"{name} = {small[name]}")
    path.write_text(text)
    return path


def test_a_sitting_from_pieces_to_pieces(tmp_path: Path) -> None:
    """Packed, unpacked, teacher trained, student distilled, weights taken home."""
    (tmp_path / "data").mkdir()
    members = {f"photo/coco/a{n}-{n:08x}.webp": landscape(n) for n in range(12)}
    members |= {f"photo/elliot/h{n}-{n:08x}.webp": landscape(50 + n) for n in range(4)}
    shard(tmp_path / "data" / "train-a.tar", members)
    np.save(tmp_path / "pages.npy", np.stack([np.asarray(landscape(100 + n)) for n in range(20)]))
    pieces, out, home = tmp_path / "pieces", tmp_path / "out", tmp_path / "home"
    recipes = {
        "MEDIUM": tiny("medium-gpu.toml", tmp_path / "m.toml"),
        "SMALL": tiny("small-distil.toml", tmp_path / "s.toml"),
    }
    script("gpu.sh", "pack", pieces, tmp_path / "data", tmp_path / "pages.npy", timeout_s=300, **recipes)
    sizes = [piece.stat().st_size for piece in pieces.glob("sitting.tar.*")]
    assert sum(sizes) > 20e6 and max(sizes) <= 60e6
    printed = script("gpu.sh", "train", pieces, out, 2, timeout_s=600, WORK=tmp_path / "work")
    assert "synth" in printed and '"views": 8' in printed
    assert max(piece.stat().st_size for piece in out.iterdir()) <= 15e6
    script("gpu.sh", "join", out, home, timeout_s=60)
    for name, variant in (("medium", "lite2"), ("small", "lite0")):
        net, facts = network.load(home / f"{name}.safetensors")
        assert net.variant == variant and facts["views"] == 8
        started = network.imagenet(variant).state_dict()["_blocks.5._project_conv.weight"]
        assert not np.array_equal(net.state_dict()["_blocks.5._project_conv.weight"].numpy(), started.numpy())


def test_pages_packed_as_a_shard_come_back(tmp_path: Path) -> None:
    pages = np.stack([np.asarray(landscape(n, 96)) for n in range(5)])
    data.write_shard(pages, tmp_path / "train-synth.tar")
    pool = data.read_shards([tmp_path], 64, 96)["synth"]
    assert pool.pixels.shape == pages.shape
    assert abs(pool.pixels.astype(int) - pages).mean() < 8


def test_the_miniature_learns(tmp_path: Path) -> None:
    """A minute on two cores: rendered pages, ImageNet, and far more right answers than chance gives."""
    assert "never saw" in script("miniature.sh", tmp_path, timeout_s=900)
