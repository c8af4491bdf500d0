"""What the fuzzers with seeds of their own share: small tars, and the two ways to be called."""

import io
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import atheris


def tars(names: Sequence[str], content: bytes) -> list[bytes]:
    """A tar of these names in each of the formats whose headers can grow, every member with this content."""
    found = []
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as archive:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        found.append(out.getvalue())
    return found


def main(one: Callable[[bytes], None], seeds: Callable[[], list[bytes]]) -> None:
    """``--seeds FOLDER`` writes the seeds; anything else is libFuzzer's."""
    if sys.argv[1] == "--seeds":
        folder = Path(sys.argv[2])
        folder.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(seeds()):
            (folder / f"seed{number}").write_bytes(content)
    else:
        atheris.Setup(sys.argv, one)
        atheris.Fuzz()
