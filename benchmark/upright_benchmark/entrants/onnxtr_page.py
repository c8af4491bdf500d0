"""docTR's page orientation network by way of OnnxTR. Its class is the counterclockwise turn that sets the page upright.

It downloads its weights; ONNXTR_PAGE_ORIENTATION names a file instead."""

import os

from upright_benchmark.entrants import Answer, Missing

NAME, SOURCE, LICENCE = "docTR/OnnxTR page", "github.com/felixdittrich92/OnnxTR", "Apache-2.0"
INSTALL, PACKAGES = 'pip install "onnxtr[cpu-headless]"; it downloads its weights', ("onnxtr", "onnxruntime")


def start():
    try:
        import numpy as np
        from onnxtr.models import mobilenet_v3_small_page_orientation, page_orientation_predictor
        from PIL import Image
    except ImportError as error:
        raise Missing(f"not installed: {INSTALL}") from error
    try:
        weights = os.environ.get("ONNXTR_PAGE_ORIENTATION")
        arch = mobilenet_v3_small_page_orientation(*([weights] if weights else []))
    except (OSError, ValueError) as error:
        raise Missing(f"its weights are not at hand: {error}") from error
    predictor = page_orientation_predictor(arch)

    def detect(path):
        with Image.open(path) as image:
            _, classes, confidences = predictor([np.asarray(image.convert("RGB"))])
        return Answer(-int(classes[0]) % 360, float(confidences[0]))

    return detect
