"""The judge is judged first, from pictures on disk to the page, with entrants whose worth is known."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from judges.entrant import marked
from upright_benchmark import report, seal, workers
from upright_benchmark.cli import listed, main
from upright_benchmark.machine import machine
from upright_benchmark.pictures import NO_UP, Picture, sha256_of, write_list
from upright_benchmark.runner import Run, run, sampled
from upright_benchmark.workers import Entry

HERE = Path(__file__).parent


def pictures_in(folder: Path, number: int) -> list[Picture]:
    pictures = []
    for i in range(number):
        path = folder / f"{i}.png"
        marked(i).save(path)
        pictures.append(
            Picture(f"p{i:02d}", path.name, "rendered", "document", "page", document=f"d{i}", sha256=sha256_of(path))
        )
    return pictures


def judged(folder: Path, pictures: list[Picture], *names: str, jobs: int = 1) -> tuple[Run, list[Any], dict[str, Any]]:
    entries = [Entry(n, "always_zero") if n == "zero" else Entry(n, "judges.entrant", n) for n in names]
    plan = Run(pictures, lambda picture: folder / picture.file, entries, folder / "out", jobs)
    rows = report.joined(run(plan), pictures)
    meta = {"machine": machine(), "entrants": plan.facts, "problems": plan.problems}
    return plan, rows, report.write(folder / "out", rows, pictures, meta, plan.absent, plan.folder)


def test_an_oracle_scores_100_a_coin_25_and_zero_spoils_nothing(tmp_path: Path) -> None:
    _, _, written = judged(tmp_path, pictures_in(tmp_path, 40), "oracle", "coin", "zero", jobs=2)
    oracle, coin, zero = (written["entrants"][name]["plain"] for name in ("oracle", "coin", "zero"))
    assert oracle["accuracy"] == oracle["coverage"] == 1.0
    assert oracle["spoilt"] == 0.0
    assert 0.05 < oracle["spoilt_interval"][1] < 0.12  # none of 40 does not mean never
    low, high = coin["accuracy_interval"]
    assert low < 0.25 < high and high - low < 0.2
    assert 0.5 < coin["spoilt"] < 1
    assert (zero["accuracy"], zero["spoilt"], zero["coverage"]) == (0.25, 0.0, 1.0)
    better = next(
        t for t in written["tests"] if t["measure"] == "accuracy" and {t["first"], t["second"]} == {"oracle", "zero"}
    )
    assert abs(better["difference"]) == 0.75 and better["p_holm"] < 0.01
    page = (tmp_path / "out" / "index.html").read_text()
    assert "coin: its surest mistakes" in page and "oracle: its surest mistakes" not in page
    assert "data:image/webp;base64," in page
    board = (tmp_path / "out" / "leaderboard.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in board] == ["entrant", "oracle", "zero", "coin"]


def test_a_mislabelled_picture_is_found(tmp_path: Path) -> None:
    pictures = pictures_in(tmp_path, 6)
    pictures[2] = Picture(**{**vars(pictures[2]), "turn": 180})
    _, _, written = judged(tmp_path, pictures, "oracle", "shy", "coin")
    assert written["suspects"] == [{"picture": "p02", "says": 180, "entrants": ["oracle", "shy"]}]
    assert written["entrants"]["oracle"]["plain"]["accuracy"] == pytest.approx(5 / 6)


def test_entrants_that_crash_babble_or_hang_do_not_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ANSWER_S", 4.0)
    pictures = pictures_in(tmp_path, 1)
    plan, rows, written = judged(tmp_path, pictures, "crasher", "babbler", "rude", "sleeper", "nobody", "oracle")
    said = {(row["entrant"], row["turn"]): (row["status"], row["note"]) for row in rows}
    assert said["crasher", 90] == ("crashed", "died with code 7")
    assert said["crasher", 180][0] == "answered"  # it was started again
    assert said["babbler", 0][0] == "nonsense" and "45" in said["babbler", 0][1]
    assert said["rude", 0][0] == "crashed" and "'90'" in said["rude", 0][1]
    assert said["sleeper", 180] == ("timeout", "none in 4 s")
    assert said["sleeper", 270][0] == "answered"
    assert "nobody" in plan.absent and "KeyError" in written["absent"]["nobody"]
    assert written["entrants"]["oracle"]["plain"]["accuracy"] == 1.0
    assert written["entrants"]["crasher"]["failures"] == {"crashed": 1, "timeout": 0, "nonsense": 0}
    assert written["entrants"]["crasher"]["plain"]["accuracy"] == 0.75


def test_an_entrant_that_always_crashes_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST_CRASHES", 2)
    _, rows, _ = judged(tmp_path, pictures_in(tmp_path, 2), "rude")
    assert sum(row["note"].startswith("given up") for row in rows) == 5 and len(rows) == 8


def test_a_picture_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    pictures = pictures_in(tmp_path, 3)
    whole = (tmp_path / pictures[1].file).read_bytes()
    (tmp_path / pictures[1].file).write_bytes(whole[: len(whole) // 2])
    plan, rows, _ = judged(tmp_path, pictures, "oracle")
    assert [problem["picture"] for problem in plan.problems] == ["p01"]
    assert {row["picture"] for row in rows} == {"p00", "p02"}


def test_a_damaged_file_of_a_list_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = pictures_in(tmp_path, 3)
    write_list(pictures, tmp_path)
    (tmp_path / "1.png").write_bytes(b"another picture")
    assert sorted(listed((tmp_path,))) == ["p00", "p02"]
    assert "1.png: missing, or not the file of the list" in capsys.readouterr().err


def test_silence_is_neither_right_nor_spoilt_and_no_up_wants_it(tmp_path: Path) -> None:
    pictures = pictures_in(tmp_path, 4)
    pictures[3] = Picture(**{**vars(pictures[3]), "hardness": NO_UP})
    _, _, written = judged(tmp_path, pictures, "shy", "oracle")
    shy, oracle = written["entrants"]["shy"], written["entrants"]["oracle"]
    assert (shy["plain"]["accuracy"], shy["plain"]["coverage"], shy["plain"]["spoilt"]) == (0.25, 0.25, 0.0)
    assert shy["at_risk"]["0.1"]["coverage"] == 1.0  # its best guesses are right
    assert (shy["no_up"]["answered"], oracle["no_up"]["answered"], oracle["no_up"]["turned"]) == (0.25, 1.0, 0.75)


def test_a_run_goes_on_where_it_was_cut_off_and_comes_to_the_same(tmp_path: Path) -> None:
    pictures = pictures_in(tmp_path, 3)
    _, _, whole = judged(tmp_path, pictures, "oracle", "coin")
    path = tmp_path / "out" / "results.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:10]) + "\n" + lines[10][:25])
    judged(tmp_path, pictures, "nobody")
    known = json.loads((tmp_path / "out" / "entrants.json").read_text())
    assert set(known["facts"]) == {"oracle", "coin"} and set(known["absent"]) == {"nobody"}
    _, rows, again = judged(tmp_path, pictures, "oracle", "coin")
    assert again["meta"]["signature"] == whole["meta"]["signature"] and len(rows) == 24
    marked("another").save(tmp_path / pictures[0].file)
    pictures[0] = Picture(**{**vars(pictures[0]), "sha256": sha256_of(tmp_path / pictures[0].file)})
    _, rows, other = judged(tmp_path, pictures, "oracle", "coin")
    assert other["meta"]["signature"] != whole["meta"]["signature"] and len(rows) == 24


def test_slow_entrants_see_the_same_sample_everywhere(tmp_path: Path) -> None:
    pictures = pictures_in(tmp_path, 30)
    few = sampled(pictures, 5)
    assert len(few) == 5 and few == sampled(list(reversed(pictures)), 5) and few < sampled(pictures, 9)
    assert len(sampled(pictures, 0)) == 30


@pytest.mark.parametrize(
    ("program", "status", "answer"),
    [("echo 90 0.7", "answered", 90), ("echo unsure", "unsure", None), ("true", "unsure", None),
     ("echo north", "nonsense", None), ("echo 91", "nonsense", None), ("false", "crashed", None),
     ("no-such-program", "crashed", None)],
)  # fmt: skip
def test_any_program_can_enter(tmp_path: Path, program: str, status: str, answer: int | None) -> None:
    entry = Entry("program", "command", f"sh -c '{program}' {{}}")
    plan = Run(pictures_in(tmp_path, 1), lambda picture: tmp_path / picture.file, [entry], tmp_path / "out")
    assert {(row["status"], row["answer"]) for row in run(plan)} == {(status, answer)}


def test_results_that_were_changed_are_found_and_signed_ones_name_their_key(tmp_path: Path) -> None:
    judged(tmp_path, pictures_in(tmp_path, 2), "oracle")
    out, key = tmp_path / "out", tmp_path / "key"
    assert "nobody signed" in CliRunner().invoke(main, ["verify", str(out)]).output
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    seal.sign(out, key)
    assert (
        'Good "upright-benchmark" signature with ED25519 key' in CliRunner().invoke(main, ["verify", str(out)]).output
    )
    for name in ("results.json", "answers.csv"):
        whole = (out / name).read_text()
        (out / name).write_text(whole.replace("oracle", "miracle"))
        result = CliRunner().invoke(main, ["verify", str(out)])
        assert result.exit_code == 1 and f"{name} was changed" in result.output
        (out / name).write_text(whole)
    (out / "results.json").write_text((out / "results.json").read_text() + "\n")  # the same JSON, another file
    assert seal.problems(out) == []
    assert CliRunner().invoke(main, ["verify", str(out)]).exit_code == 1
    (out / "results.json").write_text("{}")
    assert "no results of a run" in seal.problems(out)[0]


def test_the_command_line_runs_and_compares(tmp_path: Path) -> None:
    write_list(pictures_in(tmp_path, 2), tmp_path)
    outs = []
    for name in ("one", "two"):
        command = [sys.executable, "-m", "upright_benchmark.cli", "run", str(tmp_path), "-o", str(tmp_path / name)]
        ran = subprocess.run([*command, "--entrants", "always_zero"], capture_output=True, text=True, cwd=tmp_path,
                             env={**os.environ, "PYTHONPATH": str(HERE.parent)})  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert "| always_zero | 0.0 (0.0–84.2) | 25.0" in ran.stdout
        outs.append(json.loads((tmp_path / name / "results.json").read_text()))
    again = CliRunner().invoke(main, ["report", str(tmp_path), "-o", str(tmp_path / "one")])
    assert again.exit_code == 0 and "| always_zero | 0.0 (0.0–84.2) | 25.0" in again.output
    assert json.loads((tmp_path / "one" / "results.json").read_text())["entrants"] == outs[0]["entrants"]
    assert outs[0]["meta"]["signature"] == outs[1]["meta"]["signature"]
    page = CliRunner().invoke(main, ["summary", str(tmp_path / "two" / "results.json")]).output
    assert "8 answers in 0 minutes; load average" in page and "| always_zero | 0.0 (0.0–84.2) | 25.0" in page
    assert outs[0]["meta"]["machine"]["processor"] and outs[0]["meta"]["machine"]["versions"]["pillow"]
