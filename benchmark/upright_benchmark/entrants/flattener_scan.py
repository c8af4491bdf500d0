"""flattener-scan: the orientation step of a document scanner, on the whole picture. FLATTENER_ORIENT names its network.

`k` counts clockwise quarter turns of the text's up; as many counterclockwise turns set the page upright."""

import os

from upright_benchmark.entrants import Answer, Missing

NAME, SOURCE, LICENCE = "flattener-scan", "github.com/deveworld/flattener", "Apache-2.0"
INSTALL = "pip install flattener-scan (Python 3.12), and its orientation network in FLATTENER_ORIENT"
PACKAGES = ("flattener-scan", "onnxruntime")


def start():
    weights = os.environ.get("FLATTENER_ORIENT")
    if not weights:
        raise Missing(f"its weights are not at hand: {INSTALL}")
    try:
        import numpy as np
        from flattener.scan.orient import DEFAULT_TEMPERATURE, OrientConfig, Orienter
        from PIL import Image
    except ImportError as error:
        raise Missing(f"not installed: {INSTALL}") from error
    orienter = Orienter.load_onnx(weights, OrientConfig(), temperature=DEFAULT_TEMPERATURE, threshold=0.9)

    def detect(path):
        with Image.open(path) as image:
            said = orienter.predict(np.asarray(image.convert("RGB")))
        turn = -90 * int(said.k) % 360
        return Answer(turn if said.accepted else None, float(said.confidence), turn)

    return detect
