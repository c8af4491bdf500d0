"""Options that contradict each other are refused, and what counts for nothing beside another one."""

from pathlib import Path

import pytest

from upright import correct
from upright.errors import UsageError
from upright.results import Method

from .conftest import DEMO, upright

PAGE = DEMO / "page.jpg"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("detect", PAGE, "--json", "--csv"), "--json and --csv contradict each other"),
        (("look", PAGE, "--csv", "--table"), "--csv and --table contradict each other"),
        (("correct", PAGE, "--dry-run", "--together", "--no-together"), "--together and --no-together contradict"),
        (("consume", PAGE, "--careful", "--balanced"), "--careful and --balanced contradict each other"),
        (("photos", "immich", "http://x", "--careful", "--balanced"), "--careful and --balanced contradict"),
        (
            ("photos", "immich", "http://x", "--decisions", PAGE, "--unsure", "x"),
            "--unsure is for what upright decides",
        ),
        (
            ("correct", PAGE, "--dry-run", "--straighten", "--method", "tag"),
            "straighten changes pixels, and method tag",
        ),
        (
            ("correct", PAGE, "--dry-run", "--straighten", "--method", "turn"),
            "straighten changes pixels, and method turn",
        ),
        (("correct", PAGE, "--dry-run", "--sidecar", "full", "--method", "turn"), "a sidecar leaves a picture alone"),
        (
            ("correct", PAGE, "--dry-run", "--sidecar", "full", "--pixels"),
            "a sidecar leaves a picture alone, and pixels",
        ),
        (("correct", PAGE, "--dry-run", "--pixels", "--method", "tag"), "and method tag is against it"),
        (("correct", PAGE, "--dry-run", "--pixels", "--edge", "refuse"), "and edge refuse is against it"),
        (("correct", PAGE, "--dry-run", "--edge", "trim"), "--edge says what --method turn does"),
        (("correct", PAGE, "--dry-run", "--method", "tag", "--edge", "tag"), "--edge says what --method turn does"),
        (("correct", PAGE, "--dry-run", "--turn", "90", "--careful"), "--careful is for deciding"),
        (("correct", PAGE, "--dry-run", "--turn", "90", "--effort", "0"), "--effort is for deciding"),
        (("batch", PAGE, "-o", "r.jsonl", "--dry-run", "--turn", "90", "--mirror"), "--mirror is for deciding"),
        (("batch", PAGE, "-o", "r.jsonl", "--gpus", "1"), "--gpus is for --ray"),
        (("review", PAGE, "--report", "r.html"), "--report is not for a review"),
        (("review", "r.jsonl", "--best"), "--best does not go with a results file"),
        (("review", "r.jsonl", "--list", "x"), "--list does not go with a results file"),
        (("undo", "--list", PAGE), "--list takes nothing back"),
    ],
)
def test_options_that_contradict_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMMICH_API_KEY", "x")
    done = upright(*words)
    assert done.returncode == 2 and cause in done.stderr, done.stderr
    assert not list(tmp_path.iterdir())


def test_the_environment_may_set_the_engine_of_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPRIGHT_CORRECT_ENGINE", "onnx")
    assert upright("correct", PAGE, "--dry-run", "--turn", "90").returncode == 0


@pytest.mark.parametrize(
    "how",
    [
        {"straighten": "white", "method": "turn"},
        {"pixels": True, "method": "reencode"},
        {"pixels": True, "sidecar": "full"},
    ],
)
def test_the_library_refuses_them_too(tmp_path: Path, how: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"leave .* out"):
        correct(PAGE, tmp_path / "a.jpg", turn=90, **how)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_dry_run_writes_no_picture_to_standard_output() -> None:
    assert upright("correct", PAGE, "-o", "-", "--turn", "90", "--dry-run").stdout == ""
    assert correct(PAGE, turn=90, dry_run=True).method is Method.TAG
