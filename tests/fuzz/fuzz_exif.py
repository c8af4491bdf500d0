"""Reading the orientation tag of any bytes never fails; writing it changes nothing else or ends in an `UprightError`.

python tests/fuzz/fuzz_exif.py CORPUS -max_total_time=300
"""

import sys

import atheris

with atheris.instrument_imports(include=["upright"]):
    from upright.carriers import patch_exif_orientation, read_exif_orientation
    from upright.errors import UprightError
    from upright.turns import ExifOrientation


def one(data: bytes) -> None:
    tag = read_exif_orientation(data)
    assert tag.orientation in ExifOrientation
    try:
        patched = patch_exif_orientation(data, ExifOrientation.LEFT_BOTTOM)
    except UprightError:
        return
    again = read_exif_orientation(patched)
    assert again.orientation == ExifOrientation.LEFT_BOTTOM, (tag, again)
    assert tag.applied or tag.present is False or len(patched) >= len(data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
