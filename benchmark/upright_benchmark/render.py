"""The rendered part: every script with every kind once, hard forms of some, and pictures without an up, from one seed.

The same seed, Babel, fonts and libraries give the same pictures. They are drawn by this package's own code, not by that
of a training set, so that a model which learnt from rendered pages does not know these."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from upright_benchmark.capture import CAPTURES
from upright_benchmark.harden import HARD, QUALITY, no_up
from upright_benchmark.layouts import KINDS
from upright_benchmark.pictures import LIST, NO_UP, PLAIN, Picture, read_list, sha256_of, write_list
from upright_benchmark.scripts import BY_CODE, SCRIPTS

SEED = 2026
HARD_EACH, NO_UP_PICTURES = 20, 25
FONT_PACKAGES = "fontconfig fonts-noto-core fonts-noto-cjk"


@dataclass(frozen=True)
class Task:
    """One picture to render. `seed` decides everything that is not said here."""

    id: str
    seed: tuple[int, ...]
    kind: str = ""
    script: str = ""
    dpi: int = 0
    capture: str = ""
    hardness: str = PLAIN


def plan(seed: int = SEED) -> list[Task]:
    """605 tasks: 40 scripts x 12 kinds, a third of them at 300 dpi; then five hard forms of 20 and 25 without an up."""
    rng = np.random.default_rng(seed)
    plain = []
    for s, script in enumerate(SCRIPTS):
        for k, (kind, (_, _, captures)) in enumerate(KINDS.items()):
            dpi = 300 if (s + k) % 3 == 0 else 150
            capture = captures[rng.integers(len(captures))]
            plain.append(Task(f"{kind}-{script.code}", (seed, s, k), kind, script.code, dpi, capture))
    chosen = rng.permutation(len(plain))[: HARD_EACH * len(HARD)]
    hard = []
    for number, hardness in enumerate(HARD):
        for i in chosen[number * HARD_EACH : (number + 1) * HARD_EACH]:
            task = plain[i]
            # The small form would cost a sheet of 300 dpi for nothing.
            hard.append(Task(f"{task.id}-{hardness}", task.seed, task.kind, task.script, 150, task.capture, hardness))
    blank = [Task(f"no-up-{i:02d}", (seed, 1000, i), hardness=NO_UP) for i in range(NO_UP_PICTURES)]
    return [*plain, *hard, *blank]


def smaller(tasks: Sequence[Task], number: int) -> list[Task]:
    """A small form of the plan: `number` tasks, evenly through it, so that all kinds, scripts and forms have a part."""
    step = max(1, len(tasks) / max(1, number))
    return [tasks[int(i * step)] for i in range(min(number, len(tasks)))]


def render(task: Task, folder: Path) -> Picture:
    """Renders one picture to `<folder>/<id>.jpg` and says what is known of it."""
    path = folder / f"{task.id}.jpg"
    rng = np.random.default_rng(task.seed)
    if task.hardness == NO_UP:
        no_up(rng).save(path, "JPEG", quality=QUALITY)
        return Picture(task.id, path.name, "rendered", "none", "texture", hardness=NO_UP, document=task.id,
                       sha256=sha256_of(path), credit="own work, CC0-1.0")  # fmt: skip
    draw, group, _ = KINDS[task.kind]
    sheet = draw(rng, BY_CODE[task.script], task.dpi)
    image, tilt = CAPTURES[task.capture](rng, sheet.image, task.dpi)
    if task.hardness != PLAIN:
        image, more = HARD[task.hardness](rng, image)
        # Mirroring turns what was askew clockwise into as much counterclockwise.
        tilt = -tilt if task.hardness == "mirrored" else tilt + (more or 0)
    dpi = 0 if task.hardness == "small" else task.dpi
    image.convert("RGB").save(path, "JPEG", quality=QUALITY, **({"dpi": (dpi, dpi)} if dpi else {}))
    return Picture(
        id=task.id,
        file=path.name,
        part="rendered",
        group=group,
        kind=task.kind,
        script=task.script,
        hardness=task.hardness,
        document=f"{task.kind}-{task.script}",
        dpi=dpi,
        capture=task.capture,
        tilt=f"{tilt:.2f}",
        mirrored=int(task.hardness == "mirrored"),
        sha256=sha256_of(path),
        credit="own work, CC0-1.0",
    )


def render_all(
    tasks: Sequence[Task], folder: Path, workers: int, progress: Callable[[int, int], object] = lambda done, of: None
) -> list[Picture]:
    """Renders what is not there yet and writes the folder's list. Raises MissingFonts before it draws anything."""
    check_fonts()
    folder.mkdir(parents=True, exist_ok=True)
    there = {picture.id: picture for picture in read_list(folder)} if (folder / LIST).exists() else {}
    intact = {i: p for i, p in there.items() if (folder / p.file).exists() and sha256_of(folder / p.file) == p.sha256}
    todo = [(task, folder) for task in tasks if task.id not in intact]
    os.environ.setdefault("VIPS_CONCURRENCY", "1")  # inherited: one thread a worker
    with multiprocessing.get_context("spawn").Pool(min(workers, max(1, len(todo)))) as pool:
        for number, picture in enumerate(pool.imap(_render, todo, chunksize=2), 1):
            intact[picture.id] = picture
            progress(number, len(todo))
    pictures = [intact[task.id] for task in tasks]
    write_list(pictures, folder)
    return pictures


def _render(arguments: tuple[Task, Path]) -> Picture:
    return render(*arguments)


class MissingFonts(Exception):
    """A font of the plan is not installed: another one would be drawn, and the figures would not compare."""


def check_fonts() -> None:
    """Raises MissingFonts, with what to install, unless every Noto family of the scripts is there."""
    remedy = f"apt-get install {FONT_PACKAGES}"
    try:
        listed = subprocess.run(["fc-list", ":", "family"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingFonts(f"fc-list does not run, which lists the fonts: {remedy}") from error
    families = {name for line in listed.splitlines() for name in line.split(",")}
    if missing := sorted({font for script in SCRIPTS for font in script.fonts} - families):
        raise MissingFonts(f"no font {', '.join(missing)}: {remedy}")
