"""The seed's server: Flask, the model loaded once, and for each request a full decode and one inference.

Only `bench/service.py` starts it. It is written as the seed's article writes it, with the same model as ours.
"""

from __future__ import annotations

import logging
import sys

import cv2
import numpy as np
from flask import Flask, Response, jsonify, request

from upright.model import load_model

# isort: split
# Importing upright turns off what onnxruntime would send.
import onnxruntime as ort

model = load_model()
session = ort.InferenceSession(str(model.onnx_path), providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
app = Flask(__name__)


@app.route("/rotate", methods=["POST"])
def rotate() -> Response:
    data = np.frombuffer(request.files["image"].read(), np.uint8)
    pixels = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    side = model.input_size_px
    view = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    logits = session.run(None, {name: view[None]})[0][0]
    return jsonify({"suggested_angle": int(model.turns[int(logits.argmax())])})


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
