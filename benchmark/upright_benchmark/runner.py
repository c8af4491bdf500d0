"""Shows every picture to every entrant, all four ways, and writes down what they answered.

A run that was cut off goes on where it stopped. Slow entrants see a sample, the same on every machine."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from upright_benchmark.entrants import SLOW
from upright_benchmark.pictures import TURNS, Picture, open_upright, save_shown
from upright_benchmark.workers import EMPTY, Absent, Entry, Worker

RESULTS, ENTRANTS = "results.jsonl", "entrants.json"
log = logging.getLogger("upright_benchmark")


@dataclass
class Run:
    """What a run is about, and what it found: facts of the entrants, those that are absent, pictures with problems."""

    pictures: Sequence[Picture]
    folder: Callable[[Picture], Path]  # where a picture lies
    entries: Sequence[Entry]
    out: Path
    jobs: int = 1
    slow_each: int = 0  # pictures that a slow entrant sees of each (group, hardness); 0: all
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    problems: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0  # answers that this run got, not counting those of an earlier run that it went on with


def run(plan: Run, progress: Callable[[int, int], object] = lambda done, of: None) -> list[dict[str, Any]]:
    """All results, sorted by picture, turn and entrant; also in RESULTS below `plan.out`."""
    plan.out.mkdir(parents=True, exist_ok=True)
    present = _present(plan)
    _remember(plan)
    path = plan.out / RESULTS
    done = {(row["picture"], row["turn"], row["entrant"]): row for row in recorded(path, plan.pictures)}
    sample = sampled(plan.pictures, plan.slow_each)
    # In the order of a hash, so that what a run has done when it is cut off is a random sample.
    todo = sorted((p for p in plan.pictures if _missing(p, present, sample, done)), key=_shuffled)
    crew = _Crew(present, plan.out)
    lock = threading.Lock()
    with path.open("a", encoding="utf-8") as file, ThreadPoolExecutor(plan.jobs) as pool:
        shows = pool.map(lambda picture: _show(plan, picture, crew, sample, done), todo)
        for number, rows in enumerate(shows, 1):
            with lock:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                file.flush()
            plan.asked += len(rows)
            done |= {(row["picture"], row["turn"], row["entrant"]): row for row in rows}
            progress(number, len(todo))
    crew.close()
    names = {entry.name for entry in present}
    order = {entry.name: number for number, entry in enumerate(plan.entries)}
    kept = [row for row in done.values() if row["entrant"] in names]
    return sorted(kept, key=lambda row: (row["picture"], row["turn"], order[row["entrant"]]))


def sampled(pictures: Sequence[Picture], each: int) -> set[str]:
    """Ids of at most `each` pictures of every group and hardness, by the hash of their ids; all of them where 0."""
    if not each:
        return {picture.id for picture in pictures}
    cells: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for picture in sorted(pictures, key=_shuffled):
        cells[picture.part, picture.group, picture.hardness].append(picture.id)
    return {identity for ids in cells.values() for identity in ids[:each]}


def _shuffled(picture: Picture) -> bytes:
    return hashlib.sha256(picture.id.encode()).digest()


def _present(plan: Run) -> list[Entry]:
    """Entrants that start here; the others go to `plan.absent`."""
    present = []
    for entry in plan.entries:
        try:
            worker = Worker(entry, plan.out / f"{entry.module}.log")
        except Absent as error:
            plan.absent[entry.name] = str(error)
            log.warning("%s: not run here: %s", entry.name, error)
            continue
        plan.facts[entry.name] = worker.facts
        worker.close()
        present.append(entry)
    return present


def _remember(plan: Run) -> None:
    """Writes down who took part, beside those of earlier runs into the same folder: their results are there too."""
    path = plan.out / ENTRANTS
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"facts": {}, "absent": {}}
    facts = {**known["facts"], **plan.facts}
    absent = {name: why for name, why in {**known["absent"], **plan.absent}.items() if name not in facts}
    text = json.dumps({"facts": facts, "absent": absent}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def recorded(path: Path, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """The results of an earlier run that are about these pictures as they are now."""
    hashes = {picture.id: picture.sha256 for picture in pictures}
    return [row for row in _read(path) if row["sha256"] == hashes.get(row["picture"])]


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a run that was cut off; a last line that was not written whole is passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                log.warning("%s: a line that was not written whole is passed over", path)


def _sees(entry: Entry, picture: Picture, sample: set[str]) -> bool:
    return entry.module not in SLOW or picture.id in sample


def _missing(picture: Picture, present: Sequence[Entry], sample: set[str], done: dict[Any, Any]) -> bool:
    return any(
        (picture.id, turn, entry.name) not in done
        for entry in present
        if _sees(entry, picture, sample)
        for turn in TURNS
    )


class _Crew:
    """A worker of each entrant for each thread, started when it is first asked."""

    def __init__(self, entries: Sequence[Entry], out: Path) -> None:
        self.entries, self.out = entries, out
        self._local = threading.local()
        self._all: list[Worker] = []
        self._lock = threading.Lock()

    def worker(self, entry: Entry) -> Worker:
        mine: dict[str, Worker] = self._local.__dict__.setdefault("workers", {})
        if entry.name not in mine:
            mine[entry.name] = Worker(entry, self.out / f"{entry.module}.log")
            with self._lock:
                self._all.append(mine[entry.name])
        return mine[entry.name]

    def close(self) -> None:
        for worker in self._all:
            worker.close()


def _show(plan: Run, picture: Picture, crew: _Crew, sample: set[str], done: dict[Any, Any]) -> list[dict[str, Any]]:
    """Results of one picture that are not there yet. A picture that cannot be read is a problem, not an end."""
    rows = []
    try:
        upright = open_upright(plan.folder(picture), picture.turn)
    except (OSError, ValueError) as error:
        plan.problems.append({"picture": picture.id, "problem": f"cannot be read: {error}"})
        return []
    with tempfile.TemporaryDirectory(prefix="upright-benchmark-") as folder:
        for turn in TURNS:
            path = Path(folder) / "picture.jpg"
            save_shown(upright, turn, path, picture.dpi)
            for entry in crew.entries:
                if not _sees(entry, picture, sample) or (picture.id, turn, entry.name) in done:
                    continue
                try:
                    said = crew.worker(entry).ask(path)
                except Absent as error:
                    said = {**EMPTY, "status": "crashed", "note": str(error)}
                rows.append(
                    {"picture": picture.id, "sha256": picture.sha256, "turn": turn, "entrant": entry.name, **said}
                )
    return rows
