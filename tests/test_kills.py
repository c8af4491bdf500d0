"""Killed at any line of what writes: a file is the old one or the new one, undo is exact, and nothing stays behind."""

from __future__ import annotations

import io
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from PIL import Image

import upright.atomic
import upright.correction.writer
import upright.journal.intents
import upright.journal.undoing
import upright.journal.writing
from tests.fuzz import seeds
from upright import correct, undo
from upright.errors import UprightError
from upright.journal import run_journal

from .test_followers import drawn

#: How often each is killed: eleven ways, over 1,500 kills in all.
KILLS = 150
JOURNAL = (upright.journal.intents, upright.journal.undoing, upright.journal.writing)
MODULES = {module.__file__ for module in (upright.atomic, upright.correction.writer, *JOURNAL)}


def saved(form: str, size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    return seeds.saved(drawn(size), form, **options)


def heic() -> bytes:
    return (Path(__file__).parent / "data" / "turned.heic").read_bytes()


CASES: dict[str, tuple[str, Callable[[], bytes], dict[str, Any]]] = {
    "tag": ("a.jpg", lambda: saved("JPEG"), {"method": "tag"}),
    "turn": ("a.jpg", lambda: saved("JPEG"), {"method": "turn"}),
    "reencode": ("a.jpg", lambda: saved("JPEG", (61, 47)), {"method": "reencode"}),
    "sidecar": ("a.nef", lambda: seeds.raw(drawn((64, 48))), {}),
    "sidecar of a photograph": ("a.jpg", lambda: saved("JPEG"), {"sidecar": "full"}),
    "PDF": ("a.pdf", lambda: saved("PDF"), {}),
    "HEIC": ("a.heic", heic, {}),
    "JPEG XL": ("a.jxl", lambda: saved("JXL"), {}),
    "JPEG XL in boxes": ("a.jxl", lambda: saved("JXL", use_container=True), {}),
    "tag of a raw photograph": ("a.nef", lambda: seeds.raw(drawn((64, 48))), {"method": "tag"}),
    "pixels": ("a.gif", lambda: saved("GIF"), {"pixels": True}),
}


class _Kill:
    """Kills this process at the n-th line that runs in one of the modules."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def __call__(self, frame: FrameType, event: str, _: object) -> _Kill | None:
        if frame.f_code.co_filename not in MODULES:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def killed(moment: int, work: Callable[[], object]) -> bool:
    """Whether a process that does this was killed before it was done."""
    child = os.fork()
    if child == 0:
        try:
            upright.atomic._swept.clear()
            sys.settrace(_Kill(moment))
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def small() -> Iterator[Executor]:
    """A process that has imported little: forks of the one that runs all tests take ten times as long."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_killed_at_any_line(name: str, small: Executor, tmp_path: Path) -> None:
    if name.startswith("JPEG XL"):
        pytest.importorskip("pillow_jxl")
    small.submit(kill_at_any_line, name, tmp_path).result()


def kill_at_any_line(name: str, tmp_path: Path) -> None:
    file, make, how = CASES[name]
    folder, journal = tmp_path / "photos", tmp_path / "journal"
    folder.mkdir()
    photo, source = folder / file, make()

    def work() -> object:
        return correct(photo, turn=90, in_place=True, journal=journal, **how)

    photo.write_bytes(source)
    # Not here: processes that are forked from one that used libvips have to start others to decode.
    assert not killed(sys.maxsize, work)
    after = files(folder)
    assert after != {file: source}
    undo(journal)
    assert files(folder) == {file: source}
    lines = 0
    while killed(lines := lines + 64, work):
        undo(journal)
    undo(journal)
    moments = sorted({1 + number * lines // KILLS for number in range(KILLS)})
    upright.atomic._LEFTOVER_AGE_S = -1.0
    written = 0
    for moment in moments:
        journal.unlink(missing_ok=True)
        shutil.rmtree(f"{journal}.d", ignore_errors=True)
        if not killed(moment, work):
            undo(journal)
            continue
        now = files(folder)
        left = {each for each in now if each.startswith(".upright-") and each.endswith(".tmp")}
        now = {each: data for each, data in now.items() if each not in left}
        assert now in ({file: source}, after), moment
        written += now == after
        if journal.exists():
            assert not [entry for entry in undo(journal) if isinstance(entry.outcome, UprightError)], moment
        upright.atomic._swept.clear()
        upright.atomic.sweep(folder)
        assert files(folder) == {file: source}, moment
    assert len(moments) > 60 and written, "some are killed before the file is there, and some after"


SIDECAR = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 stArea:x="0.25" stArea:y="0.125" stArea:w="0.1" stArea:h="0.2"/></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("named", [True, False])
def test_a_sidecar_is_moved_once_whatever_was_killed(small: Executor, tmp_path: Path, named: bool) -> None:
    """The sidecar takes its new name first: the run after finds it moved, and the picture as it was."""
    small.submit(kill_between_sidecar_and_picture, tmp_path, named).result()


def kill_between_sidecar_and_picture(tmp_path: Path, named: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        _kill_between_sidecar_and_picture(tmp_path, named)


def _kill_between_sidecar_and_picture(tmp_path: Path, named: bool) -> None:
    folder, source = tmp_path / "photos", saved("JPEG")
    folder.mkdir()
    photo = folder / "a.jpg"
    before = {"a.jpg": source, "a.jpg.xmp": SIDECAR}

    def afresh() -> None:
        shutil.rmtree(tmp_path / "state", ignore_errors=True)
        shutil.rmtree(f"{tmp_path / 'journal'}.d", ignore_errors=True)
        (tmp_path / "journal").unlink(missing_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name, data in before.items():
            (folder / name).write_bytes(data)

    def work(turn: int = 90) -> object:
        journal = tmp_path / "journal" if named else run_journal()
        return correct(photo, turn=turn, in_place=True, journal=journal, method="turn")

    afresh()
    work()
    after = files(folder)
    assert b'stArea:x="0.875" stArea:y="0.25"' in after["a.jpg.xmp"] and after["a.jpg"] != source
    afresh()
    work(180)
    other, halves, moment = files(folder), 0, 0
    while True:
        afresh()
        if not killed(moment := moment + 5, work):
            break
        now = {name: data for name, data in files(folder).items() if not name.startswith(".upright-")}
        if now != {"a.jpg": source, "a.jpg.xmp": after["a.jpg.xmp"]}:
            continue
        turn = 180 if (halves := halves + 1) % 2 else 90
        work(turn)
        now = {name: data for name, data in files(folder).items() if not name.startswith(".upright-")}
        assert now == (other if turn == 180 else after), moment
        undo(tmp_path / "journal" if named else None)
        assert {name: (folder / name).read_bytes() for name in before} == before, moment
    assert halves > 1, "some are killed between the two names"


def test_pages_are_killed_together(small: Executor, tmp_path: Path) -> None:
    """Of a document all pages are turned or none: it is one write."""
    small.submit(kill_while_pages_are_turned, tmp_path).result()


def kill_while_pages_are_turned(tmp_path: Path) -> None:
    out, pages = io.BytesIO(), [Image.new("L", (40, 30), shade) for shade in (0, 128, 255)]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    (photo := tmp_path / "a.tif").write_bytes(out.getvalue())
    from upright.correction import Request, Writer, opened
    from upright.correction.pages import plan_pages
    from upright.results import Orientation, Promise, Reason, Scores
    from upright.turns import Turn

    scores = Scores((0.0, 1.0, 0.0, 0.0))
    answers = [
        Orientation(Turn.RIGHT, Turn.RIGHT, 1.0, scores, Reason.SURE, Promise.BEST, "x", 1, page=n) for n in range(3)
    ]

    def work() -> None:
        with opened(str(photo)) as file:
            Writer().write(plan_pages(file, Request(in_place=True), answers)[0])

    seen, moment = set(), 0
    while killed(moment := moment + 3, work):
        seen.add(photo.read_bytes())
        photo.write_bytes(out.getvalue())
        for left in tmp_path.glob(".upright-*.tmp"):  # each would be looked at by the next run, which so never ended
            left.unlink()
    assert len(seen) == 2, "the old file and the whole new one"
