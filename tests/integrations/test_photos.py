"""Immich and PhotoPrism, by stand-ins that are built from their API descriptions; no real server was asked."""

import hashlib
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageOps

from upright import Detector, ExifOrientation, SourceError, Turn, UsageError
from upright.cli import cli
from upright.integrations.immich import Asset, Immich
from upright.integrations.photoprism import PhotoPrism
from upright.integrations.photos import Said, Wanted, as_decided, set_right
from upright.journal import Journal
from upright.results import Outcome
from upright.review.decisions import Decision
from upright.review.session import Choice, Session

from .standins import CLOCKWISE, KEY, Answer, FakeImmich, FakePhotoPrism, Refused, jpeg, serving

DEMO = Path(__file__).parents[2] / "testdata" / "demo"
#: The demo's picture as a person would hold it: its file needs half a turn (testdata/demo-turns.csv).
PAGE = Image.open(DEMO / "page.jpg").convert("RGB")
ASSET = Asset("a", "a.jpg")


@pytest.fixture(scope="module")
def upright_page(detector: Detector) -> Image.Image:
    turn = detector.detect(PAGE).turn
    assert turn is not None
    return PAGE.transpose(CLOCKWISE[turn]) if turn else PAGE


def alike(image: Image.Image, other: Image.Image) -> bool:
    return image.size == other.size and abs(np.asarray(image, float) - np.asarray(other, float)).mean() < 4


def test_immich(upright_page: Image.Image, detector: Detector) -> None:
    lying = {str(int(turn)): upright_page.transpose(CLOCKWISE[turn.inverse]) if turn else upright_page for turn in Turn}
    fake = FakeImmich(lying | {"cropped": lying["90"], "settled": lying["180"]})
    width, height = lying["90"].size
    crop = {"action": "crop", "parameters": {"x": 10, "y": 20, "width": width - 40, "height": height - 50}}
    fake.edits["cropped"] = [crop]
    fake.edits["settled"] = [{"action": "mirror", "parameters": {"axis": "vertical"}}]
    mirrored = fake.shown("settled")
    with serving(fake) as address:
        said = list(set_right(Immich(address, KEY), detector, "balanced", dry_run=True))
        assert Said("90.jpg: would be turned by 90°") in said and fake.writes == 0
        said = list(set_right(Immich(address + "/", KEY), detector, "balanced"))
        assert [each for each in said if "settled" not in each.line] == [
            Said("90.jpg: turned by 90°"),
            Said("180.jpg: turned by 180°"),
            Said("270.jpg: turned by 270°"),
            Said("cropped.jpg: turned by 90°"),
        ]
        assert all(alike(fake.shown(each), upright_page) for each in ("0", "90", "180", "270"))
        assert fake.edits["cropped"] == [crop, {"action": "rotate", "parameters": {"angle": 90}}]
        assert alike(fake.shown("settled"), mirrored)
        writes = fake.writes
        assert not any("turned by" in each.line for each in set_right(Immich(address, KEY), detector, "balanced"))
        assert fake.writes == writes


def test_a_mirrored_picture_is_mirrored_back(upright_page: Image.Image) -> None:
    lying = ImageOps.mirror(upright_page).transpose(CLOCKWISE[90])
    immich, photoprism = FakeImmich({"a": lying}), FakePhotoPrism({"a": jpeg(lying, 6)})
    with Detector(mirror=True) as detector, serving(immich) as one, serving(photoprism) as other:
        said = list(set_right(Immich(one, KEY), detector, "balanced"))
        assert said == [Said("a.jpg: mirrored and turned by 90°")]
        said = list(set_right(PhotoPrism(other, KEY), detector, "balanced"))
        assert said == [Said("2026/a.jpg: mirrored and turned by 180° (EXIF 6 to 7)")]
    assert alike(immich.shown("a"), upright_page) and alike(photoprism.shown("a"), upright_page)


@pytest.mark.parametrize("status", [403, 500])
def test_a_run_whose_changes_are_refused_ends_with_1(status: int, upright_page: Image.Image) -> None:
    fake = FakeImmich({"a": upright_page.transpose(CLOCKWISE[90]), "b": upright_page})

    def refusing(method: str, *request: Any) -> Answer:
        if method == "PUT":
            raise Refused(status, "no")
        return fake(method, *request)

    with serving(refusing) as address:
        command = ["photos", "immich", address]
        result = CliRunner().invoke(cli, command, env={"IMMICH_API_KEY": KEY})
        said = "the key may not do this" if status == 403 else "Immich answered 500"
        assert result.exit_code == 1 and said in result.output and result.output.startswith("a.jpg: ")
        picture = hashlib.sha256(jpeg(fake.shown("a"))).hexdigest()
        decision = Decision("/unsure/a.jpg", 0, Turn.RIGHT, False, picture, picture, Turn.RIGHT, 0.5)
        assert [each.failed for each in as_decided(Immich(address, KEY), [decision])] == [True]
        assert CliRunner().invoke(cli, [*command, "--dry-run"], env={"IMMICH_API_KEY": KEY}).exit_code == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_patience_gets_it(status: int, upright_page: Image.Image, detector: Detector) -> None:
    fake, asked = FakeImmich({"a": upright_page.transpose(CLOCKWISE[90])}), dict[tuple[str, str], float]()

    def busy(method: str, path: str, *request: Any) -> Answer:
        """Each request once, for a second."""
        if time.monotonic() - asked.setdefault((method, path), time.monotonic()) < 1:
            raise Refused(status, "busy", {"Retry-After": "1"})
        return fake(method, path, *request)

    with serving(busy) as address:
        assert list(set_right(Immich(address, KEY), detector, "balanced")) == [Said("a.jpg: turned by 270°")]
    assert alike(fake.shown("a"), upright_page) and fake.writes == 1 and len(asked) == 4


