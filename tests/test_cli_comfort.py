"""The command as a person meets it: paths alone, mistakes, colours, how far it is, and how to go on."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from upright.carriers import read_exif_orientation
from upright.cli import cli
from upright.cli.parsing import COMMANDS
from upright.errors import UsageError
from upright.turns import ExifOrientation

from .conftest import DEMO, upright

COMMAND = [sys.executable, "-m", "upright"]


def run(*words: object, **options: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], **options)  # type: ignore[arg-type]


def test_paths_alone_say_what_would_be_done_and_what_to_type_next(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "my photos")
    before = {path.name: path.read_bytes() for path in (tmp_path / "my photos").iterdir()}
    done = run(tmp_path / "my photos")
    assert done.exit_code == 0 and "would turn" in done.stdout and "already upright  " not in done.stdout
    assert "Nothing was changed. Next:" in done.stderr
    assert f"upright correct '{tmp_path}/my photos' --in-place --together" in done.stderr
    assert f"upright review '{tmp_path}/my photos'" in done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "my photos").iterdir()} == before
    assert run("--careful", DEMO / "page.jpg", "--json").stdout.startswith('{"source"')
    one = run(DEMO / "settings.png")
    assert "already upright" in one.stdout and "Next" not in one.stderr


def test_a_mistyped_command_or_path_is_named() -> None:
    for word, remedy in (("corect", "did you mean `upright correct`"), ("fotos/", "did you mean `upright photos`")):
        with pytest.raises(UsageError, match="no command and no file") as caught:
            run(word, catch_exceptions=False)
        assert remedy in caught.value.remedy
    with pytest.raises(UsageError, match="--help"):
        run("xyzzy", catch_exceptions=False)
    for words in (("corect", DEMO, "--in-place"), ("detct", DEMO), ("wach", DEMO, "-o", "out")):
        with pytest.raises(UsageError, match=r"did you mean `upright (correct|detect|watch)`"):
            run(*words, catch_exceptions=False)
    done = run("missing.jpg", DEMO / "settings.png")
    assert done.exit_code == 1 and "missing.jpg" in done.stderr and "1 already upright" in done.stderr


def test_every_option_with_a_value_can_be_set_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def commands(group: click.Group, at: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
        for name in group.list_commands(at):
            command = group.get_command(at, name)
            assert command is not None
            context = command.make_context(name, ["--help"], parent=at, resilient_parsing=True)
            yield from commands(command, context) if isinstance(command, click.Group) else [(command, context)]

    seen = 0
    for command, context in commands(cli, click.Context(cli, info_name="upright", auto_envvar_prefix="UPRIGHT")):
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_flag:
                named = max(option.opts, key=len)
                name = f"{context.command_path} {named[2:]}".replace(" ", "_").replace("-", "_").upper()
                monkeypatch.setenv(name, "something")
                assert option.resolve_envvar_value(context) == "something", name
                monkeypatch.delenv(name)
                seen += 1
    assert seen > 100
    monkeypatch.setenv("UPRIGHT_BATCH_CORRECT", str(tmp_path / "out"))
    monkeypatch.setenv("UPRIGHT_BATCH_OUTPUT", str(tmp_path / "r.jsonl"))
    assert upright("batch", DEMO / "page.jpg").returncode == 0 and (tmp_path / "out" / "page.jpg").exists()
    monkeypatch.delenv("UPRIGHT_BATCH_CORRECT")
    monkeypatch.setenv("UPRIGHT_BATCH_FOLDER", str(tmp_path / "old"))
    monkeypatch.setenv("UPRIGHT_BATCH_OUTPUT", str(tmp_path / "s.jsonl"))
    assert upright("batch", DEMO / "page.jpg").returncode == 0 and (tmp_path / "old" / "page.jpg").exists()


def test_a_file_may_be_called_almost_like_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(DEMO / "settings.png", "detct")
    assert "already upright" in run("detct").stdout


def test_promises_that_contradict_each_other_are_refused() -> None:
    for command in ("detect", "correct", "batch", "review"):
        with pytest.raises(UsageError, match="--careful and --best contradict"):
            run(command, "--best", DEMO, "--careful", catch_exceptions=False)
    assert run("detect", DEMO / "page.jpg", "--", "--careful", "--best").exit_code == 1, "after -- they are files"


def test_help_begins_with_examples_and_ends_with_what_few_need() -> None:
    text = run("correct", "--help").output
    places = [
        text.index(part) for part in ("Examples:", "Set pictures upright", "\nOptions:", "Options that few need:")
    ]
    assert places == sorted(places) and text.index("--in-place") < places[-1] < text.index("--max-memory-mb")
    for command in COMMANDS:
        assert run(command, "--help").exit_code == 0


def test_a_turn_by_hand(tmp_path: Path) -> None:
    shutil.copy(DEMO / "astronaut.jpg", tmp_path)
    path = tmp_path / "astronaut.jpg"
    done = run("correct", path, "--in-place", "--turn", 180, "--journal", tmp_path / "journal", "-v")
    assert done.exit_code == 0 and "turned by hand" in done.output
    with path.open("rb") as file:
        assert read_exif_orientation(file).orientation is ExifOrientation.BOTTOM_RIGHT
    assert run("undo", tmp_path / "journal").exit_code == 0
    assert path.read_bytes() == (DEMO / "astronaut.jpg").read_bytes()


def test_quiet_verbose_and_colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes((DEMO / "page.jpg").read_bytes()[:300])
    quiet = run("detect", "-q", DEMO / "page.jpg", tmp_path / "broken.jpg")
    assert quiet.exit_code == 1 and "broken.jpg" in quiet.output
    assert "failed" in quiet.output and "would turn" not in quiet.output
    assert "step glance, 1 view" in run("detect", "-v", DEMO / "chart.tif").stdout
    assert "\x1b[" not in run("detect", DEMO / "page.jpg").stdout
    assert "\x1b[" in run("detect", "--color", "always", DEMO / "page.jpg").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("detect", DEMO / "page.jpg", color=True).stdout


@pytest.mark.slow
def test_a_terminal_sees_rows_and_a_bar_below_them(tmp_path: Path) -> None:
    for i in range(80):
        shutil.copy(DEMO / "page.jpg", tmp_path / f"page {i}.jpg")
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, "detect", "--together", str(tmp_path)], stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass  # Linux says so when the last writer has gone.
        assert process.wait() == 0
    os.close(ours)
    assert shown.count(b"would turn ") == 80 and b" of 80 pictures" in shown and b"left\x1b[K" in shown
    assert shown.rstrip().splitlines()[-1].endswith(b"80 would turn, 0 unsure, 0 failed")


@pytest.mark.slow
def test_a_stopped_run_says_what_it_did_and_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for i in range(300):
        shutil.copy(DEMO / "page.jpg", tmp_path / "many" / f"page{i}.jpg")
    report = tmp_path / "report.html"
    command = [*COMMAND, "detect", str(tmp_path / "many"), "--report", str(report)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline(), process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        said = process.stderr.read()
    assert process.returncode == 130
    assert "stopped: " in said and "would turn" in said and "run the same command again for the rest" in said
    assert "upright report" in report.read_text()


@pytest.mark.slow
def test_completion_is_there() -> None:
    environment = os.environ | {"_UPRIGHT_COMPLETE": "bash_complete", "COMP_WORDS": "upright und", "COMP_CWORD": "1"}
    program = Path(sys.executable).with_name("upright")
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,undo"]
