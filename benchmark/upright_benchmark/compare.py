"""Tests between entrants on the pictures that both saw, and a search for pictures whose label is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from upright_benchmark.measures import SEED, Floats, Row, draws

FLIPS = 10_000
MEASURES = ("accuracy", "spoilt")


def paired(first: Sequence[Row], second: Sequence[Row], measure: str) -> dict[str, Any] | None:
    """The difference (first less second) of accuracy or spoilt on common pictures, its 95 % interval by bootstrap over
    documents, and the p of a sign-flip test over documents (two-sided, 10,000 flips, seeded). None: nothing common."""
    others = {(row["picture"], row["turn"]): row for row in second}
    by_document: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in first:
        other = others.get((row["picture"], row["turn"]))
        if other is None or (measure == "spoilt" and row["turn"] != 0):
            continue
        tally = by_document[row["document"]]
        tally[0] += _counts(row, measure) - _counts(other, measure)
        tally[1] += 1
    if not by_document:
        return None
    difference, trials = np.array(list(by_document.values())).T
    weights = draws(len(difference))
    low, high = np.percentile((weights @ difference) / (weights @ trials), (2.5, 97.5))
    return {
        "documents": len(difference),
        "shown": int(trials.sum()),
        "difference": float(difference.sum() / trials.sum()),
        "interval": [float(low), float(high)],
        "p": _sign_flip(difference),
    }


def _counts(row: Row, measure: str) -> float:
    if measure == "accuracy":
        return float(row["answer"] == row["turn"])
    return float(row["answer"] not in (None, 0))


def _sign_flip(difference: Floats) -> float:
    """Chance of a total this far from 0 if each document might as well favour the other entrant."""
    moved = difference[difference != 0]
    if not len(moved):
        return 1.0
    signs = np.random.default_rng(SEED).integers(0, 2, (FLIPS, len(moved)), np.int8) * 2 - 1
    extreme = np.abs(signs @ moved) >= abs(moved.sum()) - 1e-9
    return float((1 + extreme.sum()) / (1 + FLIPS))


def all_pairs(rows: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    """Every pair of entrants under both measures; `p_holm` is corrected for the number of tests (Holm 1979)."""
    pairs = [(*pair, measure) for pair in combinations(sorted(rows), 2) for measure in MEASURES]
    found = [(pair, paired(rows[pair[0]], rows[pair[1]], pair[2])) for pair in pairs]
    tests = [dict(zip(("first", "second", "measure"), pair, strict=True), **test) for pair, test in found if test]
    largest = 0.0
    for rank, test in enumerate(sorted(tests, key=lambda test: test["p"])):
        largest = max(largest, min(1.0, test["p"] * (len(tests) - rank)))
        test["p_holm"] = largest
    return tests


def suspects(
    rows: Mapping[str, Sequence[Row]], sources: Mapping[str, str] | None = None, least: int = 2
) -> list[dict[str, Any]]:
    """Pictures whose label may be wrong: at least `least` programs miss all four turns of it by the same quarter turns.

    Entrants of one source (`sources` by entrant) are one program: they have the same network and the same mistakes.
    `says` is the turn that would set the picture upright instead. A person has to look: entrants err together too."""
    off: dict[str, dict[str, list[int | None]]] = defaultdict(lambda: defaultdict(list))
    for entrant, answers in rows.items():
        for row in answers:
            answer = row["answer"] if row["answer"] is not None else row["best"]
            off[row["picture"]][entrant].append(None if answer is None else (answer - row["turn"]) % 360)
    found = []
    for picture, entrants in sorted(off.items()):
        votes: dict[int, list[str]] = defaultdict(list)
        for entrant, errors in entrants.items():
            if len(errors) == 4 and len(set(errors)) == 1 and errors[0]:
                votes[errors[0]].append(entrant)
        programs = {turn: {(sources or {}).get(voter) or voter for voter in voters} for turn, voters in votes.items()}
        agreed = {turn: sorted(voters) for turn, voters in votes.items() if len(programs[turn]) >= least}
        found += [{"picture": picture, "says": turn, "entrants": voters} for turn, voters in agreed.items()]
    return found
