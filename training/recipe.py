"""What a training run is: the fields of `recipes/*.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Group:
    """One part of every step: how many views of which kinds at which size."""

    kinds: dict[str, float]  # share of each kind of pictures
    views: int
    size_px: int
    judge_px: int
    weight: float  # of its loss among the groups
    wear: str  # photo, text, read or light
    synth_share: float = 0.0  # of the views, where a synthetic pool is given
    synth: str = "synth"  # that pool: synth (whole pages) or synth-read (windows at reading size)


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a run except data and machine; its TOML has every field."""

    variant: str
    start: str  # imagenet, nothing, or a file of weights
    drop_path: float
    dropout: float
    photo_px: int
    text_px: int  # sides of the squares in memory
    minutes: float
    steps: int  # ends the run too; 0: the time alone does. For tests, which must not depend on how busy a machine is
    judge_min: float
    checkpoint_min: float
    judged: int  # pictures of each kind in a judgement on the way
    rate: float
    head_rate: float
    warm_up_steps: int
    falling: float  # the last share of the time, in which the rate falls to nothing
    weight_decay: float
    label_smoothing: float
    ema: float
    frozen_blocks: int  # stem and this many blocks stay as they are ...
    unfreeze_at: float  # ... until this share of the time
    jitter_px: int
    first_size: float  # progressive sizes: views begin at this share of their size ...
    grown_at: float  # ... and have all of it at this share of the time
    calm_at: float  # from this share of the time on most views show whole pictures, as in use
    seed: int
    group: list[Group] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, **changes: Any) -> Recipe:
        """A recipe by path, or by its path below `training/`; `changes` that are not None replace its values."""
        if not path.exists():
            path = Path(__file__).parent / path
        values = {**tomllib.loads(path.read_text()), **{k: v for k, v in changes.items() if v is not None}}
        groups = [Group(**group) for group in values.pop("group")]
        try:
            return cls(**values, group=groups)
        except TypeError as error:
            raise ValueError(f"{path}: {error}; it must have every field of training.train.Recipe once") from error
