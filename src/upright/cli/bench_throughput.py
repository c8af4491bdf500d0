"""How near a run comes to what decoder and engine alone cost."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..detector import Detector

#: 4032 x 3024: what phones write.
SIDES_PX = (4032, 3024)


def make_pictures(folder: Path, count: int) -> list[Path]:
    """JPEGs of 12 megapixels with the detail of photographs, always the same."""
    import numpy as np
    from PIL import Image

    chance = np.random.default_rng(0)
    paths = [folder / f"{index:04}.jpg" for index in range(count)]
    kinds = []
    for _ in range(min(count, 4)):
        # Noise at every scale, as in natural pictures, whose spectrum falls with frequency.
        layers = [
            Image.fromarray(chance.integers(0, 256, (3 * n, 4 * n, 3), dtype=np.uint8)).resize(SIDES_PX)
            for n in (4, 30, 200)
        ]
        mixed = Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.25)
        data = io.BytesIO()
        mixed.save(data, "JPEG", quality=90)
        kinds.append(data.getvalue())
    for index, path in enumerate(paths):
        path.write_bytes(kinds[index % len(kinds)])
    return paths


def floor_cpu_s(detector: Detector, paths: list[Path]) -> float:
    """CPU seconds for each picture of the bare 1/8 decode and one view, in one thread and nothing else."""
    import numpy as np
    from PIL import Image

    size = detector.model.input_size_px
    view = np.zeros((1, size, size, 3), np.uint8)
    detector.engine.infer(view)
    started = time.thread_time()
    for path in paths:
        with Image.open(path) as image:
            image.draft("RGB", (image.width // 8, image.height // 8))
            image.load()
        detector.engine.infer(view)
    return (time.thread_time() - started) / len(paths)


def measure(detector: Detector, paths: list[Path], folder: Path, workers: int, run: str) -> dict[str, float]:
    """One run: pictures a second, CPU seconds each, stages at a time."""
    from ..results_file import ResultsFile
    from ..run import Tally, work
    from ..sources import find_items

    tally = Tally()
    with ResultsFile(folder / f"{run}-{workers}.jsonl") as results:
        for outcome in work(find_items(map(str, paths)), detector, workers=workers, ordered=False):
            results.append(outcome)
            tally.add(outcome)
    return {
        "workers": workers,
        "pictures_per_s": tally.done / tally.wall_s,
        "cpu_s": tally.cpu_s / tally.done,
        "processors_used": tally.cpu_s / tally.wall_s,
        "stages_at_a_time": tally.overlap,
    }
