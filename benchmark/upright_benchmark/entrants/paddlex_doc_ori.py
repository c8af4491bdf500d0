"""PaddleX PP-LCNet_x1_0_doc_ori by its documentation. Its label is the clockwise turn that the picture has."""

from upright_benchmark.entrants import Answer, Missing

NAME, SOURCE, LICENCE = "PaddleX doc_ori", "github.com/PaddlePaddle/PaddleX", "Apache-2.0"
INSTALL, PACKAGES = "pip install paddlepaddle paddleocr; it downloads its weights", ("paddleocr", "paddlepaddle")


def start():
    try:
        from paddleocr import DocImgOrientationClassification
    except ImportError as error:
        raise Missing(f"not installed: {INSTALL}") from error
    model = DocImgOrientationClassification(model_name="PP-LCNet_x1_0_doc_ori")

    def detect(path):
        (said,) = model.predict(input=path, batch_size=1)
        return Answer(-int(said["label_names"][0]) % 360, float(said["scores"][0]))

    return detect
