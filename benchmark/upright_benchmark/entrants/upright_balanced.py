"""upright with the promise "balanced"."""

from upright_benchmark.entrants.upright_detector import INSTALL, LICENCE, PACKAGES, SOURCE, starter

NAME = "upright, balanced"
start = starter("balanced")
__all__ = ["INSTALL", "LICENCE", "NAME", "PACKAGES", "SOURCE", "start"]
