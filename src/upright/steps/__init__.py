"""The ladder of looks: what each step shows the model, and what its answers add up to.

A step is one entry of `LADDER` and its calibration in ``model.json``. ``effort`` says how far up a decision
may climb.
"""

from .close import CLOSE
from .quarters import QUARTERS
from .step import Step
from .view import Looks, View, render
from .whole import GLANCE, OPPOSITE, TURNED

LADDER: tuple[Step, ...] = (GLANCE, OPPOSITE, TURNED, QUARTERS, CLOSE)

__all__ = ["LADDER", "Looks", "Step", "View", "render"]
