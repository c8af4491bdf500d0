"""The JPEG header reader and the first-scan cutter on any bytes: an answer or ValueError, in one pass.

python tests/fuzz/fuzz_jpeg.py CORPUS -max_total_time=300
"""

import io
import sys

import atheris

with atheris.instrument_imports(include=["upright"]):
    from upright.pictures.flat import read_flat
    from upright.pictures.jpeg import _without_ac, first_scans, read_header


def one(data: bytes) -> None:
    file = io.BytesIO(data)
    read_flat(file)
    try:
        header = read_header(file, 1 << 20)
    except ValueError:
        return
    assert len(_without_ac(header.kept)) == len(header.kept)
    scans = first_scans(file, header)
    assert scans is None or data[header.scan_at :].startswith(scans)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
