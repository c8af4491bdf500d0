"""The first row of bench/stages.py: one picture the way scripts do it, in its own process.

Run by path, with nothing of upright imported: torch and the model are loaded, the picture is decoded whole,
shrunk by Lanczos, decided in float32, turned and compressed again.
"""

import json
import sys
import time
import warnings
from typing import Any


def main(model: str, picture: str, target: str, size_px: int, turns: list[int]) -> None:
    """Print the seconds of each stage as JSON."""
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    import numpy as np
    import torch
    from PIL import Image, ImageOps

    jit: Any = torch.jit
    net = jit.load(model).eval()
    loaded = time.perf_counter()
    image = ImageOps.exif_transpose(Image.open(picture)).convert("RGB")
    pixels = np.asarray(image.resize((size_px, size_px), Image.Resampling.LANCZOS))
    ready = time.perf_counter()
    with torch.no_grad():
        turn = turns[int(net(torch.from_numpy(pixels.copy())[None]).argmax())]
    decided = time.perf_counter()
    # Pillow turns counterclockwise.
    image.rotate(-turn, expand=True).save(target, "JPEG", quality=95)
    saved = time.perf_counter()
    stages = {"load": loaded - started, "preprocess": ready - loaded, "infer": decided - ready, "save": saved - decided}
    print(json.dumps(stages))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), json.loads(sys.argv[5]))
