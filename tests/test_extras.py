"""One error and one remedy for every package that only some uses need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from upright import ExtraMissing, extras
from upright.extras import gpu_line, install_line, need

SOURCE = Path(__file__).parents[1] / "src/upright"


def test_a_module_is_given() -> None:
    assert need("json.decoder", "none").JSONDecodeError is not None


def test_a_missing_package_has_its_install_line() -> None:
    with pytest.raises(ExtraMissing) as caught:
        need("no_such_package.part", "parquet", source="a.parquet")
    error = caught.value
    assert (error.source, error.cause) == ("a.parquet", "no_such_package is not installed")
    assert error.remedy == install_line("parquet") and error.exit_code == 2


def test_a_package_that_misses_a_library_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_there.py").write_text("raise ImportError('libodd.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ExtraMissing, match=r"half_there is installed and cannot be imported: libodd\.so\.1"):
        need("half_there", "pdf")


def test_the_install_line_in_a_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clone = SOURCE.parents[1]
    monkeypatch.chdir(tmp_path)
    assert install_line("pdf").endswith(f" install --editable '{clone}[pdf]'")
    monkeypatch.chdir(clone)
    assert install_line("pdf").endswith(" install --editable '.[pdf]'")
    assert install_line("").endswith(" install --editable .")


@pytest.mark.parametrize("beside", [True, False])
def test_the_install_line_of_an_installed_package(
    beside: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``pip`` alone is named only where it belongs to the Python that runs: another would install elsewhere."""
    monkeypatch.setattr(extras, "_CLONE", tmp_path)
    pip = Path(sys.executable).parent / "pip" if beside else tmp_path / "pip"
    monkeypatch.setattr(extras.shutil, "which", lambda name: str(pip))
    start = "pip" if beside else f"{sys.executable} -m pip"
    assert install_line("s3") == f"{start} install 'upright[s3]'"


@pytest.mark.parametrize(
    ("there", "pip", "uv", "line"),
    [
        ("pipx_metadata.json", True, False, "pipx runpip upright install 'upright[pdf]'"),
        ("uv-receipt.toml", False, False, f"uv pip install --python {sys.executable} 'upright[pdf]'"),
        ("", False, True, f"uv pip install --python {sys.executable} 'upright[pdf]'"),
        ("", False, False, f"{sys.executable} -m ensurepip && {sys.executable} -m pip install 'upright[pdf]'"),
    ],
    ids=["pipx", "uv tool", "uv venv", "no pip"],
)
def test_the_install_line_of_an_environment_that_is_not_pips(
    there: str, pip: bool, uv: bool, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "upright"
    home.mkdir()
    if there:
        (home / there).touch()
    monkeypatch.setattr(extras, "_CLONE", tmp_path)
    monkeypatch.setattr(extras.sys, "prefix", str(home))
    monkeypatch.setattr(extras, "find_spec", lambda name: object() if pip else None)
    monkeypatch.setattr(extras.shutil, "which", lambda name: "/usr/bin/uv" if uv and name == "uv" else None)
    assert install_line("pdf") == line
    first, again = gpu_line().rsplit(" && ", 1)
    assert first == line.replace("pdf", "gpu")
    installer = line.rpartition("&& ")[2].rpartition(" ")[0]
    assert again == f"{installer} --force-reinstall --no-deps onnxruntime-gpu"


def test_the_gpu_line_of_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(extras, "_CLONE", tmp_path)
    monkeypatch.setattr(extras.shutil, "which", lambda name: str(Path(sys.executable).parent / "pip"))
    then = "pip install --force-reinstall --no-deps onnxruntime-gpu"
    assert gpu_line() == f"pip install 'upright[gpu]' && {then}"


def test_the_install_line_for_the_python_of_a_distribution(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(extras, "_CLONE", tmp_path)
    monkeypatch.setattr(extras.sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(extras, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(extras.shutil, "which", lambda name: None)
    assert install_line("pdf") == f"{sys.executable} -m pip install --break-system-packages 'upright[pdf]'"


def test_every_extra_that_is_named_exists() -> None:
    import re
    import tomllib

    there = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    text = "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))
    named = set(re.findall(r'\bneed\([^,()]+, "(\w+)"', text)) | set(re.findall(r'install_line\(["\'](\w+)', text))
    assert {"parquet", "ray", "pdf", "serve", "gpu"} <= named <= set(there)


def test_onnxruntime_is_told_to_send_nothing_before_it_is_imported() -> None:
    code = (
        "import os, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'onnxruntime': print('SEEN', os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        "from upright.engines import open_engine\n"
        "from upright.model import load_model\n"
        "open_engine(load_model())"
    )
    clean = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean)
    assert done.stdout.splitlines()[0] == "SEEN 1"