def test_a_server_that_asks_for_an_hour_is_an_error_at_once() -> None:
    def away(*_: Any) -> Answer:
        raise Refused(503, "maintenance", {"Retry-After": "3600"})

    with serving(away) as address, pytest.raises(SourceError, match="Immich answered 503; run it again in 3600 s"):
        list(Immich(address, KEY).pictures())


def test_a_server_that_starts_again_is_waited_for() -> None:
    fake, gone = FakeImmich({"a": PAGE, "b": PAGE, "c": PAGE}), iter([True])

    def starting(method: str, path: str, body: Any, headers: Any) -> Answer:
        if body["page"] == 2 and next(gone, False):
            raise ConnectionResetError  # the connection closes without an answer
        return fake(method, path, body, headers)

    with serving(starting) as address:
        assert [each.uid for each in Immich(address, KEY).pictures()] == ["a", "b", "c"]


@pytest.mark.parametrize("program", [Immich, PhotoPrism])
def test_a_key_is_never_shown(program: type) -> None:
    for key in ("se\ncret", "se\rcret", "sec€ret", "sec\0ret"):
        with pytest.raises(UsageError, match=r"the key for .* has characters that no key has; copy it") as caught:
            program("http://127.0.0.1:9", key)
        assert "ret" not in str(caught.value)
    fake = FakeImmich({}) if program is Immich else FakePhotoPrism({})
    with serving(fake) as address:
        assert list(program(address, f"{KEY}\r\n").pictures()) == [], "as a file that holds it ends"


ADDRESSES = [
    "http://[::1",
    "http://a:b",
    "http://a b",
    "http://a\n",
    "http://a/ü",
    "ftp://a",
    "photos.example",
    "http://",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_no_address_of_a_server(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of a server; write it as"):
        Immich(address, KEY)


def test_edits_show_what_was_shown_and_then_what_is_wanted() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (7, 5, 3), np.uint8))
    crop = {"action": "crop", "parameters": {"x": 1, "y": 0, "width": 3, "height": 6}}
    for edits, turn, mirrored in product(([], [crop]), Turn, (False, True)):
        if not turn and not mirrored:
            continue
        fake = FakeImmich({"a": noise})
        fake.edits["a"] = edits
        wanted = ImageOps.mirror(fake.shown("a")) if mirrored else fake.shown("a")
        wanted = wanted.transpose(CLOCKWISE[turn]) if turn else wanted
        with serving(fake) as address:
            Immich(address, KEY).change(ASSET, ExifOrientation.TOP_LEFT, Wanted(turn, mirrored), dry_run=False)
        assert np.array_equal(np.asarray(fake.shown("a")), np.asarray(wanted))


def test_an_edit_that_is_not_known_is_not_lost() -> None:
    fake = FakeImmich({"a": PAGE})
    fake.edits["a"] = [{"action": "adjust", "parameters": {}}]
    with serving(fake) as address:
        said = Immich(address, KEY).change(ASSET, ExifOrientation.TOP_LEFT, Wanted(Turn.RIGHT), dry_run=False)
    assert said == "stays as it was edited in Immich (it would be turned by 90°)" and not fake.writes


@pytest.mark.parametrize(
    ("program", "content"),
    [
        (Immich, {"assets": {"items": [], "nextPage": "the next"}}),
        (Immich, {"assets": {"items": [], "nextPage": 9e999}}),
        (PhotoPrism, [{"Files": ["a.jpg"]}]),
    ],
)
def test_an_answer_of_another_shape_is_an_error(program: Any, content: Any) -> None:
    said = "answered in a form that upright does not know"
    with serving(lambda *_: (content, {})) as address, pytest.raises(SourceError, match=said):
        list(program(address, KEY).pictures())


