"""What other systems lack is taken away: macOS has no /proc and no affinity, Windows no fcntl either."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "testdata" / "demo"
MACOS = "import io, os, sys\nfor name in ('sched_getaffinity', 'listxattr', 'posix_fadvise'): delattr(os, name)\n"
WINDOWS = """
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
absent = "sysconf getuid geteuid fchmod fchown chown pread sendfile copy_file_range O_NOFOLLOW O_DIRECTORY O_CLOEXEC"
for name in absent.split():
    if hasattr(os, name):
        delattr(os, name)
"""
NO_PROC = """
import builtins
real = io.open
def without(file, *arguments, **options):
    if str(file).startswith(("/proc", "/sys/")):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return real(file, *arguments, **options)
io.open = builtins.open = without
"""
#: Files of tests of the core, without those that try what Linux alone has (extended attributes, modes).
CORE = ("steps", "journal", "sources", "carriers")
#: What runs the tests is imported before anything is taken away: it asks Linux for the user's folders. With it comes
#: shutil, which copies extended attributes where os has them when it is imported.
RUNNER = """
import platformdirs, pytest, shutil
from _pytest import tmpdir
shutil._copyxattr, shutil._USE_CP_SENDFILE = lambda *_, **options: None, False
tmpdir.get_user_id = lambda: None
"""
#: Every module is imported, then the commands run one after the other in one process.
WORK = """
import importlib, pkgutil
from pathlib import Path
import upright
from upright.cli import cli
for module in pkgutil.walk_packages(upright.__path__, "upright."):
    if module.name not in {"upright.__main__", "upright.integrations.ocrmypdf"}:
        importlib.import_module(module.name)
for command in [line.split() for line in sys.argv[1:]]:
    try:
        cli(command, standalone_mode=False)
    except SystemExit as end:
        assert not end.code, command
"""


@pytest.mark.slow
@pytest.mark.parametrize("taken", [MACOS + NO_PROC, MACOS + WINDOWS + NO_PROC], ids=["macOS", "Windows"])
def test_the_core_without_what_linux_has(taken: str, tmp_path: Path) -> None:
    for name in ("page.jpg", "receipt.png", "poster.webp"):
        shutil.copy(DEMO / name, tmp_path / name)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    journal = tmp_path.parent / f"{tmp_path.name}.jsonl"
    commands = [
        f"detect {tmp_path}",
        f"correct {tmp_path} --in-place --best --journal {journal}",
        f"undo {journal}",
        f"batch {tmp_path} -o {tmp_path.parent}/{tmp_path.name}-answers.jsonl",
        "doctor",
    ]
    done = subprocess.run(
        [sys.executable, "-c", taken + WORK, *commands], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 turned, 0 unsure, 0 failed" in done.stderr
    assert journal.stat().st_size > 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.slow
@pytest.mark.parametrize("taken", [MACOS + NO_PROC, MACOS + WINDOWS + NO_PROC], ids=["macOS", "Windows"])
def test_the_tests_of_the_core_pass_there(taken: str) -> None:
    """Those of files, journals, formats and sources in their own process; what needs Linux itself says so."""
    here = Path(__file__).parent
    files = [here / f"test_{name}.py" for name in CORE]
    run = f"{RUNNER}{taken}sys.exit(pytest.main(['-x', '-m', 'not slow', '-p', 'no:cacheprovider', *sys.argv[1:]]))"
    done = subprocess.run(
        [sys.executable, "-c", run, *map(str, files)], capture_output=True, text=True, cwd=here.parent, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
