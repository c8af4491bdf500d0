import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from upright import doctor
from upright.cli.doctor import command
from upright.doctor import examine
from upright.extras import gpu_line
from upright.formats import FORMATS
from upright.model import DEFAULT_MODEL, MODELS_FOLDER


def findings(**wanted: str) -> list[doctor.Finding]:
    return [f for f in examine() if all(getattr(f, key) == value for key, value in wanted.items())]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_this_machine_is_described_and_every_problem_has_a_remedy() -> None:
    found = examine()
    topics = {finding.topic for finding in found}
    assert {"python", "processor", "memory", "onnxruntime", "gpu", "formats", "model", "engine onnx", "cache"} <= topics
    assert all(finding.remedy for finding in found if finding.state == "problem")
    assert "CPUExecutionProvider" in " ".join(f.text for f in found if f.topic == "onnxruntime")
    assert findings(topic="engine onnx")[0].state == "ok"


def test_every_format_is_listed_with_its_decoder() -> None:
    listed = {name for found in findings(topic="formats") for name in found.text.partition(" by ")[0].split(", ")}
    assert listed == set(FORMATS)


def test_json_and_exit_code() -> None:
    result = CliRunner().invoke(command, ["--json"])
    answer = json.loads(result.stdout)
    assert answer["problems"] == sum(f["state"] == "problem" for f in answer["findings"])
    assert result.exit_code == (1 if answer["problems"] else 0)
    broken = CliRunner().invoke(command, ["--model", "/nowhere"])
    assert broken.exit_code == 1 and "no model here" in broken.output and "docs/models.md" in broken.output


def test_a_model_that_does_not_fit_the_ladder_is_a_problem(tmp_path: Path) -> None:
    folder = shutil.copytree(MODELS_FOLDER / DEFAULT_MODEL, tmp_path / "m")
    facts = json.loads((folder / "model.json").read_text())
    facts["calibration"] = {"whole": facts["calibration"]["glance"]}
    (folder / "model.json").write_text(json.dumps(facts))
    (found,) = [finding for finding in examine(str(folder)) if finding.topic == "model"]
    assert found.state == "problem" and "the ladder is glance, opposite, turned, quarters, close" in found.text


def test_two_onnxruntimes_are_a_problem_where_the_cpu_one_won(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: "1.20")
    (found,) = findings(topic="onnxruntime", state="problem")
    assert "both installed" in found.text and found.remedy == gpu_line()
    monkeypatch.setattr(doctor, "_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert not findings(topic="onnxruntime", state="problem")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("NVIDIA T4, 470.82, 15360, 15000", "driver 470.82 is too old"),
        ("NVIDIA T4, 550.1, 15360, 200", "only 200 MiB are free"),
        ("No devices were found", "nvidia-smi says 'No devices were found'"),
    ],
)
def test_gpu_troubles(answer: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def smi(*args: Any, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(args, 0, answer + "\n", "")

    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(doctor.subprocess, "run", smi)
    problems = findings(topic="gpu", state="problem")
    assert any(words in problem.text for problem in problems)


def test_a_gpu_without_a_runtime_has_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess([], 0, "NVIDIA T4, 550.1, 15360, 15000\n", "")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *args, **kwargs: answer)
    monkeypatch.setattr(doctor, "_version", lambda name: "")
    (problem,) = findings(topic="gpu", state="problem")
    assert problem.remedy == gpu_line()
    (note,) = findings(topic="onnxruntime-gpu")
    assert note.remedy == f"{gpu_line()} if you want it"


def test_a_driver_tool_that_fails_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'Driver/library version mismatch'; exit 18\n")
    tool.chmod(0o755)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: str(tool))
    (problem,) = findings(topic="gpu", state="problem")
    assert "version mismatch" in problem.text and "reboot" in problem.remedy


def test_memory_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "memory_bytes", lambda: 256 << 20)
    monkeypatch.setattr(doctor, "physical_memory_bytes", lambda: 8 << 30)
    (found,) = findings(topic="memory")
    assert found.state == "problem" and "this container; 8.0 GiB are there" in found.text


def test_a_cache_that_cannot_be_written_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (found,) = findings(topic="cache")
    assert found.state == "problem" and "XDG_CACHE_HOME" in found.remedy


def test_a_user_without_a_home_folder_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", nowhere)
    (found,) = findings(topic="cache")
    assert found.state == "problem" and "no home folder" in found.text and "XDG_CACHE_HOME" in found.remedy
