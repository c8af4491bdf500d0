"""DocOrient: projection profiles, then a small network for 180 degrees. It turns counterclockwise by its angle."""

from upright_benchmark.entrants import Answer, Missing

NAME, SOURCE, LICENCE = "DocOrient", "github.com/lucasleirbag/DocOrient", "MIT"
INSTALL, PACKAGES = "pip install docorient", ("docorient", "onnxruntime")


def start():
    try:
        from docorient import detect_orientation
        from PIL import Image
    except ImportError as error:
        raise Missing(f"not installed: {INSTALL}") from error

    def detect(path):
        with Image.open(path) as image:
            said = detect_orientation(image.convert("RGB"))
        return Answer(-said.angle % 360 if said.reliable else None, None, -said.angle % 360)

    return detect
