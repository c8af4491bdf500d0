"""upright with the promise "careful"."""

from upright_benchmark.entrants.upright_detector import INSTALL, LICENCE, PACKAGES, SOURCE, starter

NAME = "upright, careful"
start = starter("careful")
__all__ = ["INSTALL", "LICENCE", "NAME", "PACKAGES", "SOURCE", "start"]