@pytest.mark.parametrize("orientation", [1, 6])
def test_photoprism(orientation: int, upright_page: Image.Image, detector: Detector) -> None:
    stored = upright_page.transpose(CLOCKWISE[90])
    fake = FakePhotoPrism({"one": jpeg(stored, orientation), "two": jpeg(upright_page)})
    with serving(fake) as address:
        said = list(set_right(PhotoPrism(address, KEY), detector, "balanced", dry_run=True))
        assert len(said) == 1 and "2026/one.jpg: would be turned" in said[0].line and fake.writes == 0
        said = list(set_right(PhotoPrism(address, KEY), detector, "balanced"))
        assert said[0].line.endswith(f"(EXIF {orientation} to 8)") and fake.writes == 1
        assert alike(fake.shown("one"), upright_page) and alike(fake.shown("two"), upright_page)


@pytest.mark.parametrize("page", [1, 2, 3, 6, 14, 15])
def test_every_photo_of_photoprism_is_found(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upright.integrations.photoprism._PAGE", page)
    names = list("abcdefg")
    with serving(FakePhotoPrism(dict.fromkeys(names, b"the same"))) as address:
        assert [each.uid for each in PhotoPrism(address, KEY).pictures()] == names


@pytest.mark.parametrize("program", ["immich", "photoprism"])
def test_what_a_person_decided_in_the_review_is_sent(program: str, tmp_path: Path, detector: Detector) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (6, 9, 3), np.uint8)
    blots = {name: Image.fromarray(np.roll(noise, by, 1)).resize((450, 300)) for by, name in enumerate("abc")}
    fake = FakeImmich(blots) if program == "immich" else FakePhotoPrism({n: jpeg(i, 6) for n, i in blots.items()})
    shown = {name: fake.shown(name) for name in blots}
    decisions, folder = tmp_path / "decisions.jsonl", tmp_path / "unsure"
    variable = {"immich": "IMMICH_API_KEY", "photoprism": "PHOTOPRISM_TOKEN"}[program]

    def photos(*words: str) -> list[str]:
        result = CliRunner().invoke(cli, ["photos", program, address, *words], env={variable: KEY})
        assert result.exception is None
        return result.output.splitlines()

    with serving(fake) as address:
        saved = photos("--careful", "--unsure", str(folder))
        assert [line.partition(": ")[2] for line in saved] == [f"unsure, saved as {name}.jpg" for name in blots]
        session = Session(Journal(tmp_path / "journal.jsonl"), decisions)
        for number, (name, turn, mirrored) in enumerate((("a", 90, False), ("b", 180, True), ("c", 0, False))):
            session.add(Outcome(str(folder / f"{name}.jpg"), detector.detect(folder / f"{name}.jpg")), Path(name))
            session.decide([Choice(number, session.entries[number].version, Turn(turn), mirrored)])
        said = photos("--decisions", str(decisions), "--dry-run")
        assert fake.writes == 0 and len(said) == 2, "upright pictures stay"
        assert "would be turned by 90°" in said[0] and "would be mirrored and turned by 180°" in said[1]
        photos("--decisions", str(decisions))
        assert alike(fake.shown("a"), shown["a"].transpose(CLOCKWISE[90]))
        assert alike(fake.shown("b"), shown["b"].transpose(Image.Transpose.FLIP_LEFT_RIGHT).transpose(CLOCKWISE[180]))
        assert alike(fake.shown("c"), shown["c"]) and fake.writes == 2
        again = photos("--decisions", str(decisions))
        assert [line.partition(": ")[2] for line in again] == ["stays, it was changed since it was looked at"] * 2
        assert fake.writes == 2


@pytest.mark.parametrize("program", ["immich", "photoprism"])
def test_a_wrong_key_address_or_program(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeImmich({}) if program == "immich" else FakePhotoPrism({})
    variable = {"immich": "IMMICH_API_KEY", "photoprism": "PHOTOPRISM_TOKEN"}[program]
    monkeypatch.delenv(variable, raising=False)

    def error_of(address: str, key: str | None = None) -> str:
        result = CliRunner().invoke(cli, ["photos", program, address], env={variable: key})
        assert isinstance(result.exception, UsageError | SourceError)
        return str(result.exception)

    with serving(fake) as address:
        assert f"{variable} is not set" in error_of(address)
        assert "refused the key; make a" in error_of(address, "wrong")
        assert "does not have this" in error_of(address + "/elsewhere", KEY)
        assert CliRunner().invoke(cli, ["photos", program, address], env={variable: KEY}).exit_code == 0
    assert "cannot be reached" in error_of(address, KEY)
    assert "no address of a server" in error_of("photos.example", KEY)
    for content, cause in ((b"<html>", "this is not"), (b'[{"assets": 1}]', "a form that upright does not know")):
        with serving(lambda *_, content=content: (content, {})) as address:
            assert cause in error_of(address, KEY)


def test_a_redirect_does_not_get_the_key() -> None:
    asked = []

    def elsewhere(*request: object) -> tuple[bytes, dict[str, str]]:
        asked.append(request)
        return b"{}", {}

    with serving(elsewhere) as other:

        def redirect(*_: object) -> tuple[bytes, dict[str, str]]:
            raise Refused(302, other)

        with serving(redirect) as address, pytest.raises(SourceError, match="answered 302"):
            list(Immich(address, KEY).pictures())
    assert asked == []
