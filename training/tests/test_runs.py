"""The scripts of `runs/`, end to end with tiny budgets."""

import os
import subprocess
import sys
import tarfile
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


def module(name: str, *arguments: object) -> str:
    command = [sys.executable, "-m", name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tiny(recipe: str, path: Path, **changes: str) -> Path:
    """The recipe with two steps of two small views."""
    text = (RECIPES / recipe).read_text()
    for line in text.splitlines():
        name = line.partition(" = ")[0]
        small = {"steps": "2", "views": "2", "size_px": "64", "judge_px": "64", "photo_px": "64", "text_px": "64"}
        small |= {"jitter_px": "0", "first_size": "1.0", **changes}
        if name in small:
            text = text.replace(line, f"{name} = {small[name]}")
    path.write_text(text)
    return path


def test_a_sitting_takes_up_pieces_that_come_later(tmp_path: Path) -> None:
    """Packed by the rule of what is held out, trained from the first piece, the second one taken up on the way."""
    (tmp_path / "data").mkdir()
    members = {f"photo/coco/a{n}-{n:08x}.webp": landscape(n, 160) for n in range(40)}
    members |= {f"photo/elliot/h{n}-{n:08x}.webp": landscape(50 + n, 160) for n in range(4)}
    shard(tmp_path / "data" / "train-a.tar", members)
    rendered = np.stack([np.asarray(landscape(100 + n, 224)) for n in range(24)])
    np.save(tmp_path / "windows.npy", np.concatenate([rendered, np.zeros_like(rendered)]))  # half of it rendered so far
    pieces, home = tmp_path / "pieces", tmp_path / "run"
    packing = ["pack", "--data", tmp_path / "data", "--synth-read", tmp_path / "windows.npy", "--out", tmp_path / "all"]
    printed = module("training.sitting", *packing, "--start", "nothing", "--pieces", "2")
    split = data.Split.by_rule(data.read_shards([tmp_path / "data"], 64, 64)["photo"])
    assert f"'photo': {len(split.train)}" in printed and "'synth-read': 23" in printed and len(split.tune)
    pieces.mkdir()
    (tmp_path / "all" / "piece-00.tar").rename(pieces / "piece-00.tar")
    recipe = tiny("read-gpu.toml", tmp_path / "tiny.toml", steps="0")
    command = [
        sys.executable,
        "-m",
        "training.sitting",
        "train",
        str(pieces),
        "--recipe",
        str(recipe),
        "--run",
        str(home),
    ]
    with subprocess.Popen([*command, "--minutes", "30"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = next(line for line in process.stdout if line.startswith("pictures"))
        (tmp_path / "all" / "piece-01.tar").rename(pieces / "piece-01.tar")
        second = next(line for line in process.stdout if line.startswith("pictures"))
        (home / "minutes").write_text("0.01")
        process.stdout.read()
        assert process.wait(timeout=300) == 0
    assert first != second and f"'photo': {len(split.train)}" in second and "'synth-read': 23" in second
    net, facts = network.load(home / "best.safetensors")
    assert net.variant == "lite2" and facts["views"] > 0


def test_a_sitting_is_made_ready_by_one_command(tmp_path: Path) -> None:
    """Rendered, doubted and packed; called again, it makes nothing anew."""
    (tmp_path / "data").mkdir()
    shard(tmp_path / "data" / "train-a.tar", {f"photo/coco/a{n}-{n:08x}.webp": landscape(n, 160) for n in range(12)})
    network.save(tmp_path / "start.safetensors", *network.start("nothing", "lite2"))
    work = tmp_path / "work"
    few = {"START": tmp_path / "start.safetensors", "PAGES": 6, "WINDOWS": 7, "PIECES": 2}
    script("gpu.sh", tmp_path / "data", work, 1, timeout_s=300, **few)
    assert [len(np.load(work / f"{name}.npy", mmap_mode="r")) for name in ("synth", "windows")] == [6, 7]
    made = {path: path.stat().st_mtime_ns for path in work.rglob("*.*") if path.name != "code.tar"}
    pieces = sorted((work / "pieces").iterdir())
    assert [piece.name for piece in pieces] == ["piece-00.tar", "piece-01.tar"]
    with tarfile.open(work / "code.tar") as code, tarfile.open(pieces[0]) as first:
        assert {"training/sitting.py", "training/recipes/read-on-gpu.toml"} <= set(code.getnames())
        assert {"start.safetensors", "manifest.json"} <= set(first.getnames())
    script("gpu.sh", tmp_path / "data", work, 1, timeout_s=300, **few)
    assert made == {path: path.stat().st_mtime_ns for path in work.rglob("*.*") if path.name != "code.tar"}


def test_the_miniature_learns(tmp_path: Path) -> None:
    """Rendered pages, ImageNet, and far more right answers than chance gives, in half of the steps."""
    recipe = (RECIPES / "miniature.toml").read_text()
    assert "\nsteps = 100\n" in recipe
    (tmp_path / "half.toml").write_text(recipe.replace("\nsteps = 100\n", "\nsteps = 50\n"))
    few = {"RECIPE": tmp_path / "half.toml", "PAGES": 240}
    assert "never saw" in script("miniature.sh", tmp_path, timeout_s=900, **few)
