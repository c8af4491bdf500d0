"""occular-deskew: OriNet and the Hough angle, in the package. Its angle is the counterclockwise turn that it makes.

Neither the package nor its repository states a licence, so nothing says that one may run it: it takes part only where
OCCULAR_DESKEW_LICENSED=1 says that somebody has a licence."""

import os

from upright_benchmark.entrants import Missing
from upright_benchmark.entrants.angles import nearest

NAME, SOURCE, LICENCE = "occular-deskew", "github.com/Bodhi42/occular-deskew", "none stated"
INSTALL, PACKAGES = "pip install occular-deskew", ("occular-deskew", "onnxruntime")


def start():
    if os.environ.get("OCCULAR_DESKEW_LICENSED") != "1":
        raise Missing("it states no licence; set OCCULAR_DESKEW_LICENSED=1 if you have one")
    try:
        from occular_deskew import detect_angle
    except ImportError as error:
        raise Missing(f"not installed: {INSTALL}") from error
    return lambda path: nearest(-float(detect_angle(path)), None)
