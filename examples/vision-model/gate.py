"""In a clone: pip install ., then: python examples/vision-model/gate.py photo.jpg

Vision-language models read a page that lies on its side badly, and do not say so. Replace `describe`'s body by the
call of yours: it gets a Pillow image that is upright.
"""

import sys

from PIL import Image

from upright.integrations.reading import upright_before


@upright_before
def describe(image: Image.Image, question: str) -> str:
    return f"{question} A picture of {image.width} x {image.height} pixels."


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(describe(name, "What is this?"))
