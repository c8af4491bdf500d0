"""The review without a browser: what is decided is written, remembered and undone, and nobody else can decide."""

import io
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.fuzz.seeds import raw
from upright import Detector, correct
from upright.carriers import read_exif_orientation
from upright.cli import cli
from upright.errors import JournalError, SourceError, UsageError
from upright.journal import Journal, run_journal, undo
from upright.pictures import open_picture
from upright.results import Outcome
from upright.review import Server, Session, read_decisions, still_needed
from upright.review.decisions import digest
from upright.review.session import Choice
from upright.run import outcomes_of
from upright.sources import find_items
from upright.turns import ExifOrientation, Turn

from .conftest import DEMO, demo_turns

NAMES = ("astronaut.jpg", "page.jpg", "receipt.png", "chart.tif")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for name in NAMES:
        shutil.copy(DEMO / name, tmp_path / "pictures")
    return tmp_path / "pictures"


def review(folder: Path, detector: Detector, output: Path | None = None) -> Session:
    """A review of a folder, as the command opens it."""
    home = folder.parent
    session = Session(Journal(home / "journal.jsonl"), home / "decisions.jsonl", output, lambda outcome: "all")
    for item in find_items([str(folder)]):
        for outcome in outcomes_of(item, detector):
            session.add(outcome, Path(item.relative))
    session.complete = True
    return session


def number(session: Session, name: str) -> int:
    return next(entry.id for entry in session.entries if Path(entry.path).name == name)


def choice(session: Session, name: str, turn: int, *, mirrored: bool = False) -> Choice:
    at = number(session, name)
    return Choice(at, session.entries[at].version, Turn(turn), mirrored)


def tag(path: Path) -> ExifOrientation:
    with path.open("rb") as file:
        return read_exif_orientation(file).orientation


def test_a_decision_is_written_remembered_and_taken_back(folder: Path, detector: Detector) -> None:
    session = review(folder, detector)
    path, before = folder / "page.jpg", (folder / "page.jpg").read_bytes()
    session.decide([choice(session, "page.jpg", 270)])
    entry = session.entries[number(session, "page.jpg")]
    assert tag(path) is ExifOrientation.LEFT_BOTTOM and entry.decided == 270 and entry.version == 1 and not entry.error
    (decision,) = read_decisions(session.decisions).values()
    assert (decision.path, decision.turn, decision.mirrored) == (str(path), 270, False)
    assert session.undo() == [entry.id]
    assert path.read_bytes() == before and session.entries[entry.id].decided is None
    assert not read_decisions(session.decisions) and session.undo() == []


def test_a_group_is_one_step(folder: Path, detector: Detector) -> None:
    before = {name: (folder / name).read_bytes() for name in NAMES}
    session = review(folder, detector)
    session.decide([choice(session, name, demo_turns()[name]) for name in NAMES])
    for name in NAMES:
        with open_picture(folder / name) as picture:
            assert detector.decide(picture).best == Turn.NONE, name
    assert session.counts() == {"pictures": 4, "decided": 4, "turned": sum(demo_turns()[name] > 0 for name in NAMES)}
    assert len(session.undo()) == 4
    assert {name: (folder / name).read_bytes() for name in NAMES} == before


def test_undo_takes_back_the_last_step_only(folder: Path, detector: Detector) -> None:
    session = review(folder, detector)
    session.decide([choice(session, "page.jpg", 90)])
    once = (folder / "page.jpg").read_bytes()
    session.decide([choice(session, "page.jpg", 180)])
    assert tag(folder / "page.jpg") is ExifOrientation.LEFT_BOTTOM
    session.undo()
    assert (folder / "page.jpg").read_bytes() == once
    before = (DEMO / "page.jpg").read_bytes()
    assert not [each for each in undo(session.journal.path) if not isinstance(each.outcome, str)]
    assert (folder / "page.jpg").read_bytes() == before


