"""The review as a person does it: by keyboard, on a phone, in light and dark, and killed in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Page, Route, expect

from upright import Detector
from upright.carriers import read_exif_orientation
from upright.journal import Journal, undo
from upright.results import Outcome
from upright.review import Server, Session, read_decisions
from upright.sources import find_items
from upright.together import place_of
from upright.turns import Turn

from .conftest import Visit, comes_to
from .reference import DEMO

Opening = Callable[..., Page]


def tag(path: Path) -> int:
    with path.open("rb") as file:
        return int(read_exif_orientation(file).orientation)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Outcome]]:
    """Four discs of which nobody can tell which way is up, numbered as a job, and three demo pictures."""
    folder = tmp_path_factory.mktemp("review") / "pictures"
    folder.mkdir()
    for at in range(4):
        Image.radial_gradient("L").resize((600 + at, 450)).save(folder / f"disc_{at}.jpg", quality=90)
    for name in ("page.jpg", "receipt.png", "settings.png"):
        shutil.copy(DEMO / name, folder)
    with Detector() as detector:
        found = [Outcome(item.key, detector.detect(item.open())) for item in find_items([str(folder)])]
    return folder, found


@pytest.fixture
def review(outcomes: tuple[Path, list[Outcome]], tmp_path: Path) -> Iterator[Server]:
    original, found = outcomes
    folder = tmp_path / "pictures"
    shutil.copytree(original, folder)

    def job_of(outcome: Outcome) -> str:
        place = place_of(outcome)
        return "".join(place.job) if place else ""

    session = Session(Journal(tmp_path / "journal.jsonl"), tmp_path / "decisions.jsonl", None, job_of)
    for outcome in found:
        name = Path(outcome.source).name
        session.add(Outcome(str(folder / name), outcome.orientation), Path(name))
    session.complete = True
    with serving(session) as server:
        yield server


@contextlib.contextmanager
def serving(session: Session) -> Iterator[Server]:
    with Server(session) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def opened(visit: Callable[..., Visit]) -> Opening:
    def open_page(address: str, **options: Any) -> Page:
        page = visit(address, ready=False, **options).page
        expect(page.locator("#name")).not_to_be_empty(timeout=60_000)
        expect(page.locator("#large")).to_have_js_property("complete", True)
        return page

    return open_page


def test_a_person_settles_everything_by_keyboard(review: Server, opened: Opening, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    page, left = opened(review.url), "#left"
    unsure = sum(
        entry.outcome.orientation.turn is None for entry in review.session.entries if entry.outcome.orientation
    )
    assert unsure >= 4
    expect(page.locator(left)).to_contain_text(f"{unsure} unsure left")
    expect(page.locator("#name")).to_have_text("disc_0.jpg")

    page.keyboard.press("ArrowRight")
    expect(page.locator("#large")).to_have_class("turn90")
    expect(page.locator("#ways [data-turn='90']")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_have_text("disc_1.jpg")
    expect(page.locator(left)).to_contain_text(f"{unsure - 1} unsure left")
    expect(page.locator("#undo")).to_be_enabled()
    assert tag(folder / "disc_0.jpg") == 6

    page.keyboard.press("u")
    expect(page.locator("#name")).to_have_text("disc_0.jpg")
    assert (folder / "disc_0.jpg").read_bytes() == before["disc_0.jpg"]

    page.keyboard.press("ArrowUp")
    page.keyboard.press("m")
    expect(page.locator("#mirror")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("m")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(left)).to_contain_text("4 settled")
    expect(page.locator("#undo")).to_be_enabled()
    page.wait_for_function("() => !document.querySelector('#trouble:not([hidden])')")
    expect(page.locator("#news")).to_contain_text("4 pictures settled")
    comes_to(page, lambda: [tag(folder / f"disc_{at}.jpg") for at in range(4)], [3] * 4)

    while page.locator("#keep").is_visible() and "unsure" in (
        page.locator("[aria-pressed=true]").first.inner_text().lower()
    ):
        before_it = page.locator(left).inner_text()
        page.keyboard.press("Enter")
        expect(page.locator(left)).not_to_have_text(before_it)
    page.get_by_role("button", name=re.compile("Look at [0-9]+: to turn")).click()
    page.locator("#all").click()
    page.get_by_role("button", name=re.compile("^Upright")).click()
    page.locator("#all").click()
    expect(page.locator("#nothing-head")).to_have_text("Everything is settled.")
    page.locator("#nothing-acts button").click()
    expect(page.locator("#nothing-head")).to_have_text("Done.")
    assert review.finished.wait(5)
    assert len(read_decisions(review.session.decisions)) == 7
    with Detector() as detector:
        assert [detector.detect(folder / name).best for name in ("page.jpg", "receipt.png", "settings.png")] == [0] * 3

    assert all(isinstance(each.outcome, str) for each in undo(review.session.journal.path))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_mirror_image_that_was_found_is_proposed_and_a_tilt_is_shown(
    visit: Callable[..., Visit], node_modules: Path, tmp_path: Path
) -> None:
    """The picture is a page in a mirror, upside down; the answer is what `--mirror --tilt` say of such a one."""
    path = tmp_path / "slide.jpg"
    with Image.open(DEMO / "page.jpg") as image:
        ImageOps.mirror(image.rotate(90, expand=True)).rotate(180).save(path, quality=90)
    before = path.read_bytes()
    with Detector() as detector:
        seen = detector.detect(before)
    answer = replace(seen, turn=Turn(180), best=Turn(180), mirrored=True, tilt=1.25, tilt_error=0.03)
    session = Session(Journal(tmp_path / "journal.jsonl"), tmp_path / "decisions.jsonl")
    session.add(Outcome(str(path), answer), Path(path.name))
    session.complete = True
    with serving(session) as server:
        page = visit(server.url, ready=False, bypass_csp=True).page
        page.get_by_role("button", name="Look at 1: to turn").click()
        expect(page.locator("#large")).to_have_class("turn180 mirrored")
        expect(page.locator("#mirror")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#found-mirror")).to_be_visible()
        expect(page.locator("#found-tilt")).to_have_text("tilt +1.25° ± 0.03°")
        page.add_script_tag(path=node_modules / "axe-core/axe.min.js")
        assert page.evaluate(AXE) == []

        page.keyboard.press("m")
        expect(page.locator("#large")).to_have_class("turn180")
        page.keyboard.press("m")
        expect(page.locator("#large")).to_have_class("turn180 mirrored")
        page.keyboard.press("Enter")
        expect(page.locator("#undo")).to_be_enabled()
        assert tag(path) == 4
        page.locator("[data-list=decided]").click()
        expect(page.locator("#large")).to_have_class("turn0")
        expect(page.locator("#found-mirror")).to_be_hidden()
        page.keyboard.press("u")
        expect(page.locator("#large")).to_have_class("turn180 mirrored")
        assert path.read_bytes() == before


AXE = """async () => (await axe.run()).violations.map(each => [each.id, ...each.nodes.map(node => node.html)])"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (360, 640)], ids=["desk", "phone"])
def test_it_is_accessible_and_fits(
    review: Server, opened: Opening, node_modules: Path, screenshots: Path, scheme: str, size: tuple[int, int]
) -> None:
    page = opened(
        review.url, viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, has_touch=True, bypass_csp=True
    )
    expect(page.locator("#strip img").first).to_have_js_property("complete", True)
    page.add_script_tag(path=node_modules / "axe-core/axe.min.js")
    for name in ("unsure", "turn"):
        page.locator(f"[data-list={name}]").click()
        expect(page.locator("#large")).to_have_attribute("src", re.compile("large=1"))
        assert page.evaluate(AXE) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "the acts are out of sight"
        expect(page.locator("#keep")).to_be_in_viewport()
        page.screenshot(path=screenshots / f"review-{name}-{scheme}-{size[0]}.png")
    stage = page.locator("#stage").bounding_box()
    assert stage and stage["height"] >= 0.25 * size[1]


