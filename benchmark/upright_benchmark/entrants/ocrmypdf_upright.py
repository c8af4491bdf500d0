"""OCRmyPDF with --rotate-pages whose orientation comes from upright's plugin."""

import importlib.util

from upright_benchmark.entrants import Missing
from upright_benchmark.entrants.ocrmypdf_osd import INSTALL as OCRMYPDF
from upright_benchmark.entrants.ocrmypdf_osd import LICENCE, starter, without_upright

NAME, SOURCE = "OCRmyPDF with upright's plugin", "this repository"
INSTALL, PACKAGES = f"pip install .; {OCRMYPDF}", ("upright", "ocrmypdf")
PLUGIN = "upright.integrations.ocrmypdf"


def start():
    try:
        found = importlib.util.find_spec(PLUGIN)
    except ModuleNotFoundError:
        found = None
    if not found:
        raise Missing(f"this upright has no {PLUGIN}")
    # Where it is installed OCRmyPDF has found it already, and a plugin cannot be there twice.
    return starter(*([] if without_upright() else ["--plugin", PLUGIN]))()


__all__ = ["INSTALL", "LICENCE", "NAME", "PACKAGES", "SOURCE", "start"]
