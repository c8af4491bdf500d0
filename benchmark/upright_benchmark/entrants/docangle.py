"""docangle: any angle of Latin-script pages, counterclockwise, with a review flag.

DOCANGLE_MODELS_DIR names the folder of its weights. Its code is MIT; its weights are for research and evaluation."""

import os

from upright_benchmark.entrants import Missing
from upright_benchmark.entrants.angles import nearest

NAME, SOURCE, LICENCE = "docangle", "github.com/KazimMammadli/docangle", "MIT; weights for research"
INSTALL, PACKAGES = "pip install docangle, and its weights in DOCANGLE_MODELS_DIR", ("docangle", "onnxruntime")


def start():
    if not os.environ.get("DOCANGLE_MODELS_DIR"):
        raise Missing(f"its weights are not at hand: {INSTALL}")
    try:
        from docangle import get_pipeline
    except ImportError as error:
        raise Missing(f"not installed: {INSTALL}") from error
    pipeline = get_pipeline()

    def detect(path):
        said = pipeline.predict(path)
        # A page turned counterclockwise by `angle` is set upright by the same angle clockwise.
        return nearest(said.angle or 0.0, said.confidence, said.angle is not None and not said.needs_review)

    return detect
