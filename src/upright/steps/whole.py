"""The first two steps: one look at the whole picture, and the same three more ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..turns import Turn
from .step import Step
from .view import Looks, View

if TYPE_CHECKING:
    from .view import Logits


def one_look(looks: Mapping[str, Looks]) -> Logits:
    """The log-probabilities of the first look."""
    row: Logits = looks[GLANCE.name].log_probabilities[0]
    return row


def four_looks(looks: Mapping[str, Looks]) -> Logits:
    """The mean over the four turns: the model's bias towards one of its outputs cancels out."""
    mean: Logits = (one_look(looks) + looks[TURNED.name].log_probabilities.sum(axis=0)) / 4
    return mean


GLANCE = Step("glance", lambda picture, size_px: [View()], one_look)
TURNED = Step("turned", lambda picture, size_px: [View(turn=turn) for turn in Turn if turn], four_looks)