def test_of_two_reviews_with_one_journal_each_takes_back_its_own(folder: Path, detector: Detector) -> None:
    one, other = review(folder, detector), review(folder, detector)
    other.decisions = folder.parent / "other.jsonl"
    one.decide([choice(one, "page.jpg", 90)])
    other.decide([choice(other, "astronaut.jpg", 90)])
    theirs = (folder / "astronaut.jpg").read_bytes()
    one.undo()
    assert (folder / "page.jpg").read_bytes() == (DEMO / "page.jpg").read_bytes()
    assert (folder / "astronaut.jpg").read_bytes() == theirs
    # What the other has changed since is left as it is, and said so.
    one.decide([choice(one, "receipt.png", 90)])
    third = review(folder, detector)
    third.decide([choice(third, "receipt.png", 90)])
    theirs = (folder / "receipt.png").read_bytes()
    with pytest.raises(JournalError, match="changed since"):
        one.undo()
    assert (folder / "receipt.png").read_bytes() == theirs
    assert one.entries[number(one, "receipt.png")].decided == 90
    other.undo()
    assert (folder / "astronaut.jpg").read_bytes() == (DEMO / "astronaut.jpg").read_bytes()


def test_mirroring_is_a_tag_before_the_turn(folder: Path, detector: Detector) -> None:
    session = review(folder, detector)
    with Image.open(folder / "astronaut.jpg") as image:
        shown = image.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(-90, expand=True)
    session.decide([choice(session, "astronaut.jpg", 90, mirrored=True)])
    with open_picture(folder / "astronaut.jpg") as picture:
        assert picture.image((picture.width_px, picture.height_px)).tobytes() == shown.tobytes()
    session.undo()
    assert (folder / "astronaut.jpg").read_bytes() == (DEMO / "astronaut.jpg").read_bytes()


def test_what_cannot_be_written_says_so_and_is_remembered(folder: Path, detector: Detector) -> None:
    with Image.open(DEMO / "page.jpg") as image:
        image.save(folder / "scan.pdf")
    before = (folder / "scan.pdf").read_bytes()
    session = review(folder, detector)
    session.decide([choice(session, "scan.pdf", 90, mirrored=True)])
    entry = session.entries[number(session, "scan.pdf")]
    assert "cannot mirror a page" in entry.error and entry.decided == 90
    assert (folder / "scan.pdf").read_bytes() == before


def test_a_session_goes_on_where_the_last_one_was_killed(folder: Path, detector: Detector) -> None:
    review(folder, detector).decide([choice(first := review(folder, detector), "page.jpg", 270)])
    del first
    again = review(folder, detector)
    assert {Path(entry.path).name: entry.decided for entry in again.entries} == dict.fromkeys(NAMES) | {"page.jpg": 270}
    shutil.copy(DEMO / "page.jpg", folder)
    assert all(entry.decided is None for entry in review(folder, detector).entries), "another file has its name now"


def test_an_incomplete_line_of_decisions_is_no_decision(folder: Path, detector: Detector, tmp_path: Path) -> None:
    session = review(folder, detector)
    session.decide([choice(session, "page.jpg", 270)])
    with session.decisions.open("ab") as file:
        file.write(b'{"path": "/a')
    assert len(read_decisions(session.decisions)) == 1
    session.decide([choice(session, "receipt.png", 180)])
    assert len(read_decisions(session.decisions)) == 2
    for text, cause in (
        ("a list without an end", "not a file of decisions"),
        ('{"path": 1}\n', "line 1 is not a decis"),
    ):
        (tmp_path / "other.txt").write_text(text)
        with pytest.raises(SourceError, match=cause):
            read_decisions(tmp_path / "other.txt")


