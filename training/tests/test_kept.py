import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training import network
from training.kept import FACTS, Front, Kept, KeptTrainer, Looking
from training.recipe import Recipe
from training.tests.test_train import landscapes, tiny
from training.train import accuracy, look

BLOCKS = 6


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def recipe(**changes: object) -> Recipe:
    return dataclasses.replace(tiny(), frozen_blocks=BLOCKS, unfreeze_at=1.1, **changes)  # type: ignore[arg-type]


def kept(folder: Path, seed: int = 1, steps: int = 8) -> Path:
    Looking(recipe(), landscapes(), folder, seed).run(steps)
    return folder


def test_what_is_kept_is_what_the_first_blocks_say(tmp_path: Path) -> None:
    looking = Looking(recipe(), landscapes(), tmp_path, 1)
    net, _ = network.start("imagenet", looking.recipe.variant)
    net.eval()
    shown = []
    drawn = looking.views
    looking.views = lambda group: shown.append(drawn(group)) or shown[-1]  # type: ignore[func-returns-value, method-assign]
    looking.run(2)
    found, turns = Kept(tmp_path, net, looking.recipe).some(0, np.arange(24))
    with torch.inference_mode():
        said = net.front(torch.cat([views for views, _ in shown]).round(), BLOCKS)
    assert torch.equal(turns, torch.cat([turns for _, turns in shown]))
    steps = (found - said).abs() / torch.tensor(looking.facts["scale"]).view(1, -1, 1, 1)
    inside = said.abs() <= 127 * torch.tensor(looking.facts["scale"]).view(1, -1, 1, 1)
    assert steps[inside].max() < 0.75 and steps[inside].mean() < 0.3, "half a step, and float16 of the weights"
    assert inside.float().mean() > 0.999


def test_the_blocks_behind_learn_and_the_first_stay(tmp_path: Path) -> None:
    folders = [kept(tmp_path / "a", 1, 30), kept(tmp_path / "b", 2, 30)]
    trainer = KeptTrainer(recipe(steps=30), landscapes(), tmp_path / "run", torch.device("cpu"), folders)
    first = [value.detach().clone() for module in trainer.net.front_modules(BLOCKS) for value in module.parameters()]
    before = trainer.judge(100)["photo"]["one"]
    after = trainer.run()["photo"]["one"]
    assert before < 0.6 and after > 0.85
    assert all(
        torch.equal(old, new)
        for old, new in zip(
            first, (value for module in trainer.net.front_modules(BLOCKS) for value in module.parameters()), strict=True
        )
    )
    net, _ = network.load(tmp_path / "run/best.safetensors")
    assert accuracy(look(net, trainer.pictures.tune["photo"], 64)) == pytest.approx(after)


def test_looks_of_all_folders_are_drawn_alike(tmp_path: Path) -> None:
    folders = [kept(tmp_path / "a", steps=2), kept(tmp_path / "b", 2, steps=6)]
    trainer = KeptTrainer(recipe(), landscapes(), tmp_path / "run", torch.device("cpu"), folders)
    drawn = [0, 0]
    for number, one in enumerate(trainer.kept):
        some = one.some

        def counted(group: int, rows: np.ndarray, number: int = number, some: object = some) -> object:
            drawn[number] += len(rows)
            return some(group, rows)  # type: ignore[operator]

        one.some = counted  # type: ignore[method-assign, assignment]
    for _ in range(40):
        trainer.train_step(0.5)
    assert sum(drawn) == 40 * 12 and 0.17 < drawn[0] / sum(drawn) < 0.33


def test_a_look_that_was_cut_off_counts_no_more(tmp_path: Path) -> None:
    folder = kept(tmp_path / "a", steps=3)
    turns, looks = folder / "group-0.turns", folder / "group-0.int8"
    with looks.open("ab") as file:
        file.write(bytes(100))
    net, _ = network.start("imagenet", recipe().variant)
    assert len(Kept(folder, net, recipe()).turns[0]) == 36
    turns.write_bytes(turns.read_bytes()[:-5])
    before = Kept(folder, net, recipe())
    assert before.looks[0].shape[0] == 31
    whole = before.looks[0].tobytes()
    kept(folder, steps=2)
    after = Kept(folder, net, recipe())
    assert len(after.turns[0]) == after.looks[0].shape[0] == 31 + 24
    assert looks.read_bytes().startswith(whole) and looks.stat().st_size == after.looks[0].nbytes
    assert not np.array_equal(after.looks[0][:12], after.looks[0][31:43]), "other views than before"


def test_looks_of_other_weights_and_sizes_are_refused(tmp_path: Path) -> None:
    folder = kept(tmp_path / "a", steps=1)
    facts = json.loads((folder / FACTS).read_text())
    with pytest.raises(ValueError, match="look again"):
        KeptTrainer(
            dataclasses.replace(recipe(), frozen_blocks=5), landscapes(), tmp_path, torch.device("cpu"), [folder]
        )
    (folder / FACTS).write_text(json.dumps(facts | {"sizes": [96]}))
    with pytest.raises(ValueError, match=r"96\] px"):
        Looking(recipe(), landscapes(), folder, 1)


def test_a_front_rounds_to_whole_steps() -> None:
    net, _ = network.start("imagenet", "lite0")
    views = torch.randint(256, (2, 64, 64, 3), dtype=torch.uint8)
    channels = net.front(torch.zeros(1, 3, 64, 64), BLOCKS).shape[1]
    said = Front(net, BLOCKS, torch.full((channels,), 1e-6))(views)
    assert said.dtype == torch.int8 and said.shape == (2, 4, 4, channels) and said.abs().max() == 127
