import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from training import augment, convolution, data, finetune, network
from training.distill import Distillation
from training.pictures import Pictures
from training.recipe import Group, Recipe
from training.tests.toy import landscape, noise, shard
from training.train import Trainer, accuracy, look

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tiny(**changes: object) -> Recipe:
    """Small views, few steps, from ImageNet."""
    group = Group({"photo": 1.0}, views=12, size_px=64, judge_px=64, weight=1.0, wear="photo")
    return dataclasses.replace(
        Recipe.read(Path("recipes/miniature.toml"), steps=25, minutes=5.0, group=[]),
        frozen_blocks=0, group=[group], **changes,
    )  # fmt: skip


def landscapes(number: int = 60) -> Pictures:
    images = [landscape(seed) for seed in range(number)]
    hashes = np.array([data.difference_hash(image) for image in images], np.uint64)
    pool = data.Pool(np.stack([np.asarray(image) for image in images]), [str(n) for n in range(number)], hashes)
    split = data.Split(np.arange(number - 16), np.arange(number - 16, number), np.arange(0))
    return Pictures({"photo": pool}, {"photo": split}, torch.device("cpu"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_are_whole(path: Path) -> None:
    recipe = Recipe.read(path)
    assert recipe.variant in network.VARIANTS and recipe.group
    assert abs(sum(group.weight for group in recipe.group) - 1) < 1e-9 or path.stem == "finetune"
    if "read" in path.stem:  # what teaches to read: 40 % of the views of text are windows at reading size
        views = {group.wear: group.views for group in recipe.group}
        assert views["read"] >= 0.4 * (views["read"] + views["text"])


def test_unknown_fields_are_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text(RECIPES[0].read_text().replace("variant", "varient"))
    with pytest.raises(ValueError, match=r"wrong\.toml"):
        Recipe.read(tmp_path / "wrong.toml")


def test_it_learns_and_leaves_weights_that_know_it(tmp_path: Path) -> None:
    trainer = Trainer(tiny(), landscapes(), tmp_path, torch.device("cpu"))
    before = trainer.judge(100)["photo"]["one"]
    after = trainer.run()["photo"]["one"]
    assert before < 0.6 and after > 0.85
    net, facts = network.load(tmp_path / "best.safetensors")
    assert facts["views"] == 25 * 12
    assert accuracy(look(net, trainer.pictures.tune["photo"], 64)) == pytest.approx(after)
    line = json.loads((tmp_path / "judgements.jsonl").read_text().splitlines()[-1])
    assert line["step"] == 25 and line["photo"]["pictures"] == 16


def test_a_run_is_taken_up_where_it_stood(tmp_path: Path) -> None:
    """Two sittings of 3 steps draw the same pictures and end at the same weights as one of 6."""
    whole = Trainer(tiny(steps=6), landscapes(), tmp_path / "whole", torch.device("cpu"))
    halves = Trainer(tiny(steps=6), landscapes(), tmp_path / "halves", torch.device("cpu"))
    whole.run()
    for step in range(3):
        halves.train_step(step / 6)
    halves.checkpoint()
    again = Trainer(tiny(steps=6), landscapes(), tmp_path / "halves", torch.device("cpu"))
    again.resume()
    assert again.step == 3 and again.views == 36
    again.run()
    for name, value in whole.net.state_dict().items():
        assert torch.allclose(value, again.net.state_dict()[name], atol=1e-5), name


def test_frozen_blocks_stay_and_are_let_go(tmp_path: Path) -> None:
    recipe = tiny(steps=4)
    recipe = dataclasses.replace(recipe, frozen_blocks=4, unfreeze_at=0.5)
    trainer = Trainer(recipe, landscapes(), tmp_path, torch.device("cpu"))
    stem, first = trainer.net._conv_stem.weight, trainer.net._conv_stem.weight.detach().clone()
    trainer.train_step(0.0)
    assert torch.equal(stem, first) and trainer.frozen == 4
    trainer.run()
    assert not torch.equal(stem, first) and trainer.frozen == 0


def test_a_run_ends_with_whole_pictures(tmp_path: Path) -> None:
    trainer = Trainer(dataclasses.replace(tiny(), calm_at=0.7), landscapes(), tmp_path, torch.device("cpu"))
    wears = []
    views = trainer.augment

    def noted(pictures: torch.Tensor, size_px: int, wear: augment.Wear) -> tuple[torch.Tensor, augment.Labels]:
        wears.append(wear)
        return views(pictures, size_px, wear)

    trainer.augment = noted  # type: ignore[assignment]
    noted.random = views.random  # type: ignore[attr-defined]
    for progress in (0.0, 0.69, 0.71):
        trainer.train_step(progress)
    first, second, last = wears
    assert first == second and last == dataclasses.replace(first, whole=0.75) != first


def test_a_student_of_a_perfect_teacher_agrees_with_it(tmp_path: Path) -> None:
    trainer = Trainer(tiny(steps=15), landscapes(), tmp_path / "teacher", torch.device("cpu"))
    trainer.run()
    teacher = trainer.average
    loss = Distillation(teacher, share=1.0, temperature=2.0)
    views = torch.rand(4, 3, 64, 64) * 255
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=convolution.half_pays(torch.device("cpu"))):
        taught = teacher(views).float()
    turns = torch.zeros(4, dtype=torch.long)
    assert loss(views, taught, turns).item() == pytest.approx(0, abs=1e-5)
    assert loss(views, taught.roll(1, 1), turns).item() > 0.01
    student = Trainer(tiny(seed=1), landscapes(), tmp_path / "student", torch.device("cpu"), loss)
    assert student.run()["photo"]["one"] > 0.85
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_sigterm_leaves_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    shard(tmp_path / "train-0.tar", {f"doc/sroie/a{n}-{n:06x}.webp": landscape(n) for n in range(40)})
    (tmp_path / "plain.toml").write_text(
        (RECIPES[0].parent / "miniature.toml").read_text().replace("frozen_blocks = 5", "frozen_blocks = 0")
    )
    command = [
        sys.executable,
        "-m",
        "training.train",
        "--recipe",
        str(tmp_path / "plain.toml"),
        "--data",
        str(tmp_path),
    ]
    command += ["--run", str(tmp_path / "run"), "--threads", "1", "--minutes", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        assert "minutes" in process.stdout.readline()
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert "--resume" in process.stdout.read()
        assert process.wait(timeout=120) == 0
    net, _ = network.load(tmp_path / "run" / "checkpoint.pt")
    assert net.variant == "lite0"


def folder(path: Path, make: object) -> Path:
    path.mkdir()
    for n in range(170):
        make(n).save(path / f"{n}.png")  # type: ignore[operator]
    return path


def adapt(tmp_path: Path, pictures: Path) -> subprocess.CompletedProcess[str]:
    network.save(tmp_path / "first.safetensors", network.imagenet("lite0"), {"views": 0})
    recipe = (RECIPES[0].parent / "finetune.toml").read_text()
    changes = {"steps = 0": "steps = 20", "size_px = 208": "size_px = 80", "judge_px = 224": "judge_px = 80"}
    changes |= {"jitter_px = 16": "jitter_px = 0", "5e-5": "1e-3", "2e-4": "4e-3", "views = 24": "views = 12"}
    for usual, quick in changes.items():
        assert usual in recipe
        recipe = recipe.replace(usual, quick)
    (tmp_path / "quick.toml").write_text(recipe)
    command = [sys.executable, "-m", "training.finetune", "--pictures", str(pictures), "--threads", "1", "--size", "80"]
    command += ["--model", str(tmp_path / "first.safetensors"), "--recipe", str(tmp_path / "quick.toml")]
    return subprocess.run(
        [*command, "--out", str(tmp_path / "out")], capture_output=True, text=True, timeout=600, check=False
    )


def test_an_adapted_model_is_exported_where_it_is_better(tmp_path: Path) -> None:
    done = adapt(tmp_path, folder(tmp_path / "pictures", landscape))
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "out" / "model" / "model.json").read_text())
    assert facts["turns"] == [0, 90, 180, 270]
    assert facts["metrics"]["after"] > facts["metrics"]["before"] + 0.2
    assert (tmp_path / "out" / "model" / "model.onnx").exists()


def test_what_is_not_better_is_refused(tmp_path: Path) -> None:
    done = adapt(tmp_path, folder(tmp_path / "pictures", noise))
    assert done.returncode == 1
    assert "not shown to be better" in done.stderr and "nothing was exported" in done.stderr
    assert not (tmp_path / "out" / "model").exists() and not (tmp_path / "out" / "best.safetensors").exists()


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for n in range(5):
        landscape(n).save(tmp_path / "pictures" / f"{n}.png")
    done = adapt(tmp_path, tmp_path / "pictures")
    assert done.returncode == 1 and "give more pictures" in done.stderr


def test_better_needs_more_than_chance() -> None:
    def answers(right: int) -> np.ndarray:
        """60 pictures, of which so many are answered rightly in all four showings, the others always 0."""
        logits = np.zeros((60, 4, 4))
        logits[:, :, 0] = 1
        logits[:right] = np.eye(4)
        return logits

    assert finetune.Comparison.of(answers(20), answers(30)).better
    few = finetune.Comparison.of(answers(20), answers(23))
    assert few.more_right == 3 and few.chance == pytest.approx(1 / 8) and not few.better
    assert not finetune.Comparison.of(answers(20), answers(20)).better