def test_a_tab_asks_before_it_closes_over_decisions_that_are_not_written(
    review: Server, opened: Opening, tmp_path: Path
) -> None:
    page, held = opened(review.url), list[Route]()
    page.route("**/decide", lambda route: held.append(route))  # the method of a list cannot be one
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_have_text("disc_1.jpg")
    comes_to(page, lambda: len(held), 1)
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    held[0].continue_()
    expect(page.locator("#undo")).to_be_enabled()
    assert tag(tmp_path / "pictures" / "disc_0.jpg") == 6


def test_what_was_refused_because_of_another_window_is_not_settled(
    review: Server, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    visits = [visit(review.url, ready=False) for _ in range(2)]
    stale, other = [each.page for each in visits]
    for page in (stale, other):
        expect(page.locator("#name")).to_have_text("disc_0.jpg")
    asleep = threading.Event()  # a window in the background asks seldom
    asleep.set()
    nothing_new = {"changes": 0, "complete": True, "undoable": 0, "entries": []}
    stale.route("**/state*", lambda route: route.fulfill(json=nothing_new) if asleep.is_set() else route.continue_())
    other.keyboard.press("ArrowRight")
    other.keyboard.press("Enter")
    expect(other.locator("#undo")).to_be_enabled()

    def refused(route: Route) -> None:
        asleep.clear()
        route.continue_()

    stale.route("**/decide", refused)
    stale.keyboard.press("Shift+Enter")
    expect(stale.locator("#trouble")).to_contain_text("changed elsewhere")
    expect(stale.locator("#left")).to_contain_text("3 unsure left · 2 to turn · 1 settled")
    assert [tag(tmp_path / "pictures" / f"disc_{at}.jpg") for at in range(4)] == [6, 1, 1, 1]
    stale.keyboard.press("u")
    expect(other.locator("#left")).to_contain_text("4 unsure left · 2 to turn · 0 settled", timeout=10_000)
    assert "409" in visits[0].complaints.pop()


def test_a_finger_does_it_too(review: Server, opened: Opening, tmp_path: Path) -> None:
    page = opened(review.url, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    page.locator("#ways [data-turn='270']").tap()
    page.locator("#keep").tap()
    expect(page.locator("#name")).to_have_text("disc_1.jpg")
    expect(page.locator("#undo")).to_be_enabled()
    assert tag(tmp_path / "pictures" / "disc_0.jpg") == 8
    page.locator("#undo").tap()
    expect(page.locator("#name")).to_have_text("disc_0.jpg")
    assert tag(tmp_path / "pictures" / "disc_0.jpg") == 1


def test_a_killed_review_goes_on(outcomes: tuple[Path, list[Outcome]], opened: Opening, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    shutil.copytree(outcomes[0], folder)
    before = (folder / "disc_0.jpg").read_bytes()

    def started() -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "upright", "review", str(folder), "--no-browser"]
        environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}
        # In the background of a shell a program is started with SIGINT ignored.
        process = subprocess.Popen(
            ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command], stderr=subprocess.PIPE, text=True, env=environment
        )
        assert process.stderr is not None
        return process, re.search(r"http://\S+", process.stderr.readline())[0]  # type: ignore[index]

    process, address = started()
    page = opened(address)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#undo")).to_be_enabled(timeout=30_000)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert tag(folder / "disc_0.jpg") == 6
    page.close()

    process, address = started()
    page = opened(address)
    page.locator("[data-list=decided]").click(timeout=30_000)
    expect(page.locator("#name")).to_have_text("disc_0.jpg")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 0 and "1 of 7 pictures settled" in said
    (row,) = map(json.loads, (tmp_path / "state/upright/decisions.jsonl").read_text().splitlines())
    assert (row["path"], row["turn"]) == (str(folder / "disc_0.jpg"), 90)
    (journal,) = (tmp_path / "state/upright/journals").glob("*.jsonl")
    undo(journal)
    assert (folder / "disc_0.jpg").read_bytes() == before
