"""Pools of rendered pictures: many seeds, in worker processes, into one .npy file."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections.abc import Iterator, Sequence

import numpy as np

from training.synth import render
from training.synth.windows import render_window

_photos: np.ndarray | None = None


def _open_photos(path: str | None) -> None:
    global _photos
    _photos = np.load(path, mmap_mode="r") if path else None


def _render(task: tuple[int, str | None, str | None, bool]) -> np.ndarray:
    seed, kind, script, windows = task
    return (render_window if windows else render)(seed, kind, script, _photos)


def rendered(
    seeds: range,
    kinds: Sequence[str] | None,
    photos: str | None,
    workers: int,
    windows: bool = False,
    scripts: Sequence[str] | None = None,
) -> Iterator[np.ndarray]:
    """The pictures of `seeds` in order, uint8 [288, 288, 3], or windows at reading size, [224, 224, 3].

    `kinds` and `scripts` are taken in turn, `photos` is a .npy path."""
    os.environ.setdefault("VIPS_CONCURRENCY", "1")  # inherited by the workers: one thread each
    turns = zip(seeds, itertools.cycle(kinds or [None]), itertools.cycle(scripts or [None]), strict=False)
    tasks = [(seed, kind, script, windows) for seed, kind, script in turns]
    with multiprocessing.get_context("spawn").Pool(workers, _open_photos, (photos,)) as pool:
        yield from pool.imap(_render, tasks, chunksize=8)
