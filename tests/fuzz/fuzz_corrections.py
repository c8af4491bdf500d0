"""Any bytes, corrected by any method: new bytes, or an `UprightError`; no other exception, no crash, no hang.

The first byte says turn, method and edge.

python tests/fuzz/fuzz_corrections.py CORPUS -max_total_time=300 -rss_limit_mb=2048 -timeout=20
"""

import sys

import atheris

with atheris.instrument_imports(include=["upright"]):
    from upright.correction import corrected_bytes
    from upright.errors import UprightError
    from upright.limits import Limits
    from upright.results import Method

LIMITS = Limits(max_memory_mb=64, timeout_s=5)
METHODS = (None, Method.TAG, Method.TURN, Method.REENCODE)
EDGES = ("tag", "trim", "refuse", "reencode")


def one(data: bytes) -> None:
    if not data:
        return
    turn, method, edge = 90 * (data[0] & 3), METHODS[data[0] >> 2 & 3], EDGES[data[0] >> 4 & 3]
    # Seeds are files: one that begins as a file does is taken whole.
    for content in (data[1:], data):
        try:
            new, done = corrected_bytes(content, turn, method, edge, limits=LIMITS)
            assert bool(new) == bool(content) and done.method in Method
        except UprightError as error:
            assert str(error)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
