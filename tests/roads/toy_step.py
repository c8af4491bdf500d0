"""A step that nobody has: the middle of the picture, counting as much as all looks before it.

python -m tests.roads.toy_step COMMAND …          upright with this step at the top of its ladder
python -m tests.roads.toy_step answers FOLDER PICTURE      what the service answers with a model of that folder
"""

import sys
from pathlib import Path

import numpy as np

from upright import steps
from upright.steps import Step, View
from upright.steps.quarters import eight_looks


def middle(picture, size_px):
    width, height = picture.width_px, picture.height_px
    return [View((width // 4, height // 4, width - width // 4, height - height // 4))]


def with_middle(looks):
    return (eight_looks(looks) + looks["middle"].log_probabilities[0]).astype(np.float32) / 2


MIDDLE = Step("middle", steps.LADDER[-1].effort + 1, middle, with_middle)

if __name__ == "__main__":
    steps.LADDER = (*steps.LADDER, MIDDLE)
    if sys.argv[1] == "answers":
        from fastapi.testclient import TestClient

        from upright.service.app import create_app
        from upright.service.settings import Settings

        with TestClient(create_app(Settings(model=sys.argv[2], effort=MIDDLE.effort))) as client:
            print(client.post("/v1/orientation", content=Path(sys.argv[3]).read_bytes()).text)
            print(client.get("/v1/model").text)
    else:
        from upright.cli import main

        main()
