"""The leaderboard as one HTML file that needs nothing else."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from upright_benchmark.measures import Row
from upright_benchmark.pictures import Picture


def percent(value: float | None, places: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{places}f}"


def _number(value: float | None, places: int = 0) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def board_cells(row: Mapping[str, Any]) -> list[tuple[str, float | None]]:
    """What the page shows of a row, and what it sorts by."""

    def interval(key: str) -> str:
        if row[key] is None:
            return "–"
        return f"{percent(row[key])} ({percent(row[f'{key}_low'])}–{percent(row[f'{key}_high'])})"

    shares = ("coverage", "wrong_of_answered", "coverage_at_0.1", "coverage_at_0.5", "coverage_at_1",
              "180_for_0", "90_for_270", "no_up_answered")  # fmt: skip
    return [
        (interval("spoilt"), row["spoilt"]),
        (interval("accuracy"), row["accuracy"]),
        *((percent(row.get(key)), row.get(key)) for key in shares),
        *((_number(row[key], 3), row[key]) for key in ("ece", "brier")),
        *((_number(row[key]), row[key]) for key in ("cpu_ms", "peak_mib", "failures", "documents")),
    ]


HEADS = ("spoilt % (95 %)", "accuracy % (95 %)", "coverage %", "wrong of answered %", "coverage at 0.1 % wrong",
         "at 0.5 %", "at 1 %", "180 for 0 %", "90 for 270 %", "answered without an up %", "ECE", "Brier", "CPU ms",
         "peak MiB", "failures", "documents")  # fmt: skip


def page(
    everything: Mapping[str, Any], board: Sequence[Row], mistakes: Mapping[str, Any], known: Mapping[str, Picture]
) -> str:
    """The leaderboard as one HTML file that needs nothing else."""
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    head = "".join(f"<th>{html.escape(text)}</th>" for text in ("entrant", *HEADS))
    body = "".join(_row(row["entrant"], board_cells(row)) for row in board)
    names = ("group", "hardness", "part", "kind", "capture", "script")
    parts = [_slice_table(name, everything["entrants"]) for name in names]
    parts += [_tests(everything["tests"]), _absent(everything["absent"]), _suspects(everything["suspects"])]
    parts += [_mistakes(name, rows, known) for name, rows in mistakes.items()]
    meta = html.escape(json.dumps(everything["meta"], indent=1, ensure_ascii=False))
    return (
        template.replace("{{board}}", _table(head, body)).replace("{{parts}}", "".join(parts)).replace("{{meta}}", meta)
    )


def _table(head: str, body: str) -> str:
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(name: str, cells: Sequence[tuple[str, float | None]]) -> str:
    values = "".join(f'<td data-v="{"" if v is None else v}">{html.escape(text)}</td>' for text, v in cells)
    return f"<tr><th>{html.escape(name)}</th>{values}</tr>"


def _slice_table(name: str, entrants: Mapping[str, Any]) -> str:
    values = sorted({value for found in entrants.values() for value in found["slices"][name]})
    head = "<th>accuracy % / spoilt %</th>" + "".join(f"<th>{html.escape(v)}</th>" for v in values)
    body = ""
    for entrant_name, found in entrants.items():
        cells: list[tuple[str, float | None]] = []
        for value in values:
            row = found["slices"][name].get(value)
            text = f"{percent(row['accuracy'])} / {percent(row['spoilt'])}" if row else "–"
            cells.append((text, row["accuracy"] if row else None))
        body += _row(entrant_name, cells)
    return f"<h2>By {html.escape(name)}</h2>" + _table(head, body)


def _tests(tests: Sequence[Mapping[str, Any]]) -> str:
    heads = ("first less second", "measure", "difference, points (95 %)", "p", "p (Holm)", "documents")
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = ""
    for test in tests:
        low, high = test["interval"]
        span = f"{100 * test['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
        cells = [(test["measure"], None), (span, test["difference"]), (f"{test['p']:.4f}", test["p"]),
                 (f"{test['p_holm']:.4f}", test["p_holm"]), (str(test["documents"]), test["documents"])]  # fmt: skip
        body += _row(f"{test['first']} − {test['second']}", cells)
    return "<h2>Paired tests, plain pictures</h2>" + _table(head, body)


def _absent(absent: Mapping[str, str]) -> str:
    items = "".join(f"<li>{html.escape(name)}: {html.escape(reason)}</li>" for name, reason in absent.items())
    return f"<h2>Not run here</h2><ul>{items}</ul>" if items else ""


def _suspects(found: Sequence[Mapping[str, Any]]) -> str:
    items = "".join(
        f"<li>{html.escape(row['picture'])}: {len(row['entrants'])} entrants would turn it by {row['says']}</li>"
        for row in found
    )
    return f"<h2>Labels to look at</h2><ul>{items}</ul>" if items else ""


def _mistakes(name: str, rows: Sequence[tuple[Row, str]], known: Mapping[str, Picture]) -> str:
    figures_ = ""
    for row, address in rows:
        sure = "" if row["confidence"] is None else f", {row['confidence']:.3f}"
        credit = known[row["picture"]].credit
        text = f"{row['picture']}: right {row['turn']}, answered {row['answer']}{sure}"
        figures_ += (
            f'<figure><img src="{address}" alt="" loading="lazy"><figcaption>{html.escape(text)}'
            f"<small>{html.escape(credit)}</small></figcaption></figure>"
        )
    title = html.escape(f"{name}: its surest mistakes, as it would leave them")
    return f"<h2>{title}</h2><div class=worst>{figures_}</div>" if figures_ else ""