@pytest.mark.parametrize("name", ["pages.pdf", pytest.param("pages.tif", marks=pytest.mark.slow)])
def test_pages_of_a_document_are_decided_one_by_one(folder: Path, detector: Detector, name: str) -> None:
    path = folder / name
    with Image.open(DEMO / "page.jpg") as image:
        upright = image.convert("L").rotate(-270, expand=True)
        pages = [upright.rotate(turn, expand=True) for turn in (90, 180, 0)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    before = path.read_bytes()
    session = review(folder, detector)
    found = [entry for entry in session.entries if entry.path == str(path)]
    assert [int(entry.turn) for entry in found] == [90, 180, 0]
    for entry in found[:2]:
        session.decide([Choice(entry.id, session.entries[entry.id].version, entry.turn)])
    assert not [entry.error for entry in session.entries if entry.error]
    assert [
        answer.orientation.turn for answer in outcomes_of(next(find_items([str(path)])), detector) if answer.orientation
    ] == [0] * 3
    again = [entry for entry in review(folder, detector).entries if entry.path == str(path)]
    assert [entry.decided for entry in again] == [90, 180, None]
    session.undo(), session.undo()
    assert path.read_bytes() == before


def test_copies_are_set_right_and_originals_left(folder: Path, detector: Detector, tmp_path: Path) -> None:
    session = review(folder, detector, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(NAMES)
    session.decide([choice(session, "page.jpg", 270)])
    assert tag(tmp_path / "out" / "page.jpg") is ExifOrientation.LEFT_BOTTOM
    assert all((folder / name).read_bytes() == (DEMO / name).read_bytes() for name in NAMES)


def crashed(session: Session, choices: list[Choice], monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures are written, and the process ends before the decisions are."""

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("upright.review.session.append", crash)
        session.decide(choices)


@pytest.mark.parametrize("copies", [False, True])
def test_decisions_that_a_crash_lost_are_in_the_journal(
    folder: Path, detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: bool
) -> None:
    out = tmp_path / "out" if copies else None
    session = review(folder, detector, out)
    session.journal = run_journal()  # as the command has it: another one for each run
    session.__post_init__()
    crashed(session, [choice(session, "page.jpg", 270), choice(session, "receipt.png", 180)], monkeypatch)
    before = {name: ((out or folder) / name).read_bytes() for name in NAMES}
    again = review(folder, detector, out)
    assert not [entry.error for entry in again.entries if entry.error]
    wanted = dict.fromkeys(NAMES) | {"page.jpg": Turn.LEFT, "receipt.png": Turn.HALF}
    assert {Path(entry.path).name: entry.decided for entry in again.entries} == wanted
    assert {name: ((out or folder) / name).read_bytes() for name in NAMES} == before
    assert again.entries[number(again, "page.jpg")].turn == Turn.NONE
    assert len(read_decisions(again.decisions)) == 2
    undo(session.journal.path)
    assert len(read_decisions(review(folder, detector, out).decisions)) == 2
    assert all(((out or folder) / name).read_bytes() == (DEMO / name).read_bytes() for name in NAMES)


def test_pages_whose_decisions_a_crash_lost_are_in_the_journal(
    folder: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [Image.new("L", (40, 30), shade) for shade in (0, 128, 255)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    session = review(folder, detector)
    at = number(session, "pages.tif")
    session.decide([Choice(at, 0, Turn.RIGHT)])
    crashed(session, [Choice(at + 1, 0, Turn.HALF), Choice(at + 2, 0, Turn.NONE)], monkeypatch)
    again = review(folder, detector)
    assert [entry.decided for entry in again.entries[at : at + 3]] == [Turn.RIGHT, Turn.HALF, None]
    assert [each.after for each in again._earlier[str(folder / "pages.tif")].values()][-1] == digest(
        str(folder / "pages.tif")
    )


def test_an_answer_about_a_file_that_was_changed_since_proposes_nothing(folder: Path, detector: Detector) -> None:
    rows = [outcome for item in find_items([str(folder)]) for outcome in outcomes_of(item, detector)]
    correct(folder / "page.jpg", turn=demo_turns()["page.jpg"], in_place=True)
    session = Session(Journal(folder.parent / "journal.jsonl"), folder.parent / "decisions.jsonl")
    for row in rows:
        session.add(row, Path(row.source), earlier=True)
    said = {
        Path(entry.path).name: (int(entry.turn), "changed since the results" in entry.error)
        for entry in session.entries
    }
    assert said == {name: (turn, False) for name, turn in demo_turns().items() if name in NAMES} | {
        "page.jpg": (0, True)
    }


def test_a_raw_photograph_is_what_its_sidecar_says(
    folder: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "a.nef"
    with Image.open(DEMO / "page.jpg") as image:
        path.write_bytes(raw(image.convert("RGB")))
    session = review(folder, detector)
    session.decide([choice(session, "a.nef", 270)])
    entry = session.entries[number(session, "a.nef")]
    assert (entry.decided, entry.version, entry.turn) == (Turn.LEFT, 1, Turn.NONE), "the page shows it as it is now"
    assert review(folder, detector).entries[entry.id].decided == Turn.LEFT
    ((_, turn, _),) = still_needed(read_decisions(session.decisions))
    assert turn == Turn.NONE
    undo(session.journal.path)
    assert review(folder, detector).entries[entry.id].decided is None
    session = review(folder, detector)
    crashed(session, [choice(session, "a.nef", 270)], monkeypatch)
    assert review(folder, detector).entries[entry.id].decided == Turn.LEFT


def test_a_picture_that_cannot_be_taken_back_stays_decided(folder: Path, detector: Detector) -> None:
    session = review(folder, detector)
    session.decide([choice(session, name, 180) for name in ("page.jpg", "receipt.png")])
    shutil.copy(DEMO / "astronaut.jpg", folder / "page.jpg")
    with pytest.raises(JournalError, match="has been changed since"):
        session.undo()
    kept, back = (session.entries[number(session, name)] for name in ("page.jpg", "receipt.png"))
    assert kept.decided == Turn.HALF and "changed since" in kept.error
    assert back.decided is None and (folder / "receipt.png").read_bytes() == (DEMO / "receipt.png").read_bytes()
    assert [Path(each.path).name for each in read_decisions(session.decisions).values()] == ["page.jpg"]


def test_no_copy_takes_the_place_of_another(folder: Path, detector: Detector, tmp_path: Path) -> None:
    out = tmp_path / "out"
    session = review(folder, detector, out)
    session.decide([choice(session, "page.jpg", 270)])
    right = (out / "page.jpg").read_bytes()
    (tmp_path / "other").mkdir()
    shutil.copy(DEMO / "astronaut.jpg", tmp_path / "other" / "page.jpg")
    (item,) = find_items([str(tmp_path / "other")])
    session.add(Outcome(item.key), Path("page.jpg"))
    assert "another picture becomes" in session.entries[-1].error and not session.entries[-1].path
    again = review(folder, detector, out)
    assert not [entry.error for entry in again.entries if entry.error]
    assert (out / "page.jpg").read_bytes() == right
    shutil.copy(DEMO / "camera.jpg", out / "receipt.png")
    third = review(folder, detector, out)
    (refused,) = [entry for entry in third.entries if entry.error]
    assert refused.outcome.source.endswith("receipt.png") and "another file is at the target" in refused.error


def test_a_results_file_that_is_not_there_is_named() -> None:
    for words, cause in (
        (["nothing.jsonl"], "no such results file"),
        (["rows.jsonl", "-o", "out"], "no such results file"),
    ):
        done = CliRunner().invoke(cli, ["review", "--no-browser", *words])
        assert cause in str(done.exception)


def test_where_nothing_can_be_shown_no_page_is_opened(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no picture")
    (tmp_path / "rows.jsonl").write_text(json.dumps(Outcome("gone.jpg", error=SourceError("away")).to_dict()) + "\n")
    (tmp_path / "empty").mkdir()
    for name, cause in (
        ("nofolder", "there is no such file"),
        ("note.txt", "not a picture format"),
        ("rows.jsonl", "gone.jpg"),
        ("empty", "there is no picture to review"),
    ):
        done = CliRunner().invoke(cli, ["review", "--no-browser", str(tmp_path / name)])
        assert done.exit_code == 1 and cause in done.stderr and "review at" not in done.stderr, done.stderr


def test_a_file_that_changed_since_it_was_shown_is_left_alone(folder: Path, detector: Detector) -> None:
    session = review(folder, detector)
    shutil.copy(DEMO / "astronaut.jpg", folder / "page.jpg")
    session.decide([choice(session, "page.jpg", 270)])
    entry = session.entries[number(session, "page.jpg")]
    assert "changed since it was shown" in entry.error and entry.decided is None
    assert (folder / "page.jpg").read_bytes() == (DEMO / "astronaut.jpg").read_bytes()
    session.decide([choice(session, "page.jpg", 270)])
    assert session.entries[number(session, "page.jpg")].decided == 270


def test_two_tabs_do_not_turn_a_picture_twice(folder: Path, detector: Detector) -> None:
    session = review(folder, detector)
    stale = choice(session, "page.jpg", 270)
    session.decide([stale])
    with pytest.raises(UsageError, match="changed elsewhere"):
        session.decide([stale])
    assert tag(folder / "page.jpg") is ExifOrientation.LEFT_BOTTOM


@pytest.fixture
def server(folder: Path, detector: Detector) -> Iterator[Server]:
    with Server(review(folder, detector)) as opened:
        thread = threading.Thread(target=opened.serve_forever)
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def asked(server: Server, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
    port = server.server_address[1]
    given = {"Content-Type": "application/json"} if method == "POST" else {}
    content = None if body is None else json.dumps(body)
    return httpx.request(method, f"http://127.0.0.1:{port}{path}", content=content, headers=given | headers, timeout=20)


def test_the_page_is_for_who_has_the_token_on_this_machine(server: Server, folder: Path) -> None:
    inside, choices = f"/{server.token}/", {"choices": [{"id": 0, "version": 0, "turn": 90}]}
    assert asked(server, "GET", inside).status_code == 200
    assert asked(server, "GET", inside + "icon.svg").status_code == 200
    for path in ("/", "/state", "/wrong/", "/wrong/state", inside + "nothing", inside + "%2e%2e/page.js"):
        assert asked(server, "GET", path).status_code == 404, path
    assert asked(server, "GET", inside, Host="evil.example").status_code == 421
    assert asked(server, "POST", inside + "decide", choices, Origin="http://evil.example").status_code == 403
    assert asked(server, "POST", inside + "decide", choices, **{"Content-Type": "text/plain"}).status_code == 415
    assert asked(server, "POST", inside + "decide", {"choices": [{"id": 0}]}).status_code == 400
    assert (
        asked(server, "POST", inside + "decide", {"choices": [{"id": 0, "version": 0, "turn": 45}]}).status_code == 400
    )
    assert (
        asked(server, "POST", inside + "decide", {"choices": [{"id": 9, "version": 0, "turn": 90}]}).status_code == 409
    )
    assert asked(server, "POST", inside + "decide", {"choices": [{"id": 9e999, "version": 0}]}).status_code == 400
    assert asked(server, "GET", inside + f"state?since={'9' * 5000}").status_code == 400, "no number has so many digits"
    assert asked(server, "OPTIONS", inside).status_code == 501
    assert all((folder / name).read_bytes() == (DEMO / name).read_bytes() for name in NAMES)
    answer = asked(server, "GET", inside + "state", Origin=f"http://localhost:{server.server_address[1]}")
    assert answer.status_code == 200 and "access-control-allow-origin" not in answer.headers
    assert answer.headers["referrer-policy"] == "no-referrer" and answer.headers["cache-control"] == "no-store"


def test_pictures_are_shown_as_their_files_are_now(server: Server) -> None:
    at = number(server.session, "page.jpg")

    def size(version: int) -> tuple[int, int]:
        answer = asked(server, "GET", f"/{server.token}/picture?id={at}&version={version}&large=1")
        assert answer.headers["content-type"] == "image/jpeg"
        with Image.open(io.BytesIO(answer.content)) as image:
            return image.size

    before = size(0)
    assert (
        asked(
            server, "POST", f"/{server.token}/decide", {"choices": [{"id": at, "version": 0, "turn": 270}]}
        ).status_code
        == 200
    )
    assert size(1) == before[::-1] and max(before) == 1400
    state = asked(server, "GET", f"/{server.token}/state?since=0").json()
    assert state["complete"] and state["undoable"] == 1 and len(state["entries"]) == 4
    later = asked(server, "GET", f"/{server.token}/state?since={state['changes']}").json()
    assert later["entries"] == []
