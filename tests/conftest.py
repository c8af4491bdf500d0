"""Pictures that tests share. The untouched originals lie beside the repository, in ``../shared/data/originals``."""

import csv
import io
import os
import re
import sys
from collections.abc import Generator, Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from upright import Detector
from upright.cli import main

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "testdata" / "demo"
ORIGINALS = ROOT.parent / "shared" / "data" / "originals"
#: Packages that `make check` does not install, and the tests that need them. `make test` installs all.
NOT_IN_CHECK = {
    "hatchling": ("test_distribution.py",),
    "jsonschema": ("test_docs.py",),
    "kubernetes_validate": ("test_cluster.py", "service/test_deploy.py"),
    "moto": ("test_cli_batch.py",),
    "nbclient": ("test_notebook.py",),
    "ocrmypdf": ("integrations/test_ocrmypdf.py",),
    "playwright": ("web",),
    "torch": ("test_engines_extra.py", "test_export.py"),
    "tritonclient": ("service/test_kserve.py",),
}
#: Fixtures that start a service.
SERVICES = {"serve", "served", "strict", "bold"}
#: Set by `.ci/run`, where everything is installed: a test that passes for want of a program is a failure there.
NO_SKIPS = bool(os.environ.get("UPRIGHT_NO_SKIPS"))
WANTING = re.compile("is not installed|could not import")
collect_ignore = [
    path for package, paths in NOT_IN_CHECK.items() if not (NO_SKIPS or find_spec(package)) for path in paths
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if NO_SKIPS and report.skipped and isinstance(report.longrepr, tuple) and WANTING.search(report.longrepr[2]):
        report.outcome, report.longrepr = "failed", report.longrepr[2]
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what can be told by its place or its fixtures; other slow tests bear the mark themselves."""
    here = Path(__file__).parent
    elsewhere = {here / path for paths in NOT_IN_CHECK.values() for path in paths}
    for item in items:
        if here / "web" in item.path.parents:
            item.add_marker("browser")
        elif item.path in elsewhere or SERVICES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


def demo_turns() -> dict[str, int]:
    """File name of each demo picture and the turn that sets it upright."""
    with (ROOT / "testdata" / "demo-turns.csv").open() as file:
        return {row["file"]: int(row["turn"]) for row in csv.DictReader(file)}


def upright(*words: object) -> CompletedProcess[str]:
    """What the command says to these words. In this process: one of its own spends half a second on imports."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: object = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["upright", *map(str, words)])
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    text = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return CompletedProcess(words, int(str(code or 0)), *text)


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Journals of runs in place go here, not into the home of whoever runs the tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def detector() -> Iterator[Detector]:
    """One engine for all tests."""
    with Detector() as opened:
        yield opened
