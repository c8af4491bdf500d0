"""Pictures that tests share. The untouched originals lie beside the repository, in ``../shared/data/originals``."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from upright import Detector

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "testdata" / "demo"
ORIGINALS = ROOT.parent / "shared" / "data" / "originals"


def demo_turns() -> dict[str, int]:
    """File name of each demo picture and the turn that sets it upright."""
    with (ROOT / "testdata" / "demo-turns.csv").open() as file:
        return {row["file"]: int(row["turn"]) for row in csv.DictReader(file)}


@pytest.fixture(scope="session")
def detector() -> Iterator[Detector]:
    """One engine for all tests."""
    with Detector() as opened:
        yield opened
