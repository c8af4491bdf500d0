"""The wheel and the sdist: what is in them, and that the installed package works where no clone is."""

import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import click
import pytest

from upright.cli import cli

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "testdata" / "demo" / "page.jpg"

MANUAL = runpy.run_path(str(ROOT / "deploy" / "manual.py"))

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


def test_the_wheel_has_the_package_and_no_more(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"upright"}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".ipynb"))]
    for needed in (
        "py.typed",
        "models/upright-1/model.onnx",
        "models/upright-1/model.json",
        "models/upright-1/heads.onnx",
        "web_static/index.html",
    ):
        assert f"upright/{needed}" in names
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src/upright").rglob("*.py")}
    assert sources <= set(names)
    shared = {name.partition(".data/data/share/")[2] for name in names if ".data/" in name}
    assert shared == {"man/man1/upright.1", *MANUAL["COMPLETIONS"].values()}
    assert wheel.stat().st_size < 28e6  # three networks are 21 MB of it, engine and decoders of the page 6.5


def test_the_manual_page_has_every_command_and_option(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("upright.1")]
        page = archive.read(name).decode()
    said = page.replace("\\-", "-")
    context = click.Context(cli, info_name="upright")
    for command in cli.list_commands(context):
        found = cli.get_command(context, command)
        assert found and f".SS upright {command} " in said
        options = [each for each in found.params if isinstance(each, click.Option) and not each.hidden]
        assert [each.opts[-1] for each in options if each.opts[-1] not in said] == []
    if shutil.which("groff"):
        (tmp_path / "upright.1").write_text(page)
        command = ["groff", "-man", "-Kutf8", "-Tutf8", "-ww", tmp_path / "upright.1"]
        shown = subprocess.run(command, capture_output=True, text=True)
        assert shown.returncode == 0 and shown.stderr == "" and "upright undo" in shown.stdout


def test_the_sdist_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    assert (tree / "LICENSE").exists() and (tree / "tests/test_distribution.py").exists()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=tree)
    (wheel,), (again,) = dist.glob("*.whl"), tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert sorted((each.filename, each.CRC) for each in one.infolist()) == sorted(
            (each.filename, each.CRC) for each in other.infolist()
        )


def test_the_installed_wheel(dist: Path, tmp_path: Path) -> None:
    """In an environment of its own, which sees this one's packages but not this one's upright."""
    (wheel,) = dist.glob("*.whl")
    home = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", home)
    site = Path(run(home / "bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(sys.executable, "-m", "pip", "--python", home / "bin/python", "install", "--no-deps", "--no-index", wheel)
    assert "page.jpg" in run(home / "bin/upright", "detect", PAGE, cwd=tmp_path)
    where = run(home / "bin/python", "-c", "import upright; print(upright.__file__)", cwd=tmp_path)
    assert where.startswith(str(site))
    assert "--upright-unsure" in run(home / "bin/python", "-m", "ocrmypdf", "--help", cwd=tmp_path)
    line = "from upright.extras import install_line; print(install_line('pdf'))"
    assert run(home / "bin/python", "-c", line, cwd=tmp_path).strip() == (
        f"{home}/bin/python -m pip install 'upright[pdf]'"
    )
