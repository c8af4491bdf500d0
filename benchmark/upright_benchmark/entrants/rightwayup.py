"""RightWayUp: photographs at any angle, with abstention. RIGHTWAYUP_MODEL_DIR names its weights; tier "fast"."""

import os

from upright_benchmark.entrants import Missing
from upright_benchmark.entrants.angles import nearest

NAME, SOURCE, LICENCE = "RightWayUp fast", "github.com/ortusaitech/rightwayup", "Apache-2.0"
INSTALL, PACKAGES = "pip install rightwayup, and its weights in RIGHTWAYUP_MODEL_DIR", ("rightwayup", "onnxruntime")


def start():
    folder = os.environ.get("RIGHTWAYUP_MODEL_DIR")
    if not folder:
        raise Missing(f"its weights are not at hand: {INSTALL}")
    try:
        from rightwayup import Orienter
    except ImportError as error:
        raise Missing(f"not installed: {INSTALL}") from error
    orienter = Orienter(tier="fast", device="cpu", model_dir=folder, threads=1)

    def detect(path):
        said = orienter.predict(path)
        return nearest(-said.angle_cw, said.confidence, not said.abstain)

    return detect
