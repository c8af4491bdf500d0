"""Bodies that the service takes apart (v2 requests, forms, tars) are answered or refused, in bounded time and memory.

The first byte says which; the rest is the body. libFuzzer holds each to seconds and megabytes::

    python tests/fuzz/fuzz_requests.py --seeds FOLDER
    python tests/fuzz/fuzz_requests.py FOLDER -max_total_time=300 -timeout=5 -rss_limit_mb=1024 -max_len=1000000
"""

import json
import logging
import tempfile
from pathlib import Path

import atheris
from seeded import main, tars

with atheris.instrument_imports(include=["upright", "python_multipart"]):
    from upright.errors import UprightError
    from upright.service.forms import Form
    from upright.service.kserve import decode
    from upright.service.spool import Spool


def v2(body: bytes) -> None:
    """The two first bytes are the length of the JSON."""
    length = int.from_bytes(body[:2], "big")
    found = decode(body[2:], str(length) if length else None)
    for tensor in found.inputs.values():
        count = 1
        for side in tensor.shape:
            count *= side
        assert len(tensor.values) == (count if isinstance(tensor.values, list) else tensor.shape[0]), tensor


def form(body: bytes) -> None:
    sizes: list[int] = []

    def begin(name: str, filename: str | None):
        sizes.append(0)
        return lambda data: sizes.append(len(data))

    taken = Form("multipart/form-data; boundary=b", begin, 64, "--max-pictures")
    for at in range(0, len(body), 1000):
        taken.feed(body[at : at + 1000])
    taken.close()
    assert sizes.count(0) <= 64
    assert sum(sizes) <= len(body)


def tar(body: bytes) -> None:
    spool = Spool(Path(tempfile.gettempdir()), 100, 1)
    with spool.file:
        spool.write(body)
        spool.index_tar()
        for name, data in spool.pictures():
            assert len(name) <= 1024 and name.encode() is not None
            assert len(data) <= 1 << 20


logging.disable()
KINDS = (v2, form, tar)


def one(data: bytes) -> None:
    if data:
        try:
            KINDS[data[0] % len(KINDS)](data[1:])
        except UprightError as error:
            assert 400 <= error.http_status < 500 or error.http_status == 507, repr(error)


def seeds() -> list[bytes]:
    """A small valid body of each kind, and of its variants."""
    numbers = {"name": "views", "datatype": "UINT8", "shape": [2], "data": [1, 2]}
    strings = {"name": "pictures", "datatype": "BYTES", "shape": [1], "data": ["YWJj"]}
    binary = {"name": "pictures", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 7}}
    outputs = [{"name": "turn", "parameters": {"binary_data": True}}]
    heads = [
        json.dumps({"inputs": [each], "outputs": outputs, "id": "1"}).encode() for each in (numbers, strings, binary)
    ]
    found = [b"\0\0\0" + head for head in heads[:2]]
    found.append(b"\0" + len(heads[2]).to_bytes(2, "big") + heads[2] + b"\3\0\0\0abc")
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nabc\r\n'
    found.append(b"\1" + part * 2 + b"--b--\r\n")
    return [*found, *(b"\2" + tar for tar in tars(("a.jpg", "é" * 90), b"abc"))]


if __name__ == "__main__":
    main(one, seeds)
