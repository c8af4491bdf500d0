"""The JPEG header reader and the first-scan cutter on any bytes: an answer or `Damaged`, in one pass.

python tests/fuzz/fuzz_jpeg.py CORPUS -max_total_time=300
"""

import io
import sys

import atheris

with atheris.instrument_imports(include=["upright"]):
    from upright.errors import Damaged
    from upright.formats import Window
    from upright.formats.jpeg import first_scans, read_header, segments
    from upright.pictures.flat import read_flat
    from upright.pictures.jpeg import without_ac


def one(data: bytes) -> None:
    file = io.BytesIO(data)
    read_flat(file)
    window = Window(data)
    ends = [segment.end for segment in segments(window, scans=True)]
    assert ends == sorted(ends) and (not ends or ends[-1] <= max(len(data), 2))
    try:
        header = read_header(window, 1 << 20)
    except Damaged:
        return
    assert len(without_ac(header.kept)) == len(header.kept)
    scans = first_scans(window, header)
    assert scans is None or data[header.scan_at :].startswith(scans)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
