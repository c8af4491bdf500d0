"""deep-image-orientation-detection (EfficientNetV2-S): its ONNX file, read as its README and validation code say.

DEEP_IMAGE_ORIENTATION names the file. Class k was trained as a picture turned counterclockwise by 90 k degrees."""

import os

from upright_benchmark.entrants import Answer, Missing

NAME = "deep-image-orientation-detection"
SOURCE, LICENCE = "github.com/duartebarbosadev/deep-image-orientation-detection", "MIT"
INSTALL, PACKAGES = "its ONNX file in DEEP_IMAGE_ORIENTATION", ("onnxruntime",)
SIDE, MARGIN = 384, 16
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def start():
    weights = os.environ.get("DEEP_IMAGE_ORIENTATION")
    if not weights:
        raise Missing(f"its weights are not at hand: {INSTALL}")
    try:
        import numpy as np
        import onnxruntime
        from PIL import Image, ImageOps
    except ImportError as error:
        raise Missing("not installed: pip install onnxruntime numpy pillow") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def detect(path):
        with Image.open(path) as image:
            shown = ImageOps.exif_transpose(image).convert("RGB")
        side = SIDE + 2 * MARGIN
        part = shown.resize((side, side), Image.Resampling.BILINEAR).crop(
            (MARGIN, MARGIN, MARGIN + SIDE, MARGIN + SIDE)
        )
        values = (np.asarray(part, np.float32) / 255 - np.float32(MEAN)) / np.float32(DEVIATION)
        logits = session.run(None, {name: values.transpose(2, 0, 1)[None]})[0][0]
        scores = np.exp(logits - logits.max())
        return Answer(90 * int(scores.argmax()), float(scores.max() / scores.sum()))

    return detect
