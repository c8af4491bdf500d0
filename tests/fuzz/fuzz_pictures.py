"""Any bytes as a picture: a view, windows and a region, or an `UprightError`; no other exception, no crash, no hang.

python tests/fuzz/fuzz_pictures.py CORPUS -max_total_time=300 -rss_limit_mb=2048 -timeout=20
"""

import sys

import atheris

with atheris.instrument_imports(include=["upright"]):
    from upright.errors import UprightError
    from upright.pictures import Limits, open_picture
    from upright.steps import render
    from upright.steps.close import windows

LIMITS = Limits(max_memory_mb=64, timeout_s=5)


def one(data: bytes) -> None:
    try:
        with open_picture(data, limits=LIMITS) as picture:
            if picture.width_px * picture.height_px > 20_000_000:
                return
            assert picture.squashed(32).shape == (32, 32, 3)
            for view in windows(picture, 32)[:3]:
                assert render(picture, view, 32).shape == (32, 32, 3)
            # A page of a PDF has no pixels of its own: its parts are rendered as large as they are wanted.
            assert picture.region((0, 0, 1, 1), 8).shape == (1, 1, 3) or picture.format == "PDF"
    except UprightError as error:
        assert str(error)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
