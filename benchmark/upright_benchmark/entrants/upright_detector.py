"""upright by its public API."""

from upright_benchmark.entrants import Answer, Missing

SOURCE, LICENCE = "this repository", "Apache-2.0"
INSTALL, PACKAGES = "pip install .", ("upright", "onnxruntime")


def starter(promise):
    """A `start` for one promise of the detector."""

    def start():
        try:
            from upright import Detector
        except ImportError as error:
            raise Missing(f"not installed: {INSTALL}") from error
        detector = Detector(promise=promise)

        def detect(path):
            said = detector.detect(path)
            turn = None if said.turn is None else int(said.turn)
            return Answer(turn, said.confidence, int(said.best), said.tilt, said.mirrored)

        return detect

    return start
