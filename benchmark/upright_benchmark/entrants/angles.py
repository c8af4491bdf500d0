"""For programs that answer with any angle: its nearest quarter turn, and what is left over as tilt."""

from upright_benchmark.entrants import Answer


def nearest(clockwise, confidence, sure=True):
    """The answer of a program that would turn the picture clockwise by `clockwise` degrees."""
    quarter = round(clockwise / 90)
    turn = quarter * 90 % 360
    return Answer(turn if sure else None, confidence, turn, clockwise - quarter * 90)
