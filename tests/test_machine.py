"""What a process may use, by affinity and by control groups of both versions."""

import os
from pathlib import Path

import pytest

from upright import machine
from upright.machine import cache_folder, memory_bytes, physical_memory_bytes, processor, processors


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty tree of control groups, and a process on eight processors that is in none of them yet."""
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    return tmp_path


def write(root: Path, own: str, files: dict[str, str]) -> None:
    (root / "own").write_text(own)
    for name, text in files.items():
        path = root / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("own", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 2),
        # A parent's quota holds for its children; the nearer one may be wider.
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        # Version 1: one tree for each controller, -1 is no quota.
        ("5:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("5:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "400000", "cpu/x/cpu.cfs_period_us": "100000"}, 4),
        # Inside a container the group is mounted as the root, while the path is the host's.
        ("1:cpu:/docker/1a\n", {"cpu/cpu.cfs_quota_us": "600000", "cpu/cpu.cfs_period_us": "100000"}, 6),
        ("2:memory:/\n", {"memory/cpu.max": "100000 100000"}, 8),
        ("", {}, 8),
    ],
)
def test_processors(groups: Path, own: str, files: dict[str, str], wanted: int) -> None:
    write(groups, own, files)
    assert processors() == wanted


def test_processors_where_the_system_knows_no_affinity(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert processors() == 3


def test_memory(groups: Path) -> None:
    there = physical_memory_bytes()
    assert there > 1 << 20
    assert memory_bytes() == there
    write(groups, "0::/a\n", {"memory.max": "max\n", "a/memory.max": "268435456\n"})
    assert memory_bytes() == 256 << 20
    write(groups, "4:memory:/p\n", {"memory/p/memory.limit_in_bytes": "9223372036854771712\n"})
    assert memory_bytes() == there


def test_a_system_that_does_not_say_how_much_memory(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf")
    assert memory_bytes() == physical_memory_bytes() == 0
    write(groups, "0::/\n", {"memory.max": "1000000\n"})
    assert memory_bytes() == 1_000_000


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "upright"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the specification: such a value is to be ignored
    assert cache_folder() == Path.home() / ".cache" / "upright"


def test_the_processor_has_a_name() -> None:
    name, flags = processor()
    assert name and "" not in flags
