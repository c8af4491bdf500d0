"""Results as Markdown: the leaderboard for a terminal, and a page for a repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from upright_benchmark import page
from upright_benchmark import report as reporting

SLICES = {"group": "kind of picture", "part": "part", "hardness": "hardness"}


def board(everything: Mapping[str, Any]) -> str:
    """The leaderboard, and who did not run."""
    rows = [(row["entrant"], *(text for text, _ in page.board_cells(row))) for row in reporting.leaderboard(everything)]
    absent = [f"not run here: {name}: {why}" for name, why in everything["absent"].items()]
    return "\n".join([_table(("entrant", *page.HEADS), rows), *absent])


def markdown(everything: Mapping[str, Any]) -> str:
    """A page: with what it was measured, the leaderboard, slices, tests, who did not run."""
    found = everything["entrants"]
    order = [row["entrant"] for row in reporting.leaderboard(everything)]
    head = "Written by `upright-benchmark summary`; how everything is counted: [METHODS.md](METHODS.md)."
    parts = ["# Results", head, _conditions(everything["meta"])]
    parts += ["## Plain pictures", board({**everything, "absent": {}})]
    for name, title in SLICES.items():
        values = sorted({value for entrant in found.values() for value in entrant["slices"][name]})
        rows = [(entrant, *(_cell(found[entrant]["slices"][name].get(value)) for value in values)) for entrant in order]
        parts += [f"## By {title}: accuracy / spoilt, %", _table(("entrant", *values), rows)]
    parts += ["## Paired tests, plain pictures", _tests(everything["tests"])]
    parts += ["## Not run here", "\n".join(f"* {name}: {why}" for name, why in everything["absent"].items())]
    return "\n\n".join(parts) + "\n"


def _conditions(meta: Mapping[str, Any]) -> str:
    machine, took = meta["machine"], meta.get("took")
    lines = [
        f"{meta['pictures']['number']} pictures, each in four turns; {machine['processor']}, {machine['cores']} cores, "
        f"Python {machine['python']}; commit `{machine['commit'][:12]}`.",
        f"Pictures `{meta['pictures']['digest'][:16]}`, answers `{meta['signature'][:16]}`.",
    ]
    if took:
        before, after = took["load"]
        lines.append(
            f"Started {took['started']}: {took['asked']:,} answers in {took['wall_s'] / 60:.0f} minutes; load average "
            f"{before} before and {after} after, of which this run makes {meta['settings']['jobs']}."
        )
    versions = {name: version for facts in meta["entrants"].values() for name, version in facts["versions"].items()}
    lines.append("Versions: " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + ".")
    return "\n".join(lines)


def _cell(row: Mapping[str, Any] | None) -> str:
    return f"{page.percent(row['accuracy'])} / {page.percent(row['spoilt'])}" if row else "–"


def _tests(tests: Sequence[Mapping[str, Any]]) -> str:
    heads = ("first less second", "measure", "difference, points (95 %)", "p (Holm)", "documents")
    rows = [
        (f"{test['first']} − {test['second']}", test["measure"],
         "{:+.1f} ({:+.1f} to {:+.1f})".format(100 * test["difference"], *(100 * end for end in test["interval"])),
         f"{test['p_holm']:.4f}", test["documents"])
        for test in tests
    ]  # fmt: skip
    return _table(heads, rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
