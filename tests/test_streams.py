"""Streams of any kind: read to their end, and where they hold no picture an error that says why."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from upright import Detector, Orientation, SourceMissing, TooLarge, UprightError, UsageError
from upright.pictures import Limits, open_picture

from .conftest import DEMO

DATA = (DEMO / "page.jpg").read_bytes()


class Stream:
    """Gives such pieces, then the end; what is an error is raised."""

    def __init__(self, *pieces: object) -> None:
        self.pieces = list(pieces)

    def read(self, size: int = -1) -> object:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece


@pytest.mark.parametrize("name", ["page.jpg", "chart.tif"])
def test_a_pipe_without_a_buffer_is_read_to_its_end(name: str, detector: Detector) -> None:
    command = [sys.executable, "-c", "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"]
    with subprocess.Popen([*command, str(DEMO / name)], stdout=subprocess.PIPE, bufsize=0) as process:
        answer = detector.detect(process.stdout)  # type: ignore[arg-type]
    wanted = detector.detect(DEMO / name)
    assert (answer.turn, answer.scores, answer.warnings) == (wanted.turn, wanted.scores, wanted.warnings)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda piece: np.frombuffer(piece, np.uint8)])
def test_pieces_of_any_kind_of_bytes(kind: type, detector: Detector) -> None:
    pieces = [kind(DATA[start : start + 4000]) for start in range(0, len(DATA), 4000)]
    assert detector.detect(Stream(*pieces)).scores == detector.detect(DATA).scores  # type: ignore[arg-type]
    with pytest.raises(TooLarge, match="max_stream_bytes of 9,999"):
        open_picture(Stream(*pieces), limits=Limits(max_stream_bytes=9999))  # type: ignore[arg-type]
    with open_picture(Stream(*pieces), limits=Limits(max_stream_bytes=len(DATA))) as picture:  # type: ignore[arg-type]
        assert picture.read_bytes() == DATA


def test_what_gives_no_bytes_says_so_and_ends_no_run(tmp_path: Path, detector: Detector) -> None:
    latin, closed = tmp_path / "page.txt", io.BytesIO(DATA)
    latin.write_text("text", "utf-8")
    closed.close()
    released = memoryview(DATA)
    released.release()
    text = "a stream of text is not a picture; open it in binary mode"
    with (DEMO / "page.jpg").open(encoding="utf-8") as jpeg, latin.open(encoding="utf-8") as words:
        bad = {
            text: [jpeg, words, io.StringIO("text"), io.StringIO(), Stream(DATA[:100], "text")],
            "the stream does not wait for its next bytes": [Stream(DATA[:100], None)],
            "the stream gives int, not bytes": [Stream(DATA[:100], 7)],
            "it cannot be read (I/O operation on closed file": [closed],
            "it cannot be read (broken off)": [Stream(DATA[:100], RuntimeError("broken off"))],
            "it cannot be read (Input/output error)": [Stream(DATA[:100], OSError(5, "Input/output error"))],
            "its bytes cannot be read (memoryview: underlying buffer is not C-contiguous); give bytes": [
                memoryview(DATA)[::2]
            ],
            "its bytes cannot be read (operation forbidden on released memoryview": [released],
        }
        sources = [source for each in bad.values() for source in each]
        answers = [answer for _, answer in detector.detect_many([*sources, DATA])]  # type: ignore[list-item]
    for cause, answer in zip([cause for cause, each in bad.items() for _ in each], answers, strict=False):
        assert isinstance(answer, UsageError | SourceMissing) and cause in str(answer)
    assert isinstance(answers[-1], Orientation) and len(answers) == len(sources) + 1


def test_a_run_of_no_workers(detector: Detector) -> None:
    for workers in (0, -1):
        with pytest.raises(UprightError, match=f"{workers} workers can do nothing; give 1 or more"):
            next(detector.detect_many([DATA], workers=workers))
