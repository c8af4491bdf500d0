"""Any bytes as a PDF to turn: an update that reads back, or `NotLossless`; no other exception, no hang.

python tests/fuzz/fuzz_pdf.py CORPUS -max_total_time=300 -rss_limit_mb=2048 -timeout=20
"""

import re
import sys

import atheris

with atheris.instrument_imports(include=["upright"]):
    from upright.carriers.rotate import rotated
    from upright.errors import NotLossless
    from upright.turns import Turn


def one(data: bytes) -> None:
    data = data if data.startswith(b"%PDF-") else b"%PDF-" + data
    # Places that a mutation has moved are mended, or next to nothing would get past the first look.
    heads = list(re.finditer(rb"(?<!start)xref\n\d|\d+ 0 obj\n<< /Type /XRef", data))
    data += b"\nstartxref\n%d\n%%%%EOF\n" % (heads[-1].start() if heads else 0)
    try:
        added, after = rotated(data, {0: Turn.RIGHT})
    except NotLossless as error:
        assert str(error)
        return
    assert added.endswith(b"%%EOF\n")
    assert rotated(data + added, {0: Turn.LEFT})[1] == [(after[0] - 90) % 360, *after[1:]]


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
