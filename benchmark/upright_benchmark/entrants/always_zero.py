"""Leaves every picture as it is: what a picture is worth without a program."""

from upright_benchmark.entrants import Answer

NAME, SOURCE, LICENCE, INSTALL, PACKAGES = "always 0", "", "", "", ()


def start():
    return lambda path: Answer(0)
