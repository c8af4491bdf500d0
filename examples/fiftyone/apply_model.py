"""In a clone: pip install . fiftyone, then: python examples/fiftyone/apply_model.py FOLDER

Each sample gets a classification: the clockwise turn that makes it upright, or "unsure".
"""

import sys
from typing import Any

import fiftyone as fo
from fiftyone.core.models import Model

from upright import Detector


class UprightModel(Model):  # type: ignore[misc]
    """A FiftyOne model that wraps a detector."""

    def __init__(self, **options: Any) -> None:
        self.detector = Detector(**options)

    @property
    def media_type(self) -> str:
        return "image"

    def predict(self, arg: Any) -> fo.Classification:
        """``arg`` is an image, an array ``[h, w, 3]`` of uint8."""
        answer = self.detector.detect(arg)
        label = "unsure" if answer.turn is None else str(int(answer.turn))
        return fo.Classification(label=label, confidence=answer.confidence)


if __name__ == "__main__":
    dataset = fo.Dataset.from_images_dir(sys.argv[1])
    dataset.apply_model(UprightModel(), label_field="upright")
    print(dataset.count_values("upright.label"))
