"""The manifest of real pictures: where each lies at a commit, what it is, whose it is. No picture is in the repository.

`sources.csv` names repositories and licences, `pictures.csv` the pictures, `by_address.csv` collections that are known
by their address alone and take no part in the figures."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import quote

from upright_benchmark.pictures import GROUPS, NO_UP, PLAIN, TURNS, Picture

FOLDER = Path(__file__).parent / "manifest"
ADDRESS = "https://raw.githubusercontent.com"
LICENCES = ("CC0-1.0", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-2.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0",
            "public domain", "MIT")  # fmt: skip
HARDNESS = (PLAIN, "lying", "food", "aerial", "sky", "macro", "old", "blurred", "dark", "strip", "mirrored", "tilted",
            "small", "art", NO_UP)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A repository at a commit. `evidence` is the file in it that states the licence."""

    id: str
    repository: str
    commit: str
    licence: str
    evidence: str
    credit: str


@dataclass(frozen=True)
class Entry:
    """One picture of the manifest. `turn` sets it upright as shown; `checked` says how that is known: "eye"."""

    id: str
    source: str
    path: str
    bytes: int
    sha256: str
    group: str
    kind: str
    script: str
    hardness: str
    document: str
    turn: int
    checked: str

    def address(self, source: Source, base: str = ADDRESS) -> str:
        return f"{base.rstrip('/')}/{source.repository}/{source.commit}/{quote(self.path)}"

    def picture(self, source: Source) -> Picture:
        """The picture as the runner knows it, once it lies in the cache as `file_name`."""
        return Picture(
            id=self.id,
            file=self.file_name,
            part="real",
            group=self.group,
            kind=self.kind,
            script=self.script,
            hardness=self.hardness,
            document=f"{self.source}/{self.document or self.id}",
            turn=self.turn,
            mirrored=int(self.hardness == "mirrored"),
            sha256=self.sha256,
            credit=f"{source.credit}, {source.licence}",
        )

    @property
    def file_name(self) -> str:
        return self.id + Path(self.path).suffix.lower()


@dataclass(frozen=True)
class Manifest:
    """Sources by id, the pictures that are whole, and what is wrong with the other rows."""

    sources: Mapping[str, Source]
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


def read(folder: Path = FOLDER) -> Manifest:
    """Reads a manifest. A row that is wrong becomes a problem with file, line and reason, and is left out."""
    problems: list[str] = []
    sources: dict[str, Source] = {}
    for place, row in _rows(folder / "sources.csv", Source, problems):
        source = Source(**row)
        if wrong := _wrong_source(source, sources):
            problems.append(f"{place}: {wrong}")
        else:
            sources[source.id] = source
    entries: dict[str, Entry] = {}
    hashes: set[str] = set()
    for place, row in _rows(folder / "pictures.csv", Entry, problems):
        try:
            entry = Entry(**{**row, "bytes": int(row["bytes"]), "turn": int(row["turn"])})  # type: ignore[arg-type]
        except ValueError as error:
            problems.append(f"{place}: {error}")
            continue
        if wrong := _wrong(entry, sources, entries, hashes):
            problems.append(f"{place}: {wrong}")
            continue
        entries[entry.id] = entry
        hashes.add(entry.sha256)
    return Manifest(sources, tuple(entries.values()), tuple(problems))


def _rows(path: Path, kind: type, problems: list[str]) -> list[tuple[str, dict[str, str]]]:
    names = {field.name for field in fields(kind)}
    found = []
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            place = f"{path.name}:{line}"
            if set(row) != names or None in row.values():
                problems.append(f"{place}: has not the columns {', '.join(sorted(names))}")
            else:
                found.append((place, row))
    return found


def _wrong_source(source: Source, known: Mapping[str, Source]) -> str:
    if source.id in known:
        return f"source {source.id} is there twice"
    if not re.fullmatch(r"(?!\.)[\w.-]+/(?!\.)[\w.-]+", source.repository):
        return f"{source.repository} is no repository"
    if not re.fullmatch(r"[0-9a-f]{40}", source.commit):
        return f"{source.commit} is no commit"
    if source.licence not in LICENCES:
        return f"licence {source.licence} is not free: it has to be one of {', '.join(LICENCES)}"
    if not source.credit or not source.evidence:
        return "nobody is credited" if source.evidence else "no file states the licence"
    return ""


def _wrong(entry: Entry, sources: Mapping[str, Source], known: Mapping[str, Entry], hashes: set[str]) -> str:
    """What is wrong with a picture's row; empty: nothing."""
    checks = (
        (entry.id in known, f"{entry.id} is there twice"),
        (entry.sha256 in hashes, f"{entry.id} is a picture that is there already"),
        (not re.fullmatch(r"[\w.+-]+", entry.id), f"{entry.id} is no name for a file"),
        (entry.source not in sources, f"no source is called {entry.source}"),
        (not entry.path or entry.path.startswith("/") or ".." in entry.path.split("/"), f"path {entry.path}"),
        (entry.bytes <= 0, f"{entry.bytes} bytes"),
        (not re.fullmatch(r"[0-9a-f]{64}", entry.sha256), f"{entry.sha256} is no sha256"),
        (entry.group not in GROUPS, f"group {entry.group} is none of {', '.join(GROUPS)}"),
        (entry.hardness not in HARDNESS, f"hardness {entry.hardness} is none of {', '.join(HARDNESS)}"),
        (entry.turn not in TURNS, f"turn {entry.turn} is none of {TURNS}"),
        (entry.checked != "eye", f"{entry.id} was not looked at"),
    )
    return next((reason for bad, reason in checks if bad), "")
