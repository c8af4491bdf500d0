"""upright with the promise "best"."""

from upright_benchmark.entrants.upright_detector import INSTALL, LICENCE, PACKAGES, SOURCE, starter

NAME = "upright, best"
start = starter("best")
__all__ = ["INSTALL", "LICENCE", "NAME", "PACKAGES", "SOURCE", "start"]
